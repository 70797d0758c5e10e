//! Everything of an export that is neither an event nor a delivery.

use postrider_domain::{EndpointId, Hour};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSqlOwned, ToSql};
use uuid::Uuid;

use super::export::{Exporter, Known};
use crate::error::Result;
use crate::failing::{PortableNotice, PortableStreak};
use crate::model::{ContractRevision, RevisionId, Version};
use crate::postgres::audit;
use crate::postgres::config::{KEY_COLUMNS, OPERATOR_KEY, key_from_row};
use crate::postgres::failing::{NOTICE_COLUMNS, notice_row, streak_at};
use crate::postgres::master::OPERATOR;
use crate::postgres::operational;
use crate::postgres::operations::operation_row;
use crate::postgres::organizations;
use crate::postgres::rows::{ENDPOINT_COLUMNS, count_at, endpoint_row, millis_at};
use crate::postgres::statistics::{tally_at, tally_columns};
use crate::rows::{OperationRow, Sealer, damaged, open_answer};
use crate::statistics::EndpointHour;
use crate::transfer::{ChosenId, DeletedEndpoint, Extent, Portable, PortableAnswer};

/// Rows read at once.
const PAGE_ROWS: i64 = 500;

impl Exporter<'_> {
    /// Pushes every row of a statement whose first column is its key: of $1, after $2, in order of the key, at most $3.
    async fn pages<K: ToSql + FromSqlOwned + Sync>(
        &mut self,
        sql: &str,
        org: Uuid,
        mut after: K,
        read: impl Fn(&Row) -> Result<Portable>,
    ) -> Result<()> {
        loop {
            let rows = self.query(sql, &[&org, &after, &PAGE_ROWS]).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = last.get(0);
            for row in &rows {
                self.push(read(row)?).await?;
            }
        }
    }
}

/// Contract texts, then each organisation with all it owns, then the operator's own.
pub(super) async fn all(export: &mut Exporter<'_>, extent: &Extent, orgs: &[Known]) -> Result<()> {
    let is_everything = *extent == Extent::Everything;
    revisions(export).await?;
    if is_everything {
        let rows = export.query("SELECT value FROM meta WHERE name = $1", &[&OPERATOR_KEY]).await?;
        if let Some(row) = rows.first() {
            export.push(Portable::OperatorKey(array(row.get(0))?)).await?;
        }
    }
    for known in orgs {
        organization(export, known).await?;
        keys(export, known).await?;
        endpoints(export, known).await?;
        failing(export, known).await?;
        chosen_ids(export, known).await?;
        answers(export, known.org(), known.tenant.sealer(), Some(known)).await?;
        audit_trail(export, known.org(), known.tenant.sealer(), Some(known)).await?;
    }
    if is_everything {
        let operator = export.store.tenants.operator();
        answers(export, OPERATOR, operator.sealer(), None).await?;
        audit_trail(export, OPERATOR, operator.sealer(), None).await?;
    }
    Ok(())
}

fn array(bytes: &[u8]) -> Result<[u8; 32]> {
    bytes.try_into().map_err(|_| damaged("a hash"))
}

/// All of them: they are the operator's, and few.
async fn revisions(export: &mut Exporter<'_>) -> Result<()> {
    let hashes = export.query("SELECT hash FROM contract_revisions ORDER BY hash", &[]).await?;
    for row in hashes {
        let hash: &[u8] = row.get(0);
        let rows = export.query("SELECT name, text FROM contract_revisions WHERE hash = $1", &[&hash]).await?;
        for row in rows {
            let revision = ContractRevision { id: RevisionId(array(hash)?), name: row.get(0), text: row.get(1) };
            export.push(Portable::Revision(revision)).await?;
        }
    }
    Ok(())
}

async fn organization(export: &mut Exporter<'_>, known: &Known) -> Result<()> {
    let sql = format!("SELECT {}, version FROM organizations WHERE org = $1", organizations::COLUMNS);
    for row in export.query(&sql, &[&known.org()]).await? {
        let organization = organizations::from_row(&row)?;
        export.push(Portable::Organization(organization, Version(row.get(9)))).await?;
    }
    Ok(())
}

async fn keys(export: &mut Exporter<'_>, known: &Known) -> Result<()> {
    let sql =
        format!("SELECT {KEY_COLUMNS}, k.hash FROM api_keys k WHERE k.org = $1 AND k.id > $2 ORDER BY k.id LIMIT $3");
    let read = |row: &Row| {
        let key = key_from_row(row, known.id.clone())?;
        Ok(Portable::Key(key, array(row.get(6))?))
    };
    export.pages(&sql, known.org(), Uuid::nil(), read).await
}

async fn endpoints(export: &mut Exporter<'_>, known: &Known) -> Result<()> {
    let sql =
        format!("SELECT {ENDPOINT_COLUMNS}, deleted FROM endpoints WHERE org = $1 AND id > $2 ORDER BY id LIMIT $3");
    let read = |row: &Row| {
        let portable = if row.get(12) {
            Portable::DeletedEndpoint(DeletedEndpoint {
                organization: known.id.clone(),
                id: EndpointId(row.get(0)),
                created_at: millis_at(row, 8),
                updated_at: millis_at(row, 9),
            })
        } else {
            Portable::Endpoint(endpoint_row(row, 0).open(known.tenant.sealer(), &known.id)?)
        };
        Ok(portable)
    };
    export.pages(&sql, known.org(), Uuid::nil(), read).await
}

/// Streaks, notices that were not sent yet, and operational events that were not published.
async fn failing(export: &mut Exporter<'_>, known: &Known) -> Result<()> {
    let sql = "SELECT s.endpoint, s.failures, s.since, s.warned_at FROM streaks s
               JOIN endpoints e ON e.org = s.org AND e.id = s.endpoint AND NOT e.deleted
               WHERE s.org = $1 AND s.endpoint > $2 ORDER BY s.endpoint LIMIT $3";
    let read = |row: &Row| {
        let (organization, endpoint) = (known.id.clone(), EndpointId(row.get(0)));
        let streak = streak_at(row, 1);
        Ok(Portable::Streak(PortableStreak { organization, endpoint, streak }))
    };
    export.pages(sql, known.org(), Uuid::nil(), read).await?;
    let sql = format!(
        "SELECT {NOTICE_COLUMNS}, n.due_at FROM notices n JOIN organizations o ON o.org = n.org
         JOIN endpoints e ON e.org = n.org AND e.id = n.endpoint AND NOT e.deleted
         WHERE n.org = $1 AND n.id > $2 ORDER BY n.id LIMIT $3"
    );
    let read = |row: &Row| {
        let (notice, tries) = notice_row(row)?;
        let due_at = millis_at(row, 11);
        Ok(Portable::Notice(PortableNotice { notice, due_at, tries }))
    };
    export.pages(&sql, known.org(), Uuid::nil(), read).await?;
    let sql = format!(
        "SELECT {}, n.due_at FROM operational_events n JOIN organizations o ON o.org = n.org
         WHERE n.org = $1 AND n.id > $2 ORDER BY n.id LIMIT $3",
        operational::COLUMNS
    );
    let read = |row: &Row| Ok(Portable::OperationalEvent(operational::row(row).portable(millis_at(row, 10))?));
    export.pages(&sql, known.org(), Uuid::nil(), read).await
}

async fn chosen_ids(export: &mut Exporter<'_>, known: &Known) -> Result<()> {
    let sql = "SELECT id, key, accepted_at, fingerprint, deliveries_count,
                   EXISTS (SELECT FROM events e WHERE e.org = i.org AND e.key = i.key)
               FROM event_ids i WHERE org = $1 AND id > $2 ORDER BY id LIMIT $3";
    let read = |row: &Row| {
        let row = ChosenId {
            organization: known.id.clone(),
            id: row.get::<_, &str>(0).parse().map_err(|_| damaged("an event's id"))?,
            key: row.get(1),
            accepted_at: millis_at(row, 2),
            fingerprint: array(row.get(3))?,
            deliveries_count: count_at(row, 4),
            is_event_kept: row.get(5),
        };
        Ok(Portable::ChosenId(row))
    };
    export.pages(sql, known.org(), String::new(), read).await
}

/// Answers of an organisation or, without one, of the operator; not of requests that are still under way.
async fn answers(export: &mut Exporter<'_>, org: Uuid, sealer: Sealer<'_>, known: Option<&Known>) -> Result<()> {
    let sql = "SELECT key, request_hash, created_at, status, sealed FROM answers
               WHERE org = $1 AND key > $2 AND status IS NOT NULL ORDER BY key LIMIT $3";
    let read = |row: &Row| {
        let (key, status): (String, i16) = (row.get(0), row.get(3));
        let answer = open_answer(sealer, &key, status.unsigned_abs(), row.get(4))?;
        let organization = known.map(|known| known.id.clone());
        let (request_hash, created_at) = (array(row.get(1))?, millis_at(row, 2));
        let row = PortableAnswer { organization, key, request_hash, created_at, answer };
        Ok(Portable::Answer(row))
    };
    export.pages(sql, org, String::new(), read).await
}

/// The trail of an organisation or, without one, of the operator.
async fn audit_trail(export: &mut Exporter<'_>, org: Uuid, sealer: Sealer<'_>, known: Option<&Known>) -> Result<()> {
    let sql = "SELECT id, action, object, sealed FROM audit WHERE org = $1 AND id > $2 ORDER BY id LIMIT $3";
    let read = |row: &Row| {
        let entry = audit::from_row(row).open(sealer)?;
        Ok(Portable::Audit(known.map(|known| known.id.clone()), entry))
    };
    export.pages(sql, org, Uuid::nil(), read).await
}

/// Operations, in the order in which they were made.
pub(super) async fn operations(export: &mut Exporter<'_>, known: &Known) -> Result<()> {
    let sql =
        format!("SELECT {} FROM operations WHERE org = $1 AND id > $2 ORDER BY id LIMIT $3", OperationRow::COLUMNS);
    let read = |row: &Row| {
        let operation = operation_row(row).open(known.tenant.sealer(), &known.id)?;
        Ok(Portable::Operation(operation))
    };
    export.pages(&sql, known.org(), Uuid::nil(), read).await
}

/// What was counted of endpoints, hour by hour.
pub(super) async fn hours(export: &mut Exporter<'_>, known: &Known) -> Result<()> {
    let endpoints = "SELECT id FROM endpoints WHERE org = $1 AND id > $2 AND NOT deleted ORDER BY id LIMIT $3";
    let hours = format!(
        "SELECT {}, hour FROM endpoint_hours WHERE org = $1 AND endpoint = $2 AND hour > $3 ORDER BY hour LIMIT $4",
        tally_columns()
    );
    let mut last = Uuid::nil();
    loop {
        let found = export.query(endpoints, &[&known.org(), &last, &PAGE_ROWS]).await?;
        for endpoint in found.iter().map(|row| EndpointId(row.get(0))) {
            hours_of(export, known, endpoint, &hours).await?;
            last = endpoint.0;
        }
        if found.is_empty() {
            return Ok(());
        }
    }
}

async fn hours_of(export: &mut Exporter<'_>, known: &Known, endpoint: EndpointId, sql: &str) -> Result<()> {
    let mut last = i32::MIN;
    loop {
        let found = export.query(sql, &[&known.org(), &endpoint.0, &last, &PAGE_ROWS]).await?;
        for row in &found {
            last = row.get(row.len() - 1);
            let (organization, hour) = (known.id.clone(), Hour(last));
            let tally = tally_at(row, 0);
            export.push(Portable::Hour(EndpointHour { organization, endpoint, hour, tally })).await?;
        }
        if found.is_empty() {
            return Ok(());
        }
    }
}
