//! The statements on the outbox.

use tokio_postgres::{Client, Statement};

use crate::capture::CaptureError;
use crate::session::{quoted, refused};

/// All of them, prepared on one session.
pub(super) struct Statements {
    /// Whether the advisory lock is ours now.
    pub(super) lock: Statement,
    /// Which installation this is, the oldest transaction under way, and through which id rows were handed over.
    pub(super) head: Statement,
    /// Rows above an id that are not among some, by number and by bytes.
    pub(super) rows: Statement,
    /// The first of them, without what it says.
    pub(super) unreadable: Statement,
    /// Deletes rows, and tells the transaction that did.
    pub(super) delete: Statement,
    /// Notes through which id rows were handed over.
    pub(super) handed: Statement,
    /// The id drawn last.
    pub(super) drawn: Statement,
    /// An id of transaction.
    pub(super) transaction: Statement,
    /// What waits.
    pub(super) backlog: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client, schema: &str) -> Result<Self, CaptureError> {
        let own = quoted(schema);
        let lock = "SELECT pg_try_advisory_lock(hashtextextended('postrider source ' || $1::text, 0))";
        let head = format!(
            "SELECT (SELECT id FROM {own}.installation LIMIT 1), pg_snapshot_xmin(pg_current_snapshot())::text::bigint, \
             (SELECT last_value FROM {own}.handed)"
        );
        // Sizes are those of what is sent: stored rows may be packed to a hundredth of it.
        let rows = format!(
            "SELECT id, \"table\", before::text, after::text, (extract(epoch FROM at) * 1000000)::bigint, note, bytes + size FROM ( \
               SELECT *, (sum(size) OVER (ORDER BY id) - size)::bigint AS bytes FROM ( \
                 SELECT *, (coalesce(octet_length(before::text), 0) + coalesce(octet_length(after::text), 0))::bigint AS size \
                 FROM {own}.outbox WHERE id > $1 AND id NOT IN (SELECT unnest($2::bigint[])) ORDER BY id LIMIT $3 \
               ) AS r \
             ) AS s WHERE bytes < $4 ORDER BY id"
        );
        let unreadable = format!(
            "SELECT id, \"table\", NULL::text, NULL::text, (extract(epoch FROM at) * 1000000)::bigint, 'a value is no text in UTF-8'::text, 0::bigint \
             FROM {own}.outbox WHERE id > $1 AND id NOT IN (SELECT unnest($2::bigint[])) ORDER BY id LIMIT 1"
        );
        let delete = format!(
            "WITH gone AS (DELETE FROM {own}.outbox WHERE id = ANY($1)) SELECT pg_current_xact_id()::text::bigint"
        );
        let handed = format!("SELECT setval('{}', $1)", format!("{own}.handed").replace('\'', "''"));
        let drawn = format!("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {own}.outbox_id_seq");
        let backlog = format!(
            "SELECT ({drawn}), \
             (SELECT greatest(0, extract(epoch FROM clock_timestamp() - at) * 1000)::bigint FROM {own}.outbox WHERE id > $1 ORDER BY id LIMIT 1), \
             (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {own}.missed)"
        );
        Ok(Statements {
            lock: prepare(client, lock).await?,
            head: prepare(client, &head).await?,
            rows: prepare(client, &rows).await?,
            unreadable: prepare(client, &unreadable).await?,
            delete: prepare(client, &delete).await?,
            handed: prepare(client, &handed).await?,
            drawn: prepare(client, &drawn).await?,
            transaction: prepare(client, "SELECT pg_current_xact_id()::text::bigint").await?,
            backlog: prepare(client, &backlog).await?,
        })
    }
}

async fn prepare(client: &Client, sql: &str) -> Result<Statement, CaptureError> {
    client.prepare(sql).await.map_err(|error| refused(&error))
}
