//! Whatever changes in a CRM's database, the same changes come out of it by each way of capture.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod crm;
mod crossing;
mod installing;
mod outbox;
mod plain;
mod slot;
mod tls;
mod types;
