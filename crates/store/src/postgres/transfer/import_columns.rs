//! The rows of a chunk, column by column, sealed with this store's own data keys.

use std::collections::BTreeSet;

use postrider_domain::{AuditEntry, Endpoint, FailureKind, Key};
use uuid::Uuid;

use super::import_config::Tenants;
use crate::error::Result;
use crate::failing::{PortableNotice, PortableStreak};
use crate::model::{Attempt, ContractRevision};
use crate::operational::PortableOperationalEvent;
use crate::postgres::session::{Session, Values};
use crate::postgres::statistics;
use crate::postgres::tenants::Tenant;
use crate::rows::{
    chosen_id, disabled_reason, events_text, fail_code, hashes_of, overlap_ends_at, put_resource, record_hash,
    resume_columns, seal_answer, seal_attempt, seal_audit, seal_endpoint, seal_event,
};
use crate::transfer::{ChosenId, Portable, PortableAnswer, PortableDelivery, PortableEvent, PortableState};

/// Declares a table's columns, the statement that inserts them, and how they are written: a name for the SQL type and the Rust type of each.
macro_rules! columns {
    ($name:ident, $table:literal, $tail:literal, { $($field:ident: $type:ty as $sql:literal),* $(,)? }) => {
        #[derive(Default)]
        struct $name {
            $($field: Vec<$type>,)*
        }

        impl $name {
            async fn write(&self, tx: &Session) -> Result<()> {
                if [$(self.$field.is_empty()),*].contains(&true) {
                    return Ok(());
                }
                let types: &[&str] = &[$($sql),*];
                let lists: Vec<String> =
                    types.iter().enumerate().map(|(i, sql)| format!("${}::{sql}[]", i + 1)).collect();
                let names: &[&str] = &[$(stringify!($field)),*];
                let (table, tail) = ($table, $tail);
                let sql = format!(
                    "INSERT INTO {table} ({}) SELECT * FROM unnest({}) {tail}", names.join(", "), lists.join(", ")
                );
                let values: Values<'_> = &[$(&self.$field),*];
                tx.execute(&sql, values).await.map(|_| ())
            }
        }
    };
}

columns!(Revisions, "contract_revisions", "ON CONFLICT DO NOTHING", {
    hash: Vec<u8> as "bytea", name: String as "text", text: String as "text",
});
columns!(Keys, "api_keys", "", {
    org: Uuid as "uuid", id: Uuid as "uuid", hash: Vec<u8> as "bytea", name: String as "text", scopes: String as "text",
    hint: String as "text", created_at: i64 as "bigint", expires_at: Option<i64> as "bigint",
});
columns!(Endpoints, "endpoints", "", {
    org: Uuid as "uuid", id: Uuid as "uuid", name: String as "text", description: Option<String> as "text",
    events: String as "text", contract: String as "text", system: Option<String> as "text", status: String as "text",
    disabled_reason: Option<String> as "text", created_at: i64 as "bigint", updated_at: i64 as "bigint",
    resumed_at: Option<i64> as "bigint", overlap_ends_at: Option<i64> as "bigint", sealed: Vec<u8> as "bytea",
});
columns!(Streaks, "streaks", "", {
    org: Uuid as "uuid", endpoint: Uuid as "uuid", failures: i32 as "integer", since: Option<i64> as "bigint",
    warned_at: Option<i64> as "bigint",
});
columns!(Notices, "notices", "", {
    org: Uuid as "uuid", id: Uuid as "uuid", endpoint: Uuid as "uuid", kind: String as "text", failures: i32 as "integer",
    failures_max: Option<i32> as "integer", failing_since: i64 as "bigint", last_failure: String as "text",
    last_status_code: Option<i16> as "smallint", made_at: i64 as "bigint", due_at: i64 as "bigint", tries: i32 as "integer",
});
columns!(OperationalRows, "operational_events", "", {
    org: Uuid as "uuid", id: Uuid as "uuid", endpoint: Uuid as "uuid", kind: String as "text", counted: i64 as "bigint",
    reason: Option<String> as "text", delivery: Option<Uuid> as "uuid", first_at: i64 as "bigint", last_at: i64 as "bigint",
    due_at: i64 as "bigint", tries: i32 as "integer",
});
columns!(Ids, "event_ids", "", {
    org: Uuid as "uuid", id: String as "text", key: Uuid as "uuid", accepted_at: i64 as "bigint",
    fingerprint: Vec<u8> as "bytea", deliveries_count: i32 as "integer",
});
columns!(Records, "event_resources", "ON CONFLICT DO NOTHING", {
    org: Uuid as "uuid", hash: i64 as "bigint", key: Uuid as "uuid",
});
columns!(Lanes, "lanes", "ON CONFLICT DO NOTHING", { org: Uuid as "uuid", endpoint: Uuid as "uuid" });
columns!(Open, "open_deliveries", "", {
    org: Uuid as "uuid", endpoint: Uuid as "uuid", due_at: i64 as "bigint", id: Uuid as "uuid", event_key: Uuid as "uuid",
    event_type: String as "text", revision: Vec<u8> as "bytea", test: bool as "boolean", created_at: i64 as "bigint",
    attempts_count: i32 as "integer", slots_used: i32 as "integer", initial_failure_at: Option<i64> as "bigint",
    resume: Option<i16> as "smallint", resume_at: Option<i64> as "bigint", last_status_code: Option<i16> as "smallint",
    turn: Option<i64> as "bigint",
});
columns!(Turns, "turns", "", {
    org: Uuid as "uuid", endpoint: Uuid as "uuid", record: i64 as "bigint", turn: i64 as "bigint", delivery: Uuid as "uuid",
});
columns!(Ended, "deliveries", "", {
    org: Uuid as "uuid", id: Uuid as "uuid", endpoint: Uuid as "uuid", event_key: Uuid as "uuid",
    event_id: Option<String> as "text", event_type: String as "text", revision: Vec<u8> as "bytea", test: bool as "boolean",
    created_at: i64 as "bigint", ended_at: i64 as "bigint", fail_reason: i16 as "smallint", attempts_count: i32 as "integer",
    slots_used: i32 as "integer", initial_failure_at: Option<i64> as "bigint", last_status_code: Option<i16> as "smallint",
});
columns!(Attempts, "attempts", "", {
    org: Uuid as "uuid", delivery: Uuid as "uuid", id: Uuid as "uuid", started_at: i64 as "bigint",
    response_time_ms: i32 as "integer", by_hand: bool as "boolean", status_code: Option<i16> as "smallint",
    failure: Option<String> as "text", sealed: Vec<u8> as "bytea",
});
columns!(Answers, "answers", "ON CONFLICT DO NOTHING", {
    org: Uuid as "uuid", key: String as "text", request_hash: Vec<u8> as "bytea", created_at: i64 as "bigint",
    status: i16 as "smallint", sealed: Vec<u8> as "bytea",
});

columns!(Trail, "audit", "ON CONFLICT DO NOTHING", {
    org: Uuid as "uuid", id: Uuid as "uuid", action: String as "text", object: String as "text", sealed: Vec<u8> as "bytea",
});

impl Turns {
    /// A delivery's row holds its records, too.
    async fn note(&self, tx: &Session) -> Result<()> {
        if self.turn.is_empty() {
            return Ok(());
        }
        let sql = "UPDATE open_deliveries d SET records = w.records
                   FROM (SELECT org, delivery, array_agg(record) FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS l(org, delivery, record)
                         GROUP BY org, delivery) AS w(org, delivery, records)
                   WHERE d.org = w.org AND d.id = w.delivery";
        tx.execute(sql, &[&self.org, &self.delivery, &self.record]).await.map(|_| ())
    }
}

/// An event's deliveries are an array of their own in each row: they lie between `first` and `last` of one long list, counted from 1.
#[derive(Default)]
struct Events {
    org: Vec<Uuid>,
    key: Vec<Uuid>,
    id: Vec<Option<String>>,
    event_type: Vec<String>,
    occurred_at: Vec<i64>,
    accepted_at: Vec<i64>,
    test: Vec<bool>,
    deliveries_count: Vec<i32>,
    resource: Vec<Option<Vec<u8>>>,
    first: Vec<i32>,
    last: Vec<i32>,
    sealed: Vec<Vec<u8>>,
    deliveries: Vec<Uuid>,
}

impl Events {
    async fn write(&self, tx: &Session) -> Result<()> {
        if self.key.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO events (org, key, id, event_type, occurred_at, accepted_at, test, deliveries_count, resource, deliveries,
                sealed)
            SELECT w.org, w.key, w.id, w.event_type, w.occurred_at, w.accepted_at, w.test, w.deliveries_count, w.resource,
                ($13::uuid[])[w.first:w.last], w.sealed
            FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::boolean[],
                $8::integer[], $9::bytea[], $10::integer[], $11::integer[], $12::bytea[])
                AS w(org, key, id, event_type, occurred_at, accepted_at, test, deliveries_count, resource, first, last, sealed)";
        let values: Values<'_> = &[
            &self.org,
            &self.key,
            &self.id,
            &self.event_type,
            &self.occurred_at,
            &self.accepted_at,
            &self.test,
            &self.deliveries_count,
            &self.resource,
            &self.first,
            &self.last,
            &self.sealed,
            &self.deliveries,
        ];
        tx.execute(sql, values).await.map(|_| ())
    }
}

/// All rows of a chunk but its organisations.
#[derive(Default)]
pub(super) struct Columns {
    revisions: Revisions,
    keys: Keys,
    endpoints: Endpoints,
    streaks: Streaks,
    notices: Notices,
    operational: OperationalRows,
    ids: Ids,
    events: Events,
    records: Records,
    lanes: BTreeSet<(Uuid, Uuid)>,
    open: Open,
    turns: Turns,
    ended: Ended,
    attempts: Attempts,
    answers: Answers,
    trail: Trail,
    hours: statistics::Columns,
}

impl Columns {
    pub(super) fn add(&mut self, tenants: &Tenants<'_>, row: &Portable) -> Result<()> {
        let of = |id| tenants.find(id);
        match row {
            Portable::Revision(row) => self.add_revision(row),
            Portable::Key(row, hash) => of(&row.organization)?.map_or((), |tenant| self.add_key(tenant, row, hash)),
            Portable::Endpoint(row) => {
                of(&row.organization)?.map_or(Ok(()), |tenant| self.add_endpoint(tenant, row))?
            }
            Portable::Streak(row) => of(&row.organization)?.map_or((), |tenant| self.add_streak(tenant, row)),
            Portable::Notice(row) => of(&row.notice.organization)?.map_or((), |tenant| self.add_notice(tenant, row)),
            Portable::OperationalEvent(row) => {
                of(&row.event.organization)?.map_or((), |tenant| self.add_operational(tenant, row))
            }
            Portable::ChosenId(row) => of(&row.organization)?.map_or((), |tenant| self.add_id(tenant, row)),
            Portable::Event(row) => of(&row.organization)?.map_or(Ok(()), |tenant| self.add_event(tenant, row))?,
            Portable::Delivery(row) => {
                of(&row.organization)?.map_or(Ok(()), |tenant| self.add_delivery(tenant, row))?
            }
            Portable::Answer(row) => match &row.organization {
                Some(id) => of(id)?.map_or(Ok(()), |tenant| self.add_answer(tenant, row))?,
                None => self.add_answer(&tenants.operator(), row)?,
            },
            Portable::Audit(organization, entry) => match organization {
                Some(id) => of(id)?.map_or(Ok(()), |tenant| self.add_audit(tenant, entry))?,
                None => self.add_audit(&tenants.operator(), entry)?,
            },
            Portable::Hour(row) => of(&row.organization)?.map_or((), |tenant| self.hours.add_of(tenant.org, row)),
            // Of a deleted endpoint its history is left, and that names it.
            _ => {}
        }
        Ok(())
    }

    fn add_revision(&mut self, row: &ContractRevision) {
        self.revisions.hash.push(row.id.0.to_vec());
        self.revisions.name.push(row.name.clone());
        self.revisions.text.push(row.text.clone());
    }

    fn add_audit(&mut self, tenant: &Tenant, entry: &AuditEntry) -> Result<()> {
        let row = seal_audit(tenant.sealer(), entry)?;
        let trail = &mut self.trail;
        trail.org.push(tenant.org);
        trail.id.push(row.id);
        trail.action.push(row.action);
        trail.object.push(row.object);
        trail.sealed.push(row.sealed);
        Ok(())
    }

    fn add_key(&mut self, tenant: &Tenant, row: &Key, hash: &[u8; 32]) {
        let scopes: Vec<_> = row.scopes.iter().map(|scope| scope.as_str()).collect();
        let keys = &mut self.keys;
        keys.org.push(tenant.org);
        keys.id.push(row.id.0);
        keys.hash.push(hash.to_vec());
        keys.name.push(row.name.clone());
        keys.scopes.push(scopes.join(" "));
        keys.hint.push(row.hint.clone());
        keys.created_at.push(row.created_at.0);
        keys.expires_at.push(row.expires_at.map(|at| at.0));
    }

    fn add_endpoint(&mut self, tenant: &Tenant, row: &Endpoint) -> Result<()> {
        let endpoints = &mut self.endpoints;
        endpoints.sealed.push(seal_endpoint(tenant.sealer(), row)?);
        endpoints.org.push(tenant.org);
        endpoints.id.push(row.id.0);
        endpoints.name.push(row.name.clone());
        endpoints.description.push(row.description.clone());
        endpoints.events.push(events_text(row));
        endpoints.contract.push(row.contract.clone());
        endpoints.system.push(row.system.clone());
        endpoints.status.push(row.status.as_str().to_owned());
        endpoints.disabled_reason.push(disabled_reason(row).map(str::to_owned));
        endpoints.created_at.push(row.created_at.0);
        endpoints.updated_at.push(row.updated_at.0);
        endpoints.resumed_at.push(row.resumed_at.map(|at| at.0));
        endpoints.overlap_ends_at.push(overlap_ends_at(row));
        Ok(())
    }

    fn add_streak(&mut self, tenant: &Tenant, row: &PortableStreak) {
        let streaks = &mut self.streaks;
        streaks.org.push(tenant.org);
        streaks.endpoint.push(row.endpoint.0);
        streaks.failures.push(count(row.streak.failures));
        streaks.since.push(row.streak.since.map(|at| at.0));
        streaks.warned_at.push(row.streak.warned_at.map(|at| at.0));
    }

    fn add_notice(&mut self, tenant: &Tenant, row: &PortableNotice) {
        let (notices, notice) = (&mut self.notices, &row.notice);
        notices.org.push(tenant.org);
        notices.id.push(notice.id.0);
        notices.endpoint.push(notice.endpoint.0);
        notices.kind.push(notice.kind.as_str().to_owned());
        notices.failures.push(count(notice.failures));
        notices.failures_max.push(notice.failures_max.map(count));
        notices.failing_since.push(notice.failing_since.0);
        notices.last_failure.push(notice.last_failure.as_str().to_owned());
        notices.last_status_code.push(notice.last_status_code.map(u16::cast_signed));
        notices.made_at.push(notice.made_at.0);
        notices.due_at.push(row.due_at.0);
        notices.tries.push(count(row.tries));
    }

    fn add_operational(&mut self, tenant: &Tenant, row: &PortableOperationalEvent) {
        let (rows, event) = (&mut self.operational, &row.event);
        rows.org.push(tenant.org);
        rows.id.push(event.id.0);
        rows.endpoint.push(event.endpoint.0);
        rows.kind.push(event.kind.as_str().to_owned());
        rows.counted.push(i64::from(event.count));
        rows.reason.push(event.reason.clone());
        rows.delivery.push(event.delivery.map(|id| id.0));
        rows.first_at.push(event.first_at.0);
        rows.last_at.push(event.last_at.0);
        rows.due_at.push(row.due_at.0);
        rows.tries.push(count(row.tries));
    }

    fn add_id(&mut self, tenant: &Tenant, row: &ChosenId) {
        let ids = &mut self.ids;
        ids.org.push(tenant.org);
        ids.id.push(row.id.as_str().to_owned());
        ids.key.push(row.key);
        ids.accepted_at.push(row.accepted_at.0);
        ids.fingerprint.push(row.fingerprint.to_vec());
        ids.deliveries_count.push(count(row.deliveries_count));
    }

    fn add_event(&mut self, tenant: &Tenant, row: &PortableEvent) -> Result<()> {
        let (events, event) = (&mut self.events, &row.event);
        events.sealed.push(seal_event(tenant.sealer(), event)?);
        events.org.push(tenant.org);
        events.key.push(event.key);
        events.id.push(chosen_id(&event.id, event.key).map(str::to_owned));
        events.event_type.push(event.event_type.to_string());
        events.occurred_at.push(event.occurred_at.0);
        events.accepted_at.push(event.accepted_at.0);
        events.test.push(row.test);
        events.deliveries_count.push(count(row.deliveries_count));
        events.resource.push(event.resource.as_ref().map(put_resource));
        events.first.push(place(events.deliveries.len() + 1));
        events.deliveries.extend(row.deliveries.iter().map(|id| id.0));
        events.last.push(place(events.deliveries.len()));
        if let Some(about) = &event.resource {
            for id in &about.ids {
                self.records.org.push(tenant.org);
                self.records.hash.push(record_hash(tenant.owner(), &about.kind, id));
                self.records.key.push(event.key);
            }
        }
        Ok(())
    }

    fn add_delivery(&mut self, tenant: &Tenant, row: &PortableDelivery) -> Result<()> {
        for attempt in &row.attempts {
            self.add_attempt(tenant, row.id.0, attempt)?;
        }
        match row.state {
            PortableState::Open { .. } => self.add_open(tenant, row),
            PortableState::Ended { .. } => self.add_ended(tenant, row),
        }
        Ok(())
    }

    fn add_open(&mut self, tenant: &Tenant, row: &PortableDelivery) {
        let PortableState::Open { due_at, trigger, turn } = &row.state else { return };
        let records = turn.as_ref().map(|turn| hashes_of(tenant.owner(), &turn.about));
        if let (Some(turn), Some(records)) = (turn, &records) {
            self.add_turn(tenant, row, turn.number, records);
        }
        let (resume, resume_at) = resume_columns(*trigger);
        self.lanes.insert((tenant.org, row.endpoint.0));
        let open = &mut self.open;
        open.org.push(tenant.org);
        open.endpoint.push(row.endpoint.0);
        open.due_at.push(due_at.0);
        open.id.push(row.id.0);
        open.event_key.push(row.event_key);
        open.event_type.push(row.event_type.to_string());
        open.revision.push(row.revision.0.to_vec());
        open.test.push(row.test);
        open.created_at.push(row.created_at.0);
        open.attempts_count.push(count(row.progress.attempts_count));
        open.slots_used.push(count(row.progress.slots_used));
        open.initial_failure_at.push(row.progress.initial_failure_at.map(|at| at.0));
        open.resume.push(resume);
        open.resume_at.push(resume_at);
        open.last_status_code.push(row.last_status_code.map(u16::cast_signed));
        open.turn.push(turn.as_ref().map(|turn| turn.number));
    }

    fn add_turn(&mut self, tenant: &Tenant, row: &PortableDelivery, number: i64, records: &[i64]) {
        for record in records {
            self.turns.org.push(tenant.org);
            self.turns.endpoint.push(row.endpoint.0);
            self.turns.record.push(*record);
            self.turns.turn.push(number);
            self.turns.delivery.push(row.id.0);
        }
    }

    fn add_ended(&mut self, tenant: &Tenant, row: &PortableDelivery) {
        let PortableState::Ended { ended_at, reason, event } = &row.state else { return };
        let ended = &mut self.ended;
        ended.org.push(tenant.org);
        ended.id.push(row.id.0);
        ended.endpoint.push(row.endpoint.0);
        ended.event_key.push(row.event_key);
        ended.event_id.push(chosen_id(event, row.event_key).map(str::to_owned));
        ended.event_type.push(row.event_type.to_string());
        ended.revision.push(row.revision.0.to_vec());
        ended.test.push(row.test);
        ended.created_at.push(row.created_at.0);
        ended.ended_at.push(ended_at.0);
        ended.fail_reason.push(fail_code(*reason));
        ended.attempts_count.push(count(row.progress.attempts_count));
        ended.slots_used.push(count(row.progress.slots_used));
        ended.initial_failure_at.push(row.progress.initial_failure_at.map(|at| at.0));
        ended.last_status_code.push(row.last_status_code.map(u16::cast_signed));
    }

    fn add_attempt(&mut self, tenant: &Tenant, delivery: Uuid, attempt: &Attempt) -> Result<()> {
        let attempts = &mut self.attempts;
        attempts.sealed.push(seal_attempt(tenant.sealer(), attempt)?);
        attempts.org.push(tenant.org);
        attempts.delivery.push(delivery);
        attempts.id.push(attempt.id.0);
        attempts.started_at.push(attempt.started_at.0);
        attempts.response_time_ms.push(attempt.response_time_ms.cast_signed());
        attempts.by_hand.push(attempt.by_hand);
        attempts.status_code.push(attempt.response.as_ref().map(|response| response.status_code.cast_signed()));
        attempts.failure.push(attempt.failure.as_ref().map(|failure| FailureKind::as_str(failure.kind).to_owned()));
        Ok(())
    }

    fn add_answer(&mut self, tenant: &Tenant, row: &PortableAnswer) -> Result<()> {
        let answers = &mut self.answers;
        answers.sealed.push(seal_answer(tenant.sealer(), &row.key, &row.answer)?);
        answers.org.push(tenant.org);
        answers.key.push(row.key.clone());
        answers.request_hash.push(row.request_hash.to_vec());
        answers.created_at.push(row.created_at.0);
        answers.status.push(row.answer.status.cast_signed());
        Ok(())
    }

    pub(super) async fn write(&self, tx: &Session) -> Result<()> {
        let mut lanes = Lanes::default();
        (lanes.org, lanes.endpoint) = self.lanes.iter().copied().unzip();
        self.revisions.write(tx).await?;
        self.keys.write(tx).await?;
        self.endpoints.write(tx).await?;
        self.streaks.write(tx).await?;
        self.notices.write(tx).await?;
        self.operational.write(tx).await?;
        self.ids.write(tx).await?;
        self.events.write(tx).await?;
        self.records.write(tx).await?;
        lanes.write(tx).await?;
        self.open.write(tx).await?;
        self.turns.write(tx).await?;
        self.turns.note(tx).await?;
        self.ended.write(tx).await?;
        self.attempts.write(tx).await?;
        self.answers.write(tx).await?;
        self.trail.write(tx).await?;
        self.hours.write(tx).await
    }
}

/// No count comes near the limit of its column.
fn count(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn place(place: usize) -> i32 {
    i32::try_from(place).unwrap_or(i32::MAX)
}
