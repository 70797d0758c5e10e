//! The seven built-in contracts as a whole: golden requests, properties, rotations, and what must hold for code and documents.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the settings that allow these in tests do not see the functions beside the tests"
)]

mod golden;
mod invariants;
mod properties;
mod rotation;
