//! One connection to a slot, with one beside it for statements: what was read of it and is not settled.

use postrider_database::{Address, Connected};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use std::sync::Arc;

use super::assembly::{Assembly, Waiting};
use super::limits::BATCH_BYTES_MAX;
use super::rows::{self, Told};
use super::stream::{Sent, Stream};
use super::values::Values;
use super::walsender::{Lost, Walsender};
use super::watch;
use crate::capture::{Backlog, Batch, CaptureError, Position};
use crate::mapping::Mapping;
use crate::session::{Use, open, options, refused};

/// What lasts as long as the connections.
pub(super) struct Session {
    connected: Connected,
    mapping: Arc<Mapping>,
    slot: String,
    stream: Stream,
    assembly: Assembly,
    values: Values,
    /// Of what ids of changes follow, beside what the log says of them.
    namespace: Uuid,
    /// So much of what waits is in the batch that was read last.
    given: usize,
    /// Everything before this position is settled.
    settled: Position,
}

impl Session {
    pub(super) async fn open(address: &Address, mapping: &Arc<Mapping>) -> Result<Self, CaptureError> {
        let connected = open(address, Use::Tables).await?;
        let locked = connected.client.query_one(LOCK, &[&mapping.schema]).await.map_err(|error| refused(&error))?;
        if !locked.get::<_, bool>(0) {
            return Err(CaptureError::Taken);
        }
        let (installation, captured) = super::installed::read(&connected.client, mapping).await?;
        let slot = mapping.schema.clone();
        watch::look(&connected.client, &slot, None).await?.check(&slot)?;
        let (stream, system) = start(address, &slot).await.map_err(|lost| in_words(&slot, lost))?;
        let namespace = Uuid::new_v5(&installation, format!("{system} {slot}").as_bytes());
        let (assembly, values) = (Assembly::new(captured), Values::default());
        let mapping = Arc::clone(mapping);
        let (given, settled) = (0, Position::default());
        Ok(Session { connected, mapping, slot, stream, assembly, values, namespace, given, settled })
    }

    /// Reads until something waits, or this moment; and what is at hand beside it, as far as it goes into a batch.
    pub(super) async fn gather(&mut self, changes_max: usize, until: Instant) -> Result<(), CaptureError> {
        loop {
            while self.assembly.len() < changes_max && self.assembly.bytes() < BATCH_BYTES_MAX {
                let Some(sent) = self.stream.at_hand() else { break };
                self.take(sent)?;
            }
            self.pass();
            if self.assembly.len() > 0 {
                return Ok(());
            }
            match timeout_at(until, self.stream.next()).await {
                Ok(sent) => self.take(sent)?,
                Err(_) => return Ok(()),
            }
        }
    }

    fn take(&mut self, sent: Result<Vec<Sent>, Lost>) -> Result<(), CaptureError> {
        for sent in sent.map_err(|lost| in_words(&self.slot, lost))? {
            match sent {
                Sent::Message(body) => {
                    self.assembly.take(body).map_err(|error| CaptureError::Unusable(error.to_string()))?;
                }
                Sent::TooLarge(head) => self.assembly.take_too_large(head),
                Sent::Through(end) => self.assembly.through(end),
            }
        }
        Ok(())
    }

    /// What has no changes of ours is settled as soon as all before it is.
    fn pass(&mut self) {
        let through = self.assembly.pass();
        self.settled_through(through);
    }

    fn settled_through(&mut self, through: Option<Position>) {
        if let Some(through) = through {
            self.settled = through.max(self.settled);
            self.stream.settle(through);
        }
    }

    /// What waits, as changes. It goes on waiting until it is settled.
    pub(super) async fn batch(&mut self, changes_max: usize) -> Result<Batch, CaptureError> {
        let given = self.fitting(changes_max);
        let wanted = self.waiting(given).filter_map(Waiting::change).flat_map(rows::unmade).collect();
        let made = self.values.make(&self.connected.client, wanted).await.map_err(|error| refused(&error))?;
        let mut batch = Batch { more: given < self.assembly.len() || self.stream.has_more(), ..Batch::default() };
        for waiting in self.waiting(given) {
            match waiting {
                Waiting::Change(change) => match rows::finish(self.namespace, change, &made) {
                    Told::Change(change) => batch.changes.push(change),
                    Told::Gap(gap) => batch.gaps.push(gap),
                    Told::Nothing => {}
                },
                Waiting::Gap(gap) => batch.gaps.push(gap.clone()),
                Waiting::Through(_) => {}
            }
        }
        self.given = given;
        Ok(batch)
    }

    fn waiting(&self, count: usize) -> impl Iterator<Item = &Waiting> {
        self.assembly.waiting().take(count)
    }

    /// How much of what waits goes into a batch.
    fn fitting(&self, changes_max: usize) -> usize {
        let mut bytes = 0;
        let fits = |(at, waiting): &(usize, &Waiting)| {
            bytes += waiting.bytes();
            *at == 0 || (*at < changes_max && bytes <= BATCH_BYTES_MAX)
        };
        self.assembly.waiting().enumerate().take_while(fits).count()
    }

    pub(super) fn settle(&mut self) {
        let through = self.assembly.forget(std::mem::take(&mut self.given));
        self.settled_through(through);
        self.pass();
    }

    pub(super) fn settled(&self) -> Position {
        self.settled
    }

    pub(super) async fn backlog(&self) -> Result<Backlog, CaptureError> {
        let oldest = self.assembly.waiting().find_map(Waiting::change).map(|change| change.at.0);
        let client = &self.connected.client;
        let watched = watch::look(client, &self.slot, oldest).await?;
        watched.check(&self.slot)?;
        let captured = self.assembly.captured().cloned().collect();
        watched.backlog(client, &self.mapping, captured).await
    }
}

const LOCK: &str = "SELECT pg_try_advisory_lock(hashtextextended('postrider source ' || $1::text, 0))";

async fn start(address: &Address, slot: &str) -> Result<(Stream, String), Lost> {
    let mut walsender = Walsender::connect(address, &options(Use::Slot)).await?;
    let system = walsender.ask("IDENTIFY_SYSTEM").await?;
    let system = system.into_iter().next().flatten().unwrap_or_default();
    Ok((Stream::start(walsender, slot, slot).await?, system))
}

/// What it means that the slot cannot be read, and what to do.
fn in_words(slot: &str, why: Lost) -> CaptureError {
    let Lost::Refused { code, message } = &why else {
        return match why {
            Lost::Unusable(reason) => CaptureError::Unusable(reason),
            other => CaptureError::Unavailable(other.to_string()),
        };
    };
    match code.as_str() {
        "55006" => CaptureError::Taken,
        // The slot was there a moment ago; so it is the publication, which is looked for at a change alone.
        "42704" => watch::unpublished(slot),
        "55000" => CaptureError::Unusable(format!(
            "{message}; its slot {slot} cannot be read as it is: see to it that wal_level is logical, and run `postrider source status`"
        )),
        "42501" => CaptureError::Unusable(format!(
            "{message}; the role that Postrider connects as needs the right to replicate: ALTER ROLE name REPLICATION, or what your provider has for it"
        )),
        "28000" | "28P01" => CaptureError::Unusable(format!(
            "{message}; check user, password and sslmode in its URL, and that pg_hba.conf lets the role in"
        )),
        _ => CaptureError::Unavailable(why.to_string()),
    }
}
