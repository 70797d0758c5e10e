//! The threads that read: each has a connection that cannot write and takes a short snapshot for each question.

use std::collections::HashMap;
use std::sync::Arc;

use postrider_domain::EndpointId;
use rusqlite::Connection;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::queue::{ClosedAtEnd, Queue, QueueLimits, Refused};
use super::writer::{Fault, unavailable};
use crate::error::{Result, StoreError};
use crate::limits::{NUMBERS_CACHED, READS_WAITING_MAX};
use crate::model::RevisionId;

type Question = Box<dyn FnOnce(&mut Reader) + Send>;

/// What a reading thread works with. What numbers stand for never changes, so it is remembered.
pub(super) struct Reader {
    pub(super) conn: Connection,
    words: HashMap<i64, Arc<str>>,
    revisions: HashMap<i64, RevisionId>,
    endpoints: HashMap<i64, EndpointId>,
}

impl Reader {
    pub(super) fn new(conn: Connection) -> Self {
        Reader { conn, words: HashMap::new(), revisions: HashMap::new(), endpoints: HashMap::new() }
    }

    /// Answers until the queue is closed and empty. When one reader panics the others go on; the last one closes the queue.
    pub(super) fn run(mut self, questions: &ClosedAtEnd<Question>) {
        let one = QueueLimits { items_max: 1, bytes_max: usize::MAX };
        let mut taken = Vec::with_capacity(1);
        while questions.0.take(&mut taken, one) {
            for question in taken.drain(..) {
                question(&mut self);
            }
        }
    }

    /// Runs `read` on one snapshot.
    pub(super) fn snapshot<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.conn.prepare_cached("BEGIN")?.execute([])?;
        let result = read(self);
        self.conn.prepare_cached("COMMIT")?.execute([])?;
        result
    }

    pub(super) fn word(&mut self, no: i64) -> Result<Arc<str>, Fault> {
        let read = |conn: &Connection| -> rusqlite::Result<Arc<str>> {
            conn.prepare_cached("SELECT text FROM words WHERE no = ?")?.query_row([no], |row| row.get(0))
        };
        recall(&mut self.words, no, || read(&self.conn))
    }

    pub(super) fn revision(&mut self, no: i64) -> Result<RevisionId, Fault> {
        let read = |conn: &Connection| -> rusqlite::Result<RevisionId> {
            let sql = "SELECT hash FROM contract_revisions WHERE no = ?";
            conn.prepare_cached(sql)?.query_row([no], |row| row.get(0).map(RevisionId))
        };
        recall(&mut self.revisions, no, || read(&self.conn))
    }

    /// The id of an endpoint, deleted or not.
    pub(super) fn endpoint(&mut self, no: i64) -> Result<EndpointId, Fault> {
        let read = |conn: &Connection| -> rusqlite::Result<EndpointId> {
            let sql = "SELECT id FROM endpoints WHERE no = ?";
            conn.prepare_cached(sql)?.query_row([no], |row| uuid_at(row, 0).map(EndpointId))
        };
        recall(&mut self.endpoints, no, || read(&self.conn))
    }
}

fn recall<V: Clone>(
    cache: &mut HashMap<i64, V>,
    no: i64,
    read: impl FnOnce() -> rusqlite::Result<V>,
) -> Result<V, Fault> {
    if let Some(value) = cache.get(&no) {
        return Ok(value.clone());
    }
    let value = read()?;
    if cache.len() >= NUMBERS_CACHED {
        cache.clear();
    }
    cache.insert(no, value.clone());
    Ok(value)
}

/// A column that holds the 16 bytes of a UUID.
pub(super) fn uuid_at(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    row.get::<_, [u8; 16]>(column).map(Uuid::from_bytes)
}

/// What the rest of the store knows of the readers.
pub(super) struct Readers {
    questions: Arc<Queue<Question>>,
}

impl Readers {
    pub(super) fn new() -> Self {
        let limits = QueueLimits { items_max: READS_WAITING_MAX, bytes_max: usize::MAX };
        Readers { questions: Arc::new(Queue::new(limits)) }
    }

    /// What every reading thread holds as long as it takes questions.
    pub(super) fn takers(&self) -> Arc<ClosedAtEnd<Question>> {
        Arc::new(ClosedAtEnd(Arc::clone(&self.questions)))
    }

    /// Has a reading thread run `read` on one snapshot.
    pub(super) async fn read<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Reader) -> Result<T, Fault> + Send + 'static,
    {
        let (reply, answered) = oneshot::channel();
        let question = Box::new(move |reader: &mut Reader| {
            // Whoever asked may have gone.
            let _ = reply.send(reader.snapshot(read));
        });
        self.questions.push(question, 0).map_err(|refused| StoreError::Unavailable {
            reason: match refused {
                Refused::Full => "too many reads are waiting; ask again later".to_owned(),
                Refused::Closed => "the store is closed".to_owned(),
            },
        })?;
        match answered.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Fault::Refused(error))) => Err(error),
            Ok(Err(Fault::Sql(error))) => Err(unavailable(&error)),
            Err(_) => Err(StoreError::Unavailable { reason: "a reader has stopped; restart the process".to_owned() }),
        }
    }

    pub(super) fn close(&self) {
        self.questions.close();
    }
}
