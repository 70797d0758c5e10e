//! What a scenario plays on: a server with a directory of its own, and organisations with endpoints.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Context as _;
use tempfile::TempDir;

use super::Bench;
use crate::api::Api;
use crate::arrivals::Arrivals;
use crate::event::RequestTemplate;
use crate::process::{Server, random_key};
use crate::receiver::Receiver;

/// The fields are dropped in this order: the server is dead before its directory goes.
pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) api: Api,
    /// The next sequence number of the loads on this stage.
    pub(super) sequence: Arc<AtomicU64>,
    directory: TempDir,
}

impl Stage {
    pub(super) async fn start(bench: &Bench<'_>) -> anyhow::Result<Self> {
        bench.progress.step("starting the server");
        let directory = tempfile::Builder::new()
            .prefix("postrider-bench-")
            .tempdir_in(&bench.data_parent)
            .context("could not create a directory for the server's data")?;
        let server = Server::start(&bench.options.executable, directory.path(), &random_key()).await?;
        let api = Api::new(server.address(), server.key());
        Ok(Stage { server, api, sequence: Arc::default(), directory })
    }

    /// Kills the server and starts it again on the same data.
    pub(super) async fn restart(self, bench: &Bench<'_>) -> anyhow::Result<Self> {
        let Stage { server, sequence, directory, .. } = self;
        let key = server.key().to_owned();
        server.kill();
        let server = Server::start(&bench.options.executable, directory.path(), &key).await?;
        let api = Api::new(server.address(), server.key());
        Ok(Stage { server, api, sequence, directory })
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

    /// The request that publishes one event of that organisation.
    pub(super) async fn template(&self, organization: &str) -> anyhow::Result<RequestTemplate> {
        let event_type = self.api.event_type(organization).await?;
        let path = format!("/v1/organizations/{organization}/events");
        Ok(RequestTemplate::new(self.server.address(), &path, self.server.key(), &event_type))
    }
}
