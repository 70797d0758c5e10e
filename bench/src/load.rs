//! The closed loop: as many requests as are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::event::{RequestTemplate, Stamp};
use crate::http1::ReadBuffer;

/// How long a request that was refused for overload waits before the next.
pub(crate) const REFUSED_PAUSE: Duration = Duration::from_millis(50);
/// How long the requests under way have, once the load is told to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// Failures after which a connection gives up.
const FAILURES_MAX: u32 = 10;

/// What a closed loop sends, and where.
pub(crate) struct LoadPlan {
    /// The same request for each node; connections are spread over them in turn.
    pub(crate) templates: Vec<RequestTemplate>,
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    pub(crate) clock: Clock,
    /// The next sequence number; shared by the loads of one scenario, so that no number comes twice.
    pub(crate) sequence: Arc<AtomicU64>,
}

/// What became of the requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Answered with 2xx.
    pub(crate) accepted: u64,
    /// Answered with 429 or 503: the server asked for less.
    pub(crate) refused: u64,
    /// Answered otherwise, or not at all.
    pub(crate) failed: u64,
    /// What the first failure was.
    pub(crate) first_failure: Option<String>,
}

/// The totals while they grow.
#[derive(Default)]
pub(crate) struct Counts {
    accepted: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    first_failure: Mutex<Option<String>>,
}

impl Counts {
    /// Notes an answer; says whether a pause is asked for.
    pub(crate) fn answered(&self, status: u16, body: &[u8]) -> Outcome {
        match status {
            200..=299 => {
                self.accepted.fetch_add(1, Relaxed);
                Outcome::Accepted
            }
            429 | 503 => {
                self.refused.fetch_add(1, Relaxed);
                Outcome::Refused
            }
            _ => {
                self.failed(|| format!("HTTP {status}: {}", String::from_utf8_lossy(body)));
                Outcome::Failed
            }
        }
    }

    pub(crate) fn failed(&self, why: impl FnOnce() -> String) {
        self.failed.fetch_add(1, Relaxed);
        self.first_failure.lock().get_or_insert_with(why);
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals {
            accepted: self.accepted.load(Relaxed),
            refused: self.refused.load(Relaxed),
            failed: self.failed.load(Relaxed),
            first_failure: self.first_failure.lock().clone(),
        }
    }
}

/// What became of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    Refused,
    Failed,
}

/// A closed loop that runs until it is stopped or dropped.
pub(crate) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    counts: Counts,
    stop: AtomicBool,
    stopping: tokio::sync::Notify,
}

impl Load {
    pub(crate) fn start(plan: LoadPlan) -> anyhow::Result<Self> {
        let shared =
            Arc::new(Shared { counts: Counts::default(), stop: AtomicBool::new(false), stopping: Default::default() });
        let plan = Arc::new(plan);
        let mut load = Load { shared, threads: Vec::new() };
        let threads = plan.threads.clamp(1, plan.connections.max(1));
        for index in 0..threads {
            let mine: Vec<_> = (index..plan.connections).step_by(threads).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (plan, shared) = (Arc::clone(&plan), Arc::clone(&load.shared));
            let thread = thread::Builder::new().name("load".to_owned());
            load.threads.push(thread.spawn(move || runtime.block_on(keep_busy(mine, plan, shared)))?);
        }
        Ok(load)
    }

    pub(crate) fn totals(&self) -> Totals {
        self.shared.counts.totals()
    }

    /// Lets the requests under way finish.
    pub(crate) async fn stop(mut self) -> anyhow::Result<Totals> {
        self.shared.tell_to_stop();
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().all(|t| t.join().is_ok()));
        anyhow::ensure!(joined.await?, "a thread of the load panicked");
        Ok(self.totals())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.tell_to_stop();
    }
}

impl Shared {
    fn tell_to_stop(&self) {
        self.stop.store(true, Relaxed);
        self.stopping.notify_waiters();
    }
}

async fn keep_busy(connections: Vec<usize>, plan: Arc<LoadPlan>, shared: Arc<Shared>) {
    let stopping = shared.stopping.notified();
    let mut tasks = JoinSet::new();
    for connection in connections {
        tasks.spawn(one_connection(connection, Arc::clone(&plan), Arc::clone(&shared)));
    }
    let grace = async {
        if !shared.stop.load(Relaxed) {
            stopping.await;
        }
        tokio::time::sleep(STOP_GRACE).await;
    };
    tokio::select! {
        () = async { while tasks.join_next().await.is_some() {} } => {}
        () = grace => shared.counts.failed(|| format!("a request got no answer within {} s", STOP_GRACE.as_secs())),
    }
}

async fn one_connection(number: usize, plan: Arc<LoadPlan>, shared: Arc<Shared>) {
    let Some(mut template) = plan.templates.get(number % plan.templates.len().max(1)).cloned() else { return };
    let mut failures = 0;
    while failures < FAILURES_MAX && !shared.stop.load(Relaxed) {
        match send_until_stopped(&plan, &shared, &mut template, &mut failures).await {
            Ok(()) => {}
            Err(error) => {
                failures += 1;
                shared.counts.failed(|| format!("{error:#}"));
            }
        }
    }
}

/// Sends on one connection until it closes, fails, or the load is stopped.
async fn send_until_stopped(
    plan: &LoadPlan,
    shared: &Shared,
    template: &mut RequestTemplate,
    failures: &mut u32,
) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(template.address()).await.context("could not connect")?;
    stream.set_nodelay(true)?;
    let mut buffer = ReadBuffer::new();
    while *failures < FAILURES_MAX && !shared.stop.load(Relaxed) {
        let stamp = Stamp { sent_ns: plan.clock.now_ns(), sequence: plan.sequence.fetch_add(1, Relaxed) };
        stream.write_all(template.stamped(stamp)).await.context("could not send")?;
        let (outcome, closes) = answer(&mut stream, &mut buffer, &shared.counts).await?;
        match outcome {
            Outcome::Accepted => {}
            Outcome::Refused => tokio::time::sleep(REFUSED_PAUSE).await,
            Outcome::Failed => *failures += 1,
        }
        if closes {
            return Ok(());
        }
    }
    Ok(())
}

async fn answer(stream: &mut TcpStream, buffer: &mut ReadBuffer, counts: &Counts) -> anyhow::Result<(Outcome, bool)> {
    let (outcome, bytes, closes) = loop {
        if let Some(response) = buffer.response()? {
            break (counts.answered(response.status, response.body), response.bytes, response.closes);
        }
        let read = stream.read(buffer.space()?).await.context("no answer")?;
        buffer.add(read).context("no answer")?;
    };
    buffer.consume(bytes);
    Ok((outcome, closes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrivals::Arrivals;
    use crate::receiver::Receiver;

    fn plan(receiver: &Receiver, clock: Clock) -> LoadPlan {
        let address = receiver.addresses()[0];
        let template = RequestTemplate::new(address, "/ok/0", "k", "deal.won");
        LoadPlan { templates: vec![template], connections: 3, threads: 2, clock, sequence: Arc::default() }
    }

    fn receiver(clock: Clock) -> Receiver {
        Receiver::start(1, 1, Arrivals::new(clock, 1).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn every_accepted_request_has_arrived_once_when_the_load_has_stopped() {
        let clock = Clock::start();
        let receiver = receiver(clock);
        let load = Load::start(plan(&receiver, clock)).unwrap();
        assert!(receiver.arrivals().wait(Duration::from_secs(30), |a| a.unique() >= 100).await);
        let totals = load.stop().await.unwrap();
        assert_eq!((totals.refused, totals.failed), (0, 0), "{totals:?}");
        assert_eq!((totals.accepted, 0), (receiver.arrivals().unique(), receiver.arrivals().duplicates()));
    }

    #[tokio::test]
    async fn every_node_gets_its_share_of_the_connections() {
        let clock = Clock::start();
        let nodes = [receiver(clock), receiver(clock)];
        let templates =
            nodes.iter().map(|node| RequestTemplate::new(node.addresses()[0], "/ok/0", "k", "deal.won")).collect();
        let load = Load::start(LoadPlan { templates, ..plan(&nodes[0], clock) }).unwrap();
        for node in &nodes {
            assert!(node.arrivals().wait(Duration::from_secs(30), |a| a.unique() >= 10).await);
        }
        let totals = load.stop().await.unwrap();
        assert_eq!(totals.accepted, nodes.iter().map(|node| node.arrivals().unique()).sum::<u64>());
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_ends_the_load_with_the_reason() {
        let clock = Clock::start();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let templates = vec![RequestTemplate::new(closed, "/ok/0", "k", "deal.won")];
        let load = Load::start(LoadPlan { templates, ..plan(&receiver(clock), clock) }).unwrap();
        let totals = load.stop().await.unwrap();
        assert_eq!(totals.accepted, 0);
        assert!(totals.failed == 0 || totals.first_failure.is_some_and(|why| why.contains("could not connect")));
    }

    #[test]
    fn answers_are_told_apart_by_status() {
        let counts = Counts::default();
        let outcomes = [202, 503, 429, 422, 200].map(|status| counts.answered(status, b"why"));
        use Outcome::{Accepted, Failed, Refused};
        assert_eq!(outcomes, [Accepted, Refused, Refused, Failed, Accepted]);
        let totals = counts.totals();
        assert_eq!((totals.accepted, totals.refused, totals.failed), (2, 2, 1));
        assert_eq!(totals.first_failure.as_deref(), Some("HTTP 422: why"));
    }
}
