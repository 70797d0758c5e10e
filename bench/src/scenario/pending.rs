//! A large backlog: what it costs in memory, at a restart, and for those beside it.

use std::time::Duration;

use anyhow::ensure;

use super::stage::Stage;
use super::throughput::Subject;
use super::{Bench, megabytes};
use crate::arrivals::Arrivals;
use crate::event::{Stamp, event_json};
use crate::options::Scenario::Pending;
use crate::receiver::Receiver;
use crate::report::{Target, Unit};

const HEALTHY: &str = "bench";
const BACKLOG: &str = "backlog";
/// Endpoints that every event of the backlog goes to. They hang, so that nearly all of it stays pending.
const FANOUT: usize = 10;
/// Events of one batch, as many as the API takes.
const BATCH_EVENTS_MAX: u64 = 1_000;
/// How long a started server has to come to rest.
const SETTLE: Duration = Duration::from_secs(2);

pub(super) async fn run(bench: &mut Bench<'_>) -> anyhow::Result<()> {
    let stage = Stage::start(bench).await?;
    let receiver = stage.healthy(bench, HEALTHY, 1).await?;
    let subject = Subject { stage: &stage, receiver: &receiver, templates: stage.templates(HEALTHY).await? };
    let empty = subject.warm_and_measure(bench).await?;
    let (backlog, pending) = publish_until(bench, &stage, bench.options.pending_deliveries).await?;
    bench.progress.wait("coming to rest", SETTLE.min(bench.options.duration)).await;
    let filled = stage.resident()?;
    let beside = subject.warm_and_measure(bench).await?;
    let peak = stage.resident()?.peak;
    bench.progress.step("killing and restarting the server");
    let stage = stage.restart(bench).await?;
    bench.progress.wait("coming to rest", SETTLE.min(bench.options.duration)).await;
    let restarted = stage.resident()?;
    drop(backlog);

    let report = &mut bench.report;
    let name = |what: &str| format!("{pending} pending: {what}");
    let ratio = beside.deliveries_per_s / empty.deliveries_per_s;
    report.judge(Pending, &name("deliveries to those when empty"), ratio, Unit::Times, Target::AtLeast(0.9));
    report.add(Pending, "empty: deliveries", empty.deliveries_per_s, Unit::PerSecond);
    report.add(Pending, &name("deliveries beside"), beside.deliveries_per_s, Unit::PerSecond);
    let most = Target::AtMost(100.0);
    report.judge(Pending, &name("resident memory"), megabytes(filled.now), Unit::Megabytes, most);
    report.judge(Pending, &name("after a restart"), megabytes(restarted.now), Unit::Megabytes, most);
    report.add(Pending, &name("peak, while filling and beside"), megabytes(peak), Unit::Megabytes);
    let start = stage.start_time().as_secs_f64();
    report.judge(Pending, &name("kill -9, start to listening"), start, Unit::Seconds, Target::Below(5.0));
    let lost = (empty.lost + beside.lost) as f64;
    report.judge(Pending, "lost by the healthy one", lost, Unit::Count, Target::AtMost(0.0));
    Ok(())
}

/// Publishes until that many deliveries are pending; the receiver must outlive the measurement.
pub(super) async fn publish_until(bench: &Bench<'_>, stage: &Stage, wanted: u64) -> anyhow::Result<(Receiver, u64)> {
    let receiver = Receiver::start(FANOUT, 1, Arrivals::new(bench.clock, 0)?)?;
    stage.organization(bench, BACKLOG).await?;
    for address in receiver.addresses() {
        stage.api.create_endpoint(BACKLOG, "Hangs", &format!("http://{address}/hang")).await?;
    }
    let event_type = stage.api.event_type(BACKLOG).await?;
    let mut pending = 0;
    let mut sequence = 0;
    while pending < wanted {
        let count = (wanted - pending).div_ceil(FANOUT as u64).min(BATCH_EVENTS_MAX);
        let stamps = (sequence..sequence + count).map(|sequence| Stamp { sent_ns: 0, sequence });
        let events: Vec<_> = stamps.map(|stamp| event_json(&event_type, stamp)).collect();
        let made = stage.api.publish(BACKLOG, &events).await?;
        ensure!(made > 0, "a batch of {count} events made no delivery");
        sequence += count;
        pending += made;
        bench.progress.step(&format!("filling: {pending} of {wanted} pending"));
    }
    Ok((receiver, pending))
}
