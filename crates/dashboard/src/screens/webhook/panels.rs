//! The charts of one webhook: volume, failures, response time.

use postrider_texts::fluent_bundle::FluentValue;

use super::charts::{Bars, Counted, Curves, Frame, Period};
use crate::api::{Bucket, Statistics, StatisticsPage};
use crate::refusal::Refusal;
use crate::say::Say;
use crate::viewer::{Viewer, segment};

/// The charts, each with what it says in a sentence.
pub(crate) struct Panels {
    pub(crate) period: Period,
    pub(crate) volume: Bars,
    pub(crate) volume_text: String,
    pub(crate) failures: Bars,
    pub(crate) failures_text: String,
    pub(crate) times: Curves,
    pub(crate) times_text: String,
    /// The same in numbers, newest first; hours without an attempt are left out.
    pub(crate) table: Vec<Bucket>,
    /// When the drawings begin, and when their last bucket does.
    pub(crate) ends: Option<(String, String)>,
}

impl Panels {
    pub(crate) async fn read(
        viewer: &Viewer,
        organization: &str,
        endpoint: &str,
        period: Period,
    ) -> Result<Self, Refusal> {
        let (organization, endpoint) = (segment(organization), segment(endpoint));
        let span = period.query(viewer.now);
        let path = format!("/v1/organizations/{organization}/statistics?endpoint={endpoint}{span}");
        let found: StatisticsPage = viewer.asker.get(&path).await?;
        Ok(Panels::new(viewer.say, period, found.data.into_iter().next()))
    }

    fn new(say: Say, period: Period, counted: Option<Statistics>) -> Self {
        let buckets = counted.as_ref().map(|counted| counted.buckets.as_slice()).unwrap_or_default();
        let ends = buckets.first().zip(buckets.last()).map(|(first, last)| (first.at.clone(), last.at.clone()));
        Panels {
            period,
            volume: Bars::new(buckets, Counted::Attempts, Frame::PANEL),
            volume_text: volume_text(say, counted.as_ref()),
            failures: Bars::new(buckets, Counted::Failures, Frame::PANEL),
            failures_text: failures_text(say, counted.as_ref()),
            times: Curves::new(buckets, Frame::PANEL),
            times_text: times_text(say, counted.as_ref()),
            table: buckets.iter().rev().filter(|bucket| bucket.attempts > 0).cloned().collect(),
            ends,
        }
    }
}

fn volume_text(say: Say, counted: Option<&Statistics>) -> String {
    say.with("chart-attempts", "count", counted.map_or(0, |counted| counted.attempts))
}

/// How many attempts failed, and how many percent succeeded.
pub(crate) fn failures_text(say: Say, counted: Option<&Statistics>) -> String {
    let tried = counted.and_then(|counted| Some((counted.failed_attempts, counted.success_rate?)));
    match tried {
        Some((count, rate)) => say
            .all("chart-failed", [("count", FluentValue::from(count)), ("rate", FluentValue::from(say.percent(rate)))]),
        None => say.text("chart-nothing"),
    }
}

fn times_text(say: Say, counted: Option<&Statistics>) -> String {
    match counted.and_then(|counted| counted.response_time_ms) {
        Some(times) => {
            say.with2("chart-times", "half", say.milliseconds(times.p50), "most", say.milliseconds(times.p95))
        }
        None => say.text("chart-no-answers"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Percentiles;

    fn counted(attempts: u64, failed_attempts: u64) -> Statistics {
        let bucket = |at: &str, attempts, failed_attempts| Bucket {
            at: at.to_owned(),
            attempts,
            failed_attempts,
            response_time_ms: None,
        };
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let rate = (attempts > 0).then(|| 1.0 - failed_attempts as f64 / attempts as f64);
        Statistics {
            endpoint: "ep_1".into(),
            attempts,
            failed_attempts,
            success_rate: rate,
            response_time_ms: (attempts > 0).then_some(Percentiles { p50: 120, p95: 1_500 }),
            last_attempt_at: None,
            buckets: vec![
                bucket("2026-03-05T08:00:00.000Z", 0, 0),
                bucket("2026-03-05T09:00:00.000Z", attempts, failed_attempts),
            ],
        }
    }

    #[test]
    fn charts_say_in_words_and_numbers_what_they_show() {
        let panels = Panels::new(Say::new("en"), Period::Day, Some(counted(1_200, 3)));
        assert_eq!(panels.volume_text, "1,200 attempts");
        assert_eq!(panels.failures_text, "3 failed, 99.7% succeeded");
        assert_eq!(panels.times_text, "Half within 120 ms, 95% within 1.5 s");
        assert_eq!(panels.table.len(), 1);
        assert_eq!(panels.ends.unwrap().0, "2026-03-05T08:00:00.000Z");
    }

    #[test]
    fn where_nothing_was_counted_they_say_so() {
        for nothing in [None, Some(counted(0, 0))] {
            let panels = Panels::new(Say::new("es"), Period::Week, nothing);
            assert_eq!(panels.failures_text, Say::new("es").text("chart-nothing"));
            assert_eq!(panels.times_text, Say::new("es").text("chart-no-answers"));
            assert!(panels.table.is_empty());
        }
    }
}
