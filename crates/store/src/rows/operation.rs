//! Operations: what they are to do, with a record that is sealed for as long as it is needed.

use postrider_domain::{EndpointId, Millis, OperationId, OperationStatus, OrganizationId};
use uuid::Uuid;

use super::{Sealer, damaged};
use crate::codec::{Decoder, put_str};
use crate::error::Result;
use crate::operations::{Operation, Record, Recovery, Removed, Work};
use crate::seal::{self, RowKind};

const RECOVER: &str = "recover";
const ERASE: &str = "erase";

/// The columns that say what an operation is to do.
pub(crate) struct WorkColumns {
    pub(crate) kind: &'static str,
    pub(crate) endpoint: Option<Uuid>,
    pub(crate) since_at: Option<i64>,
    pub(crate) until_at: Option<i64>,
    pub(crate) sealed: Option<Vec<u8>>,
}

impl WorkColumns {
    pub(crate) fn of(sealer: Sealer<'_>, operation: &Operation) -> Result<Self> {
        Ok(match &operation.work {
            Work::Recover(Recovery { endpoint, since, until }) => WorkColumns {
                kind: RECOVER,
                endpoint: Some(endpoint.0),
                since_at: Some(since.0),
                until_at: Some(until.0),
                sealed: None,
            },
            Work::Erase { record } => {
                let sealed = record.as_ref().map(|record| seal_record(sealer, operation.id, record)).transpose()?;
                WorkColumns { kind: ERASE, endpoint: None, since_at: None, until_at: None, sealed }
            }
        })
    }
}

fn seal_record(sealer: Sealer<'_>, id: OperationId, (kind, name): &Record) -> Result<Vec<u8>> {
    let mut buffer = seal::unsealed(kind.len() + name.len() + 16);
    put_str(&mut buffer, kind);
    put_str(&mut buffer, name);
    sealer.seal(buffer, RowKind::Operation, id.0.as_bytes())
}

/// An operation's row as it was read, its record still sealed.
pub(crate) struct OperationRow {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) endpoint: Option<Uuid>,
    pub(crate) since_at: Option<i64>,
    pub(crate) until_at: Option<i64>,
    pub(crate) sealed: Option<Vec<u8>>,
    pub(crate) status: String,
    pub(crate) fail_reason: Option<String>,
    pub(crate) done: i64,
    pub(crate) total: Option<i64>,
    pub(crate) cursor: Option<Uuid>,
    pub(crate) deliveries_removed: i64,
    pub(crate) attempts_removed: i64,
    pub(crate) created_at: i64,
    pub(crate) ended_at: Option<i64>,
}

impl OperationRow {
    /// What [`OperationRow`] is read from, in the order of its fields.
    pub(crate) const COLUMNS: &'static str =
        "id, kind, endpoint, since_at, until_at, sealed, status, fail_reason, done, total, cursor,
        deliveries_removed, attempts_removed, created_at, ended_at";

    pub(crate) fn open(self, sealer: Sealer<'_>, organization: &OrganizationId) -> Result<Operation> {
        let id = OperationId(self.id);
        let work = match (self.kind.as_str(), self.endpoint, self.since_at, self.until_at) {
            (RECOVER, Some(endpoint), Some(since), Some(until)) => {
                Work::Recover(Recovery { endpoint: EndpointId(endpoint), since: Millis(since), until: Millis(until) })
            }
            (ERASE, ..) => {
                Work::Erase { record: self.sealed.map(|sealed| open_record(sealer, id, sealed)).transpose()? }
            }
            _ => return Err(damaged("an operation's kind")),
        };
        let done = self.done.unsigned_abs();
        let events = if matches!(work, Work::Erase { .. }) { done } else { 0 };
        Ok(Operation {
            id,
            organization: organization.clone(),
            work,
            status: OperationStatus::parse(&self.status).ok_or_else(|| damaged("an operation's status"))?,
            fail_reason: self.fail_reason,
            done,
            total: self.total.map(i64::unsigned_abs),
            cursor: self.cursor,
            removed: Removed {
                events,
                deliveries: self.deliveries_removed.unsigned_abs(),
                attempts: self.attempts_removed.unsigned_abs(),
            },
            created_at: Millis(self.created_at),
            ended_at: self.ended_at.map(Millis),
        })
    }
}

fn open_record(sealer: Sealer<'_>, id: OperationId, sealed: Vec<u8>) -> Result<Record> {
    let plain = sealer.open(sealed, RowKind::Operation, id.0.as_bytes())?;
    let mut from = Decoder::new(plain.bytes());
    Ok((from.str()?.to_owned(), from.str()?.to_owned()))
}

/// A count as a column holds it.
pub(crate) fn count_column(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
