//! Applies an export chunk by chunk, each in one transaction with its number.

use std::collections::HashMap;
use std::time::Duration;

use postrider_domain::OrganizationId;
use tokio_postgres::Client;
use uuid::Uuid;

use super::import_columns::Columns;
use super::import_config::{self, Tenants};
use super::{IMPORTING, aside, marked, meta, set_meta};
use crate::error::{Result, StoreError};
use crate::postgres::PostgresStore;
use crate::postgres::config::OPERATOR_KEY;
use crate::postgres::hints::{EVERYBODY, FREE_LANES};
use crate::postgres::partitions;
use crate::postgres::session::{Session, Values};
use crate::rows::damaged;
use crate::transfer::{ExportId, ImportState, Portable, PortableDelivery};

/// The import that is not finished: its export's id, how many chunks were applied, and whether its organisations are visible.
const UNFINISHED: &str = "import";
/// The operator key's hash that an import brings; it counts once the import is finished.
const OPERATOR_KEY_BROUGHT: &str = "import operator key hash";
/// How often a chunk is tried when others were at the same rows, or when retention dropped a day that it goes into.
const CHUNK_TRIES_MAX: usize = 4;
/// How long it may take to see when the lanes of an import have work, at most.
const SHOWING_LASTS: Duration = Duration::from_secs(600);

fn finished(export: ExportId) -> String {
    format!("imported {}", export.0)
}

/// How far an import has come.
#[derive(Clone, Copy, Debug)]
struct Unfinished {
    export: ExportId,
    chunks: u64,
    is_ready: bool,
}

impl Unfinished {
    /// Locks it until the transaction ends.
    async fn find(tx: &Session) -> Result<Option<Self>> {
        let rows = tx.query("SELECT value FROM meta WHERE name = $1 FOR UPDATE", &[&UNFINISHED]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let value: &[u8] = row.get(0);
        let read = value.split_first_chunk::<16>().and_then(|(id, rest)| {
            let (chunks, rest) = rest.split_first_chunk::<8>()?;
            let export = ExportId(Uuid::from_bytes(*id));
            Some(Unfinished { export, chunks: u64::from_le_bytes(*chunks), is_ready: rest == [1] })
        });
        read.map(Some).ok_or_else(|| damaged("the import's state"))
    }

    async fn note(self, tx: &Session) -> Result<()> {
        let chunks = self.chunks.to_le_bytes();
        let value = [self.export.0.as_bytes().as_slice(), &chunks, &[u8::from(self.is_ready)]].concat();
        set_meta(tx, UNFINISHED, &value).await
    }

    /// The sentence for an import in the way of another.
    fn in_the_way(self) -> StoreError {
        let what = format!(
            "an unfinished import (of export {}); run it again to its end, or give it up with `postrider import --discard`; it",
            self.export.0
        );
        StoreError::Exists { what }
    }
}

pub(super) async fn state(store: &PostgresStore, export: ExportId) -> Result<ImportState> {
    let tx = store.engine().await?.begin().await?;
    if meta(&tx, &finished(export)).await?.is_some() {
        return Ok(ImportState::Finished);
    }
    match Unfinished::find(&tx).await? {
        None => Ok(ImportState::Applied(0)),
        Some(found) if found.export == export => Ok(ImportState::Applied(found.chunks)),
        Some(found) => Err(found.in_the_way()),
    }
}

pub(super) async fn import(store: &PostgresStore, export: ExportId, number: u64, chunk: Vec<Portable>) -> Result<()> {
    let keys: Vec<Uuid> = chunk.iter().filter_map(day_key).collect();
    let mut tries = 1;
    loop {
        partitions::make_missing(store, &keys).await?;
        match import_once(store, export, number, &chunk, tries > 1).await {
            Err(StoreError::Unavailable { .. }) if tries < CHUNK_TRIES_MAX => tries += 1,
            done => return done,
        }
    }
}

/// What says into which day a row goes.
fn day_key(row: &Portable) -> Option<Uuid> {
    match row {
        Portable::Event(row) => Some(row.event.key),
        Portable::Delivery(PortableDelivery { id, .. }) => Some(id.0),
        _ => None,
    }
}

async fn import_once(
    store: &PostgresStore,
    export: ExportId,
    number: u64,
    chunk: &[Portable],
    is_again: bool,
) -> Result<()> {
    let tx = store.engine().await?.begin().await?;
    let mut so_far = match Unfinished::find(&tx).await? {
        Some(found) if found.export == export => found,
        Some(found) => return Err(found.in_the_way()),
        None => Unfinished { export, chunks: 0, is_ready: false },
    };
    if is_again && so_far.chunks == number + 1 {
        // Its commit had come through, and the answer had not.
        return Ok(());
    }
    if so_far.chunks != number {
        let what = format!("part {} of the import, so that part {number} does not follow; it", so_far.chunks);
        return Err(StoreError::Exists { what });
    }
    let made = import_config::organizations(store, &tx, chunk).await?;
    let tenants = Tenants::read(store, &tx, so_far.is_ready, made).await?;
    let mut columns = Columns::default();
    for row in chunk {
        match row {
            Portable::OperatorKey(hash) => set_meta(&tx, OPERATOR_KEY_BROUGHT, hash).await?,
            Portable::Ready | Portable::Organization(..) => {}
            Portable::Operation(row) => import_config::operation(&tx, &tenants, row).await?,
            row => columns.add(&tenants, row)?,
        }
    }
    columns.write(&tx).await?;
    if chunk.contains(&Portable::Ready) {
        show(&tx).await?;
        so_far.is_ready = true;
    }
    so_far.chunks += 1;
    so_far.note(&tx).await?;
    tx.commit().await
}

/// Nodes may work with what came from now on.
async fn show(tx: &Session) -> Result<()> {
    let orgs = marked(tx, IMPORTING).await?;
    aside::refuse_taken(tx, &orgs).await?;
    let uuids: Vec<Uuid> = orgs.iter().map(|(_, org)| *org).collect();
    let free = "UPDATE lanes l SET due_at = (SELECT d.due_at FROM open_deliveries d WHERE d.org = l.org AND d.endpoint = l.endpoint
                                             ORDER BY d.due_at LIMIT 1)
                WHERE l.org = ANY($1) AND l.lease IS NULL";
    let of: Values<'_> = &[&uuids];
    let freed = async {
        tx.batch_execute("SET LOCAL statement_timeout = 0").await?;
        Client::execute(tx, &tx.prepare_cached(free).await?, of).await
    };
    tx.within_time(SHOWING_LASTS, freed).await?;
    aside::show(tx, &orgs).await?;
    let hint = format!("{FREE_LANES}{}", Uuid::new_v4());
    tx.query("SELECT pg_notify($1, $2)", &[&EVERYBODY, &hint]).await.map(|_| ())
}

pub(super) async fn finish(store: &PostgresStore, export: ExportId) -> Result<bool> {
    let tx = store.engine().await?.begin().await?;
    match Unfinished::find(&tx).await? {
        Some(found) if found.export != export => return Err(found.in_the_way()),
        Some(found) if !found.is_ready => show(&tx).await?,
        Some(_) => {}
        None if meta(&tx, &finished(export)).await?.is_some() => return Ok(true),
        // An export without rows.
        None => {}
    }
    let is_key_taken = take_operator_key(&tx).await?;
    forget(&tx).await?;
    set_meta(&tx, &finished(export), &[]).await?;
    tx.commit().await?;
    Ok(is_key_taken)
}

/// The operator key comes along unless there is one already. Whether the one that counts now is the one that came.
async fn take_operator_key(tx: &Session) -> Result<bool> {
    let Some(brought) = meta(tx, OPERATOR_KEY_BROUGHT).await? else { return Ok(true) };
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
    tx.execute(sql, &[&OPERATOR_KEY, &brought]).await?;
    Ok(meta(tx, OPERATOR_KEY).await?.is_some_and(|kept| kept == brought))
}

async fn forget(tx: &Session) -> Result<()> {
    let sql = "DELETE FROM meta WHERE name IN ($1, $2) OR starts_with(name, $3)";
    tx.execute(sql, &[&UNFINISHED, &OPERATOR_KEY_BROUGHT, &IMPORTING]).await.map(|_| ())
}

/// What came so far is as if its organisations had been deleted; if nodes work with them already they stay as they are.
pub(super) async fn discard(store: &PostgresStore) -> Result<bool> {
    let tx = store.engine().await?.begin().await?;
    let Some(found) = Unfinished::find(&tx).await? else { return Ok(false) };
    if !found.is_ready {
        for (_, org) in marked(&tx, IMPORTING).await? {
            aside::bury(&tx, org).await?;
        }
    }
    forget(&tx).await?;
    tx.commit().await?;
    Ok(true)
}

/// Organisations that an import made, by id.
pub(super) type Made = HashMap<OrganizationId, Uuid>;
