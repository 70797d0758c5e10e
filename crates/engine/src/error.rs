//! Why the engine did not do what it was asked.

use postrider_store::StoreError;

/// Why events were not accepted. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// There is no such organisation.
    #[error("there is no such organization")]
    UnknownOrganization,
    /// Something in the events is wrong; every mistake is listed.
    #[error("{} mistakes in the events", .0.len())]
    Invalid(Vec<EventMistake>),
    /// The same event id was used within 72 hours with other content.
    #[error("event id {id} was used within the last 72 hours with other content")]
    EventDiffers {
        /// The id.
        id: String,
        /// Which event of the batch, from 0.
        index: usize,
    },
    /// Not now: overloaded, stopping, or the store cannot commit.
    #[error("cannot accept events at the moment: {0}")]
    Unavailable(String),
    /// A fault of ours.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// One thing wrong with one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventMistake {
    /// Which event of the batch, from 0.
    pub index: usize,
    /// Where in the event, as a JSON pointer (RFC 6901), e.g. `/type`.
    pub pointer: String,
    /// What is wrong and what to do.
    pub detail: String,
    /// Which rule is broken.
    pub kind: EventMistakeKind,
}

/// A rule that an event breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventMistakeKind {
    /// Its JSON is nested too deep.
    TooDeep {
        /// How deep it may be.
        max: usize,
    },
    /// The contract has no such event type.
    UnknownType {
        /// The contract's name.
        contract: String,
    },
    /// Its data does not fit the JSON Schema of an event type.
    Data {
        /// The event type: its own, or one that is derived from it.
        event_type: String,
    },
    /// Both `previous` and `changes`.
    PreviousAndChanges,
    /// Its changes, or the earlier values, cannot be read.
    Changes,
}

/// Why nothing is sent again.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// There is no such endpoint.
    #[error("there is no such endpoint")]
    UnknownEndpoint,
    /// It is paused or disabled.
    #[error("the endpoint is not active")]
    NotActive,
    /// It is being recovered already.
    #[error("the endpoint is being recovered already")]
    Running,
    /// A fault of ours, or the store cannot be read or written.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<StoreError> for RecoverError {
    fn from(error: StoreError) -> Self {
        RecoverError::Engine(error.into())
    }
}

/// Why a test event was not sent.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// There is no such endpoint.
    #[error("there is no such endpoint")]
    UnknownEndpoint,
    /// The catalogue has no such type.
    #[error("the contract has no such event type; GET …/event-types lists them")]
    UnknownType {
        /// The contract's name.
        contract: String,
    },
    /// A fault of ours, or the store cannot commit.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Why a filter was not previewed.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// There is no such organisation.
    #[error("there is no such organization")]
    UnknownOrganization,
    /// As many are under way as may be at once.
    #[error("as many filters are being previewed as may be at once; ask again in a moment")]
    Busy,
    /// A fault of ours, or the store cannot be read.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A fault inside.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A contract that is named is not loaded.
    #[error("contract {name:?} is not loaded; put its file back into the contracts directory")]
    ContractMissing {
        /// Its name.
        name: String,
    },
    /// A contract that is in use is not loaded.
    #[error(
        "contract {name:?} is used by {organizations} but is not loaded; put its file back into the contracts directory"
    )]
    ContractInUse {
        /// Its name.
        name: String,
        /// Who uses it.
        organizations: String,
    },
    /// A contract text that was kept cannot be read any more.
    #[error("contract revision {id} cannot be read: {reason}")]
    RevisionUnreadable {
        /// The hash, in hex.
        id: String,
        /// Why.
        reason: String,
    },
}

/// Counts a fault of the store's, for those who run the server; its other answers are none. Each is counted once, by whoever tells a client of it or
/// asks again.
pub fn count_store_error(error: &StoreError) {
    if let Some(kind) = error.fault() {
        metrics::counter!("postrider_store_errors_total", "kind" => kind).increment(1);
    }
}
