//! The CRM of `demo --crm`: a Postgres with a few tables and people who change them. Postrider is attached to it as to any CRM's: by a mapping and
//! what `source install` makes, with a role that may do nothing else.

mod changes;
mod server;

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use postrider_database::{Address, Connected};
use postrider_domain::Secret;
use postrider_source::catalogue::Catalogue;
use postrider_source::install::{self, Plan, Wish};
use postrider_source::mapping::Mapping;
use tokio::sync::mpsc;

use super::arrival::{Arrivals, Cause};
use super::console::Happening;
use super::pace::Pace;
use crate::settings::Variables;

use server::PrivateServer;

/// What the tables mean.
const MAPPING: &str = include_str!("crm/source.toml");
const SCHEMA: &str = include_str!("crm/schema.sql");
const DATABASE: &str = "crm";
/// The role that the CRM works as.
const CRM: &str = "crm";
/// The role that Postrider reads as.
const READER: &str = "postrider_source";

/// A CRM that runs.
pub(super) struct Crm {
    server: PrivateServer,
    mapping: Arc<Mapping>,
}

impl Crm {
    /// Starts its Postgres, makes its tables, and installs what captures their changes.
    pub(super) async fn start(variables: &Variables) -> anyhow::Result<Self> {
        let mapping = Mapping::parse(MAPPING, "source.toml").map_err(|mistakes| crate::failure::all(&mistakes))?;
        let server = PrivateServer::start(variables.get("PATH").unwrap_or_default()).await?;
        let crm = Crm { server, mapping: Arc::new(mapping) };
        match crm.prepare().await {
            Ok(()) => Ok(crm),
            Err(error) => {
                crm.stop().await?;
                Err(error)
            }
        }
    }

    async fn prepare(&self) -> anyhow::Result<()> {
        let first = self.connect("postgres", "postgres").await?;
        let password = self.server.password().reveal();
        for statement in [
            format!("CREATE ROLE {CRM} LOGIN PASSWORD '{password}'"),
            format!("CREATE ROLE {READER} LOGIN PASSWORD '{password}'"),
            format!("CREATE DATABASE {DATABASE}"),
        ] {
            first.client.batch_execute(&statement).await.context("the CRM's database cannot be made")?;
        }
        let owner = self.connect("postgres", DATABASE).await?;
        owner.client.batch_execute(SCHEMA).await.context("the CRM's tables cannot be made")?;
        let catalogue = Catalogue::read(&owner.client, &self.mapping, Some(READER)).await?;
        let wish = Wish { role: Some(READER.to_owned()), ..Wish::default() };
        install::run(&owner.client, &Plan::of(&self.mapping, &catalogue, &wish), |_| {}).await?;
        Ok(())
    }

    async fn connect(&self, role: &str, database: &str) -> anyhow::Result<Connected> {
        let address = Address::new(self.server.url(role, database).reveal(), &[])?;
        Ok(address.connect("").await?)
    }

    pub(super) fn mapping(&self) -> Arc<Mapping> {
        Arc::clone(&self.mapping)
    }

    /// Where Postrider reads.
    pub(super) fn reader_url(&self) -> Secret {
        self.server.url(READER, DATABASE)
    }

    /// Where whoever tries the demo can change something.
    pub(super) fn own_url(&self) -> Secret {
        self.server.url(CRM, DATABASE)
    }

    /// A connection as the CRM's own.
    pub(super) async fn session(&self) -> anyhow::Result<Connected> {
        self.connect(CRM, DATABASE).await
    }

    /// Ends it, and leaves nothing.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.server.stop().await
    }
}

/// Changes one record after another until it is aborted.
pub(super) async fn change(
    session: Connected,
    organizations: Vec<String>,
    arrivals: Arc<Arrivals>,
    rate_per_s: f64,
    happened: mpsc::Sender<Happening>,
) {
    let mut pace = Pace::of(rate_per_s);
    loop {
        let sequence = pace.turn().await;
        let Some(statement) = changes::statement(&organizations, sequence) else { return };
        arrivals.began(sequence, Cause::Statement(statement.clone()));
        // Told before it is made: its webhooks may arrive before Postgres' answer does.
        let _ = happened.send(Happening::Changed { statement: statement.clone() }).await;
        let marked = format!("SET demo.sequence = {sequence}; {statement}");
        if let Err(error) = session.client.batch_execute(&marked).await {
            let why = format!("{:#}", anyhow!(error));
            let _ = happened.send(Happening::NotChanged { statement, why }).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mapping_is_sound_and_leaves_the_secret_out() {
        let mapping = Mapping::parse(MAPPING, "source.toml").unwrap();
        let contacts = mapping.table(&"public.contacts".parse().unwrap()).unwrap();
        assert_eq!(contacts.omit, ["portal_password_hash"]);
    }
}
