//! What must hold whatever comes in: a check for each place that reads what strangers wrote. Each panics where it does not hold.
//!
//! `tests/bounded.rs` runs them on the seeds and on what comes of those by small changes; `libfuzzer/` lets a fuzzer look for more.

pub mod contract_files;
pub mod filters;
pub mod retry_after;
pub mod signature_verification;
pub mod templates;
pub mod url_judgement;
