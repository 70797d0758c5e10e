//! A first mapping, guessed from what a database has, for a person to edit.
//!
//! Nothing here is believed later: what is guessed wrong is seen in the file, which says what each guess is from.

mod guess;
mod names;
mod rules;
mod write;

use tokio_postgres::{Client, Error};

use crate::catalogue::{Catalogue, Table};
use crate::mapping::TableName;

/// Tables of migrations and of other tools, which are no records of a CRM; with who makes it, where that framework keeps UTC in columns without a time zone.
const TOOLS: &[(&str, Option<&str>)] = &[
    ("ar_internal_metadata", Some("Rails")),
    ("_prisma_migrations", Some("Prisma")),
    ("ir_module_module", Some("Odoo")),
    ("schema_migrations", None),
    ("alembic_version", None),
    ("django_migrations", None),
    ("flyway_schema_history", None),
    ("databasechangelog", None),
    ("databasechangeloglock", None),
    ("knex_migrations", None),
    ("knex_migrations_lock", None),
    ("typeorm_metadata", None),
    ("_typeorm_migrations", None),
    ("migrations", None),
    ("goose_db_version", None),
    ("spatial_ref_sys", None),
    ("pgmigrations", None),
    ("__drizzle_migrations", None),
    ("sessions", None),
];

/// What a draft is made from.
#[derive(Clone, Debug)]
pub struct Found {
    /// Tables that may be mapped, by name.
    pub tables: Vec<Table>,
    /// References of one column each: the foreign keys, and those that names say.
    pub references: Vec<Reference>,
    /// The framework that keeps UTC in columns without a time zone, where one is recognised.
    pub keeps_utc: Option<&'static str>,
}

/// A column whose values are those of another table's.
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
    /// Whether a foreign key says so, and not its name alone.
    pub is_declared: bool,
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
        let (mut names, mut keeps_utc, mut has_migrations) = (Vec::new(), None, false);
        for row in rows {
            let name = TableName { schema: row.try_get(0)?, name: row.try_get(1)? };
            match TOOLS.iter().find(|(tool, _)| *tool == name.name.to_lowercase()) {
                Some((tool, framework)) => {
                    keeps_utc = keeps_utc.or(*framework);
                    has_migrations |= *tool == "schema_migrations";
                }
                None => names.push(name),
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
                is_declared: true,
            });
        }
        let catalogue = Catalogue::read_tables(client, "postrider_source", &names, None).await?;
        let is_ecto = has_migrations && guess::has_column(&catalogue.tables, "inserted_at");
        let keeps_utc = keeps_utc.or(is_ecto.then_some("Ecto"));
        references.extend(guess::undeclared(&catalogue.tables, &references));
        Ok(Found { tables: catalogue.tables, references, keeps_utc })
    }

    /// The schemas that have tables, with how many, most first; at most ten.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn schemas(client: &Client) -> Result<Vec<(String, i64)>, Error> {
        let sql = "SELECT n.nspname::text, count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
            GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10";
        client.query(sql, &[]).await?.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    fn table(&self, name: &TableName) -> Option<&Table> {
        self.tables.iter().find(|table| table.known.table == *name)
    }

    fn may_be_null(&self, reference: &Reference) -> bool {
        let Some(table) = self.table(&reference.table) else { return true };
        let columns = table.known.columns.iter().zip(&table.columns);
        columns.filter(|(column, _)| column.name == reference.column).any(|(_, facts)| facts.is_nullable)
    }

    /// The text of a mapping of these tables, with comments.
    #[must_use]
    pub fn draft(&self) -> String {
        write::draft(self)
    }
}
