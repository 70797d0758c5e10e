//! A first mapping, guessed from what a database has, for a person to edit.
//!
//! Nothing here is believed later: what is guessed wrong is seen in the file, which says what each guess is from.

mod guess;
mod write;

use tokio_postgres::{Client, Error};

use crate::catalogue::{Catalogue, Table};
use crate::mapping::TableName;

/// Tables of migrations and of other tools, which are no records of a CRM.
const TOOLS: &[&str] = &[
    "schema_migrations",
    "ar_internal_metadata",
    "_prisma_migrations",
    "alembic_version",
    "django_migrations",
    "flyway_schema_history",
    "databasechangelog",
    "databasechangeloglock",
    "knex_migrations",
    "knex_migrations_lock",
    "typeorm_metadata",
    "migrations",
    "goose_db_version",
    "spatial_ref_sys",
    "pgmigrations",
    "__drizzle_migrations",
    "sessions",
];

/// What a draft is made from.
#[derive(Clone, Debug)]
pub struct Found {
    /// Tables that may be mapped, by name.
    pub tables: Vec<Table>,
    /// References of one column each.
    pub references: Vec<Reference>,
}

/// A foreign key of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The table that refers.
    pub table: TableName,
    /// Its column.
    pub column: String,
    /// The table that is referred to.
    pub to: TableName,
    /// The column that is equal.
    pub key: String,
}

impl Found {
    /// Looks at the tables of these schemas; no row is read.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(client: &Client, schemas: &[String]) -> Result<Self, Error> {
        let tables = "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
            ORDER BY 1, 2";
        let rows = client.query(tables, &[&schemas]).await?;
        let mut names = Vec::new();
        for row in rows {
            let name = TableName { schema: row.try_get(0)?, name: row.try_get(1)? };
            if !TOOLS.contains(&name.name.to_lowercase().as_str()) {
                names.push(name);
            }
        }
        let sql = "SELECT n.nspname::text, c.relname::text, a.attname::text, rn.nspname::text, r.relname::text, ra.attname::text
            FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_class r ON r.oid = f.confrelid JOIN pg_namespace rn ON rn.oid = r.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = f.conkey[1] JOIN pg_attribute ra ON ra.attrelid = r.oid AND ra.attnum = f.confkey[1]
            WHERE f.contype = 'f' AND array_length(f.conkey, 1) = 1 AND f.conparentid = 0 AND n.nspname = ANY ($1) ORDER BY 1, 2, a.attnum";
        let mut references = Vec::new();
        for row in client.query(sql, &[&schemas]).await? {
            references.push(Reference {
                table: TableName { schema: row.try_get(0)?, name: row.try_get(1)? },
                column: row.try_get(2)?,
                to: TableName { schema: row.try_get(3)?, name: row.try_get(4)? },
                key: row.try_get(5)?,
            });
        }
        let catalogue = Catalogue::read_tables(client, "postrider_source", &names, None).await?;
        Ok(Found { tables: catalogue.tables, references })
    }

    /// The text of a mapping of these tables, with comments.
    #[must_use]
    pub fn draft(&self) -> String {
        write::draft(self)
    }
}
