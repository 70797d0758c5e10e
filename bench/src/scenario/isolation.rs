//! A healthy endpoint alone, and then beside a thousand that hang or trickle. The neighbours belong to organisations with ten
//! endpoints each; every event goes to one organisation, as in life.

use std::time::Duration;

use super::latency::Steady;
use super::stage::Stage;
use super::{Bench, milliseconds};
use crate::arrivals::Arrivals;
use crate::event::{RequestTemplate, Stamp, event_json};
use crate::open::{OpenLoad, OpenPlan};
use crate::options::Scenario::Isolation;
use crate::receiver::Receiver;
use crate::report::{Target, Unit};

const HEALTHY: &str = "bench";
const HEALTHY_EVENTS_PER_S: u32 = 100;
const WARM_UP: Duration = Duration::from_secs(1);
/// Endpoints of one neighbouring organisation.
const NEIGHBOURS_PER_ORGANIZATION: usize = 10;
/// Events that each neighbouring organisation begins with, so that every neighbour has work pending.
const NEIGHBOURS_BACKLOG: u64 = 4;
/// Events a second to the neighbours, each to ten of them.
const NEIGHBOURS_EVENTS_PER_S: u32 = 10;
const NEIGHBOURS_CONNECTIONS: usize = 4;
/// How long the neighbours have until each holds an attempt.
const HELD_WITHIN: Duration = Duration::from_secs(20);

pub(super) async fn run(bench: &mut Bench<'_>) -> anyhow::Result<()> {
    for behaviour in ["hang", "trickle"] {
        beside(bench, behaviour).await?;
    }
    Ok(())
}

async fn beside(bench: &mut Bench<'_>, behaviour: &str) -> anyhow::Result<()> {
    let stage = Stage::start(bench).await?;
    let receiver = stage.healthy(bench, HEALTHY, 1).await?;
    let templates = stage.templates(HEALTHY).await?;
    let steady = Steady { receiver: &receiver, templates, per_s: HEALTHY_EVENTS_PER_S };
    // Twice as long as other figures: a p99 of few events is mostly chance.
    let duration = bench.options.duration * 2;
    steady.measure(bench, "warming up", WARM_UP.min(duration)).await?;
    let alone = steady.measure(bench, "healthy endpoint alone", duration).await?;
    let neighbours = Neighbours::start(bench, &stage, behaviour).await?;
    let together = steady.measure(bench, &format!("beside neighbours that {behaviour}"), duration).await?;
    let held = neighbours.receiver.arrivals().held();
    neighbours.load.stop().await?;
    let p99 = |latency: &hdrhistogram::Histogram<u64>| milliseconds(latency.value_at_quantile(0.99));
    let (without, with) = (p99(&alone.latency_us), p99(&together.latency_us));
    let (report, count) = (&mut bench.report, bench.options.neighbours);
    let name = |what: &str| format!("{count} neighbours that {behaviour}: {what}");
    report.judge(Isolation, &name("p99 with them to without"), with / without, Unit::Times, Target::Below(2.0));
    report.add(Isolation, &name("p99 without"), without, Unit::Milliseconds);
    report.add(Isolation, &name("p99 with"), with, Unit::Milliseconds);
    report.add(Isolation, &name("attempts they held"), held as f64, Unit::Count);
    let lost = (alone.lost + together.lost) as f64;
    report.judge(Isolation, &name("lost by the healthy one"), lost, Unit::Count, Target::AtMost(0.0));
    Ok(())
}

/// Endpoints that never finish an answer, each with work pending, and more on its way.
struct Neighbours {
    load: OpenLoad,
    receiver: Receiver,
}

impl Neighbours {
    async fn start(bench: &Bench<'_>, stage: &Stage, behaviour: &str) -> anyhow::Result<Self> {
        let count = bench.options.neighbours;
        bench.progress.step(&format!("creating {count} neighbours that {behaviour}"));
        let receiver = Receiver::start(count, 1, Arrivals::new(bench.clock, 0)?)?;
        let mut by_node = vec![Vec::new(); bench.options.nodes];
        for (index, addresses) in receiver.addresses().chunks(NEIGHBOURS_PER_ORGANIZATION).enumerate() {
            let organization = format!("neighbours-{index}");
            stage.organization(bench, &organization).await?;
            for address in addresses {
                stage.api.create_endpoint(&organization, "Neighbour", &format!("http://{address}/{behaviour}")).await?;
            }
            for (node, template) in by_node.iter_mut().zip(begin(stage, &organization).await?) {
                node.push(template);
            }
        }
        let load = OpenLoad::start(OpenPlan {
            templates: by_node,
            per_s: NEIGHBOURS_EVENTS_PER_S,
            requests: u64::MAX,
            connections: NEIGHBOURS_CONNECTIONS,
            clock: bench.clock,
        })?;
        bench.progress.step("waiting until every neighbour holds an attempt");
        // Not all do when the server gives them less; how many do is a figure.
        receiver.arrivals().wait(HELD_WITHIN, |arrivals| arrivals.held() >= count as u64).await;
        Ok(Neighbours { load, receiver })
    }
}

/// Gives an organisation its first events; the templates are for those that follow.
async fn begin(stage: &Stage, organization: &str) -> anyhow::Result<Vec<RequestTemplate>> {
    let event_type = stage.api.event_type(organization).await?;
    let events: Vec<_> =
        (0..NEIGHBOURS_BACKLOG).map(|sequence| event_json(&event_type, Stamp { sent_ns: 0, sequence })).collect();
    stage.api.publish(organization, &events).await?;
    stage.templates(organization).await
}
