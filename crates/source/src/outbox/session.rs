//! One session on the outbox: the advisory lock, and what holds while it lasts.

use std::sync::Arc;

use postrider_database::{Address, Connected};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, Statement};
use uuid::Uuid;

use super::floor::{Floor, Proof};
use super::rows::{Asking, Read};
use super::sql::Statements;
use crate::capture::{Backlog, CaptureError};
use crate::session::{Use, open, refused};

/// A session, with what is known of the outbox as long as it lasts.
pub(super) struct Session {
    connected: Arc<Connected>,
    statements: Arc<Statements>,
    schema: String,
    is_locked: bool,
    installation: Uuid,
    floor: Floor,
    /// The greatest id that was settled or can not come any more.
    handed: i64,
    /// What was noted of that last.
    noted: i64,
}

impl Session {
    pub(super) async fn open(address: &Address, schema: &str) -> Result<Self, CaptureError> {
        let connected = open(address, Use::Outbox).await?;
        let statements = Statements::prepare(&connected.client, schema).await?;
        Ok(Session {
            connected: Arc::new(connected),
            statements: Arc::new(statements),
            schema: schema.to_owned(),
            is_locked: false,
            installation: Uuid::nil(),
            floor: Floor::default(),
            handed: 0,
            noted: 0,
        })
    }

    async fn one(&self, statement: &Statement, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row, CaptureError> {
        self.connected.client.query_one(statement, parameters).await.map_err(|error| refused(&error))
    }

    /// Takes the lock of the one node that reads, which lasts as long as the session.
    pub(super) async fn take_lock(&mut self) -> Result<(), CaptureError> {
        if !self.is_locked {
            self.is_locked = self.one(&self.statements.lock, &[&self.schema]).await?.get(0);
        }
        if self.is_locked { Ok(()) } else { Err(CaptureError::Taken) }
    }

    pub(super) fn asking(&self, without: Arc<[i64]>, rows_max: usize, bytes_max: i64) -> Asking {
        let (connected, statements) = (Arc::clone(&self.connected), Arc::clone(&self.statements));
        Asking { connected, statements, above: self.floor.id(), without, rows_max, bytes_max }
    }

    /// A read was made. After another installation nothing holds of what was known.
    pub(super) fn begin(&mut self, read: &Read) -> Proof {
        if self.installation != read.installation {
            self.installation = read.installation;
            self.floor = Floor::default();
            (self.handed, self.noted) = (0, read.handed);
        }
        self.floor.begin(read.oldest)
    }

    pub(super) fn installation(&self) -> Uuid {
        self.installation
    }

    /// What was read, up to a row, is handed over; these rows are deleted.
    pub(super) async fn settle(
        &mut self,
        delete: &[i64],
        last: Option<i64>,
        proof: Proof,
        is_cut: bool,
    ) -> Result<(), CaptureError> {
        let own: Option<i64> = match delete {
            [] => None,
            ids => Some(self.one(&self.statements.delete, &[&ids]).await?.get(0)),
        };
        self.floor.settled(proof, last.filter(|_| is_cut));
        if let (Some(last), Some(own)) = (last, own) {
            self.floor.mark(last, u64::try_from(own).unwrap_or_default());
        }
        self.handed = self.handed.max(last.unwrap_or_default()).max(self.floor.id());
        Ok(())
    }

    /// Ids of changes that were rolled back or missed are never seen. Without this they would count as waiting: until the next change is captured, or
    /// for ever where none can be because of them.
    pub(super) async fn look_past_unseen(&mut self) -> Result<(), CaptureError> {
        if self.floor.is_marked() {
            return Ok(());
        }
        let drawn: i64 = self.one(&self.statements.drawn, &[]).await?.get(0);
        if drawn > self.handed {
            let own: i64 = self.one(&self.statements.transaction, &[]).await?.get(0);
            self.floor.mark(drawn, u64::try_from(own).unwrap_or_default());
        }
        Ok(())
    }

    /// Notes for the triggers through which id rows were handed over.
    pub(super) async fn note_handed(&mut self) -> Result<(), CaptureError> {
        if self.handed > self.noted {
            self.one(&self.statements.handed, &[&self.handed]).await?;
            self.noted = self.handed;
        }
        Ok(())
    }

    pub(super) async fn backlog(&self, rows_max: u64) -> Result<Backlog, CaptureError> {
        let row = self.one(&self.statements.backlog, &[&self.floor.id()]).await?;
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        let (drawn, oldest, missed): (i64, Option<i64>, i64) = (row.get(0), row.get(1), row.get(2));
        let waiting = count(drawn.saturating_sub(self.handed.max(self.noted)));
        Ok(Backlog {
            changes: Some(waiting),
            oldest_ms: Some(oldest.map_or(0, count)),
            missed: count(missed),
            fullness: waiting as f64 / rows_max.max(1) as f64,
            ..Backlog::default()
        })
    }
}
