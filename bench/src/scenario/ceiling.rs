//! The ceiling: what load and receiver do with nothing in between, and what a sync of the disk costs.
//!
//! On one connection it is the time of two wake-ups and little else: several times longer where the kernel puts load and receiver
//! on different cores than where it puts them on the same. Shares are of the figure for sixteen, which does not depend on that.

use std::time::Duration;

use anyhow::{Context as _, bail};

use super::Bench;
use crate::arrivals::Arrivals;
use crate::clock::span;
use crate::event::RequestTemplate;
use crate::load::{Load, LoadPlan};
use crate::machine;
use crate::options::Scenario::Ceiling;
use crate::procfs;
use crate::receiver::Receiver;
use crate::report::Unit;

/// Longer would tell no more.
const DURATION_MAX: Duration = Duration::from_secs(3);
const SYNC_DURATION_MAX: Duration = Duration::from_secs(1);
const CONNECTIONS: usize = 16;

pub(super) async fn run(bench: &mut Bench<'_>) -> anyhow::Result<()> {
    let (one, cpu_one) = requests(bench, 1).await?;
    let (many, cpu_many) = requests(bench, CONNECTIONS).await?;
    bench.ceiling_per_s = Some(many);
    bench.progress.step("syncing");
    let (parent, duration) = (bench.data_parent.clone(), bench.options.duration.min(SYNC_DURATION_MAX));
    let syncs = tokio::task::spawn_blocking(move || {
        let directory = tempfile::Builder::new().prefix("postrider-bench-").tempdir_in(parent)?;
        machine::syncs_per_s(directory.path(), duration)
    });
    let syncs = syncs.await??;
    let report = &mut bench.report;
    report.add(Ceiling, "requests, 1 connection", one, Unit::PerSecond);
    report.add(Ceiling, "CPU of load and receiver, 1 connection", cpu_one, Unit::Microseconds);
    report.add(Ceiling, &format!("requests, {CONNECTIONS} connections"), many, Unit::PerSecond);
    report.add(Ceiling, &format!("CPU of load and receiver, {CONNECTIONS} connections"), cpu_many, Unit::Microseconds);
    report.add(Ceiling, "disk syncs, one after another", syncs, Unit::PerSecond);
    Ok(())
}

/// Requests a second, and microseconds of this process's CPU for each.
async fn requests(bench: &Bench<'_>, connections: usize) -> anyhow::Result<(f64, f64)> {
    let receiver = Receiver::start(1, bench.threads, Arrivals::new(bench.clock, 1)?)?;
    let address = *receiver.addresses().first().context("the receiver has no address")?;
    let pid = std::process::id();
    let (cpu, began_ns) = (procfs::cpu(pid)?, bench.clock.now_ns());
    let load = Load::start(LoadPlan {
        templates: vec![RequestTemplate::new(address, "/ok/0", "none", "deal.won")],
        connections,
        threads: bench.threads,
        clock: bench.clock,
        sequence: std::sync::Arc::default(),
    })?;
    bench.progress.wait("load and receiver alone", bench.options.duration.min(DURATION_MAX)).await;
    let totals = load.stop().await?;
    let elapsed = span(began_ns, bench.clock.now_ns());
    let cpu = procfs::cpu(pid)?.saturating_sub(cpu);
    if totals.accepted == 0 || totals.failed > 0 {
        bail!("load and receiver do not understand each other: {totals:?}");
    }
    let accepted = totals.accepted as f64;
    Ok((accepted / elapsed.as_secs_f64(), cpu.as_secs_f64() * 1e6 / accepted))
}
