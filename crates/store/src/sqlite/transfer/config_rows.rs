//! Everything of an export that is neither an event nor a delivery.

use std::rc::Rc;

use postrider_domain::{EndpointId, Hour};
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row};

use super::SET_ASIDE;
use super::export::{Exporter, Known};
use super::export_columns::{Weighed, page};
use crate::error::Result;
use crate::failing::{PortableNotice, PortableStreak};
use crate::model::{ContractRevision, RevisionId, Version};
use crate::rows::{OperationRow, Sealer, damaged, open_answer};
use crate::sqlite::audit;
use crate::sqlite::config::{KEY_COLUMNS, OPERATOR_KEY, key_from_row};
use crate::sqlite::failing::{NOTICE_COLUMNS, notice_row, streak_at};
use crate::sqlite::numbers::meta;
use crate::sqlite::operational;
use crate::sqlite::operations::operation_row;
use crate::sqlite::organizations;
use crate::sqlite::reader::uuid_at;
use crate::sqlite::rows::{ENDPOINT_COLUMNS, endpoint_row, millis_at};
use crate::sqlite::statistics::{tally_at, tally_columns};
use crate::sqlite::tenants::OPERATOR_NO;
use crate::sqlite::writer::Fault;
use crate::statistics::EndpointHour;
use crate::transfer::{ChosenId, DeletedEndpoint, Portable, PortableAnswer};

/// Contract texts, then organisations in the order in which they were made, each with all it owns, then the operator's own.
pub(super) fn all(export: &mut Exporter<'_>, org_no: Option<i64>) -> Result<(), Fault> {
    revisions(export)?;
    if let Some(no) = org_no {
        organization(export, no)?;
        return deleted_endpoints(export, Some(no));
    }
    if let Some(hash) = meta(export.conn(), OPERATOR_KEY)? {
        let hash = hash.try_into().map_err(|_| damaged("the operator key's hash"))?;
        export.push(Portable::OperatorKey(hash))?;
    }
    let mut after = 0;
    loop {
        let sql = "SELECT no FROM organizations WHERE no > ? AND deleted = 0 ORDER BY no LIMIT 1";
        let next = export.conn().prepare_cached(sql)?.query_row([after], |row| row.get(0)).optional()?;
        let Some(no) = next else { break };
        organization(export, no)?;
        after = no;
    }
    deleted_endpoints(export, None)?;
    answers(export, OPERATOR_NO, None)?;
    audit_trail(export, OPERATOR_NO, None)
}

/// All of them: they are the operator's, and few.
fn revisions(export: &mut Exporter<'_>) -> Result<(), Fault> {
    let mut after = 0;
    loop {
        let sql = "SELECT no, hash, name, text FROM contract_revisions WHERE no > ? ORDER BY no LIMIT 1";
        let read = |row: &Row<'_>| {
            let revision = ContractRevision { id: RevisionId(row.get(1)?), name: row.get(2)?, text: row.get(3)? };
            Ok((row.get(0)?, revision))
        };
        let next = export.conn().prepare_cached(sql)?.query_row([after], read).optional()?;
        let Some((no, revision)) = next else { return Ok(()) };
        export.push(Portable::Revision(revision))?;
        after = no;
    }
}

fn organization(export: &mut Exporter<'_>, org_no: i64) -> Result<(), Fault> {
    let Some(known) = export.known(org_no)? else { return Ok(()) };
    let sql =
        format!("SELECT {}, version FROM organizations WHERE no = ? AND deleted IN (0, ?)", organizations::COLUMNS);
    let (organization, version) = export.conn().prepare_cached(&sql)?.query_row([org_no, SET_ASIDE], |row| {
        let version = row.get("version")?;
        Ok((organizations::from_row(row), Version(version)))
    })?;
    export.push(Portable::Organization(organization?, version))?;
    keys(export, org_no, &known)?;
    endpoints(export, org_no, &known)?;
    failing(export, org_no, &known)?;
    chosen_ids(export, org_no, &known)?;
    answers(export, org_no, Some(&known))?;
    audit_trail(export, org_no, Some(&known))
}

/// A row with the place behind which the next page begins.
struct Placed<T> {
    row: T,
    place: Value,
}

impl<T> Weighed for Placed<T> {
    fn bytes(&self) -> usize {
        256
    }
}

/// Goes through a list that is ordered by its last column.
fn each<T>(
    export: &mut Exporter<'_>,
    org_no: Option<i64>,
    sql: &str,
    first: Value,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    mut take: impl FnMut(&mut Exporter<'_>, T) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let mut after = first;
    loop {
        let place = |row: &Row<'_>| row.get(row.as_ref().column_count() - 1);
        let found = page(export.conn(), sql, &after, org_no, |row| Ok(Placed { row: read(row)?, place: place(row)? }))?;
        let Some(last) = found.last() else { return Ok(()) };
        after = last.place.clone();
        for placed in found {
            take(export, placed.row)?;
        }
    }
}

fn blob() -> Value {
    Value::Blob(Vec::new())
}

fn keys(export: &mut Exporter<'_>, org_no: i64, known: &Rc<Known>) -> Result<(), Fault> {
    let sql =
        format!("SELECT {KEY_COLUMNS}, k.hash, k.id FROM api_keys k WHERE k.org_no = ?2 AND k.id > ?1 ORDER BY k.id");
    let read = |row: &Row<'_>| Ok((key_from_row(row, known.id.clone()), row.get(6)?));
    each(export, Some(org_no), &sql, blob(), read, |export, (key, hash)| export.push(Portable::Key(key?, hash)))
}

fn endpoints(export: &mut Exporter<'_>, org_no: i64, known: &Rc<Known>) -> Result<(), Fault> {
    let sql = format!(
        "SELECT {ENDPOINT_COLUMNS}, id FROM endpoints WHERE org_no = ?2 AND deleted = 0 AND id > ?1 ORDER BY id"
    );
    each(export, Some(org_no), &sql, blob(), endpoint_row, |export, row| {
        let endpoint = row.open(known.tenant.sealer(), &known.id)?;
        export.push(Portable::Endpoint(endpoint))
    })
}

/// Streaks, notices that were not sent yet, and operational events that were not published.
fn failing(export: &mut Exporter<'_>, org_no: i64, known: &Rc<Known>) -> Result<(), Fault> {
    let sql = "SELECT e.id, s.failures, s.since, s.warned_at, s.endpoint_no FROM streaks s JOIN endpoints e ON e.no = s.endpoint_no
               WHERE s.org_no = ?2 AND e.deleted = 0 AND s.endpoint_no > ?1 ORDER BY s.endpoint_no";
    let read = |row: &Row<'_>| Ok((uuid_at(row, 0)?, streak_at(row, 1)?));
    each(export, Some(org_no), sql, Value::Integer(0), read, |export, (endpoint, streak)| {
        let (organization, endpoint) = (known.id.clone(), EndpointId(endpoint));
        export.push(Portable::Streak(PortableStreak { organization, endpoint, streak }))
    })?;
    let sql = format!(
        "SELECT {NOTICE_COLUMNS}, n.due_at, n.id FROM notices n JOIN organizations o ON o.no = n.org_no
         JOIN endpoints e ON e.no = n.endpoint_no AND e.deleted = 0 WHERE n.org_no = ?2 AND n.id > ?1 ORDER BY n.id"
    );
    let read = |row: &Row<'_>| Ok((notice_row(row)?, millis_at(row, 11)?));
    each(export, Some(org_no), &sql, blob(), read, |export, (row, due_at)| {
        let (notice, tries) = row?;
        export.push(Portable::Notice(PortableNotice { notice, due_at, tries }))
    })?;
    let sql = format!(
        "SELECT {}, n.due_at, n.id FROM operational_events n JOIN organizations o ON o.no = n.org_no
         WHERE n.org_no = ?2 AND n.id > ?1 ORDER BY n.id",
        operational::COLUMNS
    );
    let read = |row: &Row<'_>| Ok((operational::row(row)?, millis_at(row, 10)?));
    each(export, Some(org_no), &sql, blob(), read, |export, (row, due_at)| {
        export.push(Portable::OperationalEvent(row.portable(due_at)?))
    })
}

/// One look through all endpoints: no index has the deleted ones.
fn deleted_endpoints(export: &mut Exporter<'_>, org_no: Option<i64>) -> Result<(), Fault> {
    let sql = "SELECT org_no, id, created_at, updated_at, no FROM endpoints
               WHERE (?2 IS NULL OR org_no = ?2) AND deleted = 1 AND no > ?1 ORDER BY no";
    let read = |row: &Row<'_>| Ok((row.get(0)?, uuid_at(row, 1)?, millis_at(row, 2)?, millis_at(row, 3)?));
    each(export, org_no, sql, Value::Integer(0), read, |export, (org_no, id, created_at, updated_at)| {
        let Some(known) = export.known(org_no)? else { return Ok(()) };
        let (organization, id) = (known.id.clone(), EndpointId(id));
        export.push(Portable::DeletedEndpoint(DeletedEndpoint { organization, id, created_at, updated_at }))
    })
}

fn chosen_ids(export: &mut Exporter<'_>, org_no: i64, known: &Rc<Known>) -> Result<(), Fault> {
    let sql = "SELECT key, accepted_at, fingerprint, deliveries_count,
                   EXISTS (SELECT 1 FROM events e WHERE e.org_no = i.org_no AND e.key = i.key), id
               FROM event_ids i WHERE org_no = ?2 AND id > ?1 ORDER BY id";
    let read = |row: &Row<'_>| {
        let id: String = row.get(5)?;
        let id = id.parse().map_err(|_| damaged("an event's id"));
        Ok(id.map(|id| {
            Ok::<_, rusqlite::Error>(ChosenId {
                organization: known.id.clone(),
                id,
                key: uuid_at(row, 0)?,
                accepted_at: millis_at(row, 1)?,
                fingerprint: row.get(2)?,
                deliveries_count: row.get(3)?,
                is_event_kept: row.get(4)?,
            })
        }))
    };
    each(export, Some(org_no), sql, Value::Text(String::new()), read, |export, row| {
        export.push(Portable::ChosenId(row??))
    })
}

/// Answers of an organisation or, without one, of the operator.
fn answers(export: &mut Exporter<'_>, org_no: i64, known: Option<&Rc<Known>>) -> Result<(), Fault> {
    let sql = "SELECT key, request_hash, created_at, status, sealed, key FROM answers
               WHERE org_no = ?2 AND key > ?1 ORDER BY key";
    let read = |row: &Row<'_>| {
        let key: String = row.get(0)?;
        Ok((key, row.get(1)?, millis_at(row, 2)?, row.get::<_, u16>(3)?, row.get::<_, Vec<u8>>(4)?))
    };
    let operator = export.operator()?;
    let sealer = known.map_or(operator.sealer(), |known| known.tenant.sealer());
    let organization = known.map(|known| known.id.clone());
    each(
        export,
        Some(org_no),
        sql,
        Value::Text(String::new()),
        read,
        |export, (key, request_hash, created_at, status, sealed)| {
            let answer = open(sealer, &key, status, sealed)?;
            let organization = organization.clone();
            export.push(Portable::Answer(PortableAnswer { organization, key, request_hash, created_at, answer }))
        },
    )
}

/// The trail of an organisation or, without one, of the operator.
fn audit_trail(export: &mut Exporter<'_>, org_no: i64, known: Option<&Rc<Known>>) -> Result<(), Fault> {
    let sql = "SELECT id, action, object, sealed, id FROM audit WHERE org_no = ?2 AND id > ?1 ORDER BY id";
    let operator = export.operator()?;
    let sealer = known.map_or(operator.sealer(), |known| known.tenant.sealer());
    let organization = known.map(|known| known.id.clone());
    each(export, Some(org_no), sql, blob(), audit::from_row, |export, row| {
        let entry = row.open(sealer)?;
        export.push(Portable::Audit(organization.clone(), entry))
    })
}

/// Operations, in the order in which they were made.
pub(super) fn operations(export: &mut Exporter<'_>, org_no: Option<i64>) -> Result<(), Fault> {
    let columns = OperationRow::COLUMNS;
    let sql = format!(
        "SELECT {columns}, org_no, no FROM operations WHERE (?2 IS NULL OR org_no = ?2) AND no > ?1 ORDER BY no"
    );
    let read = |row: &Row<'_>| Ok((operation_row(row)?, row.get(15)?));
    each(export, org_no, &sql, Value::Integer(0), read, |export, (row, org_no)| {
        let Some(known) = export.known(org_no)? else { return Ok(()) };
        let operation = row.open(known.tenant.sealer(), &known.id)?;
        export.push(Portable::Operation(operation))
    })
}

/// What was counted of endpoints, hour by hour. The table's rows have no number of their own: they are gone through endpoint by endpoint.
pub(super) fn hours(export: &mut Exporter<'_>, org_no: Option<i64>) -> Result<(), Fault> {
    let endpoints = "SELECT org_no, id, no FROM endpoints WHERE (?2 IS NULL OR org_no = ?2) AND deleted = 0 AND no > ?1 ORDER BY no";
    let read = |row: &Row<'_>| Ok((row.get(0)?, EndpointId(uuid_at(row, 1)?), row.get(2)?));
    each(export, org_no, endpoints, Value::Integer(0), read, |export, (org_no, endpoint, endpoint_no)| {
        let Some(known) = export.known(org_no)? else { return Ok(()) };
        hours_of(export, &known, endpoint, endpoint_no)
    })
}

fn hours_of(export: &mut Exporter<'_>, known: &Known, endpoint: EndpointId, endpoint_no: i64) -> Result<(), Fault> {
    let sql = format!(
        "SELECT {}, hour FROM endpoint_hours WHERE org_no = (SELECT org_no FROM endpoints WHERE no = ?2)
         AND endpoint_no = ?2 AND hour > ?1 ORDER BY hour",
        tally_columns()
    );
    let hour_at = |row: &Row<'_>| row.get(row.as_ref().column_count() - 1).map(Hour);
    let read = |row: &Row<'_>| Ok((tally_at(row, 0)?, hour_at(row)?));
    each(export, Some(endpoint_no), &sql, Value::Integer(i64::MIN), read, |export, (tally, hour)| {
        export.push(Portable::Hour(EndpointHour { organization: known.id.clone(), endpoint, hour, tally }))
    })
}

fn open(sealer: Sealer<'_>, key: &str, status: u16, sealed: Vec<u8>) -> Result<crate::model::StoredAnswer, Fault> {
    Ok(open_answer(sealer, key, status, sealed)?)
}
