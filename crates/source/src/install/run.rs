//! Runs a plan.

use std::time::Duration;

use postrider_database::{in_words, is_passing};
use tokio_postgres::{Client, Error};

use super::{PAUSE_MS, Plan, Step, TRIES_MAX};
use crate::mapping::TableName;
use crate::quote;

/// Why a plan was not run to its end. What was done stays, and running it again goes on from there.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}{who}")]
pub struct InstallError {
    /// The step.
    what: String,
    /// What Postgres said.
    why: String,
    /// Whose transactions are in the way, where that is it.
    who: String,
}

/// Runs every step, each in its transaction; one that meets the CRM's transactions is tried again for a while. `done` is told of each.
///
/// # Errors
/// When a step is refused, or its table is in use for longer than [`TRIES_MAX`] tries take.
pub async fn run(client: &Client, plan: &Plan, mut done: impl FnMut(&Step)) -> Result<(), InstallError> {
    for step in &plan.steps {
        let mut tries = 1;
        while let Err(error) = attempt(client, step).await {
            if !is_passing(&error) || tries >= TRIES_MAX {
                let who =
                    if is_passing(&error) { in_the_way(client, step.locks.as_ref()).await } else { String::new() };
                return Err(InstallError { what: step.what.clone(), why: in_words(&error), who });
            }
            tries += 1;
            tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
        }
        done(step);
    }
    Ok(())
}

async fn attempt(client: &Client, step: &Step) -> Result<(), Error> {
    let run = client.batch_execute(&step.transaction()).await;
    if run.is_err() {
        client.batch_execute("ROLLBACK").await?;
    }
    run
}

/// Who has a table, oldest first: by process and age, without the text of statements, which holds values.
async fn in_the_way(client: &Client, table: Option<&TableName>) -> String {
    let Some(table) = table else { return String::new() };
    let sql = "SELECT string_agg(format('pid %s (%s, transaction open for %s s)', a.pid, a.state, \
                 date_part('epoch', now() - a.xact_start)::bigint), ', ' ORDER BY a.xact_start) \
               FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.relation = to_regclass($1) AND l.granted AND a.pid <> pg_backend_pid()";
    match client.query_one(sql, &[&quote::table(table)]).await.and_then(|row| row.try_get::<_, Option<String>>(0)) {
        Ok(Some(who)) => format!(
            "; {table} is in use by {who}: end it or wait for it, and run this again, which goes on where it stopped"
        ),
        _ => "; run this again, which goes on where it stopped".to_owned(),
    }
}
