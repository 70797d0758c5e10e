//! What was installed: which columns of which tables are captured.

use serde::Deserialize;
use tokio_postgres::Client;
use uuid::Uuid;

use super::net::Captured;
use crate::capture::CaptureError;
use crate::mapping::Mapping;
use crate::session::{quoted, refused};

/// As `source install` notes it.
#[derive(Debug, Deserialize)]
struct Installed {
    tables: Vec<InstalledTable>,
}

#[derive(Debug, Deserialize)]
struct InstalledTable {
    table: String,
    key: Vec<String>,
    columns: Vec<String>,
}

/// The installation's id, and the mapped tables with the columns that were looked over when it was made: one that was added since may hold what nobody
/// decided to tell.
pub(super) async fn read(client: &Client, mapping: &Mapping) -> Result<(Uuid, Vec<Captured>), CaptureError> {
    let statement = format!("SELECT id, mapping::text FROM {}.installation", quoted(&mapping.schema));
    let row = client.query_opt(&statement, &[]).await.map_err(|error| refused(&error))?;
    let nothing = || CaptureError::Unusable("nothing is installed in it; run `postrider source install`".to_owned());
    let row = row.ok_or_else(nothing)?;
    let installed: Installed = serde_json::from_str(row.get(1)).map_err(|_| nothing())?;
    let captured = |table: InstalledTable| {
        let mapped = mapping.tables.iter().find(|mapped| mapped.table.to_string() == table.table)?;
        Some(Captured { table: mapped.table.clone(), key: table.key, columns: table.columns })
    };
    Ok((row.get(0), installed.tables.into_iter().filter_map(captured).collect()))
}
