//! Hand-over: changes are read, looked up, made into events, handed to the engine; then they are forgotten where they came from.
//!
//! A crash anywhere in between repeats what was not settled, under the same ids; the store keeps the first. One node does it at a time; the others stand
//! by. A database that does not answer keeps nobody from anything: it is asked again for ever.

use std::sync::Arc;
use std::time::Duration;

use postrider_database::Address;
use postrider_engine::Engine;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backfill::{Backfill, Interrupted};
use crate::capture::{Batch, Capture, CaptureError};
use crate::change::Change;
use crate::events::Found;
use crate::handing::{ByOrganization, Handing, Stopped};
use crate::lookup::Lookup;
use crate::mapping::{CaptureKind, Mapping, TableName};
use crate::metrics::{ChangeResult, Telling, count_changes};
use crate::outbox::Outbox;
use crate::replication::Replication;
use crate::watch::{Watch, named};

/// Changes that are read together at most.
const CHANGES_MAX: usize = 2_000;
/// How long one look for changes waits for some.
const WAIT: Duration = Duration::from_secs(1);
/// How often a node that stands by asks whether it may read.
const STAND_BY: Duration = Duration::from_secs(1);
/// How long nothing is asked of a database that does not answer, at first and at most.
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How often what waits is looked at.
const WATCHED_EVERY: Duration = Duration::from_secs(5);
/// How long a stop waits for the batch that is being handed over.
const STOP: Duration = Duration::from_millis(1_500);

/// What a hand-over needs.
pub struct HandOverParts {
    /// What the tables mean.
    pub mapping: Arc<Mapping>,
    /// Where the CRM's database is.
    pub address: Address,
    /// Who takes the events.
    pub engine: Engine,
    /// The largest event, in bytes of its `data` and `changes`.
    pub event_bytes_max: usize,
    /// What this node calls itself.
    pub node: String,
}

/// A hand-over that runs.
pub struct HandOver {
    stopping: CancellationToken,
    running: JoinHandle<()>,
    watch: Watch,
}

impl HandOver {
    /// Starts it. The database need not answer yet.
    #[must_use]
    pub fn start(parts: HandOverParts) -> Self {
        let stopping = CancellationToken::new();
        let telling = Arc::new(Telling::new());
        let (mapping, address, node) = (Arc::clone(&parts.mapping), parts.address.clone(), parts.node.clone());
        let watch = Watch::new(mapping, address, node, Arc::clone(&telling));
        let work = Work::new(parts, telling, stopping.clone());
        HandOver { stopping, running: tokio::spawn(work.run()), watch }
    }

    /// What looks at how it goes.
    #[must_use]
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Stops it. The batch under way is finished when that takes no more than a moment; otherwise it is read again after the next start.
    pub async fn stop(mut self) {
        self.stopping.cancel();
        if tokio::time::timeout(STOP, &mut self.running).await.is_err() {
            self.running.abort();
        }
    }
}

/// Everything that a turn needs.
struct Work {
    mapping: Arc<Mapping>,
    capture: Box<dyn Capture>,
    lookup: Lookup,
    backfill: Backfill,
    handing: Handing,
    telling: Arc<Telling>,
    watched_at: Option<Instant>,
    state: State,
    /// The fault that was told of last, since it was read.
    fault: Option<Fault>,
}

/// What was told of last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Starting,
    Reading,
    StandingBy,
    Failing,
}

/// A fault, as it is told: once, until there is another.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    /// It may pass by itself, and has many words.
    Passing,
    /// Somebody has to do something.
    Lasting(String),
    /// The same, and changes are lost meanwhile.
    Losing(String),
}

impl Fault {
    fn of(error: &CaptureError) -> Self {
        match error {
            CaptureError::Lost(why) => Fault::Losing(why.clone()),
            CaptureError::Unusable(why) => Fault::Lasting(why.clone()),
            CaptureError::Unavailable(_) | CaptureError::Taken => Fault::Passing,
        }
    }
}

/// Why a turn ended early.
enum Ended {
    Stopped,
    Failed(CaptureError),
}

impl From<CaptureError> for Ended {
    fn from(error: CaptureError) -> Self {
        Ended::Failed(error)
    }
}

impl From<Interrupted> for Ended {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Stopped(Stopped) => Ended::Stopped,
            Interrupted::Failed(error) => Ended::Failed(error),
        }
    }
}

impl From<Stopped> for Ended {
    fn from(Stopped: Stopped) -> Self {
        Ended::Stopped
    }
}

impl Work {
    fn new(parts: HandOverParts, telling: Arc<Telling>, stopping: CancellationToken) -> Self {
        let HandOverParts { mapping, address, engine, event_bytes_max, node } = parts;
        let address = named(&address, &node);
        let handing = Handing { engine, event_bytes_max, telling: Arc::clone(&telling), stopping };
        Work {
            capture: capture(&address, &mapping),
            lookup: Lookup::new(address.clone(), Arc::clone(&mapping)),
            backfill: Backfill::new(Arc::clone(&mapping)),
            mapping,
            handing,
            telling,
            watched_at: None,
            state: State::Starting,
            fault: None,
        }
    }

    async fn run(mut self) {
        let mut pause = PAUSE_MIN;
        loop {
            let wait = match self.turn().await {
                Ok(()) => {
                    self.now(State::Reading);
                    pause = PAUSE_MIN;
                    continue;
                }
                Err(Ended::Stopped) => break,
                Err(Ended::Failed(CaptureError::Taken)) => {
                    self.backfill.forget();
                    self.now(State::StandingBy);
                    STAND_BY
                }
                Err(Ended::Failed(error)) => {
                    self.failed(&error);
                    pause = (pause * 2).min(PAUSE_MAX);
                    pause
                }
            };
            tokio::select! {
                biased;
                () = self.handing.stopping.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.telling.set_reading(false);
    }

    /// One batch, or none, and what is to be done beside it.
    async fn turn(&mut self) -> Result<(), Ended> {
        let wait = WAIT.min(self.backfill.wait());
        let batch = tokio::select! {
            biased;
            () = self.handing.stopping.cancelled() => return Err(Ended::Stopped),
            batch = self.capture.next(CHANGES_MAX, wait) => batch?,
        };
        self.now(State::Reading);
        let more = batch.more;
        self.hand_over(batch).await?;
        self.capture.settle().await?;
        self.backfill.step(more, self.capture.settled(), &mut self.lookup, &self.handing).await?;
        self.watch().await?;
        Ok(())
    }

    async fn hand_over(&mut self, batch: Batch) -> Result<(), Ended> {
        batch.gaps.iter().for_each(|gap| tell_gap(&self.telling, &gap.table, &gap.what));
        if batch.changes.is_empty() {
            return Ok(());
        }
        let found = self.lookup.find(&batch.changes).await?;
        let events = self.lookup.tables().await?.events();
        let mut by_organization = ByOrganization::new();
        let (mut spoken, mut silent, mut unplaced) = (0, 0, 0);
        for (change, found) in batch.changes.iter().zip(&found) {
            if let Some(why) = events.cannot_tell(&change.table) {
                tell_gap(&self.telling, &change.table, why);
                continue;
            }
            // Of a record that a backfill has read as it was before this change, that is told first.
            for one in self.backfill.overtaken_by(change) {
                by_organization.entry(one.organization).or_default().push(one.event);
            }
            let told = events.of(change, found);
            match (told.is_empty(), is_placed(change, found)) {
                (_, false) => unplaced += tell_unplaced(&self.telling, change),
                (true, true) => silent += 1,
                (false, true) => spoken += 1,
            }
            for one in told {
                by_organization.entry(one.organization).or_default().push(one.event);
            }
        }
        self.hand(by_organization).await?;
        count_changes(ChangeResult::Events, spoken);
        count_changes(ChangeResult::Silent, silent);
        count_changes(ChangeResult::Unplaced, unplaced);
        Ok(())
    }

    /// What waits is watched meanwhile, too: a store that cannot commit may take long.
    async fn hand(&mut self, events: ByOrganization) -> Result<(), Ended> {
        let handing = self.handing.clone();
        let mut handed = std::pin::pin!(handing.hand(events));
        loop {
            tokio::select! {
                biased;
                handed = &mut handed => return Ok(handed?),
                () = tokio::time::sleep(WATCHED_EVERY) => self.watch().await?,
            }
        }
    }

    async fn watch(&mut self) -> Result<(), CaptureError> {
        if self.watched_at.is_none_or(|at| at.elapsed() >= WATCHED_EVERY) {
            let backlog = self.capture.backlog().await?;
            self.telling.waits(&backlog);
            self.watched_at = Some(Instant::now());
        }
        Ok(())
    }

    /// How it goes is told when it changes.
    fn now(&mut self, state: State) {
        if self.state == state {
            return;
        }
        self.state = state;
        self.telling.set_reading(state == State::Reading);
        if state != State::Failing {
            self.telling.set_failure(None);
        }
        let schema = &self.mapping.schema;
        match state {
            State::Reading => {
                self.telling.set_losing(false);
                let is_back = matches!(self.fault.take(), Some(Fault::Losing(_)));
                tracing::info!(schema, "changes in the CRM's database are handed over by this node");
                if is_back {
                    tracing::warn!(
                        schema,
                        "what was changed in the CRM's database while changes were lost is no event; `postrider source backfill` tells of rows as \
                         they are now"
                    );
                }
            }
            State::StandingBy => {
                self.telling.set_losing(false);
                self.fault = None;
                self.telling.waits_elsewhere();
                tracing::info!(schema, "another node hands over the CRM's changes; this one stands by");
            }
            State::Starting | State::Failing => {}
        }
    }

    fn failed(&mut self, error: &CaptureError) {
        self.lookup.forget();
        self.backfill.forget();
        self.telling.set_failure(Some(error.to_string()));
        self.now(State::Failing);
        let fault = Fault::of(error);
        self.telling.set_losing(matches!(fault, Fault::Losing(_)));
        if self.fault.as_ref() == Some(&fault) {
            return;
        }
        match &fault {
            Fault::Losing(_) => tracing::error!(%error, "it is looked again until that is mended"),
            Fault::Passing | Fault::Lasting(_) => {
                tracing::warn!(%error, "changes in the CRM's database wait there; it is asked again until it answers");
            }
        }
        self.fault = Some(fault);
    }
}

fn tell_gap(telling: &Telling, table: &TableName, what: &str) {
    count_changes(ChangeResult::Gap, 1);
    telling.warn_of("gap", 1, |count| {
        tracing::warn!(
            count,
            %table,
            what,
            "changes in the CRM's database are no events; `postrider source backfill` tells of rows as they are now"
        );
    });
}

/// Rows are named by the id of the change alone: what is in them is nobody's to read here.
fn tell_unplaced(telling: &Telling, change: &Change) -> u64 {
    let (table, id) = (&change.table, change.id);
    telling.refuse(1);
    telling.warn_of("unplaced", 1, |count| {
        tracing::warn!(count, %table, change = %id, "a change in the CRM's database is let go: whose it is cannot be found");
    });
    1
}

/// The way of capture that the mapping names.
fn capture(address: &Address, mapping: &Arc<Mapping>) -> Box<dyn Capture> {
    match mapping.capture {
        CaptureKind::Triggers => Box::new(Outbox::new(address.clone(), Arc::clone(mapping))),
        CaptureKind::Replication => Box::new(Replication::new(address.clone(), Arc::clone(mapping))),
    }
}

/// Whether it is known whose each side of a change is.
fn is_placed(change: &Change, found: &Found) -> bool {
    (change.before.is_none() || found.before.organization.is_some())
        && (change.after.is_none() || found.after.organization.is_some())
}
