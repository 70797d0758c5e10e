//! The engine over the real embedded store and the real egress client, against receivers on loopback, with a clock that is moved.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test program"
)]

mod cluster;
mod delivering;
mod failing;
mod filtering;
mod leases;
mod nodes;
mod operational;
mod ordering;
mod pacing;
mod postgres;
mod stopping;
mod support;
