//! How a source is, for the operator who looks while the server runs: on any node, whichever reads.
//!
//! A look connects, asks for a handful of numbers and goes again: nobody looks most of the time. What was seen is told for a moment, however
//! many ask, and a database that does not answer is not asked by each of them.

use std::sync::Arc;
use std::time::Duration;

use postrider_database::Address;
use postrider_domain::{SourceBackfill, SourceOutbox, SourceSlot, SourceState, SourceStatus};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_postgres::Client;

use crate::capture::CaptureError;
use crate::catalogue::{ROWS_COUNTED_MAX, backfills, reader, waiting};
use crate::mapping::{CaptureKind, Mapping};
use crate::metrics::Telling;
use crate::quote;
use crate::replication::publication::slot;
use crate::session::{Use, open, refused};

/// How long a look may take.
const LOOK: Duration = Duration::from_secs(2);
/// For how long what was seen is told.
const SEEN_FOR: Duration = Duration::from_secs(1);
/// For how long a database that could not be looked at is let be.
const FAILED_FOR: Duration = Duration::from_secs(5);

/// What the sessions of a node that reads are called begins with this; its name follows.
const SESSIONS: &str = "postrider ";

/// What Postgres keeps of a session's name, in bytes (`NAMEDATALEN` and its closing zero).
const SESSION_BYTES_MAX: usize = 63;

/// The address under which a node reads, by whose sessions the others know it. An operator who names them in the URL has the say.
pub(crate) fn named(address: &Address, node: &str) -> Address {
    address.called(&format!("{SESSIONS}{node}"))
}

/// Which node a session is of.
pub(crate) fn node_of(session: &str) -> &str {
    session.strip_prefix(SESSIONS).unwrap_or(session)
}

/// Looks at a source.
#[derive(Clone)]
pub struct Watch(Arc<Inner>);

struct Inner {
    mapping: Arc<Mapping>,
    address: Address,
    node: String,
    telling: Arc<Telling>,
    last: Mutex<Option<(Instant, Result<Seen, String>)>>,
}

/// What a look found.
#[derive(Clone, Debug)]
struct Seen {
    /// What the session that reads is called.
    reader: Option<String>,
    outbox: Option<SourceOutbox>,
    slot: Option<SourceSlot>,
    backfills: Vec<SourceBackfill>,
    refused: u64,
}

impl Watch {
    pub(crate) fn new(mapping: Arc<Mapping>, address: Address, node: String, telling: Arc<Telling>) -> Self {
        Watch(Arc::new(Inner { mapping, address, node, telling, last: Mutex::default() }))
    }

    /// How it is now, or was a moment ago; within about two seconds, whether the database answers or not.
    pub async fn look(&self) -> SourceStatus {
        let Inner { mapping, address, telling, .. } = &*self.0;
        let seen = self.0.seen().await;
        let state = self.0.state(&seen);
        let seen = seen.ok();
        SourceStatus {
            database: address.place().to_string(),
            capture: mapping.capture.as_str(),
            state,
            outbox: seen.as_ref().and_then(|seen| seen.outbox),
            slot: seen.as_ref().and_then(|seen| seen.slot),
            refused: seen.as_ref().map_or_else(|| telling.refused(), |seen| seen.refused),
            backfills: seen.map(|seen| seen.backfills).unwrap_or_default(),
        }
    }
}

impl Inner {
    async fn seen(&self) -> Result<Seen, String> {
        let mut last = self.last.lock().await;
        if let Some((at, seen)) = &*last {
            let lasts = if seen.is_ok() { SEEN_FOR } else { FAILED_FOR };
            if at.elapsed() < lasts {
                return seen.clone();
            }
        }
        let seen = match tokio::time::timeout(LOOK, self.see()).await {
            Ok(seen) => seen.map_err(|error| error.to_string()),
            Err(_) => Err(self.address.place().silent().to_string()),
        };
        *last = Some((Instant::now(), seen.clone()));
        seen
    }

    async fn see(&self) -> Result<Seen, CaptureError> {
        let connected = open(&self.address, Use::Orders).await?;
        self.ask(&connected.client).await.map_err(|error| refused(&error))
    }

    async fn ask(&self, client: &Client) -> Result<Seen, tokio_postgres::Error> {
        let Mapping { schema, capture, outbox_rows_max, slot_bytes_max, .. } = &*self.mapping;
        let own = quote::identifier(schema);
        let mut seen = Seen {
            reader: reader(client, schema).await?,
            outbox: None,
            slot: None,
            refused: self.telling.refused(),
            backfills: backfills(client, &own, SourceStatus::BACKFILLS_MAX).await?,
        };
        match capture {
            CaptureKind::Triggers => {
                let found = waiting(client, &own).await?;
                let are_counted = found.counted <= ROWS_COUNTED_MAX;
                seen.outbox = Some(SourceOutbox {
                    changes: if are_counted { found.counted } else { found.drawn.max(found.counted) },
                    changes_max: *outbox_rows_max,
                    oldest_ms: found.oldest_ms,
                    missed: found.missed,
                });
            }
            CaptureKind::Replication => {
                let found = slot(client, schema).await?;
                seen.slot = found.map(|slot| SourceSlot { log_bytes: slot.log_bytes, log_bytes_max: *slot_bytes_max });
            }
        }
        Ok(seen)
    }

    /// Whether a session is called as those of this node are.
    fn is_own(&self, session: &str) -> bool {
        let own = format!("{SESSIONS}{}", self.node);
        session == own || (session.len() == SESSION_BYTES_MAX && own.starts_with(session))
    }

    /// What this node knows of itself counts before what its sessions are called.
    fn state(&self, seen: &Result<Seen, String>) -> SourceState {
        let failure = self.telling.failure();
        match seen {
            Ok(Seen { reader: Some(session), .. }) if self.telling.is_reading() || self.is_own(session) => {
                let reading = SourceState::Reading { node: self.node.clone(), this: true };
                failure.map_or(reading, |why| SourceState::Failed { why })
            }
            Ok(Seen { reader: Some(session), .. }) => {
                SourceState::Reading { node: node_of(session).to_owned(), this: false }
            }
            Ok(Seen { reader: None, .. }) => failure.map_or(SourceState::Waiting, |why| SourceState::Failed { why }),
            Err(error) => SourceState::Failed { why: failure.unwrap_or_else(|| error.clone()) },
        }
    }
}
