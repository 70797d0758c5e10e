//! Reads the catalogue.

use std::collections::HashMap;

use tokio_postgres::types::Oid;
use tokio_postgres::{Client, Error, Row};

use super::{
    Catalogue, ColumnFacts, Installed, Kind, OTHERS_MAX, Owner, Role, RowSecurity, Server, Table, named_tables, sql,
};
use crate::mapping::{KnownColumn, KnownTable, Mapping, TableName};
use crate::replication::publication;

impl Catalogue {
    /// Reads it; `reader` is the role that shall read, where it is not this session's: the one that was named when it was installed, unless another is
    /// named now. Tables on which that role was given rights are there, too.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(client: &Client, mapping: &Mapping, reader: Option<&str>) -> Result<Self, Error> {
        let mut names = named_tables(mapping);
        let installed = Installed::read(client, &mapping.schema).await?;
        let record = installed.and_then(|there| there.installation).map(|there| there.record).unwrap_or_default();
        let granted = record.granted.into_iter();
        for name in granted.filter_map(|given| Some(TableName { schema: given.schema, name: given.table? })) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let mut catalogue =
            Self::read_tables(client, &mapping.schema, &names, reader.or(record.role.as_deref())).await?;
        if named_tables(mapping).iter().any(|name| catalogue.table(name).is_none()) {
            catalogue.others = others(client).await?;
        }
        catalogue.replication = publication::Found::read(client, mapping).await?;
        Ok(catalogue)
    }

    /// The same with the role that what is installed shall belong to: the one that was named when it was installed, unless another is named now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn owned_by(mut self, client: &Client, owner: Option<&str>) -> Result<Self, Error> {
        let record = self.installed.as_ref().and_then(|there| there.installation.as_ref()).map(|there| &there.record);
        let Some(name) = owner.or(record.and_then(|record| record.owner.as_deref())) else { return Ok(self) };
        let row = client.query_opt(sql::OWNER, &[&name]).await?;
        let read = |row: Row| {
            Ok::<_, Error>(Owner {
                name: row.try_get(0)?,
                is_superuser: row.try_get(1)?,
                may_be_given: row.try_get(2)?,
            })
        };
        self.owner = row.map(read).transpose()?;
        Ok(self)
    }

    /// The same of any tables.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read_tables(
        client: &Client,
        schema: &str,
        names: &[TableName],
        reader: Option<&str>,
    ) -> Result<Self, Error> {
        let role = role(client, None).await?;
        let named = match reader {
            Some(name) => self::role(client, Some(name)).await?,
            None => None,
        };
        let row = client.query_one(sql::SERVER, &[]).await?;
        let server = Server {
            version: row.try_get(0)?,
            version_text: row.try_get(1)?,
            database: row.try_get(2)?,
            role: role.unwrap_or_else(|| Role {
                name: String::new(),
                is_superuser: false,
                bypasses_rls: false,
                may_replicate: false,
            }),
            may_create_schema: row.try_get(3)?,
            wal_level: row.try_get(4)?,
            slots_max: row.try_get(5)?,
            slots: row.try_get(6)?,
            is_standby: row.try_get(7)?,
            encoding: row.try_get(8)?,
            synchronous_standbys: row.try_get(9)?,
        };
        let reads = named.as_ref().unwrap_or(&server.role).name.clone();
        let tables = tables(client, names, &reads).await?;
        let installed = Installed::read(client, schema).await?;
        let replication = publication::Found::default();
        Ok(Catalogue { server, tables, others: Vec::new(), reader: named, owner: None, installed, replication })
    }
}

/// The tables that there are.
async fn others(client: &Client) -> Result<Vec<TableName>, Error> {
    let rows = client.query(sql::OTHERS, &[&OTHERS_MAX]).await?;
    rows.iter().map(|row| Ok(TableName { schema: row.try_get(0)?, name: row.try_get(1)? })).collect()
}

async fn role(client: &Client, name: Option<&str>) -> Result<Option<Role>, Error> {
    let row = client.query_opt(sql::ROLE, &[&name]).await?;
    let read = |row: Row| {
        Ok(Role {
            name: row.try_get(0)?,
            is_superuser: row.try_get(1)?,
            bypasses_rls: row.try_get(2)?,
            may_replicate: row.try_get(3)?,
        })
    };
    row.map(read).transpose()
}

async fn tables(client: &Client, names: &[TableName], reads: &str) -> Result<Vec<Table>, Error> {
    let schemas: Vec<&str> = names.iter().map(|table| table.schema.as_str()).collect();
    let own: Vec<&str> = names.iter().map(|table| table.name.as_str()).collect();
    let rows = client.query(sql::TABLES, &[&schemas, &own, &reads]).await?;
    let oids: Vec<Oid> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let columns = by_oid(client.query(sql::COLUMNS, &[&oids, &reads]).await?)?;
    let keys = by_oid(client.query(sql::KEYS, &[&oids]).await?)?;
    let of = |map: &HashMap<Oid, Vec<Row>>, oid: Oid| map.get(&oid).cloned().unwrap_or_default();
    rows.iter().zip(oids).map(|(row, oid)| table(row, &of(&columns, oid), &of(&keys, oid))).collect()
}

fn by_oid(rows: Vec<Row>) -> Result<HashMap<Oid, Vec<Row>>, Error> {
    let mut by_oid: HashMap<Oid, Vec<Row>> = HashMap::new();
    for row in rows {
        by_oid.entry(row.try_get(0)?).or_default().push(row);
    }
    Ok(by_oid)
}

fn table(row: &Row, columns: &[Row], keys: &[Row]) -> Result<Table, Error> {
    let name = TableName { schema: row.try_get(1)?, name: row.try_get(2)? };
    let kind = match row.try_get::<_, String>(3)?.as_str() {
        "p" => Kind::Partitioned,
        "v" | "m" => Kind::View,
        "f" => Kind::Foreign,
        _ => Kind::Table,
    };
    let parent: Option<String> = row.try_get(4)?;
    let parent = parent.and_then(|names| serde_json::from_str::<(String, String)>(&names).ok());
    let row_security = match (row.try_get(7)?, row.try_get(8)?) {
        (true, true) => RowSecurity::Forced,
        (true, false) => RowSecurity::On,
        (false, _) => RowSecurity::Off,
    };
    let mut known = KnownTable { table: name, columns: Vec::new(), primary_key: Vec::new() };
    let (mut facts, mut readable, mut unique) = (Vec::new(), Vec::new(), Vec::new());
    for column in columns {
        let name: String = column.try_get(1)?;
        if column.try_get(6)? {
            readable.push(name.clone());
        }
        known.columns.push(KnownColumn { name, type_name: column.try_get(2)? });
        facts.push(ColumnFacts {
            is_generated: column.try_get(3)?,
            is_nullable: column.try_get(4)?,
            words: column.try_get(5)?,
        });
    }
    for key in keys {
        let columns: Vec<String> = key.try_get(2)?;
        if key.try_get(1)? {
            known.primary_key.clone_from(&columns);
        }
        unique.push(columns);
    }
    let rows: f64 = row.try_get(15)?;
    Ok(Table {
        known,
        kind,
        partition_of: parent.map(|(schema, name)| TableName { schema, name }),
        has_heirs: row.try_get(5)?,
        columns: facts,
        unique,
        owner: row.try_get(6)?,
        row_security,
        hides_rows: row.try_get(9)?,
        may_trigger: row.try_get(10)?,
        may_select: row.try_get(11)?,
        is_own: row.try_get(12)?,
        readable,
        schema_is_open: row.try_get(13)?,
        replica_identity: row.try_get::<_, String>(14)?.chars().next().unwrap_or('d'),
        rows: (rows >= 0.0).then_some(rows as u64),
        bytes: u64::try_from(row.try_get::<_, i64>(16)?).unwrap_or_default(),
        virtual_columns: row.try_get(17)?,
    })
}
