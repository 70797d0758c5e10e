//! The benchmark: what `postrider bench` measures, and how.
//!
//! The server under test is a child process, so that its CPU and memory are its own; the load and the receiver live here. On
//! Postgres there may be several: the *nodes*, which share a database that is the benchmark's own; load is spread over all of them.
//!
//! - *ceiling*: what the same load and the same receiver do with nothing in between, in the same run.
//! - *closed loop*: a connection sends its next request once the last was answered; for throughput.
//! - *open loop*: requests have a time at which they are due, whatever became of those before; for latency. A request that
//!   goes out late counts from when it was due, so that a stall of the server is seen in full (no coordinated omission).
//! - *stamp*: the due time and the sequence number that an event carries in its `data`, by which its arrival is known.
//! - *neighbour*: an endpoint that hangs or trickles beside a healthy one.

mod api;
mod arrivals;
mod buckets;
mod clock;
mod crm;
mod database;
mod event;
mod http1;
mod load;
mod machine;
mod open;
mod options;
mod process;
mod procfs;
mod progress;
mod receiver;
mod report;
mod scenario;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

pub use database::DatabaseUrl;
pub use options::{BenchOptions, Scenario, SourceCapture, UnknownCapture, UnknownScenario};
pub use progress::Progress;
pub use report::{Figure, Report, Target, Unit};

use anyhow::Context as _;

/// Runs the scenarios chosen and reports their figures. On an error, on a panic and on Ctrl-C or SIGTERM alike the server under
/// test is killed, and its directory or database removed.
///
/// # Errors
/// When the server does not start, refuses what the benchmark needs, or the run is interrupted.
pub async fn run(options: BenchOptions, progress: Progress) -> anyhow::Result<Report> {
    options.check()?;
    // A thousand neighbours hold several connections each; the limit that stands is named by the error that it causes.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .context("could not listen for SIGTERM")?;
    tokio::select! {
        report = scenario::run_all(&options, &progress) => report,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        _ = terminate.recv() => anyhow::bail!("terminated"),
    }
}
