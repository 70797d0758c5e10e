//! [`Transfer`] for Postgres.
//!
//! An organisation that is being imported, or was set aside, is marked as deleted, so that nobody sees it; what it is in truth stands in `meta`, under
//! [`IMPORTING`], [`ASIDE`] or [`ASIDE_WITH_ALL`] and its id, with its UUID. Nothing sweeps it.

mod aside;
mod export;
mod export_config;
mod import;
mod import_columns;
mod import_config;

use async_trait::async_trait;
use postrider_domain::{AuditEntry, Millis, OrganizationId};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::PostgresStore;
use super::session::Session;
use crate::error::Result;
use crate::rows::damaged;
use crate::transfer::{ExportId, Extent, ImportState, Portable, Transfer};

/// Begins the name of what tells the UUID of an organisation that is being imported.
const IMPORTING: &str = "importing:";
/// The same of one that was set aside by itself.
const ASIDE: &str = "aside:";
/// The same of one that was set aside with everything.
const ASIDE_WITH_ALL: &str = "aside with all:";

#[async_trait]
impl Transfer for PostgresStore {
    async fn export(&self, extent: Extent, into: mpsc::Sender<Vec<Portable>>) -> Result<()> {
        export::export(self, extent, into).await
    }

    async fn import_state(&self, export: ExportId) -> Result<ImportState> {
        import::state(self, export).await
    }

    async fn import(&self, export: ExportId, number: u64, chunk: Vec<Portable>) -> Result<()> {
        import::import(self, export, number, chunk).await
    }

    async fn finish_import(&self, export: ExportId) -> Result<bool> {
        import::finish(self, export).await
    }

    async fn discard_import(&self) -> Result<bool> {
        import::discard(self).await
    }

    async fn set_aside(&self, extent: &Extent, _: Millis, audit: &AuditEntry) -> Result<()> {
        aside::set_aside(self, extent, audit).await
    }

    async fn take_back(&self, extent: &Extent, audit: &AuditEntry) -> Result<bool> {
        aside::take_back(self, extent, audit).await
    }

    async fn delete_set_aside(&self, id: &OrganizationId, audit: &AuditEntry) -> Result<bool> {
        aside::delete(self, id, audit).await
    }
}

/// Organisations under a mark, by id.
async fn marked(tx: &Session, mark: &str) -> Result<Vec<(OrganizationId, Uuid)>> {
    let sql = "SELECT substr(name, length($1) + 1), value FROM meta WHERE starts_with(name, $1) ORDER BY name";
    let rows = tx.query(sql, &[&mark]).await?;
    rows.iter().map(|row| Ok((id(row.get(0))?, org(row.get(1))?))).collect()
}

fn id(text: &str) -> Result<OrganizationId> {
    text.parse().map_err(|_| damaged("an organization's id"))
}

fn org(value: &[u8]) -> Result<Uuid> {
    Uuid::from_slice(value).map_err(|_| damaged("an organization's mark"))
}

async fn meta(tx: &Session, name: &str) -> Result<Option<Vec<u8>>> {
    let rows = tx.query("SELECT value FROM meta WHERE name = $1", &[&name]).await?;
    Ok(rows.first().map(|row| row.get(0)))
}

async fn set_meta(tx: &Session, name: &str, value: &[u8]) -> Result<()> {
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    tx.execute(sql, &[&name, &value]).await.map(|_| ())
}
