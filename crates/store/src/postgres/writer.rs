//! The writers: a few tasks that take whatever waits, from all callers, into one transaction and one sync to disk.
//!
//! Words: a *unit* is what one caller wants written, all or none; a *group* is the units of one transaction.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::attached::Attached;
use super::commit::CommitUnit;
use super::connect::{Address, Role};
use super::group;
use super::hints::Telling;
use super::queue::Queue;
use super::recent::RecentEvents;
use super::record::RecordUnit;
use super::revisions::Revisions;
use super::session::Sessions;
use crate::error::{Result, StoreError};
use crate::limits::{COMMIT_WRITERS, COMMITS_A_WRITER, RECORD_WRITERS, WRITE_MS_MAX};

/// What writers and callers share.
pub(super) struct Shared {
    pub(super) address: Address,
    /// The writers' connections.
    pub(super) sessions: Sessions,
    pub(super) attached: Attached,
    pub(super) telling: Telling,
    pub(super) revisions: Revisions,
    pub(super) recent: RecentEvents,
    commits: Queue<CommitUnit>,
    records: Queue<RecordUnit>,
}

/// A store's writers; they end with it.
pub(super) struct Writers {
    pub(super) shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
}

impl Writers {
    pub(super) fn start(address: &Address, telling: Telling) -> Result<Self> {
        let sessions = Sessions::new(address, Role::Engine, COMMIT_WRITERS + RECORD_WRITERS, WRITE_MS_MAX)?;
        let shared = Arc::new(Shared {
            address: address.clone(),
            sessions,
            attached: Attached::default(),
            telling,
            revisions: Revisions::default(),
            recent: RecentEvents::default(),
            commits: Queue::new(),
            records: Queue::new(),
        });
        let mut tasks = JoinSet::new();
        for writer in 0..COMMIT_WRITERS {
            let shared = Arc::clone(&shared);
            // One transaction for all costs least, so each further writer begins only when more wait than one shall take.
            let at_least = (writer * COMMITS_A_WRITER).max(1);
            tasks.spawn(ever_again(move || write_commits(Arc::clone(&shared), at_least)));
        }
        for _ in 0..RECORD_WRITERS {
            let shared = Arc::clone(&shared);
            tasks.spawn(ever_again(move || write_records(Arc::clone(&shared))));
        }
        Ok(Writers { shared, tasks: Mutex::new(tasks) })
    }

    /// Has a writer commit a unit and waits until it is on disk.
    pub(super) async fn commit<T>(
        &self,
        bytes: usize,
        unit: impl FnOnce(oneshot::Sender<Result<T>>) -> CommitUnit,
    ) -> Result<T> {
        let (reply, answered) = oneshot::channel();
        self.shared.commits.push(unit(reply), bytes)?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Has a writer record a unit and waits until it is on disk.
    pub(super) async fn record<T>(
        &self,
        bytes: usize,
        unit: impl FnOnce(oneshot::Sender<Result<T>>) -> RecordUnit,
    ) -> Result<T> {
        let (reply, answered) = oneshot::channel();
        self.shared.records.push(unit(reply), bytes)?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Finishes what waits, and refuses what comes.
    pub(super) async fn close(&self) {
        self.shared.commits.close();
        self.shared.records.close();
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        while tasks.join_next().await.is_some() {}
        self.shared.sessions.close();
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable {
        reason: "a writer has stopped in the middle of it; it may or may not be stored".to_owned(),
    }
}

/// Runs it until it ends by itself. After a panic, which its callers learn of by their answers' absence, it begins anew.
async fn ever_again<F: Future<Output = ()> + Send + 'static>(work: impl Fn() -> F) {
    loop {
        // Ends with this task: a set's tasks are aborted when it is dropped.
        let mut run = JoinSet::new();
        run.spawn(work());
        match run.join_next().await {
            Some(Err(error)) if error.is_panic() => tracing::error!("a writer of the store panicked and begins anew"),
            _ => return,
        }
    }
}

async fn write_commits(shared: Arc<Shared>, at_least: usize) {
    while let Some(group) = shared.commits.take(at_least).await {
        group::write(&shared, group).await;
    }
}

async fn write_records(shared: Arc<Shared>) {
    while let Some(group) = shared.records.take(1).await {
        group::write(&shared, group).await;
    }
}
