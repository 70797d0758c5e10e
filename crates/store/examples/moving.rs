//! What a backup costs whoever commits meanwhile, and how fast a store is exported and imported: `cargo run --release -p postrider-store
//! --example moving -- EVENTS [postgres://…]`. The embedded store, in `/var/tmp`, on whatever disk that is; imported into another one, or into an
//! empty database.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement prints, and fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use postrider_domain::{
    Action, Actor, AuditEntry, AuditId, DeliveryId, Endpoint, EndpointId, EndpointOrdering, EndpointStatus, EventId,
    EventValidation, Millis, Organization, OrganizationId, Secret,
};
use postrider_store::{
    Basis, ContractRevision, Edit, EndpointLimits, Event, ExportId, ExportReader, ExportWriter, Extent, MasterKey,
    NewDelivery, NewEvent, PostgresOptions, PostgresStore, RevisionId, SqliteOptions, SqliteStore, Store, Transfer,
    backup,
};
use tokio::sync::mpsc;
use uuid::Uuid;

const COMMITTERS: usize = 16;
const LASTS: Duration = Duration::from_secs(10);
const REVISION: RevisionId = RevisionId([7; 32]);
const T0: Millis = Millis(1_800_000_000_000);

/// What the audit trail tells of changes that the tests do not ask about.
fn audit() -> AuditEntry {
    AuditEntry::new(AuditId(Uuid::new_v4()), Millis(0), Actor::System, Action::ENDPOINT_CHANGED, "sample")
}

fn edit() -> Edit {
    Edit::of(audit())
}

fn acme() -> OrganizationId {
    "acme".parse().unwrap()
}

fn organization() -> Organization {
    Organization {
        id: acme(),
        name: "Acme".to_owned(),
        contract: "standard".to_owned(),
        plan: None,
        owner_email: None,
        locale: None,
        event_validation: EventValidation::Off,
        frame_ancestors: vec![],
        created_at: T0,
        updated_at: T0,
    }
}

fn endpoint() -> Endpoint {
    Endpoint {
        id: EndpointId(Uuid::now_v7()),
        organization: acme(),
        name: "in".to_owned(),
        description: None,
        url: "https://example.com/in".to_owned(),
        events: vec!["*".parse().unwrap()],
        contract: "standard".to_owned(),
        secret: Some(Secret::new("whsec_x".to_owned())),
        overlap: None,
        headers: vec![],
        filter: None,
        rate_limit: None,
        ordering: EndpointOrdering::None,
        system: None,
        status: EndpointStatus::Active,
        resumed_at: None,
        created_at: T0,
        updated_at: T0,
    }
}

struct Load {
    store: Arc<SqliteStore>,
    basis: Basis,
    endpoint: EndpointId,
    data: Box<str>,
    next: AtomicI64,
}

impl Load {
    async fn begin(dir: &Path) -> Arc<Self> {
        let key = MasterKey::generate().unwrap();
        let store = Arc::new(SqliteStore::open(dir, key, &SqliteOptions::default()).unwrap());
        let lease = store.grant_lease("measure", Duration::MAX).await.unwrap().lease;
        store.create_organization(&organization(), &audit()).await.unwrap();
        let endpoint = endpoint();
        store.create_endpoint(&endpoint, &EndpointLimits::default(), &edit()).await.unwrap();
        let revision = ContractRevision { id: REVISION, name: "standard".to_owned(), text: "x".to_owned() };
        store.save_contract_revision(&revision).await.unwrap();
        let fields: Vec<_> = (0..40).map(|i| format!("\"field_{i}\":\"value {} of {i}\"", i * 7919 % 101)).collect();
        let (data, basis) = (format!("{{{}}}", fields.join(",")).into(), Basis { lease, version: None });
        Arc::new(Load { store, basis, endpoint: endpoint.id, data, next: AtomicI64::new(1) })
    }

    fn event(&self) -> NewEvent {
        let (key, accepted_at) = (Uuid::now_v7(), Millis(T0.0 + self.next.fetch_add(1, Ordering::Relaxed)));
        let event = Event {
            id: EventId::made(key),
            key,
            event_type: "deal.won".into(),
            occurred_at: accepted_at,
            accepted_at,
            resource: None,
            data: self.data.clone(),
            changes: None,
        };
        let delivery = NewDelivery {
            in_order: false,
            id: DeliveryId(Uuid::now_v7()),
            endpoint: self.endpoint,
            event_type: "deal.won".into(),
            revision: REVISION,
            due_at: accepted_at,
        };
        NewEvent {
            event: Arc::new(event),
            fingerprint: None,
            test: false,
            is_derived: false,
            deliveries: vec![delivery],
        }
    }

    /// Commits singly, from several at once, until told to stop; how long each commit took, in order.
    async fn commits(self: &Arc<Self>, stop: &Arc<AtomicBool>) -> Vec<Duration> {
        let mut committers = tokio::task::JoinSet::new();
        for _ in 0..COMMITTERS {
            let (load, stop) = (Arc::clone(self), Arc::clone(stop));
            committers.spawn(async move {
                let mut took = vec![];
                while !stop.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    load.store.commit_events(load.basis, &acme(), vec![load.event()]).await.unwrap();
                    took.push(began.elapsed());
                }
                took
            });
        }
        let mut all: Vec<_> = committers.join_all().await.concat();
        all.sort_unstable();
        all
    }
}

fn tell(what: &str, took: &[Duration], lasted: Duration) {
    let at = |per_mille: usize| took[(took.len() - 1) * per_mille / 1_000].as_secs_f64() * 1e3;
    let rate = took.len() as f64 / lasted.as_secs_f64();
    let (p50, p99, p999, most) = (at(500), at(990), at(999), at(1_000));
    println!("{what}: {rate:.0} commits/s, p50 {p50:.2} ms, p99 {p99:.2} ms, p99.9 {p999:.2} ms, most {most:.2} ms");
}

/// Runs `during` beside commits, which go on until it is over.
async fn beside<T: Send + 'static>(load: &Arc<Load>, what: &str, during: impl FnOnce() -> T + Send + 'static) -> T {
    let stop = Arc::new(AtomicBool::new(false));
    let (is_over, began) = (Arc::clone(&stop), Instant::now());
    let during = tokio::task::spawn_blocking(move || {
        let done = during();
        is_over.store(true, Ordering::Relaxed);
        done
    });
    let took = load.commits(&stop).await;
    tell(what, &took, began.elapsed());
    during.await.unwrap()
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let events: usize = arguments.next().map_or(200_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let data = folder.path().join("data");
    let load = Load::begin(&data).await;
    for _ in 0..events / 500 {
        let batch = (0..500).map(|_| load.event()).collect();
        load.store.commit_events(load.basis, &acme(), batch).await.unwrap();
    }
    println!("{events} events, {} MiB", load.store.stats().await.unwrap().bytes >> 20);
    // Nobody sends: it waits for as long as it may.
    let (sender, nothing) = std::sync::mpsc::channel::<()>();
    beside(&load, "without a backup", move || nothing.recv_timeout(LASTS).is_ok()).await;
    drop(sender);
    let (from, copy, began) = (data.clone(), folder.path().join("copy"), Instant::now());
    let done = beside(&load, "during a backup ", move || backup(&from, &copy, |_| ()).unwrap()).await;
    let seconds = began.elapsed().as_secs_f64();
    println!("the backup: {} MiB in {seconds:.1} s", done.bytes >> 20);
    moved(&load, folder.path(), arguments.next()).await;
}

/// Exports into a file and imports into another store.
async fn moved(load: &Load, folder: &Path, url: Option<String>) {
    let (began, master, file) = (Instant::now(), MasterKey::generate().unwrap(), folder.join("export"));
    let (sender, mut chunks) = mpsc::channel::<Vec<_>>(2);
    let (key, out) = (master.clone(), std::fs::File::create(&file).unwrap());
    let writing = tokio::task::spawn_blocking(move || {
        let mut writer = ExportWriter::begin(std::io::BufWriter::new(out), &key, ExportId::random()).unwrap();
        while let Some(chunk) = chunks.blocking_recv() {
            writer.chunk(&chunk).unwrap();
        }
        let (_, counts, bytes) = writer.finish().unwrap();
        (counts, bytes)
    });
    load.store.export(Extent::Everything, sender).await.unwrap();
    let (counts, bytes) = writing.await.unwrap();
    let rows = (counts.events + counts.open_deliveries) as f64;
    let rate = rows / began.elapsed().as_secs_f64();
    println!("the export: {} events, {} MiB, {rate:.0} rows/s", counts.events, bytes >> 20);
    let key = MasterKey::generate().unwrap();
    let target: Box<dyn Transfer> = match url {
        Some(url) => Box::new(PostgresStore::open(&url, key, &PostgresOptions::default()).await.unwrap()),
        None => Box::new(SqliteStore::open(&folder.join("target"), key, &SqliteOptions::default()).unwrap()),
    };
    let (began, input) = (Instant::now(), std::io::BufReader::new(std::fs::File::open(&file).unwrap()));
    let mut reader = ExportReader::begin(input, &[&master]).unwrap();
    let export = reader.export();
    while let Some((number, rows)) = reader.chunk().unwrap() {
        target.import(export, number, rows).await.unwrap();
    }
    target.finish_import(export).await.unwrap();
    println!("the import: {:.0} rows/s", rows / began.elapsed().as_secs_f64());
}
