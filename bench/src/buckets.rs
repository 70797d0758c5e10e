//! A histogram of the server's, read from its metrics in Prometheus' text format.

use std::collections::BTreeMap;

/// How many values were at most each bound: cumulative, as Prometheus has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Buckets {
    /// By the bound's bits, which sort as the bounds do: none is negative.
    counts: BTreeMap<u64, f64>,
}

impl Buckets {
    /// The histogram of that name over all nodes and labels.
    pub(crate) fn read(metrics: &[String], name: &str) -> Self {
        let mut counts = BTreeMap::new();
        let prefix = format!("{name}_bucket{{");
        for line in metrics.iter().flat_map(|text| text.lines()) {
            let Some((bound, count)) = line.strip_prefix(&prefix).and_then(bucket) else { continue };
            *counts.entry(bound.to_bits()).or_default() += count;
        }
        Buckets { counts }
    }

    /// What came since an earlier reading.
    pub(crate) fn since(&self, earlier: &Buckets) -> Self {
        let left = |(bound, count): (&u64, &f64)| (*bound, count - earlier.counts.get(bound).unwrap_or(&0.0));
        Buckets { counts: self.counts.iter().map(left).collect() }
    }

    /// How many values there are.
    pub(crate) fn count(&self) -> f64 {
        self.counts.values().copied().fold(0.0, f64::max)
    }

    /// The value that this share is at most; evenly spread within a bucket, and the last bound for what lies beyond.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = self.count() * share;
        let (mut below, mut from) = (0.0, 0.0);
        for (bound, count) in &self.counts {
            let bound = f64::from_bits(*bound);
            if *count >= wanted && *count > 0.0 {
                let part = if *count > below { (wanted - below) / (count - below) } else { 1.0 };
                return Some(if bound.is_finite() { from + (bound - from) * part } else { from });
            }
            (below, from) = (*count, bound);
        }
        None
    }
}

/// Bound and count of the rest of a line: `labels,le="0.01"} 17`.
fn bucket(rest: &str) -> Option<(f64, f64)> {
    let (labels, count) = rest.rsplit_once('}')?;
    let (_, bound) = labels.rsplit_once("le=\"")?;
    let bound = match bound.split('"').next()? {
        "+Inf" => f64::INFINITY,
        number => number.parse().ok()?,
    };
    Some((bound, count.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(counts: [u32; 3]) -> String {
        let [a, b, c] = counts;
        format!(
            "# TYPE x_seconds histogram\nx_seconds_bucket{{le=\"0.01\"}} {a}\nx_seconds_bucket{{route=\"/\",le=\"0.1\"}} {b}\n\
             x_seconds_bucket{{le=\"+Inf\"}} {c}\nx_seconds_sum 3\nx_seconds_count {c}\nother_seconds_bucket{{le=\"1\"}} 9\n"
        )
    }

    #[test]
    fn nodes_are_added_up_and_the_past_is_left_out() {
        let before = Buckets::read(&[text([1, 2, 2])], "x_seconds");
        let after = Buckets::read(&[text([51, 92, 102]), text([50, 90, 100])], "x_seconds");
        let buckets = after.since(&before);
        assert_eq!(buckets.count(), 200.0);
        assert_eq!(buckets.quantile(0.5), Some(0.01));
        let inside = buckets.quantile(0.70).unwrap();
        assert!((0.054_9..0.055_1).contains(&inside), "{inside}");
        assert_eq!(buckets.quantile(0.99), Some(0.1));
    }

    #[test]
    fn without_values_there_is_no_quantile() {
        assert_eq!(Buckets::read(&[text([0, 0, 0])], "x_seconds").quantile(0.99), None);
        assert_eq!(Buckets::read(&["nothing".to_owned()], "x_seconds").count(), 0.0);
    }
}
