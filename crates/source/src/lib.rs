//! Changes in a CRM's Postgres become events, without a line of the CRM's code changed.
//!
//! A *mapping* ([`mapping`]) says what each table means. A *capture* ([`capture`]) reads committed changes: from an outbox that triggers fill,
//! or from logical replication. Each change is made into events (pure) and handed to the engine as the API would; only then it is forgotten.

pub mod backfill;
pub mod capture;
pub mod catalogue;
pub mod change;
pub mod counted;
pub mod draft;
pub mod events;
pub mod finding;
mod handing;
pub mod handover;
pub mod install;
mod lookup;
pub mod mapping;
mod metrics;
pub mod outbox;
pub mod preflight;
pub mod quote;
pub mod replication;
pub mod row;
mod session;
pub mod status;
pub mod watch;
