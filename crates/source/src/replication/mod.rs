//! Changes out of a slot of logical replication, for databases where no triggers may be made.
//!
//! The database decodes its write-ahead log with `pgoutput`, its own plugin, and sends what was committed, in the order of commits (`stream`). What a
//! transaction did to a record is gathered into its net change (`net`, `assembly`), values become JSON by the database's own
//! `to_jsonb` (`values`). The database keeps its log until it hears that changes are in the store for good: after a crash it sends the same
//! transactions again, and the same ids follow from them.

mod assembly;
mod frame;
mod generated;
mod installed;
pub mod limits;
pub(crate) mod needs;
mod net;
mod pgoutput;
pub mod publication;
mod rows;
mod session;
mod stream;
mod values;
mod walsender;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postrider_database::Address;
use tokio::time::Instant;

use crate::capture::{Backlog, Batch, Capture, CaptureError, Position};
use crate::mapping::Mapping;
use session::Session;

/// Changes out of the slot. One node at a time reads it: it has one reader, who holds the advisory lock too.
pub struct Replication {
    address: Address,
    mapping: Arc<Mapping>,
    session: Option<Session>,
}

impl Replication {
    /// The slot of this mapping in this database; nothing is connected yet.
    #[must_use]
    pub fn new(address: Address, mapping: Arc<Mapping>) -> Self {
        Replication { address, mapping, session: None }
    }

    /// The session that reads. Without one a new one begins where the database heard last that changes are in the store.
    async fn session(&mut self) -> Result<&mut Session, CaptureError> {
        if self.session.is_none() {
            self.session = Some(Session::open(&self.address, &self.mapping).await?);
        }
        self.session.as_mut().ok_or(CaptureError::Taken)
    }

    async fn read(&mut self, changes_max: usize, wait: Duration) -> Result<Batch, CaptureError> {
        let until = Instant::now() + wait;
        let session = self.session().await?;
        session.gather(changes_max, until).await?;
        session.batch(changes_max).await
    }

    /// What was asked ended like this; after a fault a new session begins.
    fn noting<T>(&mut self, outcome: Result<T, CaptureError>) -> Result<T, CaptureError> {
        if outcome.is_err() {
            self.session = None;
        }
        outcome
    }
}

#[async_trait]
impl Capture for Replication {
    async fn next(&mut self, changes_max: usize, wait: Duration) -> Result<Batch, CaptureError> {
        let read = self.read(changes_max, wait).await;
        self.noting(read)
    }

    async fn settle(&mut self) -> Result<(), CaptureError> {
        let Some(session) = &mut self.session else {
            return Err(CaptureError::Unavailable(
                "the connection was lost before the changes were settled".to_owned(),
            ));
        };
        session.settle();
        Ok(())
    }

    async fn backlog(&mut self) -> Result<Backlog, CaptureError> {
        let backlog = match self.session().await {
            Ok(session) => session.backlog().await,
            Err(error) => Err(error),
        };
        self.noting(backlog)
    }

    fn settled(&self) -> Option<Position> {
        self.session.as_ref().map(Session::settled)
    }
}
