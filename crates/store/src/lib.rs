//! Everything that must survive: organisations, endpoints, keys, events, deliveries, attempts.
//!
//! Words: *open* work is a delivery that is still pending; it lives in a small table of its own. *History* is what has ended; it is
//! appended to, and dropped after retention. *Sealed* is encrypted with the organisation's data key, which the master key wraps.

mod codec;
#[cfg(feature = "conformance")]
pub mod conformance;
mod edit;
mod error;
mod failing;
mod kept;
mod keyring;
mod limits;
mod master_key;
mod model;
mod operational;
mod operations;
mod overview;
mod postgres;
mod rows;
mod seal;
mod search;
mod signing;
mod sqlite;
mod statistics;
mod store;
mod transfer;

pub use edit::{AuditFilter, Edit};
pub use error::{Result, StoreError};
pub use failing::{ClaimedNotice, FailingAct, FailingStep, PortableNotice, PortableStreak};
pub use master_key::{MasterKey, MasterKeyError, MasterKeys};
pub use model::*;
pub use operational::{ClaimedOperationalEvent, OperationalEvents, PortableOperationalEvent};
pub use operations::{
    EraseStep, Erased, FormerDelivery, Operation, OperationNote, Operations, Record, RecoverStep, Recoverable,
    RecoverablePage, Recovery, Removed, Stepped, Waiting, Work,
};
pub use overview::{NodeStanding, OpenWork, Overview, StoreKind};
pub use postgres::{MIGRATIONS, Migration, PostgresOptions, PostgresStore};
pub use search::{FoundOrganizations, search_endpoints, search_organizations};
pub use signing::{SIGNATURE_BYTES, Signing};
pub use sqlite::{BackupProgress, Restored, SqliteOptions, SqliteStore, backup, restore};
pub use statistics::{EndpointHour, Statistics};
pub use store::Store;
pub use transfer::{
    ChosenId, Counts, DeletedEndpoint, ExportFileError, ExportId, ExportReader, ExportWriter, Extent, ImportState,
    Portable, PortableAnswer, PortableDelivery, PortableEvent, PortableState, PortableTurn, Transfer,
};
