//! Attempts against scripted receivers, resolvers and proxies on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the settings that allow these in tests do not see the functions beside the tests"
)]

mod concurrency;
mod corpora;
mod dns;
mod environment;
mod keep_alive;
mod proxies;
mod receivers;
mod requests;
mod support;
mod tls;
