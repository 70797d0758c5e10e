//! Which span is recovered: one that is offered, or one's own.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::api::{Endpoint, List};
use crate::form::Form;
use crate::mistakes::Mistakes;
use crate::moments::read_moment;
use crate::refusal::Refusal;
use crate::say::Say;
use crate::viewer::{Viewer, segment};

/// Spans that end now, in hours.
const LAST_HOURS: [(&str, &str, i64); 4] = [
    ("1h", "recover-last-hour", 1),
    ("24h", "recover-last-day", 24),
    ("7d", "recover-last-week", 7 * 24),
    ("30d", "recover-last-month", 30 * 24),
];
const OWN: &str = "own";
/// The latest changes of a webhook that are looked through for when it was last stopped.
const CHANGES_MAX: u32 = 100;

/// So much earlier begins a span that is named for a failure: what failed was accepted before. Whatever had arrived by then is left alone.
const UNDER_WAY: SignedDuration = SignedDuration::from_mins(1);

/// A span, in the server's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

/// A span that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Preset {
    /// As the form sends it.
    pub(super) value: &'static str,
    pub(super) text: String,
    /// When it begins; none for one's own.
    since: Option<Timestamp>,
    /// What it is named for, and so worth showing.
    happened_at: Option<Timestamp>,
    pub(super) is_chosen: bool,
}

impl Preset {
    /// When what it is named for happened (RFC 3339).
    pub(super) fn happened_at(&self) -> Option<String> {
        self.happened_at.map(|at| at.to_string())
    }

    pub(super) fn is_own(&self) -> bool {
        self.value == OWN
    }
}

/// A change of a webhook, as far as it tells whether that received.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    at: String,
    after: Map<String, Value>,
}

/// What is offered for a webhook; the one that was `chosen` is, else the first.
pub(super) async fn presets(
    viewer: &Viewer,
    organization_path: &str,
    endpoint: &Endpoint,
    chosen: Option<&str>,
) -> Result<Vec<Preset>, Refusal> {
    let path = format!("{organization_path}/audit?object={}&limit={CHANGES_MAX}", segment(&endpoint.id));
    let changes: List<Change> = viewer.asker.get(&path).await?;
    let failing_since = endpoint.failing_since.as_deref();
    Ok(offered(viewer.say, &changes.data, failing_since, chosen, viewer.now))
}

fn offered(
    say: Say,
    changes: &[Change],
    failing_since: Option<&str>,
    chosen: Option<&str>,
    now: Timestamp,
) -> Vec<Preset> {
    let happened = |value, name: &str, at: &str| {
        let at: Timestamp = at.parse().ok()?;
        let since = at.checked_sub(UNDER_WAY).ok();
        Some(Preset { value, text: say.text(name), since, happened_at: Some(at), is_chosen: false })
    };
    let stopped = last_stop(changes).and_then(|(name, at)| happened("stopped", name, at));
    let failing = failing_since.and_then(|at| happened("failing", "recover-since-failing", at));
    let last = LAST_HOURS.into_iter().map(|(value, name, hours)| {
        let since = now.checked_sub(SignedDuration::from_hours(hours)).ok();
        Preset { value, text: say.text(name), since, happened_at: None, is_chosen: false }
    });
    let own = Preset { value: OWN, text: say.text("recover-own"), since: None, happened_at: None, is_chosen: false };
    let mut all: Vec<_> = stopped.into_iter().chain(failing).chain(last).chain([own]).collect();
    // Nothing that happened: a day is what most people want.
    let usual = if all.first().is_some_and(|first| first.happened_at.is_some()) { all[0].value } else { "24h" };
    let chosen = chosen.filter(|chosen| all.iter().any(|preset| preset.value == *chosen)).unwrap_or(usual).to_owned();
    for preset in &mut all {
        preset.is_chosen = preset.value == chosen;
    }
    all
}

/// When it last stopped receiving, newest change first.
fn last_stop(changes: &[Change]) -> Option<(&'static str, &str)> {
    changes.iter().find_map(|change| match change.after.get("status")?.as_str()? {
        "paused" => Some(("recover-since-paused", change.at.as_str())),
        "disabled" => Some(("recover-since-disabled", change.at.as_str())),
        _ => None,
    })
}

/// The span that was chosen.
pub(super) fn read_span(say: Say, query: &Form, presets: &[Preset], now: Timestamp) -> Result<Span, Mistakes> {
    let chosen = presets.iter().find(|preset| preset.is_chosen);
    if let Some(since) = chosen.and_then(|preset| preset.since) {
        return Ok(Span { since, until: now });
    }
    let moment = |name: &str| match query.text(name) {
        Some(text) => read_moment(text).map(Some).ok_or_else(|| Mistakes::one(name, say.text("recover-no-moment"))),
        None => Ok(None),
    };
    let since = moment("since")?.ok_or_else(|| Mistakes::one("since", say.text("recover-since-missing")))?;
    Ok(Span { since, until: moment("until")?.unwrap_or(now) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn now() -> Timestamp {
        "2026-03-05T12:00:00Z".parse().unwrap()
    }

    fn changes(all: &Value) -> Vec<Change> {
        serde_json::from_value(all.clone()).unwrap()
    }

    fn offer(changes: &[Change], failing_since: Option<&str>, chosen: Option<&str>) -> Vec<Preset> {
        offered(Say::new("en"), changes, failing_since, chosen, now())
    }

    fn chosen(presets: &[Preset]) -> &'static str {
        presets.iter().find(|preset| preset.is_chosen).unwrap().value
    }

    #[test]
    fn the_last_stop_is_offered_first() {
        let changes = changes(&json!([
            {"at": "2026-03-05T11:00:00.000Z", "after": {"status": "active"}},
            {"at": "2026-03-05T09:00:00.000Z", "after": {"name": "Other"}},
            {"at": "2026-03-04T08:00:00.000Z", "after": {"status": "disabled", "disabled_reason": "failed"}},
            {"at": "2026-03-01T08:00:00.000Z", "after": {"status": "paused"}},
        ]));
        let presets = offer(&changes, None, None);
        assert_eq!((presets[0].value, presets[0].text.as_str()), ("stopped", "Since it was disabled"));
        assert_eq!(presets[0].happened_at().as_deref(), Some("2026-03-04T08:00:00Z"));
        assert_eq!(chosen(&presets), "stopped");
        let span = read_span(Say::new("en"), &Form::default(), &presets, now()).ok().unwrap();
        let before_it = "2026-03-04T07:59:00Z".parse().unwrap();
        assert_eq!(span, Span { since: before_it, until: now() }, "with what was on its way when it stopped");
    }

    #[test]
    fn without_a_stop_a_day_is_chosen_and_a_streak_comes_before_it() {
        assert_eq!(chosen(&offer(&[], None, None)), "24h");
        assert_eq!(chosen(&offer(&[], Some("2026-03-05T08:00:00.000Z"), None)), "failing");
        assert_eq!(chosen(&offer(&[], None, Some("7d"))), "7d");
        assert_eq!(chosen(&offer(&[], None, Some("stopped"))), "24h", "what is not offered cannot be chosen");
    }

    #[test]
    fn a_span_of_ones_own_is_read_and_its_mistakes_stand_at_their_fields() {
        let presets = offer(&[], None, Some(OWN));
        let read = |text: &str| read_span(Say::new("en"), &Form::read(text.as_bytes()), &presets, now());
        let both = read("since=2026-03-05T08%3A00&until=2026-03-05T09%3A00%3A00Z").ok().unwrap();
        assert_eq!(both.until.duration_since(both.since), SignedDuration::from_hours(1));
        assert_eq!(read("since=2026-03-05T08%3A00").ok().map(|span| span.until), Some(now()));
        assert!(read("").is_err_and(|mistakes| mistakes.at("since").is_some()));
        assert!(read("since=2026-03-05T08%3A00&until=later").is_err_and(|mistakes| mistakes.at("until").is_some()));
    }
}
