//! What Postgres says, in the store's words.

use std::error::Error as _;
use std::fmt;

use tokio_postgres::error::{DbError, SqlState};

use crate::error::StoreError;

/// Which database, for people: never with a password.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// `host:port`, several separated by commas.
    pub(super) servers: String,
    pub(super) database: String,
    pub(super) user: String,
    /// Whether TLS was the server's choice.
    pub(super) may_go_without_tls: bool,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "database {} at {}", self.database, self.servers)
    }
}

impl Place {
    pub(super) fn unusable(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Unusable { what: self.to_string(), reason: reason.into() }
    }

    /// It did not answer in time.
    pub(super) fn silent(&self) -> StoreError {
        StoreError::Unavailable { reason: format!("{self} does not answer") }
    }
}

/// The store's word for an error of a statement. What Postgres adds about the values stays out: they are not for logs.
pub(super) fn of_statement(error: &tokio_postgres::Error) -> StoreError {
    match error.as_db_error() {
        Some(refused) if *refused.code() == SqlState::UNIQUE_VIOLATION => {
            StoreError::Exists { what: "an object with this id".to_owned() }
        }
        // The one reference that is checked: of a data key to its master key.
        Some(refused) if *refused.code() == SqlState::FOREIGN_KEY_VIOLATION => StoreError::Unavailable {
            reason: "the encryption key of this node was replaced; start it with the new one".to_owned(),
        },
        Some(refused) => StoreError::Unavailable { reason: in_words(refused) },
        None => StoreError::Unavailable { reason: lost(error) },
    }
}

/// Why what met others on the same rows was not done.
const BUSY: &str = "the database is busy with the same rows";

/// The same as [`is_passing`], of what was put into the store's words.
pub(super) fn is_busy(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable { reason } if reason == BUSY)
}

fn in_words(refused: &DbError) -> String {
    let code = refused.code();
    let said = refused.message();
    match code.code() {
        "53100" => "the database's disk is full; make room and it goes on by itself".to_owned(),
        "53300" => "the database has too many connections; raise its max_connections or lower the nodes'".to_owned(),
        "57P01" | "57P02" | "57P03" => "the database is shutting down or starting".to_owned(),
        "25006" => "the database is read-only at the moment".to_owned(),
        "57014" => "the database did not answer in time".to_owned(),
        "40001" | "40P01" | "55P03" => BUSY.to_owned(),
        other => format!("the database refused: {said} ({other})"),
    }
}

/// Why there is no connection any more; the driver keeps the cause behind its own words.
fn lost(error: &tokio_postgres::Error) -> String {
    match error.source() {
        Some(cause) => format!("the database cannot be reached: {cause}"),
        None => format!("the database cannot be reached: {error}"),
    }
}

/// Whether the same statements may work when they are run once more: they met others on the same rows.
pub(super) fn is_passing(error: &tokio_postgres::Error) -> bool {
    let passing =
        [&SqlState::T_R_SERIALIZATION_FAILURE, &SqlState::T_R_DEADLOCK_DETECTED, &SqlState::LOCK_NOT_AVAILABLE];
    error.code().is_some_and(|code| passing.contains(&code))
}

/// An error while a connection is made: nobody may come in, or nobody can at the moment.
pub(super) fn at_connecting(place: &Place, error: &tokio_postgres::Error) -> StoreError {
    let Some(refused) = error.as_db_error() else {
        let why = lost(error);
        return if why.contains("certificate") {
            place.unusable(certificate_refused(place, &why))
        } else if why.contains("does not support TLS") {
            place.unusable(format!("{why}; write sslmode=disable into its URL where the network is trusted"))
        } else {
            StoreError::Unavailable { reason: format!("{place}: {why}") }
        };
    };
    let said = refused.message();
    match refused.code().code() {
        "28P01" | "28000" => place.unusable(format!("{said}; check user, password and sslmode in its URL")),
        "3D000" => place.unusable(format!("{said}; make it with: CREATE DATABASE \"{}\"", place.database)),
        // The role of a session is set when it starts.
        "22023" | "42501" => place.unusable(format!("{said}; {}", super::roles::what_to_do(place))),
        _ => StoreError::Unavailable { reason: format!("{place}: {}", in_words(refused)) },
    }
}

fn certificate_refused(place: &Place, why: &str) -> String {
    let or_without = match place.may_go_without_tls {
        true => ", or write sslmode=disable into its URL where the network is trusted",
        false => "",
    };
    format!("{why}; name the authority that signed the server's certificate in the settings{or_without}")
}
