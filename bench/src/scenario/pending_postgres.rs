//! The same on Postgres, where history is beside it: deliveries pending, and twice as many attempts recorded.
//!
//! - A tenth of what is pending is due and belongs to ten endpoints that hang; it is posted, and real in every byte.
//! - The rest was tried once and is due in hours, spread over up to a thousand endpoints; it is made with SQL ([`super::fill`]), and so is history.
//! - At the end ten endpoints that answer get deliveries that fall due at a *steady* rate, as retries do: their lanes claim them when they
//!   are due, and there is CPU to spare, so that the time of a claim is its own. Then they get a backlog that is due at once: their lanes
//!   *drain* as fast as they can.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::fill::Due;
use super::pending::publish_until;
use super::stage::Stage;
use super::throughput::{FANOUT, Subject, Throughput};
use super::{Bench, fill, megabytes};
use crate::buckets::Buckets;
use crate::event::{Stamp, event_json};
use crate::options::Scenario::Pending;
use crate::receiver::Receiver;
use crate::report::{Target, Unit};

const SINGLE: &str = "bench";
const FAN: &str = "bench-fanout";
const DRAINS: &str = "bench-drains";
/// Of the server's metrics: how long reading due deliveries took.
const CLAIM_SECONDS: &str = "postrider_claim_seconds";
/// Organisations whose deliveries are due later, one for so many deliveries, and no more than that.
const DELIVERIES_AN_ORGANIZATION: u64 = 100_000;
const ORGANIZATIONS_MAX: u64 = 100;
/// Events whose deliveries the draining endpoints get again.
const DRAINED_EVENTS: u64 = 500;
/// Due deliveries to drain, at most; a fiftieth of what is pending if that is less.
const DRAINED_MAX: u64 = 200_000;
/// Deliveries a second that fall due at a steady rate, at all ten endpoints together.
const STEADY_PER_S: f64 = 500.0;
/// How far ahead the first of them is due: the nodes look for lanes with work every few seconds.
const STEADY_AFTER: Duration = Duration::from_secs(10);
/// When nothing has arrived for so long, nothing more is waited for.
const QUIET: Duration = Duration::from_secs(30);
/// Until the first event is delivered that is posted after a kill: the lanes of the killed must be taken over.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(300);
const SETTLE: Duration = Duration::from_secs(2);

/// What is measured twice.
struct Both {
    single: Throughput,
    fan: Throughput,
    claims: Buckets,
}

/// The two organisations that it is measured on.
struct Healthy {
    single: Receiver,
    fan: Receiver,
}

/// A backlog that was drained.
struct Drained {
    deliveries: u64,
    lost: u64,
    per_s: f64,
    claims: Buckets,
}

pub(super) async fn run(bench: &mut Bench<'_>) -> anyhow::Result<()> {
    let mut stage = Stage::start(bench).await?;
    let healthy =
        Healthy { single: stage.healthy(bench, SINGLE, 1).await?, fan: stage.healthy(bench, FAN, FANOUT).await? };
    let drains = stage.healthy(bench, DRAINS, FANOUT).await?;
    let empty = healthy.measure(bench, &stage).await?;
    deliver_once(&stage, &drains).await?;
    let empty_steady = steady(bench, &stage, &drains).await?;
    let wanted = bench.options.pending_deliveries;
    let (hanging, hung) = publish_until(bench, &stage, wanted.div_ceil(10)).await?;
    let later = wanted.saturating_sub(hung);
    create_later(bench, &stage, later).await?;
    stage.kill();
    fill_database(bench, &stage, later).await?;
    bench.progress.step("starting the server");
    stage.start_nodes(bench).await?;
    let taken_over = healthy.wait_for_first(bench, &stage).await?;
    bench.progress.wait("coming to rest", SETTLE.min(bench.options.duration)).await;
    let filled = stage.resident()?;
    let beside = healthy.measure(bench, &stage).await?;
    let steady = steady(bench, &stage, &drains).await?;
    bench.progress.step("draining a backlog that is due");
    let at_once = Due { after: Duration::ZERO, over: Duration::ZERO };
    let drained = drain(bench, &stage, &drains, (wanted / 50).min(DRAINED_MAX), at_once).await?;
    let peak = stage.resident()?.peak;
    drop(hanging);

    let name = |what: &str| format!("{wanted} pending: {what}");
    let report = &mut bench.report;
    for (what, empty, beside) in [("single", &empty.single, &beside.single), ("fan-out 10", &empty.fan, &beside.fan)] {
        let ratio = beside.deliveries_per_s / empty.deliveries_per_s;
        let least = Target::AtLeast(0.9);
        report.judge(Pending, &name(&format!("{what}, deliveries to those when empty")), ratio, Unit::Times, least);
        report.add(Pending, &format!("empty: {what}"), empty.deliveries_per_s, Unit::PerSecond);
        report.add(Pending, &name(what), beside.deliveries_per_s, Unit::PerSecond);
        report.add(Pending, &format!("empty: {what}, CPU of both"), cpu_us(empty), Unit::Microseconds);
        report.add(Pending, &name(&format!("{what}, CPU of both")), cpu_us(beside), Unit::Microseconds);
        report.judge(Pending, &name(&format!("{what}, lost")), beside.lost as f64, Unit::Count, Target::AtMost(0.0));
    }
    report.add(Pending, &name(&format!("{} due ones drained", drained.deliveries)), drained.per_s, Unit::PerSecond);
    let lost = (empty_steady.lost + steady.lost + drained.lost) as f64;
    report.judge(Pending, &name("lost of those that fell due"), lost, Unit::Count, Target::AtMost(0.0));
    report_claims(bench, "empty: claims", &empty.claims, None);
    report_claims(bench, "empty: claims at a steady rate", &empty_steady.claims, None);
    report_claims(bench, &name("claims beside"), &beside.claims, None);
    report_claims(bench, &name("claims at a steady rate"), &steady.claims, Some(Target::Below(10.0)));
    report_claims(bench, &name("claims while draining"), &drained.claims, None);
    let report = &mut bench.report;
    report.add(Pending, &name("resident memory of a node"), megabytes(filled.now), Unit::Megabytes);
    report.judge(Pending, &name("its peak"), megabytes(peak), Unit::Megabytes, Target::Below(256.0));
    let start = stage.start_time().as_secs_f64();
    report.judge(Pending, &name("kill -9, start to listening"), start, Unit::Seconds, Target::Below(5.0));
    report.add(Pending, &name("start to delivering for a lane of the killed"), taken_over.as_secs_f64(), Unit::Seconds);
    Ok(())
}

/// Of nodes and Postgres, as far as it can be seen.
fn cpu_us(throughput: &Throughput) -> f64 {
    throughput.cpu_us + throughput.postgres_cpu_us.unwrap_or_default()
}

fn report_claims(bench: &mut Bench<'_>, what: &str, claims: &Buckets, p99_target: Option<Target>) {
    let (Some(p50), Some(p99)) = (claims.quantile(0.5), claims.quantile(0.99)) else {
        bench.report.note(format!("{what}: none were measured."));
        return;
    };
    let report = &mut bench.report;
    report.add(Pending, what, claims.count(), Unit::Count);
    report.add(Pending, &format!("{what}, p50"), p50 * 1e3, Unit::Milliseconds);
    match p99_target {
        Some(target) => report.judge(Pending, &format!("{what}, p99"), p99 * 1e3, Unit::Milliseconds, target),
        None => report.add(Pending, &format!("{what}, p99"), p99 * 1e3, Unit::Milliseconds),
    }
}

impl Healthy {
    async fn measure(&self, bench: &Bench<'_>, stage: &Stage) -> anyhow::Result<Both> {
        let before = claims(stage).await?;
        let subject = async |organization, receiver| {
            Ok::<_, anyhow::Error>(Subject { stage, receiver, templates: stage.templates(organization).await? })
        };
        let single = subject(SINGLE, &self.single).await?.warm_and_measure(bench).await?;
        let fan = subject(FAN, &self.fan).await?.warm_and_measure(bench).await?;
        Ok(Both { single, fan, claims: claims(stage).await?.since(&before) })
    }

    /// Posts an event for a lane that the killed nodes held, and waits for it.
    async fn wait_for_first(&self, bench: &Bench<'_>, stage: &Stage) -> anyhow::Result<Duration> {
        bench.progress.step("waiting until the lanes of the killed are taken over");
        let began = Instant::now();
        for (organization, receiver) in [(SINGLE, &self.single), (FAN, &self.fan)] {
            let wanted = receiver.arrivals().unique() + receiver.addresses().len() as u64;
            publish(stage, organization, 1).await?;
            let arrived = receiver.arrivals().wait(TAKEN_OVER_WITHIN, |arrivals| arrivals.unique() >= wanted).await;
            ensure!(arrived, "an event of a lane that a killed node held was not delivered in {TAKEN_OVER_WITHIN:?}");
        }
        Ok(began.elapsed())
    }
}

async fn claims(stage: &Stage) -> anyhow::Result<Buckets> {
    Ok(Buckets::read(&stage.api.metrics().await?, CLAIM_SECONDS))
}

async fn publish(stage: &Stage, organization: &str, count: u64) -> anyhow::Result<()> {
    let event_type = stage.api.event_type(organization).await?;
    let first = stage.sequence.fetch_add(count, Relaxed);
    let stamps = (first..first + count).map(|sequence| Stamp { sent_ns: 0, sequence });
    let events: Vec<_> = stamps.map(|stamp| event_json(&event_type, stamp)).collect();
    stage.api.publish(organization, &events).await?;
    Ok(())
}

/// Gives the draining endpoints the events whose deliveries they are given again later.
async fn deliver_once(stage: &Stage, drains: &Receiver) -> anyhow::Result<()> {
    publish(stage, DRAINS, DRAINED_EVENTS).await?;
    let wanted = DRAINED_EVENTS * FANOUT as u64;
    ensure!(drains.arrivals().wait_unique(wanted, QUIET).await, "the first events did not all arrive");
    Ok(())
}

/// Organisations with ten endpoints each for what is due later. Nobody listens there, and nothing is sent within the hour.
async fn create_later(bench: &Bench<'_>, stage: &Stage, later: u64) -> anyhow::Result<()> {
    for number in 0..later.div_ceil(DELIVERIES_AN_ORGANIZATION).clamp(1, ORGANIZATIONS_MAX) {
        bench.progress.step(&format!("creating organisation {number} for deliveries due later"));
        let organization = format!("later-{number}");
        stage.organization(bench, &organization).await?;
        for endpoint in 0..FANOUT {
            let url = format!("http://127.0.0.1:65535/{organization}/{endpoint}");
            stage.api.create_endpoint(&organization, "Later", &url).await?;
        }
    }
    Ok(())
}

async fn fill_database(bench: &Bench<'_>, stage: &Stage, later: u64) -> anyhow::Result<()> {
    let database = stage.database.as_ref().context("there is no database")?;
    // Each pending one has an attempt; the others belong to what has ended.
    let ended = bench.options.pending_deliveries * 2 - later;
    fill::fill(bench, database, later, ended).await
}

/// Deliveries fall due at a steady rate for twice the time of a figure.
async fn steady(bench: &Bench<'_>, stage: &Stage, drains: &Receiver) -> anyhow::Result<Drained> {
    bench.progress.step("deliveries fall due at a steady rate");
    let over = bench.options.duration * 2;
    let count = (over.as_secs_f64() * STEADY_PER_S) as u64;
    drain(bench, stage, drains, count, Due { after: STEADY_AFTER, over }).await
}

/// Gives the draining endpoints so many deliveries in all, and waits until they arrived.
async fn drain(bench: &Bench<'_>, stage: &Stage, drains: &Receiver, count: u64, due: Due) -> anyhow::Result<Drained> {
    let database = stage.database.as_ref().context("there is no database")?;
    let (before, arrivals) = (claims(stage).await?, drains.arrivals());
    let received = arrivals.received();
    let deliveries = fill::make_due(database, DRAINS, (count / FANOUT as u64).max(1), due).await?;
    // From the first on: until then the nodes have not looked.
    ensure!(arrivals.wait(QUIET, |arrivals| arrivals.received() > received).await, "nothing of a due backlog was sent");
    let began_ns = bench.clock.now_ns();
    let mut seen = received;
    while arrivals.received() < received + deliveries {
        if !arrivals.wait(QUIET, |arrivals| arrivals.received() > seen).await {
            break;
        }
        seen = arrivals.received();
    }
    let arrived = arrivals.received() - received;
    let elapsed = crate::clock::span(began_ns, arrivals.last_ns());
    Ok(Drained {
        deliveries,
        lost: deliveries.saturating_sub(arrived),
        per_s: arrived as f64 / elapsed.as_secs_f64().max(f64::EPSILON),
        claims: claims(stage).await?.since(&before),
    })
}
