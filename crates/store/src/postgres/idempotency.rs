//! Answers to requests made under an `Idempotency-Key`, across nodes.
//!
//! While the first request with a key is under way, the key's row has the lease of its node and no status. It is free again once that lease
//! was revoked: that node is gone, or has lost so much time that nobody shall wait for it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use postrider_domain::{Millis, OrganizationId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresStore;
use super::session::Values;
use super::tenants::{Tenant, missing};
use crate::error::{Result, StoreError};
use crate::limits::{IDEMPOTENCY_LOOKS, IDEMPOTENCY_MS, IDEMPOTENT_RUNNING_MAX};
use crate::model::{Idempotency, LeaseNo, StoredAnswer};
use crate::rows::{damaged, open_answer, seal_answer};

/// This node's requests under way, with the lease under which each began.
#[derive(Default)]
pub(super) struct Running(Mutex<HashMap<(Uuid, String), Begun>>);

#[derive(Clone, Copy)]
struct Begun {
    lease: LeaseNo,
    since: Millis,
}

impl Running {
    fn begin(&self, org: Uuid, key: &str, begun: Begun) -> Result<()> {
        let mut running = self.0.lock();
        if running.len() >= IDEMPOTENT_RUNNING_MAX {
            // Whoever made such a request will not come back.
            running.retain(|_, other| begun.since.0 < other.since.0.saturating_add(IDEMPOTENCY_MS));
        }
        if running.len() >= IDEMPOTENT_RUNNING_MAX {
            let reason = "too many idempotent requests are under way; ask again later".to_owned();
            return Err(StoreError::Unavailable { reason });
        }
        running.insert((org, key.to_owned()), begun);
        Ok(())
    }

    fn get(&self, org: Uuid, key: &str) -> Option<LeaseNo> {
        self.0.lock().get(&(org, key.to_owned())).map(|begun| begun.lease)
    }

    fn end(&self, org: Uuid, key: &str) {
        self.0.lock().remove(&(org, key.to_owned()));
    }
}

/// One statement about the organisation's answers, or the operator's own. `$1` is whose they are, `values` are those from `$2` on.
async fn ask(
    store: &PostgresStore,
    organization: Option<&OrganizationId>,
    sql: &str,
    values: Values<'_>,
) -> Result<(Arc<Tenant>, Vec<Row>)> {
    if let Some(id) = organization {
        return store.read_of(id, sql, values).await?.ok_or_else(|| missing(id));
    }
    let tenant = store.tenants.operator();
    let of_operator: Values<'_> = &[&tenant.org];
    let all: Vec<_> = of_operator.iter().chain(values).copied().collect();
    let rows = store.tenant().await?.query_as(tenant.org, sql, &all).await?;
    Ok((tenant, rows))
}

pub(super) async fn begin(
    store: &PostgresStore,
    organization: Option<&OrganizationId>,
    key: &str,
    request_hash: [u8; 32],
    now: Millis,
) -> Result<Idempotency> {
    let Some(lease) = store.writers.shared.attached.lease() else { return Err(StoreError::LeaseLost) };
    let hash = request_hash.as_slice();
    let expired_at = now.0.saturating_sub(IDEMPOTENCY_MS);
    let take = "INSERT INTO answers AS a (org, key, request_hash, created_at, lease) VALUES ($1, $2, $3, $4, $5)
                ON CONFLICT (org, key) DO UPDATE SET request_hash = excluded.request_hash,
                    created_at = excluded.created_at, lease = excluded.lease, status = NULL, sealed = NULL
                WHERE a.created_at <= $6 OR a.status IS NULL
                    AND NOT EXISTS (SELECT 1 FROM leases AS l WHERE l.no = a.lease AND NOT l.revoked)
                RETURNING 1";
    let find = "SELECT request_hash, status, sealed FROM answers WHERE org = $1 AND key = $2";
    // What another has may have been let go before it is found.
    for _ in 0..IDEMPOTENCY_LOOKS {
        let (tenant, taken) = ask(store, organization, take, &[&key, &hash, &now.0, &lease.0, &expired_at]).await?;
        if !taken.is_empty() {
            store.running.begin(tenant.org, key, Begun { lease, since: now })?;
            return Ok(Idempotency::Started);
        }
        let (tenant, found) = ask(store, organization, find, &[&key]).await?;
        if let Some(row) = found.first() {
            return answer_from_row(row, &tenant, key, hash);
        }
    }
    Ok(Idempotency::Running)
}

fn answer_from_row(row: &Row, tenant: &Tenant, key: &str, hash: &[u8]) -> Result<Idempotency> {
    if row.get::<_, &[u8]>(0) != hash {
        return Ok(Idempotency::Differs);
    }
    let Some(status) = row.get::<_, Option<i16>>(1) else { return Ok(Idempotency::Running) };
    let sealed: Option<Vec<u8>> = row.get(2);
    let sealed = sealed.ok_or_else(|| damaged("an answer"))?;
    open_answer(tenant.sealer(), key, status.unsigned_abs(), sealed).map(Idempotency::Done)
}

pub(super) async fn finish(
    store: &PostgresStore,
    organization: Option<&OrganizationId>,
    key: &str,
    answer: StoredAnswer,
) -> Result<()> {
    let tenant = tenant(store, organization).await?;
    // What nobody began here has nothing to be found under.
    let Some(lease) = store.running.get(tenant.org, key) else { return Ok(()) };
    let sealed = seal_answer(tenant.sealer(), key, &answer)?;
    let status = i16::try_from(answer.status).map_err(|_| damaged("an answer's status"))?;
    let sql = "UPDATE answers SET status = $3, sealed = $4, lease = NULL
               WHERE org = $1 AND key = $2 AND status IS NULL AND lease = $5";
    ask(store, organization, sql, &[&key, &status, &sealed, &lease.0]).await?;
    store.running.end(tenant.org, key);
    Ok(())
}

pub(super) async fn abandon(store: &PostgresStore, organization: Option<&OrganizationId>, key: &str) -> Result<()> {
    let tenant = tenant(store, organization).await?;
    let Some(lease) = store.running.get(tenant.org, key) else { return Ok(()) };
    let sql = "DELETE FROM answers WHERE org = $1 AND key = $2 AND status IS NULL AND lease = $3";
    ask(store, organization, sql, &[&key, &lease.0]).await?;
    store.running.end(tenant.org, key);
    Ok(())
}

async fn tenant(store: &PostgresStore, organization: Option<&OrganizationId>) -> Result<Arc<Tenant>> {
    match organization {
        Some(id) => store.tenants.require(store, id).await,
        None => Ok(store.tenants.operator()),
    }
}
