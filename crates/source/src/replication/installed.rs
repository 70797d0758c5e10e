//! What was installed: which columns of which tables are captured.

use tokio_postgres::Client;
use uuid::Uuid;

use super::generated;
use super::net::Captured;
use crate::capture::CaptureError;
use crate::catalogue::{Installation, InstalledTable};
use crate::mapping::{Mapping, Placing, TableMapping, TableName};
use crate::session::refused;

/// The installation's id, and the mapped tables with the columns that were looked over when it was made: one that was added since may hold what nobody
/// decided to tell.
pub(super) async fn read(client: &Client, mapping: &Mapping) -> Result<(Uuid, Vec<Captured>), CaptureError> {
    let there = Installation::read(client, &mapping.schema).await.map_err(|error| refused(&error))?;
    let Some(Installation { id, record, .. }) = there.filter(|there| !there.record.tables.is_empty()) else {
        return Err(CaptureError::Unusable("nothing is installed in it; run `postrider source install`".to_owned()));
    };
    let mut captured: Vec<Captured> = record.tables.into_iter().filter_map(|table| captured(table, mapping)).collect();
    let names: Vec<TableName> = captured.iter().map(|captured| captured.table.clone()).collect();
    let mut generated = generated::read(client, &names).await.map_err(|error| refused(&error))?;
    for captured in &mut captured {
        let of_table = generated.remove(&captured.table).unwrap_or_default();
        captured.generated = of_table.into_iter().filter(|column| captured.columns.contains(&column.name)).collect();
    }
    Ok((id, captured))
}

/// Nothing when it is not mapped any more.
fn captured(installed: InstalledTable, mapping: &Mapping) -> Option<Captured> {
    let table = installed.table();
    let mapped = mapping.table(&table)?;
    let columns = installed.columns.into_iter().map(|(column, _)| column).collect();
    Some(Captured { table, key: installed.key, columns, places: places(mapped), generated: Vec::new() })
}

/// The columns that say whose a row is.
fn places(mapped: &TableMapping) -> Vec<String> {
    let organization = match &mapped.organization {
        Placing::By { column, .. } => Some(column.clone()),
        Placing::Fixed(_) => None,
    };
    organization.into_iter().chain(mapped.via.as_ref().map(|via| via.column.clone())).collect()
}
