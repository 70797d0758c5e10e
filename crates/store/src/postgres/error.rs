//! What Postgres says, in the store's words.

use postrider_database::{BUSY, DatabaseError, in_words};
pub(super) use postrider_database::{Place, is_passing};
use tokio_postgres::error::SqlState;

use super::roles;
use crate::error::StoreError;

impl From<DatabaseError> for StoreError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Unavailable { reason } => StoreError::Unavailable { reason },
            DatabaseError::Unusable { what, reason } => StoreError::Unusable { what, reason },
            // The role of a session is set when it starts.
            DatabaseError::Options { place, said } => {
                let reason = format!("{said}; {}", roles::what_to_do(&place));
                StoreError::Unusable { what: place.to_string(), reason }
            }
        }
    }
}

/// An error while a connection is made.
pub(super) fn at_connecting(place: &Place, error: &tokio_postgres::Error) -> StoreError {
    postrider_database::at_connecting(place, error).into()
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
        _ => StoreError::Unavailable { reason: in_words(error) },
    }
}

/// The same as [`is_passing`], of what was put into the store's words.
pub(super) fn is_busy(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable { reason } if reason == BUSY)
}
