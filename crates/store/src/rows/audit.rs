//! Entries of the audit trail: what was done to what is plain, everything else is sealed, since it names people.

use std::borrow::Cow;
use std::net::IpAddr;

use postrider_domain::{Action, Actor, AuditEntry, AuditId, Field, KeyId, Millis, Role, Told};
use uuid::Uuid;

use super::{Sealer, damaged, is_within};
use crate::codec::{Decoder, malformed, put_len, put_opt_str, put_str};
use crate::edit::AuditFilter;
use crate::error::Result;
use crate::limits::AUDIT_ROWS_EXAMINED_MAX;
use crate::model::PageOf;
use crate::seal::{self, RowKind};

/// A row, sealed or still sealed.
#[derive(Clone, Debug)]
pub(crate) struct AuditRow {
    pub(crate) id: Uuid,
    pub(crate) action: String,
    pub(crate) object: String,
    pub(crate) sealed: Vec<u8>,
}

pub(crate) fn seal_audit(sealer: Sealer<'_>, entry: &AuditEntry) -> Result<AuditRow> {
    let mut buffer = seal::unsealed(512);
    buffer.extend_from_slice(&entry.at.0.to_le_bytes());
    put_actor(&mut buffer, &entry.actor);
    put_fields(&mut buffer, &entry.before);
    put_fields(&mut buffer, &entry.after);
    put_opt_str(&mut buffer, entry.request_id.as_deref());
    put_opt_str(&mut buffer, entry.source.map(|source| source.to_string()).as_deref());
    Ok(AuditRow {
        id: entry.id.0,
        action: entry.action.0.clone().into_owned(),
        object: entry.object.clone(),
        sealed: sealer.seal(buffer, RowKind::Audit, entry.id.0.as_bytes())?,
    })
}

impl AuditRow {
    pub(crate) fn open(self, sealer: Sealer<'_>) -> Result<AuditEntry> {
        let plain = sealer.open(self.sealed, RowKind::Audit, self.id.as_bytes())?;
        let mut from = Decoder::new(plain.bytes());
        Ok(AuditEntry {
            id: AuditId(self.id),
            at: Millis(i64::from_le_bytes(from.array()?)),
            actor: actor(&mut from)?,
            action: Action(Cow::Owned(self.action)),
            object: self.object,
            before: fields(&mut from)?,
            after: fields(&mut from)?,
            request_id: from.opt_str()?.map(str::to_owned),
            source: from.opt_str()?.map(address).transpose()?,
        })
    }
}

/// What of a filter cannot be asked of the plain columns.
fn is_meant(filter: &AuditFilter, entry: &AuditEntry) -> bool {
    is_within(entry.at, filter.since, filter.until) && filter.actor.as_deref().is_none_or(|actor| entry.actor.is(actor))
}

fn address(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| damaged("an audit entry's source"))
}

pub(crate) fn put_actor(out: &mut Vec<u8>, actor: &Actor) {
    match actor {
        Actor::Operator => out.push(0),
        Actor::System => out.push(1),
        Actor::Key(id) => {
            out.push(2);
            out.extend_from_slice(id.0.as_bytes());
        }
        Actor::Token { subject, role } => {
            out.push(3);
            put_opt_str(out, subject.as_deref());
            put_str(out, role.as_str());
        }
    }
}

pub(crate) fn actor(from: &mut Decoder<'_>) -> Result<Actor> {
    let [kind] = from.array()?;
    Ok(match kind {
        0 => Actor::Operator,
        1 => Actor::System,
        2 => Actor::Key(KeyId(Uuid::from_bytes(from.array()?))),
        3 => Actor::Token {
            subject: from.opt_str()?.map(str::to_owned),
            role: Role::parse(from.str()?).ok_or_else(malformed)?,
        },
        _ => return Err(malformed()),
    })
}

pub(crate) fn put_fields(out: &mut Vec<u8>, fields: &[Field]) {
    put_len(out, fields.len());
    for field in fields {
        put_str(out, &field.name);
        match &field.told {
            Told::Nothing => out.push(0),
            Told::Text(text) => {
                out.push(1);
                put_str(out, text);
            }
            Told::Texts(texts) => {
                out.push(2);
                put_len(out, texts.len());
                for text in texts {
                    put_str(out, text);
                }
            }
            Told::Moment(at) => {
                out.push(3);
                out.extend_from_slice(&at.0.to_le_bytes());
            }
        }
    }
}

pub(crate) fn fields(from: &mut Decoder<'_>) -> Result<Vec<Field>> {
    // Nothing is reserved by the count, which is no more than a claim.
    (0..from.len()?)
        .map(|_| {
            let name = Cow::Owned(from.str()?.to_owned());
            let [kind] = from.array()?;
            let told = match kind {
                0 => Told::Nothing,
                1 => Told::Text(from.str()?.to_owned()),
                2 => Told::Texts((0..from.len()?).map(|_| from.str().map(str::to_owned)).collect::<Result<_>>()?),
                3 => Told::Moment(Millis(i64::from_le_bytes(from.array()?))),
                _ => return Err(malformed()),
            };
            Ok(Field { name, told })
        })
        .collect()
}

/// Cuts rows, of which one more than `examined_max` was asked for, to a page of those that are meant.
pub(crate) fn audit_page(
    sealer: Sealer<'_>,
    filter: &AuditFilter,
    found: Vec<AuditRow>,
    examined_max: usize,
    limit: usize,
) -> Result<PageOf<AuditEntry>> {
    let (mut rows, mut last) = (Vec::new(), None);
    for (examined, row) in found.into_iter().enumerate() {
        if rows.len() == limit || examined == examined_max {
            return Ok(PageOf { rows, next: last });
        }
        last = Some(row.id);
        let entry = row.open(sealer)?;
        if is_meant(filter, &entry) {
            rows.push(entry);
        }
    }
    Ok(PageOf { rows, next: None })
}

/// How many rows one page looks at.
pub(crate) fn audit_examined_max(filter: &AuditFilter, limit: usize) -> usize {
    // A time is looked up by the id, give or take a little; an actor is sealed.
    let is_exact = filter.actor.is_none() && filter.since.is_none() && filter.until.is_none();
    if is_exact { limit } else { AUDIT_ROWS_EXAMINED_MAX }
}
