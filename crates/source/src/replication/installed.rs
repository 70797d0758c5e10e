//! What was installed: which columns of which tables are captured.

use serde::Deserialize;
use tokio_postgres::Client;
use uuid::Uuid;

use super::generated;
use super::net::Captured;
use crate::capture::CaptureError;
use crate::mapping::{Mapping, Placing, TableMapping, TableName};
use crate::session::{quoted, refused};

/// As `source install` notes it.
#[derive(Debug, Deserialize)]
struct Installed {
    tables: Vec<InstalledTable>,
}

#[derive(Debug, Deserialize)]
struct InstalledTable {
    schema: String,
    name: String,
    key: Vec<String>,
    /// With their types.
    columns: Vec<(String, String)>,
}

/// The installation's id, and the mapped tables with the columns that were looked over when it was made: one that was added since may hold what nobody
/// decided to tell.
pub(super) async fn read(client: &Client, mapping: &Mapping) -> Result<(Uuid, Vec<Captured>), CaptureError> {
    let statement = format!("SELECT id, mapping::text FROM {}.installation", quoted(&mapping.schema));
    let row = client.query_opt(&statement, &[]).await.map_err(|error| refused(&error))?;
    let nothing = || CaptureError::Unusable("nothing is installed in it; run `postrider source install`".to_owned());
    let row = row.ok_or_else(nothing)?;
    let installed: Installed = serde_json::from_str(row.get(1)).map_err(|_| nothing())?;
    let mut captured: Vec<Captured> =
        installed.tables.into_iter().filter_map(|table| table.captured(mapping)).collect();
    let names: Vec<TableName> = captured.iter().map(|captured| captured.table.clone()).collect();
    let mut generated = generated::read(client, &names).await.map_err(|error| refused(&error))?;
    for captured in &mut captured {
        let of_table = generated.remove(&captured.table).unwrap_or_default();
        captured.generated = of_table.into_iter().filter(|column| captured.columns.contains(&column.name)).collect();
    }
    Ok((row.get(0), captured))
}

impl InstalledTable {
    /// Nothing when it is not mapped any more.
    fn captured(self, mapping: &Mapping) -> Option<Captured> {
        let table = TableName { schema: self.schema, name: self.name };
        let mapped = mapping.table(&table)?;
        let columns = self.columns.into_iter().map(|(column, _)| column).collect();
        Some(Captured { table, key: self.key, columns, places: places(mapped), generated: Vec::new() })
    }
}

/// The columns that say whose a row is.
fn places(mapped: &TableMapping) -> Vec<String> {
    let organization = match &mapped.organization {
        Placing::By { column, .. } => Some(column.clone()),
        Placing::Fixed(_) => None,
    };
    organization.into_iter().chain(mapped.via.as_ref().map(|via| via.column.clone())).collect()
}
