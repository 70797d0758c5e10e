//! What can go wrong, in words the floors above act on.

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What the request names does not exist (or is another organisation's).
    #[error("{what} does not exist")]
    NotFound {
        /// e.g. "organization acme"
        what: String,
    },
    /// It exists already, with other content.
    #[error("{what} exists already")]
    Exists {
        /// e.g. "organization acme"
        what: String,
    },
    /// A limit counted in the same transaction would have been passed.
    #[error("limit reached: {limit} of at most {max}")]
    LimitReached {
        /// Which limit, e.g. "endpoints per organization"
        limit: String,
        /// Its value.
        max: u64,
    },
    /// An event id that was used within 72 hours for other content.
    #[error("event id {id} was used before with other content")]
    EventDiffers {
        /// The id.
        id: String,
        /// Which event of the batch.
        index: usize,
    },
    /// The lease was revoked: its lanes are another's. Nothing was stored; get another lease and ask again.
    #[error("this node's lease was revoked")]
    LeaseLost,
    /// The organisation or one of its endpoints changed since the configuration was read. Nothing was stored; read it again and ask again.
    #[error("the configuration of the organization has changed")]
    Outdated,
    /// It cannot commit at the moment: disk full, I/O error, database gone. Nothing was stored; asking again later may work.
    #[error("the store cannot commit: {reason}")]
    Unavailable {
        /// In a sentence.
        reason: String,
    },
    /// The data directory or database cannot be used at all; the process should not start.
    #[error("cannot use {what}: {reason}")]
    Unusable {
        /// What cannot be used: a path, or a database with its host and port.
        what: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A sealed value did not open: the wrong key, or altered bytes.
    #[error("a stored value cannot be decrypted: {reason}")]
    Sealed {
        /// Which, and what to do.
        reason: String,
    },
}

impl StoreError {
    /// Which kind of fault of the store's it is; none for an answer to what was asked, such as that something does not exist.
    #[must_use]
    pub fn fault(&self) -> Option<&'static str> {
        match self {
            StoreError::Unavailable { .. } => Some(Self::FAULTS[0]),
            StoreError::Unusable { .. } => Some(Self::FAULTS[1]),
            StoreError::Sealed { .. } => Some(Self::FAULTS[2]),
            StoreError::NotFound { .. }
            | StoreError::Exists { .. }
            | StoreError::LimitReached { .. }
            | StoreError::EventDiffers { .. }
            | StoreError::LeaseLost
            | StoreError::Outdated => None,
        }
    }

    /// The same for others whose writes were to go the same way: nothing of theirs was stored either, and asking again may work.
    pub(crate) fn for_others(&self) -> StoreError {
        let reason = match self {
            StoreError::Unavailable { reason } => reason.clone(),
            other => other.to_string(),
        };
        StoreError::Unavailable { reason }
    }

    /// Every kind of fault.
    pub const FAULTS: [&'static str; 3] = ["unavailable", "unusable", "sealed"];
}

/// The result of asking a store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why a commit that waited too long for a writer is refused.
pub(crate) fn too_late() -> StoreError {
    StoreError::Unavailable { reason: "the store was too busy to commit in time; publish again".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_are_told_says_once_that_the_store_cannot_commit() {
        let full = StoreError::Unavailable { reason: "the disk is full".to_owned() };
        assert_eq!(full.for_others().to_string(), "the store cannot commit: the disk is full");
        let lost = StoreError::LeaseLost.for_others();
        assert_eq!(lost.to_string(), "the store cannot commit: this node's lease was revoked");
    }
}
