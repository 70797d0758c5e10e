//! Changes in a CRM's Postgres become events, without a line of the CRM's code changed.
//!
//! A *mapping* ([`mapping`]) says what each table means. A *capture* ([`capture`]) reads committed changes: from an outbox that triggers fill,
//! or from logical replication. Each change is made into events (pure) and handed to the engine as the API would; only then it is forgotten.

pub mod backfill;
pub mod capture;
pub mod change;
pub mod events;
mod handing;
pub mod handover;
mod lookup;
pub mod mapping;
mod metrics;
pub mod outbox;
pub mod replication;
pub mod row;
mod session;
