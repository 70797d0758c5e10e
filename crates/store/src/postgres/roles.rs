//! The two roles that sessions work as. They are the server's, not the database's, so that several databases and nodes may make them at
//! the same moment.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::error::{self, Place};
use crate::error::{Result, StoreError};
use crate::limits::ROLE_TRIES_MAX;

pub(super) const ENGINE: &str = "postrider_engine";
pub(super) const TENANT: &str = "postrider_tenant";

/// Exactly what a database's administrator runs where the program may not do it itself.
pub(super) fn what_to_do(place: &Place) -> String {
    let (user, database) = (&place.user, &place.database);
    format!(
        "have a database administrator run: CREATE ROLE {ENGINE} NOLOGIN; CREATE ROLE {TENANT} NOLOGIN; \
         GRANT {ENGINE}, {TENANT} TO \"{user}\"; GRANT CREATE ON DATABASE \"{database}\" TO \"{user}\""
    )
}

/// Makes what is missing: the roles, and that this user may work as them.
pub(super) async fn ensure(client: &Client, place: &Place) -> Result<()> {
    for role in [ENGINE, TENANT] {
        let mut tries = 0;
        while let Err(error) = ensure_one(client, role).await {
            tries += 1;
            // Somebody else made or granted it in this very moment.
            if !is_passing(&error) || tries > ROLE_TRIES_MAX {
                return Err(refused(&error, place));
            }
        }
    }
    Ok(())
}

async fn ensure_one(client: &Client, role: &str) -> Result<(), tokio_postgres::Error> {
    if client.query_opt("SELECT FROM pg_roles WHERE rolname = $1", &[&role]).await?.is_none() {
        client.batch_execute(&format!("CREATE ROLE {role} NOLOGIN")).await?;
    }
    if may_work_as(client, role).await {
        return Ok(());
    }
    client.batch_execute(&format!("GRANT {role} TO CURRENT_USER")).await
}

/// Tried, because versions differ in what membership means.
async fn may_work_as(client: &Client, role: &str) -> bool {
    let tried = client.batch_execute(&format!("BEGIN; SET LOCAL ROLE {role}")).await;
    let undone = client.batch_execute("ROLLBACK").await;
    tried.is_ok() && undone.is_ok()
}

fn is_passing(error: &tokio_postgres::Error) -> bool {
    // Two who change the same row of the system's tables at once meet as an internal error.
    let met = [&SqlState::DUPLICATE_OBJECT, &SqlState::UNIQUE_VIOLATION, &SqlState::INTERNAL_ERROR];
    error.code().is_some_and(|code| met.contains(&code)) || error::is_passing(error)
}

fn refused(error: &tokio_postgres::Error, place: &Place) -> StoreError {
    match error.as_db_error() {
        Some(said) if *said.code() == SqlState::INSUFFICIENT_PRIVILEGE => {
            place.unusable(format!("{}; {}", said.message(), what_to_do(place))).into()
        }
        _ => error::of_statement(error),
    }
}
