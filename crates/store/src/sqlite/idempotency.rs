//! Answers to requests made under an `Idempotency-Key`. Which requests are under way stands in memory alone: one process has the directory,
//! and what it was at when it died is free again.

use std::collections::HashMap;

use parking_lot::Mutex;
use postrider_domain::{Millis, OrganizationId};
use rusqlite::{OptionalExtension, params};

use super::SqliteStore;
use super::reader::Reader;
use super::tenants::Tenant;
use super::writer::WriteTx;
use crate::error::{Result, StoreError};
use crate::limits::{IDEMPOTENCY_MS, IDEMPOTENT_RUNNING_MAX};
use crate::model::{Idempotency, StoredAnswer};
use crate::rows::{open_answer, seal_answer};

/// Requests under way, by organisation's number and key.
#[derive(Default)]
pub(super) struct RunningRequests(Mutex<HashMap<(i64, String), Running>>);

#[derive(Clone, Copy)]
struct Running {
    request_hash: [u8; 32],
    since: Millis,
}

impl RunningRequests {
    /// Takes the key, or tells what is under way with it.
    fn begin(&self, org_no: i64, key: &str, now: Running) -> Result<Option<Running>> {
        let mut running = self.0.lock();
        if let Some(other) = running.get(&(org_no, key.to_owned()))
            && now.since.0 < other.since.0.saturating_add(IDEMPOTENCY_MS)
        {
            return Ok(Some(*other));
        }
        if running.len() >= IDEMPOTENT_RUNNING_MAX {
            let reason = "too many idempotent requests are under way; ask again later".to_owned();
            return Err(StoreError::Unavailable { reason });
        }
        running.insert((org_no, key.to_owned()), now);
        Ok(None)
    }

    fn get(&self, org_no: i64, key: &str) -> Option<Running> {
        self.0.lock().get(&(org_no, key.to_owned())).copied()
    }

    fn end(&self, org_no: i64, key: &str) {
        self.0.lock().remove(&(org_no, key.to_owned()));
    }

    /// Forgets requests whose 24 hours are over: whoever made them will not come back.
    pub(super) fn expire(&self, now: Millis) {
        self.0.lock().retain(|_, running| now.0 < running.since.0.saturating_add(IDEMPOTENCY_MS));
    }
}

async fn tenant(store: &SqliteStore, organization: Option<&OrganizationId>) -> Result<std::sync::Arc<Tenant>> {
    match organization {
        Some(id) => store.tenants.require(&store.readers, id).await,
        None => Ok(store.tenants.operator()),
    }
}

pub(super) async fn begin(
    store: &SqliteStore,
    organization: Option<&OrganizationId>,
    key: &str,
    request_hash: [u8; 32],
    now: Millis,
) -> Result<Idempotency> {
    let tenant = tenant(store, organization).await?;
    if let Some(other) = store.running.begin(tenant.no, key, Running { request_hash, since: now })? {
        return Ok(if other.request_hash == request_hash { Idempotency::Running } else { Idempotency::Differs });
    }
    let found = match find_answer(store, &tenant, key, now).await {
        Ok(found) => found,
        Err(error) => {
            store.running.end(tenant.no, key);
            return Err(error);
        }
    };
    let Some((hash, answer)) = found else { return Ok(Idempotency::Started) };
    store.running.end(tenant.no, key);
    Ok(if hash == request_hash { Idempotency::Done(answer) } else { Idempotency::Differs })
}

async fn find_answer(
    store: &SqliteStore,
    tenant: &Tenant,
    key: &str,
    now: Millis,
) -> Result<Option<([u8; 32], StoredAnswer)>> {
    let (org_no, text) = (tenant.no, key.to_owned());
    let expired_at = now.0.saturating_sub(IDEMPOTENCY_MS);
    let read = move |reader: &mut Reader| {
        let sql = "SELECT request_hash, status, sealed FROM answers WHERE org_no = ? AND key = ? AND created_at > ?";
        let from_row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let key = params![org_no, text, expired_at];
        Ok(reader.conn.prepare_cached(sql)?.query_row(key, from_row).optional()?)
    };
    let found: Option<([u8; 32], u16, Vec<u8>)> = store.readers.read(read).await?;
    let Some((hash, status, sealed)) = found else { return Ok(None) };
    Ok(Some((hash, open_answer(tenant.sealer(), key, status, sealed)?)))
}

pub(super) async fn finish(
    store: &SqliteStore,
    organization: Option<&OrganizationId>,
    key: &str,
    answer: StoredAnswer,
) -> Result<()> {
    let tenant = tenant(store, organization).await?;
    // What nobody began, or what took longer than 24 hours, has nothing to be found under.
    let Some(running) = store.running.get(tenant.no, key) else { return Ok(()) };
    let sealed = seal_answer(tenant.sealer(), key, &answer)?;
    let (org_no, text) = (tenant.no, key.to_owned());
    let write = move |tx: &mut WriteTx<'_>| {
        // The table is dropped from in the order in which answers came, so a newer answer takes a new place.
        let sql =
            "REPLACE INTO answers (org_no, key, request_hash, created_at, status, sealed) VALUES (?, ?, ?, ?, ?, ?)";
        let values = params![org_no, text, running.request_hash, running.since.0, answer.status, sealed];
        tx.conn.prepare_cached(sql)?.execute(values)?;
        Ok(())
    };
    store.writer.write(answer.body.len() + key.len(), write).await?;
    store.running.end(org_no, key);
    Ok(())
}

pub(super) async fn abandon(store: &SqliteStore, organization: Option<&OrganizationId>, key: &str) -> Result<()> {
    let tenant = tenant(store, organization).await?;
    store.running.end(tenant.no, key);
    Ok(())
}
