//! [`Transfer`] for SQLite.
//!
//! Words: an organisation's column `deleted` is 0 while it is there, 1 once it was deleted, [`IMPORTING`] while its import is not finished,
//! and [`SET_ASIDE`] when it was exported for good: it is invisible in the last two as if it were deleted, but nothing sweeps it.

mod aside;
mod config_rows;
mod export;
mod export_columns;
mod import;
mod import_rows;

use async_trait::async_trait;
use postrider_domain::{AuditEntry, Millis, OrganizationId};
use tokio::sync::mpsc;

use super::SqliteStore;
use crate::error::Result;
use crate::transfer::{ExportId, Extent, ImportState, Portable, Transfer};

pub(super) use aside::refuse_set_aside;

/// `deleted` of an organisation whose import is not finished.
const IMPORTING: i64 = 2;
/// `deleted` of an organisation that was exported for good.
const SET_ASIDE: i64 = 3;

#[async_trait]
impl Transfer for SqliteStore {
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

    async fn set_aside(&self, extent: &Extent, now: Millis, audit: &AuditEntry) -> Result<()> {
        aside::set_aside(self, extent, now, audit).await
    }

    async fn delete_set_aside(&self, id: &OrganizationId, audit: &AuditEntry) -> Result<bool> {
        aside::delete(self, id, audit).await
    }

    async fn take_back(&self, extent: &Extent, audit: &AuditEntry) -> Result<bool> {
        aside::take_back(self, extent, audit).await
    }
}
