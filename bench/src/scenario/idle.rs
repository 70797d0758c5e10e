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
    let (cpu, began) = (stage.server.cpu()?, Instant::now());
    bench.progress.wait("doing nothing", bench.options.duration).await;
    let cpu = stage.server.cpu()?.saturating_sub(cpu).as_secs_f64();
    let share = cpu / began.elapsed().as_secs_f64() * 100.0;
    let resident = stage.server.resident()?.now;
    let report = &mut bench.report;
    report.judge(Idle, "resident memory", megabytes(resident), Unit::Megabytes, Target::Below(40.0));
    report.judge(Idle, "CPU, of one core", share, Unit::CorePercent, Target::Below(1.0));
    report.add(Idle, "start to listening, no data yet", stage.server.start_time().as_secs_f64(), Unit::Seconds);
    Ok(())
}
