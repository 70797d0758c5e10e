//! Erasing: everything about one record is removed, and no node sends any of it afterwards.
//!
//! What is pending is ended in the store, in the same transaction as its event goes; what lanes hold of it in memory is read anew: on this node
//! at once, on the others when they hear of it, and at the latest with their next renewal. So an erasure *settles*: it waits for as long as a
//! lease lasts, after which every node has renewed or sends nothing, and looks once more.

use std::sync::Arc;

use postrider_domain::OrganizationId;
use postrider_store::{EraseStep, Operation, OperationNote, Record};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use crate::engine::Inner;
use crate::error::EngineError;
use crate::operating::Turn;

/// How far an erasure has come on this node. What is removed stays removed: another node begins from the start and finds it done.
#[derive(Debug, Default)]
pub(crate) struct Erasing {
    phase: Phase,
    /// Where the search for events goes on.
    below: Option<Uuid>,
    /// Something was removed since the last time it settled, or it never has.
    is_unsettled: bool,
    /// The last answer that was looked at.
    answers_after: Option<String>,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Counting,
    Removing,
    Settling(Instant),
    Answers,
}

impl Inner {
    /// One turn of an erasure.
    pub(crate) async fn erase_some(
        self: &Arc<Self>,
        operation: &Operation,
        record: &Record,
        erasing: &mut Erasing,
    ) -> Result<Turn, EngineError> {
        match erasing.phase {
            Phase::Counting => {
                let (organization, upto) = (&operation.organization, operation.created_at);
                let most = self.limits.erase_counted_max;
                let count = self.store.count_about(organization, record, upto, most).await?;
                (erasing.phase, erasing.is_unsettled) = (Phase::Removing, true);
                if operation.total.is_some() || count >= most {
                    return Ok(Turn::More);
                }
                let note = OperationNote::Total(operation.done + count as u64);
                self.note_turn(operation, &note, Turn::More).await
            }
            Phase::Removing => self.remove_some(operation, record, erasing).await,
            Phase::Settling(until) if Instant::now() < until => Ok(Turn::Wait),
            Phase::Settling(_) => {
                (erasing.phase, erasing.is_unsettled) = (Phase::Removing, false);
                Ok(Turn::More)
            }
            Phase::Answers => self.forget_answers(operation, record, erasing).await,
        }
    }

    async fn remove_some(
        self: &Arc<Self>,
        operation: &Operation,
        record: &Record,
        erasing: &mut Erasing,
    ) -> Result<Turn, EngineError> {
        let step = EraseStep {
            operation: operation.id,
            record: record.clone(),
            upto: operation.created_at,
            below: erasing.below,
            limit: self.limits.erase_events_step,
            now: self.clock.now(),
        };
        let erased = self.store.erase(self.lanes.lease(), &operation.organization, &step).await?;
        let Some(erased) = erased else { return Ok(Turn::Over) };
        if erased.removed.events > 0 {
            erasing.is_unsettled = true;
            self.read_lanes_anew(&operation.organization);
        }
        erasing.below = erased.next;
        if erased.next.is_none() {
            erasing.phase = match (erasing.is_unsettled, self.lanes.are_all_ours()) {
                (false, _) => Phase::Answers,
                (true, true) => Phase::Settling(Instant::now()),
                (true, false) => Phase::Settling(Instant::now() + self.lease.lasts()),
            };
        }
        Ok(Turn::More)
    }

    /// The last thing: answers that are kept for repeated requests and name the record.
    async fn forget_answers(
        &self,
        operation: &Operation,
        record: &Record,
        erasing: &mut Erasing,
    ) -> Result<Turn, EngineError> {
        let organization = &operation.organization;
        let after = erasing.answers_after.as_deref();
        let answers = self.store.stored_answers(organization, after, self.limits.erase_answers_page).await?;
        let is_last = answers.len() < self.limits.erase_answers_page;
        for (key, answer) in answers {
            if names(&answer.body, record) {
                self.store.forget_answer(organization, &key).await?;
            }
            erasing.answers_after = Some(key);
        }
        if is_last { self.note_turn(operation, &OperationNote::Succeeded, Turn::Over).await } else { Ok(Turn::More) }
    }

    /// What the organisation's lanes hold in memory and have not sent is read anew from the store, where some of it may have ended.
    pub(crate) fn read_lanes_anew(self: &Arc<Self>, organization: &OrganizationId) {
        for lane in self.lanes.all().into_iter().filter(|lane| lane.organization == *organization) {
            let start = lane.read_anew();
            self.start(&lane, start);
        }
    }
}

/// Whether a JSON text holds an object that names the record by its type and id.
fn names(body: &[u8], (kind, id): &Record) -> bool {
    fn is_in(value: &Value, kind: &str, id: &str) -> bool {
        match value {
            Value::Array(values) => values.iter().any(|value| is_in(value, kind, id)),
            Value::Object(members) => {
                let is_id = |value: &Value| value.as_str() == Some(id);
                let has_id = members.get("id").is_some_and(is_id)
                    || members.get("ids").and_then(Value::as_array).is_some_and(|ids| ids.iter().any(is_id));
                let is_kind = members.get("type").and_then(Value::as_str) == Some(kind);
                (is_kind && has_id) || members.values().any(|value| is_in(value, kind, id))
            }
            _ => false,
        }
    }
    serde_json::from_slice::<Value>(body).is_ok_and(|value| is_in(&value, kind, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_a_record_by_its_type_and_id_alone() {
        let record = ("contact".to_owned(), "42".to_owned());
        for body in [
            r#"{"resource":{"type":"contact","id":"42","ids":["42"],"uri":null}}"#,
            r#"{"data":[{"resource":{"type":"contact","ids":["41","42"]}}]}"#,
        ] {
            assert!(names(body.as_bytes(), &record), "{body}");
        }
        for body in [
            r#"{"resource":{"type":"deal","id":"42","ids":["42"]}}"#,
            r#"{"resource":{"type":"contact","ids":["4"]},"id":"42"}"#,
            r#"{"name":"42"}"#,
            "42",
            "not JSON: {\"type\":\"contact\",\"id\":\"42\"}",
        ] {
            assert!(!names(body.as_bytes(), &record), "{body}");
        }
    }
}
