//! `bench`: hands its options to the benchmark and prints the figures.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use postrider_bench::{BenchOptions, Progress};
use postrider_contract::Contracts;

use crate::cli::BenchArgs;
use crate::failure::{Misuse, all};
use crate::output;

pub(crate) async fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let executable = std::env::current_exe().context("the path of this program is not known")?;
    let json = args.json;
    let report = postrider_bench::run(options(args, executable)?, Progress::stderr()).await?;
    if json {
        output::line(&report.json()?)?;
    } else {
        output::write(&report.table())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn options(args: BenchArgs, executable: std::path::PathBuf) -> anyhow::Result<BenchOptions> {
    let built_in = Contracts::built_in().map_err(|mistakes| all(&mistakes))?;
    let BenchOptions {
        duration,
        scenarios,
        contract,
        connections,
        latency_events_per_s,
        neighbours,
        pending_deliveries,
        nodes,
        source_changes,
        source_capture,
        ..
    } = BenchOptions::new(executable.clone(), built_in.default_name().to_owned());
    let wrong = |_| Misuse::of("--duration is a number of seconds, as 10 or 0.5");
    let given = args.duration.map(Duration::try_from_secs_f64).transpose().map_err(wrong)?;
    Ok(BenchOptions {
        executable,
        duration: given.unwrap_or(duration),
        scenarios: if args.scenarios.is_empty() { scenarios } else { args.scenarios },
        contract: args.contract.unwrap_or(contract),
        plan: args.plan,
        data_parent: args.data,
        connections: args.connections.unwrap_or(connections),
        latency_events_per_s: args.latency_rate.unwrap_or(latency_events_per_s),
        neighbours: args.neighbours.unwrap_or(neighbours),
        pending_deliveries: args.pending.unwrap_or(pending_deliveries),
        database: args.database_url,
        nodes: args.nodes.unwrap_or(nodes),
        source_database: args.source_database_url,
        source_changes: args.source_changes.unwrap_or(source_changes),
        source_capture: args.source_capture.unwrap_or(source_capture),
    })
}
