//! How values that are not simple columns lie in rows, the same in both stores.
//!
//! A *row* here is what was read, with what is sealed still sealed: it is opened in the caller's own task.

mod attempt;
mod audit;
mod codes;
mod endpoint;
mod event;
mod notice;
mod open;
mod operation;
mod origins;
mod pages;

pub(crate) use attempt::{AttemptRow, Finer, put_finer, put_request_headers, put_response, seal_attempt, take_finer};
pub(crate) use audit::{AuditRow, actor, audit_examined_max, audit_page, fields, put_actor, put_fields, seal_audit};
pub(crate) use codes::{fail_code, fail_reason, resume_columns, trigger};
pub(crate) use endpoint::{
    EndpointRow, Habits, disabled_reason, events_text, overlap_ends_at, put_habits, seal_endpoint, take_habits,
};
pub(crate) use event::{
    EventRow, chosen_id, event_id, hashes_of, is_about, put_resource, record_hash, record_hashes, resource, seal_event,
    shown_due,
};
pub(crate) use notice::notice_words;
pub(crate) use open::tell_faults;
pub(crate) use operation::{OperationRow, WorkColumns, count_column};
pub(crate) use origins::{origins, put_origins};
pub(crate) use pages::{is_within, key_range, ms_of, page_of, page_onwards};

use crate::error::{Result, StoreError};
use crate::model::StoredAnswer;
use crate::seal::{self, Plain, RowKind, SealingKey};

/// A data key with the number of its organisation, which is authenticated with all that it seals.
#[derive(Clone, Copy)]
pub(crate) struct Sealer<'a> {
    pub(crate) owner: i64,
    pub(crate) key: &'a SealingKey,
}

impl Sealer<'_> {
    fn seal(self, buffer: Vec<u8>, kind: RowKind, row: &[u8]) -> Result<Vec<u8>> {
        self.key.seal(buffer, self.owner, kind, row)
    }

    fn open(self, sealed: Vec<u8>, kind: RowKind, row: &[u8]) -> Result<Plain> {
        self.key.open(sealed, self.owner, kind, row)
    }
}

/// A row holds what this program never wrote.
pub(crate) fn damaged(what: &str) -> StoreError {
    StoreError::Sealed {
        reason: format!("{what} is not in the form this program writes; restore the database from a backup"),
    }
}

/// Whether one key more fits beside `count`.
pub(crate) fn require_room_for_key(count: i64, keys_max: u32) -> Result<()> {
    if count < i64::from(keys_max) {
        return Ok(());
    }
    Err(StoreError::LimitReached { limit: "keys per organization".to_owned(), max: u64::from(keys_max) })
}

/// Seals the body of an answer that is kept under an idempotency key.
pub(crate) fn seal_answer(sealer: Sealer<'_>, key: &str, answer: &StoredAnswer) -> Result<Vec<u8>> {
    let mut buffer = seal::unsealed(answer.body.len());
    buffer.extend_from_slice(&answer.body);
    sealer.seal(buffer, RowKind::Answer, &answer_id(key))
}

/// The other way round.
pub(crate) fn open_answer(sealer: Sealer<'_>, key: &str, status: u16, sealed: Vec<u8>) -> Result<StoredAnswer> {
    let plain = sealer.open(sealed, RowKind::Answer, &answer_id(key))?;
    Ok(StoredAnswer { status, body: plain.bytes().to_vec() })
}

/// What a key's answer is sealed for: keys are as long as their callers like.
fn answer_id(key: &str) -> [u8; 32] {
    let mut id = [0; 32];
    id.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, key.as_bytes()).as_ref());
    id
}
