//! The Postgres store, on the server that `./dev test` starts: each test has a database of its own.
#![cfg(feature = "conformance")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod conformance;
mod database;
mod days;
mod handing;
mod nodes;
mod opening;
mod outage;
mod plans;
mod rights;
mod rls;
mod sharing;
mod transfer;
mod upgrade;
mod views;
mod world;
