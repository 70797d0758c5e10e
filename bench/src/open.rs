//! The open loop: each request has a time at which it is due.
//!
//! Threads that block: they wait to the microsecond where a timer wheel rounds up to the next millisecond, and at a few
//! thousand requests a second they cost little.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::clock::Clock;
use crate::event::{RequestTemplate, Stamp};
use crate::http1::ReadBuffer;
use crate::load::{Counts, Totals};

/// How long a request waits for its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What an open loop sends, where and how often.
pub(crate) struct OpenPlan {
    /// For each node what is sent in turn; connections are spread over the nodes in turn.
    pub(crate) templates: Vec<Vec<RequestTemplate>>,
    pub(crate) per_s: u32,
    /// How many in all; it can be stopped before.
    pub(crate) requests: u64,
    /// Requests under way at once: while all connections wait for an answer, requests go out late, and count from when they were due.
    pub(crate) connections: usize,
    pub(crate) clock: Clock,
}

impl OpenPlan {
    /// How many requests that rate makes in that time.
    pub(crate) fn requests_in(per_s: u32, duration: Duration) -> u64 {
        // A float to a whole number keeps what fits.
        ((f64::from(per_s) * duration.as_secs_f64()).round() as u64).max(1)
    }
}

/// An open loop that runs to its end, or until it is stopped or dropped.
pub(crate) struct OpenLoad {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    plan: OpenPlan,
    began: Instant,
    next: AtomicU64,
    counts: Counts,
    stop: AtomicBool,
}

impl OpenLoad {
    pub(crate) fn start(plan: OpenPlan) -> anyhow::Result<Self> {
        let connections = plan.connections.max(1);
        let shared = Arc::new(Shared {
            plan,
            began: Instant::now(),
            next: AtomicU64::new(0),
            counts: Counts::default(),
            stop: AtomicBool::new(false),
        });
        let mut load = OpenLoad { shared, threads: Vec::new() };
        for index in 0..connections {
            let shared = Arc::clone(&load.shared);
            let thread = thread::Builder::new().name("open-load".to_owned()).stack_size(256 * 1024);
            load.threads.push(thread.spawn(move || Sender::new(&shared, index).run())?);
        }
        Ok(load)
    }

    /// Waits until every request was sent and answered.
    pub(crate) async fn finish(mut self) -> anyhow::Result<Totals> {
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().all(|t| t.join().is_ok()));
        anyhow::ensure!(joined.await?, "a thread of the load panicked");
        Ok(self.shared.counts.totals())
    }

    /// Lets the requests under way finish and sends no more.
    pub(crate) async fn stop(self) -> anyhow::Result<Totals> {
        self.tell_to_stop();
        self.finish().await
    }

    fn tell_to_stop(&self) {
        self.shared.stop.store(true, Relaxed);
        self.threads.iter().for_each(|thread| thread.thread().unpark());
    }
}

impl Drop for OpenLoad {
    fn drop(&mut self) {
        self.tell_to_stop();
    }
}

impl Shared {
    /// The next request's number and time, once it is due; none at the end.
    fn take_due(&self) -> Option<(u64, Instant)> {
        let number = self.next.fetch_add(1, Relaxed);
        if number >= self.plan.requests {
            return None;
        }
        let due = self.began + Duration::from_secs_f64(number as f64 / f64::from(self.plan.per_s.max(1)));
        loop {
            if self.stop.load(Relaxed) {
                return None;
            }
            match due.checked_duration_since(Instant::now()) {
                Some(ahead) if !ahead.is_zero() => thread::park_timeout(ahead),
                _ => return Some((number, due)),
            }
        }
    }
}

/// One connection and its thread.
struct Sender<'a> {
    shared: &'a Shared,
    templates: Vec<RequestTemplate>,
    stream: Option<TcpStream>,
}

impl<'a> Sender<'a> {
    fn new(shared: &'a Shared, index: usize) -> Self {
        let nodes = &shared.plan.templates;
        let templates = nodes.get(index % nodes.len().max(1)).cloned().unwrap_or_default();
        Sender { shared, templates, stream: None }
    }

    fn run(&mut self) {
        while let Some((number, due)) = self.shared.take_due() {
            let stamp = Stamp { sent_ns: self.shared.plan.clock.ns(due), sequence: number };
            // A kept connection may have been closed while it was idle; that is found out only by using it.
            let was_kept = self.stream.is_some();
            let mut sent = self.send(stamp);
            if sent.is_err() && was_kept {
                sent = self.send(stamp);
            }
            if let Err(error) = sent {
                self.shared.counts.failed(|| format!("{error:#}"));
            }
        }
    }

    /// Sends one request and reads its answer; the connection is kept when both went well.
    fn send(&mut self, stamp: Stamp) -> anyhow::Result<()> {
        // The remainder is below the number of templates.
        let turn = (stamp.sequence % self.templates.len().max(1) as u64) as usize;
        let template = self.templates.get_mut(turn).context("there is nothing to send")?;
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(template.address())?,
        };
        stream.write_all(template.stamped(stamp)).context("could not send")?;
        let mut buffer = ReadBuffer::new();
        loop {
            if let Some(response) = buffer.response()? {
                self.shared.counts.answered(response.status, response.body);
                if !response.closes {
                    self.stream = Some(stream);
                }
                return Ok(());
            }
            let read = stream.read(buffer.space()?).context("no answer")?;
            buffer.add(read).context("no answer")?;
        }
    }
}

fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN).context("could not connect")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(ANSWER_WITHIN))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrivals::Arrivals;
    use crate::receiver::Receiver;

    fn plan(receiver: &Receiver, clock: Clock, per_s: u32, requests: u64) -> OpenPlan {
        let address = receiver.addresses()[0];
        let templates = ["/ok/0", "/ok/1"].map(|path| RequestTemplate::new(address, path, "k", "deal.won")).to_vec();
        OpenPlan { templates: vec![templates], per_s, requests, connections: 4, clock }
    }

    #[tokio::test]
    async fn every_request_is_sent_once_and_the_templates_in_turn() {
        let clock = Clock::start();
        let receiver = Receiver::start(1, 1, Arrivals::new(clock, 2).unwrap()).unwrap();
        let totals = OpenLoad::start(plan(&receiver, clock, 10_000, 100)).unwrap().finish().await.unwrap();
        assert_eq!(totals, Totals { accepted: 100, ..Totals::default() });
        assert_eq!((receiver.arrivals().unique(), receiver.arrivals().duplicates()), (100, 0));
        assert_eq!(receiver.arrivals().take_latency().len(), 100);
    }

    #[tokio::test]
    async fn stopping_does_not_wait_for_requests_that_are_due_later() {
        let clock = Clock::start();
        let receiver = Receiver::start(1, 1, Arrivals::new(clock, 2).unwrap()).unwrap();
        // At one a second the whole would take eleven days.
        let load = OpenLoad::start(plan(&receiver, clock, 1, 1_000_000)).unwrap();
        assert!(receiver.arrivals().wait(Duration::from_secs(30), |a| a.unique() >= 1).await);
        let totals = load.stop().await.unwrap();
        assert!(totals.accepted < 1_000_000);
    }

    /// The server stalls: what was due meanwhile counts from when it was due.
    #[tokio::test]
    async fn a_stall_counts_for_every_request_that_was_due_in_it() {
        let clock = Clock::start();
        let receiver = Receiver::start(1, 1, Arrivals::new(clock, 2).unwrap()).unwrap();
        let mut late = plan(&receiver, clock, 1_000_000, 1_000);
        late.connections = 1;
        OpenLoad::start(late).unwrap().finish().await.unwrap();
        // All were due within a millisecond, and one connection sends them one after another: the last waits for all others.
        let latency = receiver.arrivals().take_latency();
        assert!(latency.max() > latency.min(), "{} {}", latency.max(), latency.min());
    }

    #[test]
    fn a_rate_makes_at_least_one_request() {
        assert_eq!(OpenPlan::requests_in(1_000, Duration::from_secs(10)), 10_000);
        assert_eq!(OpenPlan::requests_in(1, Duration::from_millis(100)), 1);
    }
}
