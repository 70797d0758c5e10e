//! Whether what replication needs is there still. It is looked at while the slot is read, since that tells nothing of a publication that is gone before
//! the next change, and never tells of a table that is not published any more.

use std::collections::HashSet;

use tokio_postgres::Client;

use super::publication;
use crate::capture::{Backlog, CaptureError};
use crate::catalogue::lost_of;
use crate::mapping::{Mapping, TableName};
use crate::session::refused;

/// What to do when changes are lost.
const MEND: &str = "run `postrider source install`, which makes it anew, and then `postrider source backfill` for what changed meanwhile";

/// How it is with publication and slot.
#[derive(Debug)]
pub(super) struct Watched {
    /// The tables whose changes are told; nothing where there is no publication.
    published: Option<HashSet<TableName>>,
    slot: Option<Slot>,
    /// How long ago a moment was, in milliseconds by the database's clock.
    oldest_ms: Option<u64>,
}

#[derive(Debug)]
struct Slot {
    is_lost: bool,
    /// How much of the log is kept for it.
    log_bytes: Option<u64>,
}

/// Looks at publication and slot; `oldest` is a moment in milliseconds since 1970, whose age is wanted.
pub(super) async fn look(client: &Client, name: &str, oldest: Option<i64>) -> Result<Watched, CaptureError> {
    let row = client.query_one(WATCHED, &[&name, &oldest]).await.map_err(|error| refused(&error))?;
    let number = |at: usize| row.get::<_, Option<i64>>(at).map(|number| u64::try_from(number).unwrap_or_default());
    let published = match row.get::<_, Option<bool>>(0) {
        None => None,
        // It does not tell of all that happens to rows.
        Some(false) => Some(HashSet::new()),
        Some(true) => {
            let tables = publication::published(client, name).await.map_err(|error| refused(&error))?;
            Some(tables.into_iter().collect())
        }
    };
    let slot = row.get::<_, Option<bool>>(1).map(|is_lost| Slot { is_lost, log_bytes: number(2) });
    Ok(Watched { published, slot, oldest_ms: number(3) })
}

impl Watched {
    /// Whether changes are kept for us.
    ///
    /// # Errors
    /// [`CaptureError::Lost`] where they are not.
    pub(super) fn check(&self, name: &str) -> Result<(), CaptureError> {
        match (&self.published, &self.slot) {
            (_, None) => Err(CaptureError::Lost(format!(
                "its slot {name} is gone, dropped by somebody or left behind by a failover: no change is kept until it is there again; {MEND}"
            ))),
            (_, Some(Slot { is_lost: true, .. })) => Err(CaptureError::Lost(format!(
                "the database no longer keeps the log that the slot {name} has not read (max_slot_wal_keep_size); {MEND}"
            ))),
            (None, _) => Err(unpublished(name)),
            (Some(_), Some(_)) => Ok(()),
        }
    }

    /// What waits, with what is lost.
    pub(super) async fn backlog(
        self,
        client: &Client,
        mapping: &Mapping,
        captured: Vec<TableName>,
    ) -> Result<Backlog, CaptureError> {
        let lost = lost_of(client, &mapping.schema).await.map_err(|error| refused(&error))?;
        let log_bytes = self.slot.and_then(|slot| slot.log_bytes);
        let published = self.published.unwrap_or_default();
        Ok(Backlog {
            oldest_ms: Some(self.oldest_ms.unwrap_or_default()),
            log_bytes,
            fullness: log_bytes.unwrap_or_default() as f64 / mapping.slot_bytes_max.max(1) as f64,
            uncaptured: captured.into_iter().filter(|table| !published.contains(table)).collect(),
            lost: lost.into_iter().map(|lost| lost.table).collect(),
            ..Backlog::default()
        })
    }
}

/// The publication is gone. A slot cannot go on behind what was changed without one, even where it is made again.
pub(super) fn unpublished(name: &str) -> CaptureError {
    CaptureError::Lost(format!("its publication {name} is gone, so that no change can be told; {MEND}"))
}

const WATCHED: &str = "SELECT pubinsert AND pubupdate AND pubdelete, \
    CASE WHEN slot_name IS NOT NULL THEN coalesce(wal_status = 'lost', false) END, \
    pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::bigint, \
    greatest(0, (extract(epoch FROM clock_timestamp()) * 1000)::bigint - $2::bigint) \
    FROM (SELECT $1::text AS name) AS ours LEFT JOIN pg_publication ON pubname = name \
    LEFT JOIN pg_replication_slots ON slot_name = name AND database = current_database() AND plugin = 'pgoutput'";
