//! What `pgoutput` says, version 1 of its protocol (PostgreSQL's documentation, "Logical Replication Message Formats").
//!
//! Version 1 tells a transaction when it has been committed, in one piece. Later ones can tell it earlier, which would have it kept here until it is known
//! to be committed; the database does that already.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use crate::capture::Position;

/// Microseconds from 1970 to 2000, where Postgres begins to count.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// A message is not as documented; what about it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("what the database sent cannot be read: {0}")]
pub(super) struct Unreadable(&'static str);

/// What a copy-data message of the stream holds.
#[derive(Debug)]
pub(super) enum Envelope {
    /// A message of the plugin.
    Data(Bytes),
    /// The server is alive, and has sent everything before this position.
    Alive {
        end: Position,
        /// Whether it wants an answer at once.
        asks: bool,
    },
    /// Of no interest.
    Other,
}

impl Envelope {
    /// How long the part before the plugin's message is.
    pub(super) const DATA_AT: usize = 25;

    pub(super) fn read(mut body: Bytes) -> Result<Self, Unreadable> {
        match take_u8(&mut body)? {
            b'w' => {
                need(&body, Self::DATA_AT - 1)?;
                body.advance(Self::DATA_AT - 1);
                Ok(Envelope::Data(body))
            }
            b'k' => {
                let end = Position(take_u64(&mut body)?);
                take_u64(&mut body)?;
                Ok(Envelope::Alive { end, asks: take_u8(&mut body)? == 1 })
            }
            _ => Ok(Envelope::Other),
        }
    }
}

/// A table as the stream describes it, before its first row and again when it has changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Relation {
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
}

/// One of its columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) type_oid: u32,
    /// Whether old rows have it even where they are told by their key alone.
    pub(super) identifies: bool,
}

/// A column's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    /// It is not said: a large value that did not change, or a column that is no part of an old row's key.
    Untold,
    /// As the type writes it.
    Text(Bytes),
}

/// The old row of an update or a deletion.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Old {
    /// Nothing of it is known.
    Untold,
    /// The columns that identify it; all others untold.
    Key(Vec<Value>),
    /// All of it (`REPLICA IDENTITY FULL`).
    Full(Vec<Value>),
}

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Begin { commit: Position, at_ms: i64, transaction: u32 },
    Commit { end: Position },
    Relation(Arc<Relation>),
    Insert { relation: u32, new: Vec<Value> },
    Update { relation: u32, old: Old, new: Vec<Value> },
    Delete { relation: u32, old: Old },
    Truncate { relations: Vec<u32> },
    Other,
}

impl Message {
    pub(super) fn read(mut body: Bytes) -> Result<Self, Unreadable> {
        let body = &mut body;
        Ok(match take_u8(body)? {
            b'B' => {
                let commit = Position(take_u64(body)?);
                let micros = take_u64(body)?.cast_signed();
                let at_ms = micros.saturating_add(POSTGRES_EPOCH_US).div_euclid(1_000);
                Message::Begin { commit, at_ms, transaction: take_u32(body)? }
            }
            b'C' => {
                take_u8(body)?;
                take_u64(body)?;
                Message::Commit { end: Position(take_u64(body)?) }
            }
            b'R' => Message::Relation(Arc::new(relation(body)?)),
            b'I' => {
                let relation = take_u32(body)?;
                match take_u8(body)? {
                    b'N' => Message::Insert { relation, new: tuple(body)? },
                    _ => return Err(Unreadable("an insertion without its row")),
                }
            }
            b'U' => update(body)?,
            b'D' => {
                let relation = take_u32(body)?;
                let kind = take_u8(body)?;
                Message::Delete { relation, old: old(kind, body)? }
            }
            b'T' => {
                let count = take_u32(body)?;
                take_u8(body)?;
                let relations = (0..count).map(|_| take_u32(body)).collect::<Result<_, _>>()?;
                Message::Truncate { relations }
            }
            _ => Message::Other,
        })
    }

    /// The table of a row whose message was cut off after its beginning.
    pub(super) fn table_of(mut head: Bytes) -> Option<u32> {
        matches!(take_u8(&mut head), Ok(b'I' | b'U' | b'D')).then(|| take_u32(&mut head).ok()).flatten()
    }
}

fn update(body: &mut Bytes) -> Result<Message, Unreadable> {
    let relation = take_u32(body)?;
    let mut kind = take_u8(body)?;
    let mut before = Old::Untold;
    if kind != b'N' {
        before = old(kind, body)?;
        kind = take_u8(body)?;
    }
    if kind != b'N' {
        return Err(Unreadable("an update without its row"));
    }
    Ok(Message::Update { relation, old: before, new: tuple(body)? })
}

fn old(kind: u8, body: &mut Bytes) -> Result<Old, Unreadable> {
    match kind {
        b'K' => Ok(Old::Key(tuple(body)?)),
        b'O' => Ok(Old::Full(tuple(body)?)),
        _ => Err(Unreadable("an old row of an unknown kind")),
    }
}

fn relation(body: &mut Bytes) -> Result<Relation, Unreadable> {
    let oid = take_u32(body)?;
    let schema = match take_text(body)? {
        empty if empty.is_empty() => "pg_catalog".to_owned(),
        schema => schema,
    };
    let name = take_text(body)?;
    take_u8(body)?;
    let count = take_u16(body)?;
    let mut columns = Vec::with_capacity(count.into());
    for _ in 0..count {
        let identifies = take_u8(body)? & 1 == 1;
        let name = take_text(body)?;
        let type_oid = take_u32(body)?;
        take_u32(body)?;
        columns.push(Column { name, type_oid, identifies });
    }
    Ok(Relation { oid, schema, name, columns })
}

fn tuple(body: &mut Bytes) -> Result<Vec<Value>, Unreadable> {
    let count = take_u16(body)?;
    let mut values = Vec::with_capacity(count.into());
    for _ in 0..count {
        values.push(match take_u8(body)? {
            b'n' => Value::Null,
            b'u' => Value::Untold,
            b't' => {
                let length = usize::try_from(take_u32(body)?).map_err(|_| Unreadable("a value's length"))?;
                need(body, length)?;
                Value::Text(body.split_to(length))
            }
            _ => return Err(Unreadable("a value of an unknown kind")),
        });
    }
    Ok(values)
}

fn need(body: &Bytes, bytes: usize) -> Result<(), Unreadable> {
    if body.len() < bytes { Err(Unreadable("it ends too early")) } else { Ok(()) }
}

fn take_u8(body: &mut Bytes) -> Result<u8, Unreadable> {
    body.try_get_u8().map_err(|_| Unreadable("it ends too early"))
}

fn take_u16(body: &mut Bytes) -> Result<u16, Unreadable> {
    body.try_get_u16().map_err(|_| Unreadable("it ends too early"))
}

fn take_u32(body: &mut Bytes) -> Result<u32, Unreadable> {
    body.try_get_u32().map_err(|_| Unreadable("it ends too early"))
}

fn take_u64(body: &mut Bytes) -> Result<u64, Unreadable> {
    body.try_get_u64().map_err(|_| Unreadable("it ends too early"))
}

fn take_text(body: &mut Bytes) -> Result<String, Unreadable> {
    let length = body.iter().position(|byte| *byte == 0).ok_or(Unreadable("a name without an end"))?;
    let text = String::from_utf8(body.split_to(length).to_vec()).map_err(|_| Unreadable("a name that is not UTF-8"))?;
    body.advance(1);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_update_with_its_old_row_is_read() {
        let mut message = b"U\0\0\0\x07O\0\x02t\0\0\0\x011n".to_vec();
        message.extend(b"N\0\x02t\0\0\0\x011u");
        let one = Value::Text(Bytes::from_static(b"1"));
        let expected = Message::Update {
            relation: 7,
            old: Old::Full(vec![one.clone(), Value::Null]),
            new: vec![one, Value::Untold],
        };
        assert_eq!(Message::read(message.into()), Ok(expected));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in "[BCRIUDTYOM]") {
            let mut message = kind.into_bytes();
            message.extend(&bytes);
            let _ = Message::read(message.into());
            let _ = Envelope::read(bytes.into());
        }
    }
}
