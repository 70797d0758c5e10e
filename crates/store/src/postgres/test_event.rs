//! Records a test event: it, its delivery and the attempt, all in one, and straight into history: no lane is asked.

use postrider_domain::{AuditEntry, Transition};
use uuid::Uuid;

use super::PostgresStore;
use super::commit::SealedEvent;
use super::record::{self, SealedOutcome};
use super::session::Session;
use super::{audit, commit, partitions};
use crate::error::{Result, StoreError};
use crate::model::{NewEvent, Outcome, Recorded};
use crate::rows::{fail_code, seal_audit};

pub(super) async fn record_test(
    store: &PostgresStore,
    event: NewEvent,
    outcome: &Outcome,
    audit: &AuditEntry,
) -> Result<Recorded> {
    let Some(tenant) = store.tenants.find(store, &outcome.delivery.organization).await? else {
        return Ok(Recorded::Stale);
    };
    let event = commit::seal(&tenant, event)?;
    let Some(outcome) = record::seal(store, outcome).await? else { return Ok(Recorded::Stale) };
    // Days ahead are made beforehand; a test that is sent on another is rare enough to look each time.
    let keys = [event.new.event.key, outcome.delivery.id.0];
    partitions::make_missing(store, &keys).await?;
    let tx = store.engine().await?.begin().await?;
    let recorded = write(&tx, &event, &outcome).await?;
    if recorded == Recorded::Recorded {
        audit::insert(&tx, tenant.org, &seal_audit(tenant.sealer(), audit)?).await?;
    }
    tx.commit().await?;
    Ok(recorded)
}

async fn write(tx: &Session, event: &SealedEvent, outcome: &SealedOutcome) -> Result<Recorded> {
    let (org, delivery) = (outcome.org, &outcome.delivery);
    let revision = delivery.revision.0.as_slice();
    if tx.query("SELECT 1 FROM contract_revisions WHERE hash = $1", &[&revision]).await?.is_empty() {
        return Err(StoreError::NotFound { what: "the contract revision".to_owned() });
    }
    let there = "SELECT 1 FROM endpoints WHERE org = $1 AND id = $2 AND NOT deleted FOR KEY SHARE";
    if tx.query(there, &[&org, &delivery.endpoint.0]).await?.is_empty() {
        return Ok(Recorded::Stale);
    }
    insert_event(tx, org, event, delivery.id.0).await?;
    let reason = match outcome.transition {
        Transition::Fail(reason) => Some(reason),
        Transition::Succeed | Transition::RetryAt(_) => None,
    };
    let ended = "INSERT INTO deliveries (org, id, endpoint, event_key, event_id, event_type, revision, test, created_at, ended_at,
            fail_reason, attempts_count, slots_used, initial_failure_at, last_status_code)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    tx.execute(
        ended,
        &[
            &org,
            &delivery.id.0,
            &delivery.endpoint.0,
            &delivery.event.key,
            &outcome.chosen_id(),
            &&*delivery.event_type,
            &revision,
            &delivery.test,
            &delivery.created_at.0,
            &outcome.ended_at,
            &fail_code(reason),
            &outcome.attempts_count,
            &outcome.slots_used,
            &outcome.initial_failure_at,
            &outcome.status_code,
        ],
    )
    .await?;
    let tried =
        "INSERT INTO attempts (org, delivery, id, started_at, response_time_ms, by_hand, status_code, failure, sealed)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    tx.execute(
        tried,
        &[
            &org,
            &delivery.id.0,
            &outcome.attempt_id,
            &outcome.started_at,
            &outcome.response_time_ms,
            &outcome.by_hand,
            &outcome.status_code,
            &outcome.failure,
            &outcome.sealed,
        ],
    )
    .await?;
    Ok(Recorded::Recorded)
}

async fn insert_event(tx: &Session, org: Uuid, sealed: &SealedEvent, delivery: Uuid) -> Result<()> {
    let (new, event) = (&sealed.new, &sealed.new.event);
    let sql = "INSERT INTO events (org, key, id, event_type, occurred_at, accepted_at, test, deliveries_count, resource, deliveries,
            sealed) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $10)";
    tx.execute(
        sql,
        &[
            &org,
            &event.key,
            &sealed.chosen_id(),
            &&*event.event_type,
            &event.occurred_at.0,
            &event.accepted_at.0,
            &new.test,
            &sealed.resource,
            &vec![delivery],
            &sealed.sealed,
        ],
    )
    .await?;
    let about = "INSERT INTO event_resources (org, hash, key) SELECT $1, hash, $2 FROM unnest($3::bigint[]) AS hash";
    tx.execute(about, &[&org, &event.key, &sealed.record_hashes]).await.map(|_| ())
}
