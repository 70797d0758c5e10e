//! A slot that is being read: what it sends comes in order, and how far changes are in the store is told to it, whoever is slow meanwhile.

use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use postgres_protocol::message::frontend::{self, CopyData};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::frame::{Cut, Frame};
use super::limits::{FAREWELL_MS_MAX, READ_BYTES, READS_WAITING_MAX, SILENCE_MS_MAX, STATUS_MS};
use super::pgoutput::Envelope;
use super::walsender::{Lost, Socket, Walsender};
use crate::capture::Position;

/// What the slot sent.
#[derive(Debug)]
pub(super) enum Sent {
    /// A message of the plugin.
    Message(Bytes),
    /// The beginning of one that is too large to be read.
    TooLarge(Bytes),
    /// Everything before this position has been sent.
    Through(Position),
}

/// The reading end. When it is dropped, the connection ends with a last word on how far changes are in the store.
#[derive(Debug)]
pub(super) struct Stream {
    sent: mpsc::Receiver<Result<Vec<Sent>, Lost>>,
    settled: watch::Sender<Position>,
}

impl Stream {
    /// Reads the slot from where the database heard last that changes are in the store.
    pub(super) async fn start(mut walsender: Walsender, slot: &str, publication: &str) -> Result<Self, Lost> {
        let command = format!(
            "START_REPLICATION SLOT \"{}\" LOGICAL 0/0 (proto_version '1', publication_names '\"{}\"')",
            slot.replace('"', "\"\""),
            publication.replace('"', "\"\"").replace('\'', "''"),
        );
        walsender.query(&command).await?;
        loop {
            let frame = walsender.frame().await?;
            match frame.tag {
                b'W' => break,
                b'E' => return Err(frame.refused()),
                _ => {}
            }
        }
        let (to, sent) = mpsc::channel(READS_WAITING_MAX);
        let (settled, told) = watch::channel(Position::default());
        let reader = Reader {
            socket: walsender.socket,
            inbox: walsender.inbox,
            skip: 0,
            status: Status { settled: told, asks: false, due: false },
        };
        tokio::spawn(reader.run(to));
        Ok(Stream { sent, settled })
    }

    /// What was sent next; waits for it.
    pub(super) async fn next(&mut self) -> Result<Vec<Sent>, Lost> {
        self.sent.recv().await.unwrap_or(Err(Lost::Silent))
    }

    /// What was sent and is here already.
    pub(super) fn at_hand(&mut self) -> Option<Result<Vec<Sent>, Lost>> {
        self.sent.try_recv().ok()
    }

    /// Whether more is here already.
    pub(super) fn has_more(&self) -> bool {
        !self.sent.is_empty()
    }

    /// All changes before this position are in the store for good.
    pub(super) fn settle(&self, through: Position) {
        self.settled.send_if_modified(|settled| {
            let later = through > *settled;
            *settled = through.max(*settled);
            later
        });
    }
}

/// What is to be told to the server.
struct Status {
    settled: watch::Receiver<Position>,
    /// It shall answer, so that it is known to be there.
    asks: bool,
    due: bool,
}

struct Reader {
    socket: Box<dyn Socket>,
    inbox: BytesMut,
    /// So many bytes belong to a message that is too large, and are passed over.
    skip: usize,
    status: Status,
}

impl Reader {
    async fn run(mut self, to: mpsc::Sender<Result<Vec<Sent>, Lost>>) {
        let end = self.read(&to).await;
        match end {
            Ok(()) => {
                let farewell = tokio::time::timeout(Duration::from_millis(FAREWELL_MS_MAX), self.farewell());
                let _ = farewell.await;
            }
            // Whoever takes changes may have gone already; then nobody wants to know.
            Err(lost) => drop(to.send(Err(lost)).await),
        }
    }

    /// Until nobody takes changes any more.
    async fn read(&mut self, to: &mpsc::Sender<Result<Vec<Sent>, Lost>>) -> Result<(), Lost> {
        let mut heard = Instant::now();
        let mut pace = tokio::time::interval(Duration::from_millis(STATUS_MS));
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut parcel = self.unpack()?;
        loop {
            self.answer().await?;
            tokio::select! {
                permit = to.reserve(), if !parcel.is_empty() => match permit {
                    Ok(permit) => {
                        permit.send(Ok(std::mem::take(&mut parcel)));
                        parcel = self.unpack()?;
                    }
                    Err(_) => return Ok(()),
                },
                read = read(&mut self.socket, &mut self.inbox), if parcel.is_empty() => {
                    if read? == 0 {
                        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
                    }
                    heard = Instant::now();
                    parcel = self.unpack()?;
                }
                changed = self.status.settled.changed() => match changed {
                    Ok(()) => self.status.due = true,
                    Err(_) => return Ok(()),
                },
                _ = pace.tick() => {
                    // While a parcel waits for its taker nothing is read, so nothing can be heard.
                    if parcel.is_empty() && heard.elapsed() > Duration::from_millis(SILENCE_MS_MAX) {
                        return Err(Lost::Silent);
                    }
                    self.status.due = true;
                    self.status.asks = true;
                }
            }
            if !parcel.is_empty() {
                heard = Instant::now();
            }
        }
    }

    /// Takes the whole messages out of what was read.
    fn unpack(&mut self) -> Result<Vec<Sent>, Lost> {
        let mut parcel = Vec::new();
        loop {
            let skipped = self.skip.min(self.inbox.len());
            self.inbox.advance(skipped);
            self.skip -= skipped;
            match Cut::from(&mut self.inbox)? {
                Cut::Nothing => return Ok(parcel),
                Cut::Whole(frame) => self.sort(frame, &mut parcel)?,
                Cut::TooLarge { mut head, rest } => {
                    self.skip = rest;
                    head.advance(Envelope::DATA_AT.min(head.len()));
                    parcel.push(Sent::TooLarge(head));
                }
            }
        }
    }

    fn sort(&mut self, frame: Frame, parcel: &mut Vec<Sent>) -> Result<(), Lost> {
        match frame.tag {
            b'd' => match Envelope::read(frame.body).map_err(|error| Lost::Unusable(error.to_string()))? {
                Envelope::Data(message) => parcel.push(Sent::Message(message)),
                Envelope::Alive { end, asks } => {
                    self.status.due |= asks;
                    parcel.push(Sent::Through(end));
                }
                Envelope::Other => {}
            },
            b'E' => return Err(frame.refused()),
            // The server ends the copying when it shuts down.
            b'c' => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            _ => {}
        }
        Ok(())
    }

    async fn answer(&mut self) -> Result<(), Lost> {
        if !std::mem::take(&mut self.status.due) {
            return Ok(());
        }
        let settled = *self.status.settled.borrow_and_update();
        let message = status(settled, std::mem::take(&mut self.status.asks))?;
        self.socket.write_all(&message).await?;
        Ok(self.socket.flush().await?)
    }

    async fn farewell(&mut self) -> Result<(), Lost> {
        let mut last = status(*self.status.settled.borrow(), false)?;
        frontend::copy_done(&mut last);
        frontend::terminate(&mut last);
        self.socket.write_all(&last).await?;
        Ok(self.socket.shutdown().await?)
    }
}

async fn read(socket: &mut Box<dyn Socket>, inbox: &mut BytesMut) -> std::io::Result<usize> {
    inbox.reserve(READ_BYTES);
    socket.read_buf(inbox).await
}

/// A standby's status update: what was received is what was settled, since the rest would be asked for again.
fn status(settled: Position, asks: bool) -> Result<BytesMut, Lost> {
    let mut update = BytesMut::with_capacity(34);
    update.put_u8(b'r');
    for _written_flushed_applied in 0..3 {
        update.put_u64(settled.0);
    }
    // The clock of this host is nobody's business; the server only shows it.
    update.put_u64(0);
    update.put_u8(u8::from(asks));
    let mut message = BytesMut::with_capacity(40);
    CopyData::new(update.freeze())?.write(&mut message);
    Ok(message)
}
