//! The outbox that triggers fill, read and emptied.
//!
//! Rows are read in the order of ids, whatever is visible, and deleted by id once they are settled. There is no cursor that a late commit could fall
//! behind: every read begins at the floor (`floor.rs`), below which nothing can appear. While a batch is being handed over, the next one is
//! read *ahead*, without the rows of the first; whatever it finds was committed after them or belongs to other records.

mod floor;
mod rows;
mod session;
mod sql;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postrider_database::Address;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::capture::{Backlog, Batch, Capture, CaptureError, Position};
use crate::mapping::Mapping;
use floor::Proof;
use rows::{Asking, Ids, Read};
use session::Session;

/// Bytes of rows, as the database stores them, that one batch holds at most, unless a single row is larger.
const BATCH_BYTES_MAX: i64 = 8 * 1024 * 1024;
/// Deletions that are kept at most although they were handed over; of more the first are deleted.
const KEPT_MAX: usize = 10_000;
/// How often the outbox is looked at while changes come.
const POLL_MIN: Duration = Duration::from_millis(10);
/// How often while none come.
const POLL_MAX: Duration = Duration::from_millis(250);
/// For how long after a change the next one is expected soon.
const RECENT: Duration = Duration::from_secs(1);
/// How often it is noted how far the outbox was handed over.
const NOTED_EVERY: Duration = Duration::from_secs(1);

/// Changes out of the outbox. It reads while it holds the advisory lock of the one node that does.
pub struct Outbox {
    address: Address,
    mapping: Arc<Mapping>,
    session: Option<Session>,
    /// The batch that was read last and is not settled.
    in_flight: InFlight,
    /// Rows that were handed over, and stay until those behind them were read that may ask for them.
    kept: Vec<i64>,
    ahead: Option<JoinHandle<Result<Read, CaptureError>>>,
    recent_at: Instant,
    noted_at: Instant,
    wait: Duration,
}

/// Rows that were read and are not settled.
#[derive(Debug, Default)]
struct InFlight {
    ids: Ids,
    proof: Proof,
    /// Whether there may be more behind them.
    is_cut: bool,
}

impl Outbox {
    /// The outbox of this mapping in this database; nothing is connected yet.
    #[must_use]
    pub fn new(address: Address, mapping: Arc<Mapping>) -> Self {
        let now = Instant::now();
        let in_flight = InFlight::default();
        let (session, ahead, kept) = (None, None, Vec::new());
        Outbox { address, mapping, session, in_flight, kept, ahead, recent_at: now, noted_at: now, wait: POLL_MIN }
    }

    /// The session that holds the lock.
    async fn session(&mut self) -> Result<&mut Session, CaptureError> {
        if self.session.is_none() {
            self.session = Some(Session::open(&self.address, &self.mapping.schema).await?);
        }
        let Some(session) = &mut self.session else {
            return Err(CaptureError::Unavailable("the connection was lost".to_owned()));
        };
        session.take_lock().await?;
        Ok(session)
    }

    /// What was asked ended like this; after a fault the next one begins with a new session, from the beginning.
    fn noting<T>(&mut self, outcome: Result<T, CaptureError>) -> Result<T, CaptureError> {
        if outcome.as_ref().is_err_and(|error| !matches!(error, CaptureError::Taken)) {
            self.session = None;
            self.forget_in_flight();
        }
        outcome
    }

    /// What was read and not settled is read again.
    fn forget_in_flight(&mut self) {
        self.ahead.take().inspect(JoinHandle::abort);
        self.in_flight = InFlight::default();
        self.kept.clear();
    }

    async fn read(&mut self, changes_max: usize) -> Result<Batch, CaptureError> {
        if !self.in_flight.ids.all.is_empty() {
            self.forget_in_flight();
        }
        let read = match self.ahead.take() {
            Some(ahead) => ahead.await.map_err(|error| CaptureError::Unavailable(error.to_string()))??,
            None => self.asking(changes_max).await?.read().await?,
        };
        let mapping = Arc::clone(&self.mapping);
        let session = self.session().await?;
        let proof = session.begin(&read);
        let (ids, batch) = read.into_batch(session.installation(), &mapping);
        self.in_flight = InFlight { ids, proof, is_cut: batch.more };
        if batch.more {
            let asking = self.asking(changes_max).await?;
            self.ahead = Some(tokio::spawn(asking.read()));
        }
        Ok(batch)
    }

    /// A read of what is neither in flight nor handed over.
    async fn asking(&mut self, rows_max: usize) -> Result<Asking, CaptureError> {
        let in_flight = &self.in_flight.ids.all;
        let without = if self.kept.is_empty() {
            Arc::clone(in_flight)
        } else {
            in_flight.iter().chain(&self.kept).copied().collect()
        };
        Ok(self.session().await?.asking(without, rows_max, BATCH_BYTES_MAX))
    }

    /// Deletes what was handed over. Now and then it is noted what has gone by, which may be more than what was read when nothing else is there.
    async fn delete(&mut self, is_idle: bool) -> Result<(), CaptureError> {
        let InFlight { ids, proof, is_cut } = std::mem::take(&mut self.in_flight);
        let is_time = self.noted_at.elapsed() >= NOTED_EVERY;
        let last = ids.all.last().copied();
        let delete = self.deletable(ids, is_cut);
        let session = self.session().await?;
        session.settle(&delete, last, proof, is_cut).await?;
        if is_time {
            if is_idle {
                session.look_past_unseen().await?;
            }
            session.note_handed().await?;
            self.noted_at = Instant::now();
        }
        Ok(())
    }

    /// What may be deleted of rows that were handed over, and of those that were kept. A transaction that deletes a record with all that belongs to it may
    /// be larger than a batch: whoever begins anew in the midst of it has to find whose the rest is.
    fn deletable(&mut self, ids: Ids, is_cut: bool) -> Arc<[i64]> {
        self.kept.extend(&ids.asked_for);
        let surplus = if is_cut { self.kept.len().saturating_sub(KEPT_MAX) } else { self.kept.len() };
        if self.kept.is_empty() {
            return ids.all;
        }
        let gone: Vec<i64> = self.kept.drain(..surplus).collect();
        let asked_for: HashSet<i64> = ids.asked_for.into_iter().collect();
        ids.all.iter().copied().filter(|id| !asked_for.contains(id)).chain(gone).collect()
    }

    /// Nothing was there: the next look comes later.
    async fn idle(&mut self) -> Result<Duration, CaptureError> {
        self.delete(true).await?;
        let is_recent = self.recent_at.elapsed() < RECENT;
        self.wait = if is_recent { POLL_MIN } else { (self.wait * 2).min(POLL_MAX) };
        Ok(self.wait)
    }
}

#[async_trait]
impl Capture for Outbox {
    async fn next(&mut self, changes_max: usize, wait: Duration) -> Result<Batch, CaptureError> {
        let until = Instant::now() + wait;
        loop {
            let read = self.read(changes_max).await;
            let batch = self.noting(read)?;
            if !batch.changes.is_empty() || !batch.gaps.is_empty() {
                (self.recent_at, self.wait) = (Instant::now(), POLL_MIN);
                return Ok(batch);
            }
            let idle = self.idle().await;
            let pause = self.noting(idle)?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(batch);
            }
            sleep(pause.min(left)).await;
        }
    }

    async fn settle(&mut self) -> Result<(), CaptureError> {
        if self.session.is_none() {
            return Err(CaptureError::Unavailable(
                "the connection was lost before the changes were settled".to_owned(),
            ));
        }
        let deleted = self.delete(false).await;
        self.noting(deleted)
    }

    async fn backlog(&mut self) -> Result<Backlog, CaptureError> {
        let rows_max = self.mapping.outbox_rows_max;
        let backlog = match self.session().await {
            Ok(session) => session.backlog(rows_max).await,
            Err(error) => Err(error),
        };
        self.noting(backlog)
    }

    fn settled(&self) -> Option<Position> {
        None
    }
}
