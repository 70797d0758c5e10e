//! What a scenario plays on: a server with a directory of its own, or nodes with a database of their own, and organisations with
//! endpoints.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;

use super::Bench;
use crate::api::Api;
use crate::arrivals::Arrivals;
use crate::database::{Database, Reading};
use crate::event::RequestTemplate;
use crate::process::{Backing, Server, Start, random_encryption_key, random_key};
use crate::procfs::Resident;
use crate::receiver::Receiver;

/// The fields are dropped in this order: the servers are dead before their database and directory go.
pub(super) struct Stage {
    /// One embedded, or those that share the database; none between a kill and a restart.
    nodes: Vec<Server>,
    pub(super) api: Api,
    /// The next sequence number of the loads on this stage.
    pub(super) sequence: Arc<AtomicU64>,
    key: String,
    encryption_key: String,
    pub(super) database: Option<Database>,
    directory: TempDir,
    /// Settings of its own.
    variables: Vec<(String, String)>,
}

/// CPU time used so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cpu {
    /// Of all nodes together.
    pub(super) nodes: Duration,
    /// Of all processes of Postgres, when there is one and it runs on this machine.
    pub(super) postgres: Option<Duration>,
}

impl Cpu {
    /// What was used since an earlier reading.
    pub(super) fn since(self, earlier: Cpu) -> Cpu {
        let postgres = self.postgres.zip(earlier.postgres).map(|(now, then)| now.saturating_sub(then));
        Cpu { nodes: self.nodes.saturating_sub(earlier.nodes), postgres }
    }
}

impl Stage {
    pub(super) async fn start(bench: &Bench<'_>) -> anyhow::Result<Self> {
        Self::start_with(bench, Vec::new()).await
    }

    /// The same with these settings besides, as variables.
    pub(super) async fn start_with(bench: &Bench<'_>, variables: Vec<(String, String)>) -> anyhow::Result<Self> {
        bench.progress.step("starting the server");
        let directory = tempfile::Builder::new()
            .prefix("postrider-bench-")
            .tempdir_in(&bench.data_parent)
            .context("could not create a directory for the server's data")?;
        let database = match &bench.options.database {
            Some(server) => Some(Database::create(server).await?),
            None => None,
        };
        let (key, encryption_key) = (random_key(), random_encryption_key());
        let api = Api::new(Vec::new(), &key);
        let mut stage = Stage {
            nodes: Vec::new(),
            api,
            sequence: Arc::default(),
            key,
            encryption_key,
            database,
            directory,
            variables,
        };
        stage.start_nodes(bench).await?;
        Ok(stage)
    }

    /// Starts as many nodes as were asked for, one after another: the first makes what is new.
    pub(super) async fn start_nodes(&mut self, bench: &Bench<'_>) -> anyhow::Result<()> {
        for number in 1..=bench.options.nodes {
            let backing = match &self.database {
                None => Backing::Embedded,
                Some(database) => Backing::Postgres {
                    url: database.url().clone(),
                    encryption_key: self.encryption_key.clone(),
                    node: format!("bench-{number}"),
                },
            };
            let start = Start { key: &self.key, backing: &backing, variables: &self.variables };
            self.nodes.push(Server::start(&bench.options.executable, self.directory.path(), &start).await?);
        }
        self.api = Api::new(self.nodes.iter().map(Server::address).collect(), &self.key);
        Ok(())
    }

    /// Ends all nodes as a power cut would (SIGKILL).
    pub(super) fn kill(&mut self) {
        self.nodes.clear();
    }

    /// Kills the server and starts it again on the same data.
    pub(super) async fn restart(mut self, bench: &Bench<'_>) -> anyhow::Result<Self> {
        self.kill();
        self.start_nodes(bench).await?;
        Ok(self)
    }

    pub(super) fn cpu(&self) -> anyhow::Result<Cpu> {
        let nodes = self.nodes.iter().map(Server::cpu).sum::<anyhow::Result<Duration>>()?;
        let postgres = self.database.as_ref().map(Database::cpu).transpose()?.flatten();
        Ok(Cpu { nodes, postgres })
    }

    /// What Postgres has written so far; nothing when there is none.
    pub(super) async fn reading(&self) -> anyhow::Result<Reading> {
        match &self.database {
            Some(database) => database.read().await,
            None => Ok(Reading::default()),
        }
    }

    /// Memory of the node that has most of it.
    pub(super) fn resident(&self) -> anyhow::Result<Resident> {
        let all = self.nodes.iter().map(Server::resident).collect::<anyhow::Result<Vec<_>>>()?;
        let most = |of: fn(&Resident) -> u64| all.iter().map(of).max().unwrap_or_default();
        Ok(Resident { now: most(|resident| resident.now), peak: most(|resident| resident.peak) })
    }

    /// From starting a process to `listening`, of the slowest.
    pub(super) fn start_time(&self) -> Duration {
        self.nodes.iter().map(Server::start_time).max().unwrap_or_default()
    }

    pub(super) async fn organization(&self, bench: &Bench<'_>, id: &str) -> anyhow::Result<()> {
        self.api.put_organization(id, &bench.options.contract, bench.options.plan.as_deref()).await
    }

    /// An organisation with that many endpoints that answer at once, at an address each.
    pub(super) async fn healthy(&self, bench: &Bench<'_>, id: &str, endpoints: usize) -> anyhow::Result<Receiver> {
        let receiver = Receiver::start(endpoints, bench.threads, Arrivals::new(bench.clock, endpoints)?)?;
        self.organization(bench, id).await?;
        for (index, address) in receiver.addresses().iter().enumerate() {
            self.api.create_endpoint(id, &format!("Healthy {index}"), &format!("http://{address}/ok/{index}")).await?;
        }
        Ok(receiver)
    }

    /// The request that publishes one event of that organisation, for each node.
    pub(super) async fn templates(&self, organization: &str) -> anyhow::Result<Vec<RequestTemplate>> {
        let event_type = self.api.event_type(organization).await?;
        let path = format!("/v1/organizations/{organization}/events");
        let template = |node: &Server| RequestTemplate::new(node.address(), &path, &self.key, &event_type);
        Ok(self.nodes.iter().map(template).collect())
    }
}
