//! Charts: what was counted, as drawings. All of it is arithmetic; the templates write the lines, and a table beside them says the same in numbers.

use jiff::Timestamp;

use crate::api::{Bucket, Percentiles};

/// A drawing's size, in its own units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Frame {
    /// As wide as a panel.
    pub(crate) const PANEL: Frame = Frame { width: 360.0, height: 100.0 };
    /// As wide as a table's cell.
    pub(crate) const CELL: Frame = Frame { width: 120.0, height: 28.0 };
}

/// What is something is drawn at least this high, however much the rest is.
const HEIGHT_MIN: f64 = 2.0;
/// How long a curve's first dash is.
const DASH: f64 = 5.0;
/// The part of a bucket's width that stays empty.
const GAP: f64 = 0.22;

/// A bar of a bucket, from the ground up: what succeeded, and above it what failed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    pub(crate) x: f64,
    pub(crate) width: f64,
    pub(crate) good: Option<Span>,
    pub(crate) failed: Option<Span>,
    /// When its bucket begins.
    pub(crate) at: String,
    pub(crate) attempts: u64,
    pub(crate) failed_attempts: u64,
}

/// From where down, and how far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) y: f64,
    pub(crate) height: f64,
}

/// Bars side by side.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bars {
    pub(crate) frame: Frame,
    pub(crate) bars: Vec<Bar>,
    /// What a bar as high as the drawing stands for.
    pub(crate) top: u64,
}

/// What bars are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// All attempts, the failed ones apart.
    Attempts,
    /// The failed ones alone.
    Failures,
}

impl Bars {
    pub(crate) fn new(buckets: &[Bucket], counted: Counted, frame: Frame) -> Self {
        let parts = |bucket: &Bucket| match counted {
            Counted::Attempts => (bucket.attempts.saturating_sub(bucket.failed_attempts), bucket.failed_attempts),
            Counted::Failures => (0, bucket.failed_attempts),
        };
        let most = buckets.iter().map(parts).map(|(good, failed)| good + failed).max().unwrap_or_default();
        let top = round_up(most);
        let step = frame.width / count(buckets.len());
        let height = |number: u64| match number {
            0 => 0.0,
            _ => (frame.height * share(number, top)).max(HEIGHT_MIN),
        };
        let bar = |(place, bucket): (usize, &Bucket)| {
            let (good, failed) = parts(bucket);
            // What is there is seen, and nothing grows out of the drawing.
            let failed_height = height(failed);
            let good_height = height(good).min(frame.height - failed_height);
            let span = |height: f64, ground: f64| {
                (height > 0.0).then(|| Span { y: tidy(ground - height), height: tidy(height) })
            };
            Bar {
                x: tidy(step * (count(place) + GAP / 2.0)),
                width: tidy(step * (1.0 - GAP)),
                good: span(good_height, frame.height),
                failed: span(failed_height, frame.height - good_height),
                at: bucket.at.clone(),
                attempts: bucket.attempts,
                failed_attempts: bucket.failed_attempts,
            }
        };
        Bars { frame, bars: buckets.iter().enumerate().map(bar).collect(), top }
    }
}

/// How long answers took: two lines with gaps where nothing came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curves {
    pub(crate) frame: Frame,
    /// A path for half of the answers.
    pub(crate) p50: String,
    /// A path for 95 of 100.
    pub(crate) p95: String,
    /// What the drawing's height stands for, in milliseconds.
    pub(crate) top: u64,
}

impl Curves {
    pub(crate) fn new(buckets: &[Bucket], frame: Frame) -> Self {
        let most =
            buckets.iter().filter_map(|bucket| bucket.response_time_ms).map(|times| times.p95.max(times.p50)).max();
        let top = round_up(most.unwrap_or_default());
        let path = |of: fn(Percentiles) -> u64| {
            let points = buckets.iter().map(|bucket| bucket.response_time_ms.map(of));
            path(points, buckets.len(), top, frame)
        };
        Curves { frame, p50: path(|times| times.p50), p95: path(|times| times.p95), top }
    }
}

/// A path through the points that are there, one for each bucket.
fn path(points: impl Iterator<Item = Option<u64>>, buckets: usize, top: u64, frame: Frame) -> String {
    let step = frame.width / count(buckets);
    let mut drawn = String::new();
    let mut is_open = false;
    for (place, point) in points.enumerate() {
        let Some(number) = point else {
            is_open = false;
            continue;
        };
        let (x, y) = (tidy(step * (count(place) + 0.5)), tidy(frame.height * (1.0 - share(number, top))));
        // Every line begins with a dash, so that one point alone is seen.
        drawn.push_str(&if is_open { format!("L{x} {y}") } else { format!("M{} {y}h{DASH}", tidy(x - DASH)) });
        is_open = true;
    }
    drawn
}

/// The next number that is easy to read: 1, 2 or 5 with noughts.
fn round_up(number: u64) -> u64 {
    let mut size = 1_u64;
    loop {
        for digit in [1, 2, 5] {
            let candidate = size.saturating_mul(digit);
            if candidate >= number || candidate == u64::MAX {
                return candidate;
            }
        }
        size = size.saturating_mul(10);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a drawing has fewer dots than a number has digits")]
fn share(number: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { number as f64 / of as f64 }
}

#[expect(clippy::cast_precision_loss, reason = "there are some hundred buckets")]
fn count(number: usize) -> f64 {
    number as f64
}

/// Two digits after the point are enough.
fn tidy(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// How much charts show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Period {
    Day,
    Week,
}

impl Period {
    /// As a query names it; a day for anything else.
    pub(crate) fn read(word: Option<&str>) -> Self {
        if word == Some("week") { Period::Week } else { Period::Day }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Period::Day => "day",
            Period::Week => "week",
        }
    }

    /// What the API is asked for, which takes a day by itself.
    pub(crate) fn query(self, now: Timestamp) -> String {
        match self {
            Period::Day => String::new(),
            Period::Week => {
                let since = now.as_second() - 7 * 24 * 3_600 + 3_600;
                let since = Timestamp::from_second(since).unwrap_or(now);
                format!("&since={since}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(attempts: u64, failed_attempts: u64, times: Option<(u64, u64)>) -> Bucket {
        let response_time_ms = times.map(|(p50, p95)| Percentiles { p50, p95 });
        Bucket { at: "2026-03-05T09:00:00.000Z".into(), attempts, failed_attempts, response_time_ms }
    }

    const FRAME: Frame = Frame { width: 100.0, height: 50.0 };

    #[test]
    fn a_bar_is_as_high_as_its_share_and_its_failed_part_stands_on_the_rest() {
        let bars = Bars::new(&[bucket(10, 5, None), bucket(0, 0, None)], Counted::Attempts, FRAME);
        assert_eq!(bars.top, 10);
        assert_eq!(bars.bars[0].good, Some(Span { y: 25.0, height: 25.0 }));
        assert_eq!(bars.bars[0].failed, Some(Span { y: 0.0, height: 25.0 }));
        assert_eq!((bars.bars[1].good, bars.bars[1].failed), (None, None));
        assert!(bars.bars[0].x + bars.bars[0].width < 50.0 && bars.bars[1].x > 50.0);
    }

    #[test]
    fn one_failure_among_a_million_is_seen_and_stays_inside_the_drawing() {
        let bars = Bars::new(&[bucket(1_000_000, 1, None)], Counted::Attempts, FRAME);
        let (good, failed) = (bars.bars[0].good.unwrap(), bars.bars[0].failed.unwrap());
        assert_eq!(failed, Span { y: 0.0, height: HEIGHT_MIN });
        assert_eq!(good, Span { y: HEIGHT_MIN, height: FRAME.height - HEIGHT_MIN });
    }

    #[test]
    fn failures_alone_have_a_scale_of_their_own() {
        let bars = Bars::new(&[bucket(1_000, 4, None), bucket(9, 0, None)], Counted::Failures, FRAME);
        assert_eq!(bars.top, 5);
        assert_eq!(bars.bars[0].failed, Some(Span { y: 10.0, height: 40.0 }));
        assert_eq!(bars.bars[0].good, None);
    }

    #[test]
    fn nothing_at_all_is_an_empty_drawing() {
        let bars = Bars::new(&[], Counted::Attempts, FRAME);
        assert_eq!((bars.bars.len(), bars.top), (0, 1));
        assert_eq!(Curves::new(&[bucket(0, 0, None)], FRAME).p50, "");
    }

    #[test]
    fn a_curve_has_a_gap_where_nothing_came_and_a_dot_where_one_stands_alone() {
        let buckets = [
            bucket(1, 0, Some((50, 100))),
            bucket(1, 0, Some((0, 0))),
            bucket(0, 0, None),
            bucket(1, 1, Some((100, 100))),
        ];
        let curves = Curves::new(&buckets, FRAME);
        assert_eq!(curves.top, 100);
        assert_eq!(curves.p50, "M7.5 25h5L37.5 50M82.5 0h5");
        assert_eq!(curves.p95, "M7.5 0h5L37.5 50M82.5 0h5");
    }

    #[test]
    fn scales_end_at_numbers_that_are_easy_to_read() {
        assert_eq!(
            [0, 1, 3, 7, 10, 11, 480, 5_001, u64::MAX].map(round_up),
            [1, 1, 5, 10, 10, 20, 500, 10_000, u64::MAX]
        );
    }

    #[test]
    fn a_week_is_asked_for_by_hours() {
        let now: Timestamp = "2026-03-08T09:30:00Z".parse().unwrap();
        assert_eq!(Period::read(Some("week")).query(now), "&since=2026-03-01T10:30:00Z");
        assert_eq!(Period::read(Some("year")).query(now), "");
    }
}
