//! What Postgres says, in words that hold no values of rows and no secret.

use std::error::Error as _;

use tokio_postgres::error::{DbError, SqlState};

use crate::place::Place;

/// Why a database does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// Not at the moment: asking again later may work.
    #[error("{reason}")]
    Unavailable {
        /// In a sentence.
        reason: String,
    },
    /// It cannot be used at all until somebody changes something.
    #[error("cannot use {what}: {reason}")]
    Unusable {
        /// The database with its host and port.
        what: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// It let the user in and refused what the session was to be set to, such as its role.
    #[error("cannot use {place}: {said}")]
    Options {
        /// Which database.
        place: Place,
        /// What it said.
        said: String,
    },
}

/// Why what met others on the same rows was not done.
pub const BUSY: &str = "the database is busy with the same rows";

/// An error of a statement in a sentence. What Postgres adds about the values stays out: they are not for logs.
#[must_use]
pub fn in_words(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| lost(error), refused_in_words)
}

fn refused_in_words(refused: &DbError) -> String {
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
#[must_use]
pub fn is_passing(error: &tokio_postgres::Error) -> bool {
    let passing =
        [&SqlState::T_R_SERIALIZATION_FAILURE, &SqlState::T_R_DEADLOCK_DETECTED, &SqlState::LOCK_NOT_AVAILABLE];
    error.code().is_some_and(|code| passing.contains(&code))
}

/// An error while a connection is made: nobody may come in, or nobody can at the moment.
#[must_use]
pub fn at_connecting(place: &Place, error: &tokio_postgres::Error) -> DatabaseError {
    let Some(refused) = error.as_db_error() else {
        let why = lost(error);
        return if why.contains("certificate") {
            place.unusable(certificate_refused(place, &why))
        } else if why.contains("does not support TLS") {
            place.unusable(format!("{why}; write sslmode=disable into its URL where the network is trusted"))
        } else {
            DatabaseError::Unavailable { reason: format!("{place}: {why}") }
        };
    };
    let said = refused.message();
    match refused.code().code() {
        "28P01" | "28000" => place.unusable(format!("{said}; check user, password and sslmode in its URL")),
        "3D000" => place.unusable(format!("{said}; make it with: CREATE DATABASE \"{}\"", place.database)),
        // What a session is set to, its role among it, is set when it starts.
        "22023" | "42501" => DatabaseError::Options { place: place.clone(), said: said.to_owned() },
        _ => DatabaseError::Unavailable { reason: format!("{place}: {}", refused_in_words(refused)) },
    }
}

fn certificate_refused(place: &Place, why: &str) -> String {
    let or_without = match place.may_go_without_tls {
        true => ", or write sslmode=disable into its URL where the network is trusted",
        false => "",
    };
    format!("{why}; name the authority that signed the server's certificate in the settings{or_without}")
}
