//! What is measured, and on what scale.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::ensure;

use crate::database::DatabaseUrl;

/// One part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scenario {
    /// Load and receiver with nothing in between.
    Ceiling,
    /// One endpoint, single-event POSTs.
    Single,
    /// Ten endpoints for each event.
    Fanout,
    /// Post to arrival at 1,000 events a second.
    Latency,
    /// A healthy endpoint beside 1,000 that hang, then beside 1,000 that trickle.
    Isolation,
    /// 1,000,000 deliveries pending: memory, restart, throughput beside them.
    Pending,
    /// Nothing to do.
    Idle,
    /// A CRM's database as the source: what waits there handed over, and change to arrival beside the same by API.
    Source,
}

impl Scenario {
    /// Every scenario, in the order in which they run.
    pub const ALL: [Scenario; 8] = [
        Scenario::Ceiling,
        Scenario::Single,
        Scenario::Fanout,
        Scenario::Latency,
        Scenario::Isolation,
        Scenario::Pending,
        Scenario::Idle,
        Scenario::Source,
    ];

    /// Its name on the command line and in the report.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Ceiling => "ceiling",
            Scenario::Single => "single",
            Scenario::Fanout => "fanout",
            Scenario::Latency => "latency",
            Scenario::Isolation => "isolation",
            Scenario::Pending => "pending",
            Scenario::Idle => "idle",
            Scenario::Source => "source",
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no scenario has.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownScenario(String);

impl fmt::Display for UnknownScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Scenario::ALL.map(Scenario::name).join(", ");
        write!(f, "there is no scenario {:?}; choose from {names}", self.0)
    }
}

impl std::error::Error for UnknownScenario {}

impl FromStr for Scenario {
    type Err = UnknownScenario;
    fn from_str(name: &str) -> Result<Self, UnknownScenario> {
        Scenario::ALL
            .into_iter()
            .find(|scenario| scenario.name() == name)
            .ok_or_else(|| UnknownScenario(name.to_owned()))
    }
}

/// How the changes of a CRM's database are captured, in the words of the mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceCapture {
    /// By triggers that fill an outbox.
    Triggers,
    /// By logical replication, which needs a server with `wal_level = logical`.
    Replication,
}

impl SourceCapture {
    /// As the mapping names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SourceCapture::Triggers => "triggers",
            SourceCapture::Replication => "replication",
        }
    }
}

/// A name that no way of capture has.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownCapture(String);

impl fmt::Display for UnknownCapture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing is captured by {:?}; choose from triggers, replication", self.0)
    }
}

impl std::error::Error for UnknownCapture {}

impl FromStr for SourceCapture {
    type Err = UnknownCapture;
    fn from_str(name: &str) -> Result<Self, UnknownCapture> {
        let ways = [SourceCapture::Triggers, SourceCapture::Replication];
        ways.into_iter().find(|way| way.name() == name).ok_or_else(|| UnknownCapture(name.to_owned()))
    }
}

/// How to run the benchmark; [`BenchOptions::new`] holds what the published figures are measured with.
#[derive(Clone, Debug)]
pub struct BenchOptions {
    /// The program that has `serve`, usually `std::env::current_exe()`.
    pub executable: PathBuf,
    /// How long each figure is measured.
    pub duration: Duration,
    /// The scenarios to run; the ceiling is measured besides where a figure is a share of it.
    pub scenarios: Vec<Scenario>,
    /// The contract of the organisations.
    pub contract: String,
    /// Their plan, for contracts that allow endpoints only with one.
    pub plan: Option<String>,
    /// Where the server's data goes, in a directory of its own that is removed afterwards. Without it: `/var/tmp`, which is on
    /// a disk where `/tmp` may be memory.
    pub data_parent: Option<PathBuf>,
    /// Connections of the closed loop.
    pub connections: usize,
    /// Events a second of `latency`.
    pub latency_events_per_s: u32,
    /// Endpoints that hang, and then that trickle, in `isolation`.
    pub neighbours: usize,
    /// Deliveries pending in `pending`.
    pub pending_deliveries: u64,
    /// A Postgres server that may be filled: each scenario makes a database of its own there and drops it afterwards. Without it
    /// the server under test keeps its data embedded.
    pub database: Option<DatabaseUrl>,
    /// Nodes that share the database; 1 without one.
    pub nodes: usize,
    /// A Postgres server that may be filled, where `source` makes the database of a CRM and drops it afterwards. Without it that is not measured.
    pub source_database: Option<DatabaseUrl>,
    /// Changes that wait to be handed over in `source`.
    pub source_changes: u32,
    /// How changes are captured there.
    pub source_capture: SourceCapture,
}

impl BenchOptions {
    /// The options of the published figures, for a program and organisations of this contract.
    #[must_use]
    pub fn new(executable: PathBuf, contract: String) -> Self {
        BenchOptions {
            executable,
            duration: Duration::from_secs(10),
            scenarios: Scenario::ALL.to_vec(),
            contract,
            plan: None,
            data_parent: None,
            connections: 64,
            latency_events_per_s: 1_000,
            neighbours: 1_000,
            pending_deliveries: 1_000_000,
            database: None,
            nodes: 1,
            source_database: None,
            source_changes: 100_000,
            source_capture: SourceCapture::Triggers,
        }
    }

    /// Whether that scenario was chosen.
    #[must_use]
    pub fn includes(&self, scenario: Scenario) -> bool {
        self.scenarios.contains(&scenario)
    }

    pub(crate) fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.scenarios.is_empty(), "no scenario was chosen");
        ensure!(
            self.duration >= Duration::from_millis(100) && self.duration <= Duration::from_secs(3_600),
            "a figure is measured for 0.1 to 3,600 seconds"
        );
        ensure!((1..=1_024).contains(&self.connections), "connections are 1 to 1,024");
        ensure!((1..=100_000).contains(&self.latency_events_per_s), "the rate is 1 to 100,000 events a second");
        ensure!((1..=10_000).contains(&self.neighbours), "neighbours are 1 to 10,000");
        ensure!((1..=16).contains(&self.nodes), "nodes are 1 to 16");
        ensure!(
            self.nodes == 1 || self.database.is_some(),
            "nodes share a Postgres; the embedded store is for one alone"
        );
        ensure!((1..=10_000_000).contains(&self.source_changes), "waiting changes are 1 to 10,000,000");
        ensure!((1..=100_000_000).contains(&self.pending_deliveries), "pending deliveries are 1 to 100,000,000");
        Ok(())
    }
}
