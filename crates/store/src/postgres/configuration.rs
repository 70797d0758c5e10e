//! An organisation with all its endpoints, read at one moment.

use postrider_domain::OrganizationId;

use super::rows::{ENDPOINT_COLUMNS, endpoint_row};
use super::{PostgresStore, organizations};
use crate::error::Result;
use crate::model::{Configuration, Version};

/// Columns of the organisation and its version, which come before the endpoint's.
const OF_ORGANIZATION: usize = 11;

pub(super) async fn read(store: &PostgresStore, id: &OrganizationId) -> Result<Option<Configuration>> {
    let qualified = |alias: &str, columns: &str| {
        let names: Vec<_> = columns.split(", ").map(|name| format!("{alias}.{name}")).collect();
        names.join(", ")
    };
    // One statement, so that all of it is as it was at one moment.
    let sql = format!(
        "SELECT {}, o.version, {} FROM organizations o LEFT JOIN endpoints e ON e.org = o.org AND NOT e.deleted
         WHERE o.org = $1 AND NOT o.deleted ORDER BY e.id",
        qualified("o", organizations::COLUMNS),
        qualified("e", ENDPOINT_COLUMNS),
    );
    let Some((tenant, rows)) = store.read_of(id, &sql, &[]).await? else { return Ok(None) };
    let Some(first) = rows.first() else { return Ok(None) };
    let has_endpoint = |row: &&tokio_postgres::Row| row.get::<_, Option<uuid::Uuid>>(OF_ORGANIZATION).is_some();
    let endpoints = rows.iter().filter(has_endpoint).map(|row| endpoint_row(row, OF_ORGANIZATION));
    Ok(Some(Configuration {
        version: Version(first.get(OF_ORGANIZATION - 1)),
        organization: organizations::from_row(first)?,
        endpoints: endpoints.map(|row| row.open(tenant.sealer(), id)).collect::<Result<_>>()?,
    }))
}
