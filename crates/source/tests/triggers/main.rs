//! What is installed in a CRM's database, on the server that `./dev test` starts: each test has a database of its own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod crm;
mod draft;
mod harm;
mod install;
mod preflight;
mod shapes;
mod status;
mod uninstall;
