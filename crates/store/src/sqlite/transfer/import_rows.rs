//! Inserts the rows of a chunk, sealed with this store's own data keys.

use std::collections::HashMap;
use std::sync::Arc;

use postrider_domain::{AuditEntry, Endpoint, EndpointId, FailureKind, Key, Organization, OrganizationId, Streak};
use rusqlite::{OptionalExtension, params};

use super::IMPORTING;
use super::import::{ImportNumbers, bring_operator_key, org_no};
use crate::error::{Result, StoreError};
use crate::failing::{PortableNotice, PortableStreak};
use crate::limits::DATA_KEYS_CACHED;
use crate::master_key::MasterKeys;
use crate::model::{Attempt, ContractRevision, Version};
use crate::operational::PortableOperationalEvent;
use crate::operations::Operation;
use crate::rows::{
    Sealer, WorkColumns, chosen_id, disabled_reason, events_text, fail_code, hashes_of, overlap_ends_at, put_origins,
    put_resource, record_hash, resume_columns, seal_answer, seal_attempt, seal_audit, seal_endpoint, seal_event,
};
use crate::sqlite::audit;
use crate::sqlite::claim::endpoint_no;
use crate::sqlite::config::insert_key;
use crate::sqlite::failing::insert_notice;
use crate::sqlite::operational;
use crate::sqlite::operations;
use crate::sqlite::statistics;
use crate::sqlite::tenants::{self, OPERATOR_NO, Tenant};
use crate::sqlite::turns;
use crate::sqlite::writer::{Fault, WriteTx};
use crate::statistics::EndpointHour;
use crate::transfer::{
    ChosenId, DeletedEndpoint, Portable, PortableAnswer, PortableDelivery, PortableEvent, PortableState,
};

/// Applies a chunk's rows in order.
pub(super) fn apply(
    tx: &mut WriteTx<'_>,
    keys: &MasterKeys,
    numbers: &mut ImportNumbers,
    rows: &[Portable],
) -> Result<(), Fault> {
    let mut chunk = Chunk { tx, keys, numbers, tenants: HashMap::new() };
    for row in rows {
        match row {
            Portable::Revision(revision) => chunk.revision(revision)?,
            Portable::OperatorKey(hash) => bring_operator_key(chunk.tx, hash)?,
            Portable::Organization(organization, version) => chunk.organization(organization, *version)?,
            Portable::Key(key, hash) => chunk.key(key, *hash)?,
            Portable::Endpoint(endpoint) => chunk.endpoint(endpoint)?,
            Portable::DeletedEndpoint(endpoint) => chunk.deleted_endpoint(endpoint)?,
            Portable::Streak(row) => chunk.streak(row)?,
            Portable::Notice(row) => chunk.notice(row)?,
            Portable::OperationalEvent(row) => chunk.operational_event(row)?,
            Portable::ChosenId(row) => chunk.chosen_id(row)?,
            Portable::Event(row) => chunk.event(row)?,
            Portable::Delivery(row) => chunk.delivery(row)?,
            Portable::Answer(row) => chunk.answer(row)?,
            Portable::Audit(organization, entry) => chunk.audit(organization.as_ref(), entry)?,
            Portable::Operation(row) => chunk.operation(row)?,
            Portable::Hour(row) => chunk.hour(row)?,
            // Nobody works with this store while it is imported into: all of it is shown at the end.
            Portable::Ready => {}
        }
    }
    Ok(())
}

/// A chunk that is being applied.
struct Chunk<'a, 'tx> {
    tx: &'a mut WriteTx<'tx>,
    keys: &'a MasterKeys,
    numbers: &'a mut ImportNumbers,
    tenants: HashMap<OrganizationId, Arc<Tenant>>,
}

impl Chunk<'_, '_> {
    /// An organisation that this import made.
    fn tenant(&mut self, id: &OrganizationId) -> Result<Arc<Tenant>, Fault> {
        if let Some(tenant) = self.tenants.get(id) {
            return Ok(Arc::clone(tenant));
        }
        let missing = || StoreError::NotFound { what: format!("organization {id} of the import") };
        let no = org_no(self.tx, id.as_str())?.ok_or_else(missing)?;
        let tenant = Arc::new(tenants::by_number(self.tx.conn, self.keys, no)?);
        if self.tenants.len() >= DATA_KEYS_CACHED {
            self.tenants.clear();
        }
        self.tenants.insert(id.clone(), Arc::clone(&tenant));
        Ok(tenant)
    }

    fn revision(&self, revision: &ContractRevision) -> Result<(), Fault> {
        let sql = "INSERT OR IGNORE INTO contract_revisions (hash, name, text) VALUES (?, ?, ?)";
        self.tx.conn.prepare_cached(sql)?.execute(params![revision.id.0, revision.name, revision.text])?;
        Ok(())
    }

    fn organization(&self, org: &Organization, version: Version) -> Result<(), Fault> {
        let find = "SELECT 1 FROM organizations WHERE id = ? AND deleted IN (0, ?)";
        if self.tx.conn.prepare_cached(find)?.exists(params![org.id.as_str(), IMPORTING])? {
            return Err(StoreError::Exists { what: format!("organization {}", org.id) }.into());
        }
        let sql =
            "INSERT INTO organizations (id, name, contract, plan, owner_email, locale, event_validation, created_at,
                   updated_at, frame_ancestors, deleted, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let no = self.tx.conn.prepare_cached(sql)?.insert(params![
            org.id.as_str(),
            org.name,
            org.contract,
            org.plan,
            org.owner_email,
            org.locale,
            org.event_validation.as_str(),
            org.created_at.0,
            org.updated_at.0,
            put_origins(&org.frame_ancestors),
            IMPORTING,
            version.0,
        ])?;
        tenants::create_key(self.tx.conn, self.keys, no).map(|_| ())
    }

    fn key(&mut self, key: &Key, hash: [u8; 32]) -> Result<(), Fault> {
        let tenant = self.tenant(&key.organization)?;
        let find = "SELECT 1 FROM api_keys WHERE id = ? OR hash = ?";
        if self.tx.conn.prepare_cached(find)?.exists(params![key.id.0.as_bytes(), hash])? {
            return Err(StoreError::Exists { what: format!("key {}", key.id) }.into());
        }
        Ok(insert_key(self.tx.conn, tenant.no, key, hash)?)
    }

    fn endpoint(&mut self, endpoint: &Endpoint) -> Result<(), Fault> {
        let tenant = self.tenant(&endpoint.organization)?;
        self.require_free(endpoint.id)?;
        let sealed = seal_endpoint(tenant.sealer(), endpoint)?;
        let sql =
            "INSERT INTO endpoints (org_no, id, name, description, events, contract, system, status, disabled_reason,
                   created_at, updated_at, resumed_at, overlap_ends_at, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        self.tx.conn.prepare_cached(sql)?.execute(params![
            tenant.no,
            endpoint.id.0.as_bytes(),
            endpoint.name,
            endpoint.description,
            events_text(endpoint),
            endpoint.contract,
            endpoint.system,
            endpoint.status.as_str(),
            disabled_reason(endpoint),
            endpoint.created_at.0,
            endpoint.updated_at.0,
            endpoint.resumed_at.map(|at| at.0),
            overlap_ends_at(endpoint),
            sealed,
        ])?;
        Ok(())
    }

    fn no_of(&self, org_no: i64, id: EndpointId) -> Result<i64, Fault> {
        let missing = || StoreError::NotFound { what: format!("endpoint {id} of the import") };
        Ok(endpoint_no(self.tx.conn, org_no, id)?.ok_or_else(missing)?)
    }

    fn streak(&mut self, row: &PortableStreak) -> Result<(), Fault> {
        let tenant = self.tenant(&row.organization)?;
        let sql =
            "INSERT OR IGNORE INTO streaks (endpoint_no, org_no, failures, since, warned_at) VALUES (?, ?, ?, ?, ?)";
        let endpoint_no = self.no_of(tenant.no, row.endpoint)?;
        let Streak { failures, since, warned_at } = row.streak;
        let (since, warned_at) = (since.map(|at| at.0), warned_at.map(|at| at.0));
        self.tx.conn.prepare_cached(sql)?.execute(params![endpoint_no, tenant.no, failures, since, warned_at])?;
        Ok(())
    }

    fn notice(&mut self, row: &PortableNotice) -> Result<(), Fault> {
        let tenant = self.tenant(&row.notice.organization)?;
        let endpoint_no = self.no_of(tenant.no, row.notice.endpoint)?;
        insert_notice(self.tx, tenant.no, endpoint_no, &row.notice, row.due_at, row.tries)
    }

    fn operational_event(&mut self, row: &PortableOperationalEvent) -> Result<(), Fault> {
        let tenant = self.tenant(&row.event.organization)?;
        operational::insert_due(self.tx, tenant.no, &row.event, row.due_at, row.tries)
    }

    fn hour(&mut self, row: &EndpointHour) -> Result<(), Fault> {
        let tenant = self.tenant(&row.organization)?;
        let endpoint_no = self.no_of(tenant.no, row.endpoint)?;
        statistics::add(self.tx, tenant.no, endpoint_no, row)
    }

    fn require_free(&self, id: postrider_domain::EndpointId) -> Result<(), Fault> {
        if self.tx.conn.prepare_cached("SELECT 1 FROM endpoints WHERE id = ?")?.exists([id.0.as_bytes()])? {
            let what = format!(
                "endpoint {id} (of an organization that is or was here; one that was deleted goes in some minutes)"
            );
            return Err(StoreError::Exists { what }.into());
        }
        Ok(())
    }

    /// It goes once its history has gone, as where it came from.
    fn deleted_endpoint(&mut self, endpoint: &DeletedEndpoint) -> Result<(), Fault> {
        let tenant = self.tenant(&endpoint.organization)?;
        self.require_free(endpoint.id)?;
        let sql = "INSERT INTO endpoints (org_no, id, name, events, contract, status, created_at, updated_at, deleted)
                   VALUES (?, ?, '', '', '', '', ?, ?, 1)";
        let id = endpoint.id.0.as_bytes();
        let values = params![tenant.no, id, endpoint.created_at.0, endpoint.updated_at.0];
        let no = self.tx.conn.prepare_cached(sql)?.insert(values)?;
        let sweep = "INSERT INTO sweeps (endpoint_no, is_waiting) VALUES (?, 1)";
        self.tx.conn.prepare_cached(sweep)?.execute([no])?;
        Ok(())
    }

    fn chosen_id(&mut self, row: &ChosenId) -> Result<(), Fault> {
        let tenant = self.tenant(&row.organization)?;
        let (id, key) = (row.id.as_str(), row.key.as_bytes());
        let sql = "INSERT INTO event_ids (org_no, id, key, accepted_at, fingerprint, deliveries_count)
                   VALUES (?, ?, ?, ?, ?, ?)";
        let values = params![tenant.no, id, key, row.accepted_at.0, row.fingerprint, row.deliveries_count];
        self.tx.conn.prepare_cached(sql)?.execute(values)?;
        if !row.is_event_kept {
            let sql = "INSERT INTO event_ids_late (org_no, id, key, accepted_at) VALUES (?, ?, ?, ?)";
            self.tx.conn.prepare_cached(sql)?.execute(params![tenant.no, id, key, row.accepted_at.0])?;
        }
        Ok(())
    }

    fn event(&mut self, row: &PortableEvent) -> Result<(), Fault> {
        let tenant = self.tenant(&row.organization)?;
        let event = &row.event;
        let type_no = self.tx.numbers.word(self.tx.conn, &event.event_type)?;
        let deliveries: Vec<u8> = row.deliveries.iter().flat_map(|id| *id.0.as_bytes()).collect();
        let sql = "INSERT INTO events (no, org_no, key, id, type_no, occurred_at, accepted_at, test, deliveries_count, resource,
                   deliveries, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        self.tx.conn.prepare_cached(sql)?.execute(params![
            self.numbers.event(row.is_open),
            tenant.no,
            event.key.as_bytes(),
            chosen_id(&event.id, event.key),
            type_no,
            event.occurred_at.0,
            event.accepted_at.0,
            row.test,
            row.deliveries_count,
            event.resource.as_ref().map(put_resource),
            deliveries,
            seal_event(tenant.sealer(), event)?,
        ])?;
        // Straight into the index: what is fresh must come in the order of numbers.
        let sql = "INSERT OR IGNORE INTO event_resources (hash, key) VALUES (?, ?)";
        for id in event.resource.iter().flat_map(|about| &about.ids) {
            let kind = event.resource.as_ref().map_or("", |about| about.kind.as_str());
            let hash = record_hash(tenant.no, kind, id);
            self.tx.conn.prepare_cached(sql)?.execute(params![hash, event.key.as_bytes()])?;
        }
        Ok(())
    }

    fn delivery(&mut self, row: &PortableDelivery) -> Result<(), Fault> {
        let tenant = self.tenant(&row.organization)?;
        let placed = Placed {
            org_no: tenant.no,
            endpoint_no: self.endpoint_no(row, tenant.no)?,
            type_no: self.tx.numbers.word(self.tx.conn, &row.event_type)?,
            revision_no: self.tx.numbers.revision(self.tx.conn, row.revision)?,
            last_attempt_no: self.attempts(row, &tenant)?,
        };
        match row.state {
            PortableState::Open { .. } => self.open(row, &placed),
            PortableState::Ended { .. } => self.ended(row, &placed),
        }
    }

    /// Other stores may forget a deleted endpoint before its history; here it has the number that history names.
    fn endpoint_no(&mut self, row: &PortableDelivery, org_no: i64) -> Result<i64, Fault> {
        let find = "SELECT no FROM endpoints WHERE id = ? AND org_no = ?";
        loop {
            let key = params![row.endpoint.0.as_bytes(), org_no];
            let found = self.tx.conn.prepare_cached(find)?.query_row(key, |row| row.get(0)).optional()?;
            if let Some(no) = found {
                return Ok(no);
            }
            self.deleted_endpoint(&DeletedEndpoint {
                organization: row.organization.clone(),
                id: row.endpoint,
                created_at: row.created_at,
                updated_at: row.created_at,
            })?;
        }
    }

    /// Returns the number of the last one.
    fn attempts(&mut self, row: &PortableDelivery, tenant: &Tenant) -> Result<Option<i64>, Fault> {
        let is_open = matches!(row.state, PortableState::Open { .. });
        let mut last_no = None;
        for attempt in &row.attempts {
            let no = self.numbers.attempt(is_open);
            self.attempt(attempt, no, last_no, tenant.sealer())?;
            last_no = Some(no);
        }
        Ok(last_no)
    }

    fn attempt(&self, attempt: &Attempt, no: i64, prev_no: Option<i64>, sealer: Sealer<'_>) -> Result<(), Fault> {
        let sql = "INSERT INTO attempts (no, prev_no, org_no, id, started_at, response_time_ms, by_hand, status_code, failure,
                   sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        self.tx.conn.prepare_cached(sql)?.execute(params![
            no,
            prev_no,
            sealer.owner,
            attempt.id.0.as_bytes(),
            attempt.started_at.0,
            attempt.response_time_ms,
            attempt.by_hand,
            attempt.response.as_ref().map(|response| response.status_code),
            attempt.failure.as_ref().map(|failure| FailureKind::as_str(failure.kind)),
            seal_attempt(sealer, attempt)?,
        ])?;
        Ok(())
    }

    fn open(&mut self, row: &PortableDelivery, at: &Placed) -> Result<(), Fault> {
        let PortableState::Open { due_at, trigger, turn } = &row.state else { return Ok(()) };
        let records = turn.as_ref().map(|turn| hashes_of(at.org_no, &turn.about));
        if let (Some(turn), Some(records)) = (turn, &records) {
            turns::insert(self.tx.conn, at.endpoint_no, records, turn.number, row.id)?;
        }
        let (resume, resume_at) = resume_columns(*trigger);
        let find = "SELECT no FROM events WHERE org_no = ? AND key = ?";
        let key = params![at.org_no, row.event_key.as_bytes()];
        let event_no: i64 = self.tx.conn.prepare_cached(find)?.query_row(key, |row| row.get(0))?;
        let sql = "INSERT INTO open_deliveries (endpoint_no, due_at, id, org_no, event_no, type_no, revision_no, test, created_at,
                   attempts_count, slots_used, initial_failure_at, resume, resume_at, last_status_code, last_attempt_no, turn, records)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        self.tx.conn.prepare_cached(sql)?.execute(params![
            at.endpoint_no,
            due_at.0,
            row.id.0.as_bytes(),
            at.org_no,
            event_no,
            at.type_no,
            at.revision_no,
            row.test,
            row.created_at.0,
            row.progress.attempts_count,
            row.progress.slots_used,
            row.progress.initial_failure_at.map(|at| at.0),
            resume,
            resume_at,
            row.last_status_code,
            at.last_attempt_no,
            turn.as_ref().map(|turn| turn.number),
            records.as_deref().map(turns::put_records),
        ])?;
        self.tx.open_added += 1;
        Ok(())
    }

    fn ended(&mut self, row: &PortableDelivery, at: &Placed) -> Result<(), Fault> {
        let PortableState::Ended { ended_at, reason, event } = &row.state else { return Ok(()) };
        let sql = "INSERT INTO deliveries (no, org_no, endpoint_no, id, event_key, event_id, type_no, revision_no, test, created_at,
                   ended_at, fail_reason, attempts_count, slots_used, initial_failure_at, last_status_code, last_attempt_no)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        self.tx.conn.prepare_cached(sql)?.execute(params![
            self.numbers.delivery(),
            at.org_no,
            at.endpoint_no,
            row.id.0.as_bytes(),
            row.event_key.as_bytes(),
            chosen_id(event, row.event_key),
            at.type_no,
            at.revision_no,
            row.test,
            row.created_at.0,
            ended_at.0,
            fail_code(*reason),
            row.progress.attempts_count,
            row.progress.slots_used,
            row.progress.initial_failure_at.map(|at| at.0),
            row.last_status_code,
            at.last_attempt_no,
        ])?;
        Ok(())
    }

    /// The operator's own trail may have come before, with an import that was given up.
    fn audit(&mut self, organization: Option<&OrganizationId>, entry: &AuditEntry) -> Result<(), Fault> {
        let tenant = match organization {
            Some(id) => self.tenant(id)?,
            None => Arc::new(tenants::by_number(self.tx.conn, self.keys, OPERATOR_NO)?),
        };
        let row = seal_audit(tenant.sealer(), entry)?;
        let known = "SELECT 1 FROM audit WHERE org_no = ? AND id = ?";
        if self.tx.conn.prepare_cached(known)?.exists(params![tenant.no, row.id.as_bytes()])? {
            return Ok(());
        }
        audit::insert(self.tx, tenant.no, &row)
    }

    fn operation(&mut self, row: &Operation) -> Result<(), Fault> {
        let tenant = self.tenant(&row.organization)?;
        let columns = WorkColumns::of(tenant.sealer(), row)?;
        operations::insert(self.tx, tenant.no, row, &columns)
    }

    /// Of two answers under one key the one that is here stays: only the operator's can meet another.
    fn answer(&mut self, row: &PortableAnswer) -> Result<(), Fault> {
        let tenant = match &row.organization {
            Some(id) => self.tenant(id)?,
            None => Arc::new(tenants::by_number(self.tx.conn, self.keys, OPERATOR_NO)?),
        };
        let sealed = seal_answer(tenant.sealer(), &row.key, &row.answer)?;
        let sql = "INSERT OR IGNORE INTO answers (org_no, key, request_hash, created_at, status, sealed)
                   VALUES (?, ?, ?, ?, ?, ?)";
        let values = params![tenant.no, row.key, row.request_hash, row.created_at.0, row.answer.status, sealed];
        self.tx.conn.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

/// A delivery's numbers here.
struct Placed {
    org_no: i64,
    endpoint_no: i64,
    type_no: i64,
    revision_no: i64,
    last_attempt_no: Option<i64>,
}
