//! Statements about one organisation: as the tenant's role, with that organisation set for the transaction, so that row-level security
//! hides all others from them.
//!
//! Each asks in its own transaction whether the organisation is still there: its UUID and data key come from this node's memory, and another
//! node may have deleted it a moment ago.

use std::sync::Arc;

use postrider_domain::OrganizationId;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use super::PostgresStore;
use super::session::{Mode, SET_ORGANIZATION, Session, Transaction, Values};
use super::tenants::Tenant;
use crate::error::Result;

const IS_THERE: &str = "SELECT 1 FROM organizations WHERE org = $1 AND NOT deleted";
/// What is found in memory may be an older organisation of the same id: then it is looked for once more.
const LOOKS: usize = 2;

impl PostgresStore {
    /// What one statement finds of an organisation, in one round trip; none when there is no such organisation. `$1` is the
    /// organisation's UUID, `values` are those from `$2` on.
    pub(super) async fn read_of(
        &self,
        id: &OrganizationId,
        sql: &str,
        values: Values<'_>,
    ) -> Result<Option<(Arc<Tenant>, Vec<Row>)>> {
        for _ in 0..LOOKS {
            let Some(tenant) = self.tenants.find(self, id).await? else { return Ok(None) };
            if let Some(rows) = self.tenant().await?.read_as(tenant.org, sql, values).await? {
                return Ok(Some((tenant, rows)));
            }
            self.tenants.forget(id);
        }
        Ok(None)
    }

    /// Begins a transaction of several statements about an organisation; none when there is no such organisation.
    pub(super) async fn begin_of(&self, id: &OrganizationId, mode: Mode) -> Result<Option<(Arc<Tenant>, Transaction)>> {
        for _ in 0..LOOKS {
            let Some(tenant) = self.tenants.find(self, id).await? else { return Ok(None) };
            let tx = self.tenant().await?.begin_as(tenant.org, mode).await?;
            if !tx.query(IS_THERE, &[&tenant.org]).await?.is_empty() {
                return Ok(Some((tenant, tx)));
            }
            self.tenants.forget(id);
        }
        Ok(None)
    }
}

impl Session {
    /// One statement of one organisation in a transaction of its own; none when the organisation is gone.
    async fn read_as(&self, org: Uuid, sql: &str, values: Values<'_>) -> Result<Option<Vec<Row>>> {
        let run = async {
            let statement = self.prepare_cached(sql).await?;
            let set = self.prepare_cached(SET_ORGANIZATION).await?;
            let is_there = self.prepare_cached(IS_THERE).await?;
            let name = org.to_string();
            let (of_name, of_org): (Values<'_>, Values<'_>) = (&[&name], &[&org]);
            let all: Vec<_> = of_org.iter().chain(values).copied().collect();
            // They are sent in this order, at once. When one fails, what follows does nothing, and the commit undoes.
            let (begun, set, there, rows, committed) = tokio::join!(
                biased;
                self.batch_execute("BEGIN"),
                Client::execute(self, &set, of_name),
                Client::query(self, &is_there, of_org),
                Client::query(self, &statement, &all),
                self.batch_execute("COMMIT"),
            );
            begun?;
            set?;
            let is_there = !there?.is_empty();
            let rows = rows?;
            committed?;
            Ok(is_there.then_some(rows))
        };
        self.within(run).await
    }
}
