//! Nodes of the program on one Postgres database, each with a folder of its own and reached through a *front*, which knows as a load
//! balancer does which of them take requests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use crate::api::Api;
use crate::postgres::Database;
use crate::program::{Ended, OPERATOR_KEY, Program, Setup};
use crate::receiver::Receiver;
use crate::world::{Endpoint, Organization, text};

/// A lease that no node loses because its machine is slow, for tests in which none is to run out.
const PATIENT_LEASE: Duration = Duration::from_secs(30);

/// Which nodes take requests, and where.
#[derive(Clone, Debug, Default)]
pub struct Front(Arc<Mutex<Vec<Option<SocketAddr>>>>);

impl Front {
    fn lock(&self) -> MutexGuard<'_, Vec<Option<SocketAddr>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, node: usize, address: Option<SocketAddr>) {
        let mut all = self.lock();
        if all.len() <= node {
            all.resize(node + 1, None);
        }
        all[node] = address;
    }

    /// The node whose turn it is, of those that take requests.
    #[must_use]
    pub fn turn(&self, turn: usize) -> Option<Api> {
        let open: Vec<_> = self.lock().iter().copied().flatten().collect();
        let address = *open.get(turn.checked_rem(open.len())?)?;
        Some(Api::new(address, Some(OPERATOR_KEY)))
    }
}

/// One node, in whatever life.
#[derive(Debug)]
struct Node {
    setup: Setup,
    program: Option<Program>,
    /// Through which this life of it sends, where nodes have doors.
    door: Option<SocketAddr>,
}

/// The nodes. They are killed when this is dropped, then the database goes.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
    /// What requests go through.
    pub front: Front,
    /// Where deliveries arrive.
    pub receiver: Receiver,
    /// What they share.
    pub database: Database,
    folder: TempDir,
    /// How long their leases last.
    lease: Duration,
    /// Whether each life of a node sends through a door of its own.
    has_doors: bool,
}

impl Cluster {
    /// So many nodes on a database of their own, started at the same moment.
    pub async fn start(count: usize) -> Self {
        Self::none_on(Database::create()).await.grown_by(count).await
    }

    /// A database that no node is on yet.
    pub async fn none_on(database: Database) -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        let receiver = Receiver::start().await;
        Cluster {
            nodes: vec![],
            front: Front::default(),
            receiver,
            database,
            folder,
            lease: PATIENT_LEASE,
            has_doors: false,
        }
    }

    /// Nodes have leases of this length.
    #[must_use]
    pub fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Each life of a node sends through a door of its own.
    #[must_use]
    pub fn with_doors(mut self) -> Self {
        self.has_doors = true;
        self
    }

    /// With so many more nodes, started at the same moment.
    pub async fn grown_by(mut self, count: usize) -> Self {
        let mut starts = vec![];
        for _ in 0..count {
            let node = self.plan(|setup| setup);
            let setup = self.setup_of_a_life(node).await;
            starts.push((node, tokio::spawn(async move { setup.start().await })));
        }
        for (node, start) in starts {
            self.runs(node, start.await.expect("it started"));
        }
        self
    }

    async fn setup_of_a_life(&mut self, node: usize) -> Setup {
        let setup = self.nodes[node].setup.clone();
        if !self.has_doors {
            return setup;
        }
        let door = self.receiver.door().await;
        self.nodes[node].door = Some(door);
        setup.env("POSTRIDER_EGRESS_PROXY", &format!("http://{door}"))
    }

    /// How many requests this life of a node has sent, where nodes have doors.
    #[must_use]
    pub fn sent_by(&self, node: usize) -> usize {
        let door = self.nodes[node].door.expect("nodes have doors");
        self.receiver.all().iter().filter(|request| request.door == Some(door)).count()
    }

    fn plan(&mut self, change: impl FnOnce(Setup) -> Setup) -> usize {
        let node = self.nodes.len();
        let folder = self.folder.path().join(format!("node-{node}"));
        std::fs::create_dir(&folder).expect("a new folder");
        let setup = Setup::new(&folder.join("data")).on_database(&self.database.url());
        let setup = setup.env("POSTRIDER_LEASE", &format!("{}s", self.lease.as_secs()));
        let setup = change(setup.env("POSTRIDER_NODE_NAME", &format!("node-{node}")));
        self.nodes.push(Node { setup, program: None, door: None });
        node
    }

    /// One more node, with changed settings.
    pub async fn add(&mut self, change: impl FnOnce(Setup) -> Setup) -> usize {
        let node = self.plan(change);
        self.start_again(node).await;
        node
    }

    /// How a node is started.
    #[must_use]
    pub fn setup(&self, node: usize) -> &Setup {
        &self.nodes[node].setup
    }

    /// Changes how a node is started from now on.
    pub fn change(&mut self, node: usize, change: impl FnOnce(Setup) -> Setup) {
        let setup = &mut self.nodes[node].setup;
        *setup = change(setup.clone());
    }

    /// How many nodes there are, running or not.
    #[must_use]
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    fn runs(&mut self, node: usize, program: Program) {
        self.front.set(node, Some(program.address));
        self.nodes[node].program = Some(program);
    }

    fn ends(&mut self, node: usize) -> Program {
        self.front.set(node, None);
        self.nodes[node].program.take().expect("it runs")
    }

    /// Starts a node that has ended.
    pub async fn start_again(&mut self, node: usize) {
        let program = self.setup_of_a_life(node).await.start().await;
        self.runs(node, program);
    }

    /// Kills a node; the front learns of it afterwards, as it would.
    pub async fn kill(&mut self, node: usize) -> Ended {
        let program = self.nodes[node].program.take().expect("it runs");
        let ended = program.kill().await;
        self.front.set(node, None);
        without_panic(ended)
    }

    /// Asks a node to stop, and waits until it has; the front learns of it first.
    pub async fn stop(&mut self, node: usize) -> Ended {
        let ended = self.ends(node).stop().await;
        assert_eq!(ended.status, Some(0), "{ended:?}");
        without_panic(ended)
    }

    /// Holds a node still; the front has taken it out.
    pub fn pause(&self, node: usize) {
        self.take_out(node);
        self.program(node).pause();
    }

    /// Lets a node go on; the front sends to it again.
    pub fn resume(&self, node: usize) {
        self.program(node).resume();
        self.put_back(node);
    }

    /// The front sends nothing to a node any more.
    pub fn take_out(&self, node: usize) {
        self.front.set(node, None);
    }

    /// The front sends to a node again.
    pub fn put_back(&self, node: usize) {
        self.front.set(node, Some(self.program(node).address));
    }

    /// A node's process.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn program(&self, node: usize) -> &Program {
        self.nodes[node].program.as_ref().expect("it runs")
    }

    /// A node's API with the operator key.
    #[must_use]
    pub fn api(&self, node: usize) -> Api {
        Api::new(self.program(node).address, Some(OPERATOR_KEY))
    }

    /// The first node's API that takes requests.
    ///
    /// # Panics
    /// When none does.
    #[must_use]
    pub fn any(&self) -> Api {
        self.front.turn(0).expect("a node that takes requests")
    }

    /// A number that a node's metrics show, over all labels; none when they do not.
    pub async fn metric(&self, node: usize, name: &str) -> Option<f64> {
        let metrics = self.api(node).get("/metrics").await.text();
        let numbers = metrics.lines().filter_map(|line| {
            let (key, number) = line.rsplit_once(' ')?;
            let is_it = key == name || key.strip_prefix(name).is_some_and(|rest| rest.starts_with('{'));
            number.parse::<f64>().ok().filter(|_| is_it)
        });
        numbers.reduce(|sum, number| sum + number)
    }

    /// A new organisation with so many endpoints for everything.
    pub async fn tenant(&self, endpoints: usize) -> Tenant {
        let made = self.any().post("/v1/organizations", &json!({"name": "Tenant", "contract": "standard"})).await;
        let mut tenant = Tenant { id: text(&made.expect(201)["id"]), paths: BTreeMap::new() };
        for number in 0..endpoints {
            self.endpoint(&mut tenant, &format!("/{}/{number}", text(&made.json()["id"]))).await;
        }
        tenant
    }

    /// A new endpoint at this path for everything of a tenant.
    pub async fn endpoint(&self, tenant: &mut Tenant, path: &str) -> Endpoint {
        let endpoint = tenant.at(self.any()).endpoint(&self.receiver.url(path), json!({})).await;
        tenant.paths.insert(endpoint.id.clone(), path.to_owned());
        endpoint
    }
}

fn without_panic(ended: Ended) -> Ended {
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    ended
}

/// An organisation, whichever node it is spoken of with.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// Its endpoints' ids, each with the path of the receiver.
    pub paths: BTreeMap<String, String>,
}

impl Tenant {
    /// It through this node.
    #[must_use]
    pub fn at(&self, api: Api) -> Organization {
        Organization { api, id: self.id.clone() }
    }
}
