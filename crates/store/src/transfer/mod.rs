//! Moves what a store holds into another store, whichever the two are.
//!
//! Words: an *export* is everything of an [`Extent`] as it was at one moment, in [`Portable`] values, in chunks; an *import* applies an
//! export's chunks in order, each in one transaction together with its number, so that one that broke off goes on where it stopped and
//! nothing is there twice. What is being imported is invisible until it can be used. *Set aside* is what was exported for good: it is
//! kept, but nobody sees it and nothing of it is sent, because the store that it was imported into sends it.
//!
//! The order of an export is the order in which it can be applied: contract texts, organisations with keys and endpoints, ids that callers chose,
//! events that still have open deliveries, those, answers to idempotent requests, the audit trail; then [`Portable::Ready`]; then history, operations and what was counted of endpoints, which nothing
//! waits for: however long it is, a store on many nodes can work from `Ready` on.

mod audit;
mod encode;
mod encode_operation;
mod encode_organization;
mod failing;
mod fields;
mod file;
mod hours;
mod portable;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use postrider_domain::{AuditEntry, Millis, OrganizationId};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::error::Result;

pub use file::{ExportFileError, ExportReader, ExportWriter};
pub(crate) use portable::portable_turn;
pub use portable::{
    ChosenId, Counts, DeletedEndpoint, Portable, PortableAnswer, PortableDelivery, PortableEvent, PortableState,
    PortableTurn,
};

/// Rows in one chunk at most.
pub(crate) const CHUNK_ROWS_MAX: usize = 2_000;
/// Bytes in one chunk, about; a single row may be larger.
pub(crate) const CHUNK_BYTES: usize = 1024 * 1024;

/// How much of a store is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Everything,
    /// One organisation with everything it owns, and the contract texts its deliveries were made under.
    Organization(OrganizationId),
}

/// Which export an import applies: a number that no other export has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExportId(pub Uuid);

impl ExportId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        ExportId(Uuid::new_v4())
    }
}

/// How far an import has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportState {
    /// So many chunks are applied; none for an import that did not begin.
    Applied(u64),
    /// It is finished.
    Finished,
}

/// A store whose content can be moved.
#[async_trait]
pub trait Transfer: Send + Sync {
    /// Sends everything of an extent, from one snapshot, in chunks whose size is bounded. What has been set aside is sent when it is named, not
    /// with everything. [`crate::StoreError::NotFound`] when there is no such organisation; [`crate::StoreError::Sealed`] when a value does not
    /// open: nothing is left out in silence.
    async fn export(&self, extent: Extent, into: mpsc::Sender<Vec<Portable>>) -> Result<()>;

    /// How far the import of this export has come.
    async fn import_state(&self, export: ExportId) -> Result<ImportState>;
    /// Applies chunk `number` (from 0 on, without a gap), all or nothing, synced. [`crate::StoreError::Exists`] when there is such an
    /// organisation, or another import is unfinished; nothing of the chunk was applied then.
    async fn import(&self, export: ExportId, number: u64, chunk: Vec<Portable>) -> Result<()>;
    /// Makes everything of the import visible: its last chunk was applied. False when the operator key was left as it is here, because this store had
    /// another one.
    async fn finish_import(&self, export: ExportId) -> Result<bool>;
    /// Gives up an unfinished import; its rows go in retention's steps. False when there was none.
    async fn discard_import(&self) -> Result<bool>;

    /// Sets an extent aside: nobody sees it from now on, and nothing of it is sent. Everything: the store itself refuses to be opened, except to be
    /// exported or to be taken back. The entry goes into the operator's own trail.
    async fn set_aside(&self, extent: &Extent, now: Millis, audit: &AuditEntry) -> Result<()>;
    /// Undoes that, with its entry in the same trail. False when it was not set aside. [`crate::StoreError::Exists`] when there is another
    /// organisation under the id by now.
    async fn take_back(&self, extent: &Extent, audit: &AuditEntry) -> Result<bool>;
    /// Deletes an organisation that was set aside, like one that is there. False when there was none. The entry stays, in the operator's own trail.
    async fn delete_set_aside(&self, id: &OrganizationId, audit: &AuditEntry) -> Result<bool>;
}
