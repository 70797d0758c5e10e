//! An organisation with all its endpoints, read at one moment.

use postrider_domain::OrganizationId;
use rusqlite::OptionalExtension;

use super::SqliteStore;
use super::organizations;
use super::reader::Reader;
use super::rows::{ENDPOINT_COLUMNS, endpoint_row};
use crate::error::Result;
use crate::model::{Configuration, Version};

pub(super) async fn read(store: &SqliteStore, id: &OrganizationId) -> Result<Option<Configuration>> {
    let Some(tenant) = store.tenants.find(&store.readers, id).await? else { return Ok(None) };
    let org_no = tenant.no;
    let read = move |reader: &mut Reader| {
        let sql = format!("SELECT {}, version FROM organizations WHERE no = ? AND deleted = 0", organizations::COLUMNS);
        let found = reader.conn.prepare_cached(&sql)?.query_row([org_no], |row| {
            let version = row.get("version")?;
            Ok(organizations::from_row(row).map(|organization| (organization, Version(version))))
        });
        let Some((organization, version)) = found.optional()?.transpose()? else { return Ok(None) };
        let sql = format!("SELECT {ENDPOINT_COLUMNS} FROM endpoints WHERE org_no = ? AND deleted = 0 ORDER BY id");
        let mut statement = reader.conn.prepare_cached(&sql)?;
        let rows = statement.query_map([org_no], endpoint_row)?.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Some((organization, version, rows)))
    };
    let Some((organization, version, rows)) = store.readers.read(read).await? else { return Ok(None) };
    let endpoints = rows.into_iter().map(|row| row.open(tenant.sealer(), id)).collect::<Result<_>>()?;
    Ok(Some(Configuration { version, organization, endpoints }))
}
