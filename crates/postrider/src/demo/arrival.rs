//! What arrived: the latest webhooks, for the page and the stream, in bounded memory.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::watch;

/// How many arrivals are kept.
const ARRIVALS_MAX: usize = 200;
/// How many causes are remembered until their webhooks arrive.
const BEGUN_MAX: usize = 4_096;
/// How much of a body is kept, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

/// What the signature of an arrival came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", content = "why", rename_all = "snake_case")]
pub(super) enum Signature {
    /// Right.
    Verified,
    /// Wrong, and why.
    Refused(String),
    /// The receiver does not know the secret, or there is none.
    NotChecked(String),
}

/// One webhook.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Arrival {
    /// Counts up from 1.
    pub(super) number: u64,
    /// When it came, in milliseconds since 1970.
    pub(super) at_ms: i64,
    /// Where it came to.
    pub(super) path: String,
    /// Whose endpoint that is.
    pub(super) organization: String,
    /// What the endpoint is called.
    pub(super) endpoint: String,
    /// Which contract it follows.
    pub(super) contract: String,
    /// The event's type, where it could be told.
    pub(super) event_type: String,
    /// The statement in the CRM that it comes from, for the demo's own changes.
    pub(super) statement: Option<String>,
    /// What the event says that changed, in short.
    pub(super) changes: Option<String>,
    /// How often this event has come to this endpoint.
    pub(super) attempt: u32,
    pub(super) signature: Signature,
    /// What it was answered; nothing when it was left without an answer on purpose.
    pub(super) status: Option<u16>,
    /// How long the answer is held back on purpose.
    pub(super) answered_after_ms: Option<u64>,
    /// From posting the event to its arrival, for the demo's own events on their first attempt.
    pub(super) latency_us: Option<u64>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
    pub(super) body_bytes: usize,
}

/// How the arrivals so far went.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Totals {
    received: u64,
    verified: u64,
    refused: u64,
    failed: u64,
}

/// Where a webhook comes from.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// An event of this type was posted.
    Event(String),
    /// A statement changed the CRM, which may be several events.
    Statement(String),
}

/// Something that webhooks come from, each maybe more than once.
#[derive(Debug)]
struct Began {
    at: Instant,
    cause: Cause,
    /// Arrivals so far, by path and event type.
    arrivals: BTreeMap<(String, String), u32>,
}

/// What an arrival comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) event_type: String,
    pub(super) statement: Option<String>,
    pub(super) attempt: u32,
    pub(super) since: Duration,
}

#[derive(Debug, Default)]
struct Kept {
    latest: VecDeque<Arc<Arrival>>,
    totals: Totals,
    begun: BTreeMap<u64, Began>,
}

/// The latest arrivals, and who waits for the next.
#[derive(Debug)]
pub(super) struct Arrivals {
    kept: Mutex<Kept>,
    last: watch::Sender<u64>,
}

impl Default for Arrivals {
    fn default() -> Self {
        Arrivals { kept: Mutex::default(), last: watch::Sender::new(0) }
    }
}

impl Arrivals {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what is about to happen.
    pub(super) fn began(&self, sequence: u64, cause: Cause) {
        let mut kept = self.kept();
        kept.begun.insert(sequence, Began { at: Instant::now(), cause, arrivals: BTreeMap::new() });
        if kept.begun.len() > BEGUN_MAX {
            kept.begun.pop_first();
        }
    }

    /// What has just led to an arrival at a path, whose type is `guessed` where the demo did not post it; none when the demo knows of nothing
    /// such, or it is long ago.
    pub(super) fn origin(&self, sequence: u64, path: &str, guessed: &str) -> Option<Origin> {
        let mut kept = self.kept();
        let began = kept.begun.get_mut(&sequence)?;
        let (event_type, statement) = match &began.cause {
            Cause::Event(event_type) => (event_type.clone(), None),
            Cause::Statement(statement) => (guessed.to_owned(), Some(statement.clone())),
        };
        let attempt = began.arrivals.entry((path.to_owned(), event_type.clone())).or_default();
        *attempt += 1;
        Some(Origin { event_type, statement, attempt: *attempt, since: began.at.elapsed() })
    }

    /// Keeps an arrival and numbers it.
    pub(super) fn add(&self, mut arrival: Arrival) -> Arc<Arrival> {
        let mut kept = self.kept();
        kept.totals.received += 1;
        arrival.number = kept.totals.received;
        kept.totals.verified += u64::from(arrival.signature == Signature::Verified);
        let is_refused = matches!(arrival.signature, Signature::Refused(_));
        kept.totals.refused += u64::from(is_refused);
        kept.totals.failed += u64::from(!arrival.is_success() && !is_refused);
        let arrival = Arc::new(arrival);
        kept.latest.push_back(Arc::clone(&arrival));
        if kept.latest.len() > ARRIVALS_MAX {
            kept.latest.pop_front();
        }
        drop(kept);
        self.last.send_replace(arrival.number);
        arrival
    }

    /// Arrivals after `number`, oldest first, with the totals; waits up to `patience` for one.
    pub(super) async fn after(&self, number: u64, patience: Duration) -> (Vec<Arc<Arrival>>, Totals) {
        let mut last = self.last.subscribe();
        // A number from before a restart is larger than any: everything is new then.
        let is_new = |last: &u64| *last != 0 && (*last > number || number > *last);
        let _ = tokio::time::timeout(patience, last.wait_for(is_new)).await;
        let kept = self.kept();
        let number = if number > kept.totals.received { 0 } else { number };
        (kept.latest.iter().filter(|arrival| arrival.number > number).cloned().collect(), kept.totals)
    }
}

impl Arrival {
    /// Whether it was answered with 2xx.
    pub(super) fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

#[cfg(test)]
pub(super) use tests::arrival as sample_arrival;

#[cfg(test)]
mod tests {
    use super::*;

    pub(in crate::demo) fn arrival() -> Arrival {
        Arrival {
            number: 0,
            at_ms: 0,
            path: "/in/a".into(),
            organization: "Acme".into(),
            endpoint: "CRM".into(),
            contract: "ours".into(),
            event_type: "deal.won".into(),
            statement: None,
            changes: None,
            attempt: 1,
            signature: Signature::Verified,
            status: Some(204),
            answered_after_ms: None,
            latency_us: Some(2_100),
            headers: vec![],
            body: "{}".into(),
            body_bytes: 2,
        }
    }

    #[tokio::test]
    async fn the_page_is_told_what_is_new_and_after_a_restart_everything() {
        let arrivals = Arrivals::default();
        arrivals.add(arrival());
        arrivals.add(Arrival { status: Some(503), ..arrival() });
        let (new, totals) = arrivals.after(1, Duration::from_secs(1)).await;
        assert_eq!((new.len(), new[0].number, totals.received, totals.failed), (1, 2, 2, 1));
        assert_eq!(arrivals.after(99, Duration::from_secs(1)).await.0.len(), 2);
        assert_eq!(arrivals.after(2, Duration::ZERO).await.0.len(), 0);
    }

    #[test]
    fn memory_stays_bounded_however_many_arrive() {
        let arrivals = Arrivals::default();
        for sequence in 0..10_000 {
            arrivals.began(sequence, Cause::Event("deal.won".into()));
            arrivals.add(arrival());
        }
        let kept = arrivals.kept();
        assert_eq!((kept.latest.len(), kept.begun.len()), (ARRIVALS_MAX, BEGUN_MAX));
    }

    #[test]
    fn attempts_are_counted_by_endpoint() {
        let arrivals = Arrivals::default();
        arrivals.began(7, Cause::Event("deal.won".into()));
        let attempt = |path: &str| arrivals.origin(7, path, "unknown").map(|origin| origin.attempt);
        assert_eq!([attempt("/in/a"), attempt("/in/a"), attempt("/in/b")], [Some(1), Some(2), Some(1)]);
        assert!(arrivals.origin(8, "/in/a", "unknown").is_none());
    }

    #[test]
    fn a_statement_may_lead_to_several_events_each_with_attempts_of_its_own() {
        let arrivals = Arrivals::default();
        arrivals.began(7, Cause::Statement("UPDATE deals".into()));
        let attempt =
            |guessed: &str| arrivals.origin(7, "/in/a", guessed).map(|origin| (origin.event_type, origin.attempt));
        assert_eq!(attempt("deal.updated"), Some(("deal.updated".to_owned(), 1)));
        assert_eq!(attempt("deal.won"), Some(("deal.won".to_owned(), 1)));
        assert_eq!(attempt("deal.won"), Some(("deal.won".to_owned(), 2)));
    }
}
