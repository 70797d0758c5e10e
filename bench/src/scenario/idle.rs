//! A server with nothing to do.

use std::time::{Duration, Instant};

use super::stage::Stage;
use super::{Bench, megabytes};
use crate::options::Scenario::Idle;
use crate::report::{Target, Unit};

/// How long a started server has to come to rest.
const SETTLE: Duration = Duration::from_secs(2);

pub(super) async fn run(bench: &mut Bench<'_>) -> anyhow::Result<()> {
    let stage = Stage::start(bench).await?;
    bench.progress.wait("coming to rest", SETTLE.min(bench.options.duration)).await;
    let (before, began) = (stage.cpu()?, Instant::now());
    bench.progress.wait("doing nothing", bench.options.duration).await;
    let (used, elapsed) = (stage.cpu()?.since(before), began.elapsed().as_secs_f64());
    let share = |cpu: Duration| cpu.as_secs_f64() / elapsed * 100.0;
    let nodes = share(used.nodes) / bench.options.nodes as f64;
    let resident = stage.resident()?.now;
    let report = &mut bench.report;
    report.judge(Idle, "resident memory", megabytes(resident), Unit::Megabytes, Target::Below(40.0));
    report.judge(Idle, "CPU, of one core", nodes, Unit::CorePercent, Target::Below(1.0));
    if let Some(postgres) = used.postgres {
        report.add(Idle, "Postgres' CPU, of one core", share(postgres), Unit::CorePercent);
    }
    if let Some(database) = &stage.database {
        report.add(Idle, "connections to Postgres", database.connections().await?, Unit::Count);
    }
    report.add(Idle, "start to listening, no data yet", stage.start_time().as_secs_f64(), Unit::Seconds);
    Ok(())
}
