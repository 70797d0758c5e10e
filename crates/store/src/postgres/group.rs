//! What groups of commits and of outcomes have in common: how they are tried, and whose fault it is when they fail.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::{DbError, SqlState};

use super::error;
use super::partitions;
use super::session::Session;
use super::writer::Shared;
use crate::error::{Result, StoreError};
use crate::limits::{GROUP_TRIES_MAX, WRITE_MS_MAX};

/// Why a group was not written.
#[derive(Debug)]
pub(super) enum Fault {
    /// For a reason that is everybody's.
    Refused(StoreError),
    /// By the database, which undid all of it.
    Sql(tokio_postgres::Error),
    /// Lanes came and went while it was written.
    Crowded,
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Fault::Refused(error)
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Fault::Sql(error)
    }
}

/// What to do about a fault.
enum Remedy {
    /// The same group once more: it met others on the same rows.
    Again,
    /// Once more with the partitions of its days.
    MakePartitions,
    /// A unit broke a rule of the tables: each by itself.
    Apart,
    /// Nothing helps.
    None,
}

impl Fault {
    fn remedy(&self) -> Remedy {
        let error = match self {
            Fault::Sql(error) => error,
            Fault::Crowded => return Remedy::Again,
            Fault::Refused(_) => return Remedy::None,
        };
        if error::is_passing(error) {
            return Remedy::Again;
        }
        let Some(refused) = error.as_db_error() else { return Remedy::None };
        match refused.code() {
            code if *code == SqlState::CHECK_VIOLATION => Remedy::MakePartitions,
            code if *code == SqlState::UNIQUE_VIOLATION && is_of_chosen_ids(refused) => Remedy::Again,
            // Broken rules and values that cannot be.
            code if ["22", "23"].iter().any(|class| code.code().starts_with(class)) => Remedy::Apart,
            _ => Remedy::None,
        }
    }

    /// For each unit of the group.
    fn answer(&self) -> StoreError {
        match self {
            Fault::Sql(error) => error::of_statement(error),
            Fault::Refused(error) => error.for_others(),
            Fault::Crowded => StoreError::Unavailable { reason: "lanes come and go too fast; ask again".to_owned() },
        }
    }
}

/// Another node chose the same id in the same moment: looked at once more, it is there.
fn is_of_chosen_ids(refused: &DbError) -> bool {
    refused.table() == Some("event_ids")
}

/// A kind of unit.
pub(super) trait Unit: Send + Sized {
    /// What became of it.
    type Answer: Send;

    /// Writes a group in one transaction and says what became of each unit; a fault undoes all.
    fn try_group(
        shared: &Shared,
        session: &Session,
        group: &[Self],
    ) -> impl Future<Output = Result<Vec<Result<Self::Answer>>, Fault>> + Send;

    /// The UUIDs by which its rows are partitioned.
    fn keys(&self) -> Vec<uuid::Uuid>;

    fn reply(self, answer: Result<Self::Answer>);
}

/// Writes a group, whatever that takes within a unit's time, and answers each unit.
pub(super) async fn write<U: Unit>(shared: &Shared, group: Vec<U>) {
    let mut waiting = vec![(group, GROUP_TRIES_MAX)];
    while let Some((mut group, tries_left)) = waiting.pop() {
        let fault = match within_time(shared, &group).await {
            Ok(answers) => {
                for (unit, answer) in group.into_iter().zip(answers) {
                    unit.reply(answer);
                }
                continue;
            }
            Err(fault) => fault,
        };
        match fault.remedy() {
            Remedy::Again if tries_left > 0 => waiting.push((group, tries_left - 1)),
            Remedy::MakePartitions if tries_left > 0 => {
                match partitions::make_for(&shared.address, group.iter().flat_map(Unit::keys)).await {
                    Ok(()) => waiting.push((group, tries_left - 1)),
                    Err(error) => refuse(group, &Fault::Refused(error)),
                }
            }
            Remedy::Again | Remedy::Apart if group.len() > 1 => {
                let second = group.split_off(group.len() / 2);
                waiting.push((second, tries_left));
                waiting.push((group, tries_left));
            }
            _ => refuse(group, &fault),
        }
    }
}

fn refuse<U: Unit>(group: Vec<U>, fault: &Fault) {
    for unit in group {
        unit.reply(Err(fault.answer()));
    }
}

async fn within_time<U: Unit>(shared: &Shared, group: &[U]) -> Result<Vec<Result<U::Answer>>, Fault> {
    let session = shared.sessions.take().await?;
    let work = U::try_group(shared, &session, group);
    match tokio::time::timeout(Duration::from_millis(WRITE_MS_MAX), work).await {
        Ok(Ok(answers)) => Ok(answers),
        Ok(Err(fault)) => {
            // What was begun is undone before the session is used again.
            session.undo();
            Err(fault)
        }
        // Nobody knows what became of it; the connection goes, and the transaction with it unless it was over.
        Err(_) => Err(Fault::Refused(session.give_up())),
    }
}

/// Sends what `writes` sends and the commit right behind it, unless one of them could not even be sent.
pub(super) async fn and_commit<T>(
    client: &Client,
    writes: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, tokio_postgres::Error> {
    let mut writes = pin!(writes);
    // What is polled once is sent.
    let sent = std::future::poll_fn(|cx| Poll::Ready(writes.as_mut().poll(cx))).await;
    if let Poll::Ready(Err(error)) = sent {
        return Err(error);
    }
    let commit = client.batch_execute("COMMIT");
    if let Poll::Ready(Ok(written)) = sent {
        commit.await?;
        return Ok(written);
    }
    let (written, committed) = tokio::join!(biased; writes, commit);
    let written = written?;
    committed?;
    Ok(written)
}
