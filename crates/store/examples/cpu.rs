//! What a delivery costs: `cargo run --release -p postrider-store --example cpu -- [deliveries] [fan-out] [callers] [organizations] [records] [backlog]`.
//!
//! Commits events from many callers at once and records each delivery's success in batches, as the engine does, and prints the CPU time of
//! the whole process per delivery: steadily both, then commits alone and the records of that backlog alone. Data is 1 KB; attempts hold eight headers each way. A sixth argument, 1, asks
//! for something else: how a store with all these deliveries open starts and is read, and what dropping them costs.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement prints, and fails by panicking")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use postrider_domain::{
    Action, Actor, AttemptId, AuditEntry, AuditId, DeliveryId, DeliveryStatus, Endpoint, EndpointId, EndpointOrdering,
    EndpointStatus, EventId, EventValidation, Millis, Organization, OrganizationId, Progress, Resource, Secret,
    StreakChange, Transition, Trigger,
};
use postrider_store::{
    Attempt, Basis, ContractRevision, DeliveryFilter, Edit, EndpointLimits, Event, LeaseNo, MasterKey, NewDelivery,
    NewEvent, OpenDelivery, Outcome, PageRequest, PostgresOptions, PostgresStore, Response, RevisionId, SqliteOptions,
    SqliteStore, Store,
};
use uuid::Uuid;

/// The allocator of the released binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Outcomes in one call, as the engine's recorder takes them together.
const RECORD_BATCH: usize = 256;
const REVISION: RevisionId = RevisionId([7; 32]);
const DATA_BYTES: usize = 1_000;
const T0: i64 = 1_800_000_000_000;

fn audit() -> AuditEntry {
    AuditEntry::new(AuditId(Uuid::new_v4()), Millis(T0), Actor::System, Action::ENDPOINT_CREATED, "measured")
}

fn edit() -> Edit {
    Edit::of(audit())
}

struct Plan {
    deliveries: usize,
    fan_out: usize,
    callers: usize,
    organizations: usize,
    /// How many CRM records the events are about; 0 for none.
    records: usize,
}

fn next_id() -> Uuid {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // About 10,000 ids a second.
    let ms = u128::from(T0.unsigned_abs() + count / 10);
    Uuid::from_u128(ms << 80 | 7 << 76 | 1 << 63 | u128::from(count))
}

/// CPU seconds of this process and, on Postgres, of the server's processes that work for it.
fn cpu_seconds() -> f64 {
    let servers = SERVERS.get().map_or(&[][..], Vec::as_slice);
    seconds_of("self") + servers.iter().map(|pid| seconds_of(&pid.to_string())).sum::<f64>()
}

/// Where the database is on this machine, the server's processes that have a connection to this.
static SERVERS: std::sync::OnceLock<Vec<i32>> = std::sync::OnceLock::new();

/// User and system (proc(5), /proc/pid/stat, fields 14 and 15, in hundredths).
fn seconds_of(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    let ticks: u32 = fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap();
    f64::from(ticks) / 100.0
}

/// Resident megabytes of this process (proc(5), /proc/pid/status).
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn main() {
    let (urls, numbers): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|text| text.contains("://"));
    let numbers: Vec<usize> = numbers.iter().map(|text| text.parse().unwrap()).collect();
    let number = |index: usize, default: usize| numbers.get(index).copied().unwrap_or(default);
    let plan = Plan {
        deliveries: number(0, 200_000),
        fan_out: number(1, 1),
        callers: number(2, 128),
        organizations: number(3, 1),
        records: number(4, 10_000),
    };
    let dir = tempfile::tempdir_in(".").unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match (number(5, 0), urls.first()) {
        (0, None) => {
            runtime.block_on(async { run(&plan, leased(dir.path(), MasterKey::generate().unwrap()).await).await })
        }
        (0, Some(url)) => runtime.block_on(on_postgres(&plan, url)),
        (_, None) => runtime.block_on(backlog(&plan, dir.path())),
        (_, Some(_)) => println!("a backlog is measured on SQLite alone"),
    }
}

/// In a database of its own on this machine, dropped afterwards.
async fn on_postgres(plan: &Plan, url: &str) {
    let (server, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let name = format!("store_cpu_{}", std::process::id());
    server.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    let own = format!("{}/{name}", url.rsplit_once('/').unwrap().0);
    let options = PostgresOptions::default();
    let store = PostgresStore::open(&own, MasterKey::generate().unwrap(), &options).await.unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    assert_eq!(store.grant_lease("", Duration::MAX).await.unwrap().lease, LEASE);
    // So that every connection is there when it is looked for.
    let warm = Plan { deliveries: 2_000, callers: 64, ..*plan };
    steady(&store, &Arc::new(prepare(&store, &warm, "warm").await), &warm, 2_000 / plan.fan_out).await;
    let sql = "SELECT pid FROM pg_stat_activity WHERE datname = $1";
    let pids = server.query(sql, &[&name]).await.unwrap();
    SERVERS.set(pids.iter().map(|row| row.get(0)).collect()).unwrap();
    run(plan, store).await;
    server.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
}

async fn run(plan: &Plan, store: Arc<dyn Store>) {
    let worlds = Arc::new(prepare(&store, plan, "org").await);
    let events = plan.deliveries / plan.fan_out;
    let (cpu, began) = (cpu_seconds(), Instant::now());
    for i in 0..events {
        let (organization, endpoints) = &worlds[i % worlds.len()];
        let open = opened(organization, &new_event(endpoints, plan.records));
        std::hint::black_box(open.iter().map(outcome).collect::<Vec<_>>());
    }
    report("what is measured with", 0, plan, (cpu_seconds() - cpu, began.elapsed().as_secs_f64()), &store).await;
    for round in 0..3 {
        let (cpu, began) = (cpu_seconds(), Instant::now());
        steady(&store, &worlds, plan, events).await;
        report("steady", round, plan, (cpu_seconds() - cpu, began.elapsed().as_secs_f64()), &store).await;
    }
    for round in 0..2 {
        let (cpu, began) = (cpu_seconds(), Instant::now());
        let mut open = commit_all(&store, &worlds, plan, events, None).await;
        report("commit", round, plan, (cpu_seconds() - cpu, began.elapsed().as_secs_f64()), &store).await;
        open.sort_by_key(|open| (open.due_at, open.id));
        let (cpu, began) = (cpu_seconds(), Instant::now());
        for batch in open.chunks(RECORD_BATCH) {
            record(&store, batch).await;
        }
        report("record", round, plan, (cpu_seconds() - cpu, began.elapsed().as_secs_f64()), &store).await;
    }
    store.close().await.unwrap();
}

/// The first lease of a store that was opened just now.
const LEASE: LeaseNo = LeaseNo(1);
const BASIS: Basis = Basis { lease: LEASE, version: None };

async fn leased(dir: &Path, key: MasterKey) -> Arc<dyn Store> {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(dir, key, &SqliteOptions::default()).unwrap());
    assert_eq!(store.grant_lease("", Duration::MAX).await.unwrap().lease, LEASE);
    store
}

/// Everything is open, the process starts again.
async fn backlog(plan: &Plan, dir: &Path) {
    let key = MasterKey::generate().unwrap();
    let store = leased(dir, key.clone()).await;
    let worlds = Arc::new(prepare(&store, plan, "org").await);
    let (unheard, _) = tokio::sync::mpsc::channel(1);
    commit_all(&store, &worlds, plan, plan.deliveries / plan.fan_out, Some(unheard)).await;
    store.close().await.unwrap();
    let began = Instant::now();
    let store = leased(dir, key).await;
    println!("opened in {:?}; {:.0} MB resident", began.elapsed(), resident_mb());
    let began = Instant::now();
    let lanes = store.lanes_due(LEASE, None, 1_000).await.unwrap();
    println!("{} lanes found in {:?}", lanes.len(), began.elapsed());
    let (organization, endpoints) = &worlds[0];
    let began = Instant::now();
    let claimed = store.claim_due(LEASE, organization, endpoints[0], Millis(i64::MAX), 500, vec![]).await.unwrap();
    println!("{} deliveries claimed in {:?}", claimed.len(), began.elapsed());
    let filters = [
        DeliveryFilter::default(),
        DeliveryFilter { endpoint: Some(endpoints[0]), ..DeliveryFilter::default() },
        DeliveryFilter { status: Some(DeliveryStatus::Failed), ..DeliveryFilter::default() },
        DeliveryFilter { event_type: Some("none".to_owned()), ..DeliveryFilter::default() },
        DeliveryFilter { test: Some(true), ..DeliveryFilter::default() },
        DeliveryFilter { resource: Some(("deal".to_owned(), "7".to_owned())), ..DeliveryFilter::default() },
    ];
    for filter in filters {
        let began = Instant::now();
        let page = store.deliveries(organization, &filter, PageRequest { limit: 50, before: None }).await.unwrap();
        println!("{} rows listed in {:?}: {filter:?}", page.rows.len(), began.elapsed());
    }
    println!("{:.0} MB resident, {:?}", resident_mb(), store.stats().await.unwrap());
    for (what, before) in [("expire and drop events", i64::MAX - 1), ("drop history", i64::MAX)] {
        let (cpu, began, mut rows) = (cpu_seconds(), Instant::now(), 0);
        loop {
            let step = store.retain(Millis(i64::MAX - 1), Millis(before), 500).await.unwrap();
            rows += step.rows_dropped + step.deliveries_expired;
            if !step.more {
                break;
            }
        }
        let count = f64::from(u32::try_from(rows).unwrap());
        let cpu = (cpu_seconds() - cpu) * 1e6 / count;
        println!("{what}: {rows} rows, {cpu:.1} µs CPU a row, {:.0}/s", count / began.elapsed().as_secs_f64());
    }
    println!("{:.0} MB resident, {:?}", resident_mb(), store.stats().await.unwrap());
    store.close().await.unwrap();
}

/// Outcomes are recorded while events are committed, a few milliseconds behind them.
async fn steady(store: &Arc<dyn Store>, worlds: &Worlds, plan: &Plan, events: usize) {
    let (sender, mut committed) = tokio::sync::mpsc::channel(4_096);
    let recorder = tokio::spawn({
        let store = Arc::clone(store);
        async move {
            let mut batch = Vec::with_capacity(RECORD_BATCH);
            while committed.recv_many(&mut batch, RECORD_BATCH).await > 0 {
                record(&store, &batch).await;
                batch.clear();
            }
        }
    });
    commit_all(store, worlds, plan, events, Some(sender)).await;
    recorder.await.unwrap();
}

async fn report(what: &str, round: usize, plan: &Plan, (cpu, wall): (f64, f64), store: &Arc<dyn Store>) {
    let count = f64::from(u32::try_from(plan.deliveries).unwrap());
    let stats = store.stats().await.unwrap();
    println!(
        "{what} {round}: {:.1} µs CPU a delivery, {:.0}/s; {:.0} MB resident, {} MB on disk, {} open",
        cpu * 1e6 / count,
        count / wall,
        resident_mb(),
        stats.bytes / 1_000_000,
        stats.open_deliveries,
    );
}

async fn prepare(store: &Arc<dyn Store>, plan: &Plan, name: &str) -> Vec<(OrganizationId, Vec<EndpointId>)> {
    let revision = ContractRevision { id: REVISION, name: "standard".to_owned(), text: "x".to_owned() };
    store.save_contract_revision(&revision).await.unwrap();
    let mut worlds = vec![];
    for i in 0..plan.organizations {
        let id: OrganizationId = format!("{name}_{i}").parse().unwrap();
        let organization = Organization {
            id: id.clone(),
            name: "Acme".to_owned(),
            contract: "standard".to_owned(),
            plan: None,
            owner_email: None,
            locale: None,
            event_validation: EventValidation::Off,
            frame_ancestors: vec![],
            created_at: Millis(T0),
            updated_at: Millis(T0),
        };
        store.create_organization(&organization, &audit()).await.unwrap();
        let mut endpoints = vec![];
        for _ in 0..plan.fan_out {
            let endpoint = endpoint(&id);
            store.create_endpoint(&endpoint, &EndpointLimits::default(), &edit()).await.unwrap();
            endpoints.push(endpoint.id);
        }
        worlds.push((id, endpoints));
    }
    worlds
}

fn endpoint(organization: &OrganizationId) -> Endpoint {
    Endpoint {
        id: EndpointId(next_id()),
        organization: organization.clone(),
        name: "in".to_owned(),
        description: None,
        url: "https://example.com/in".to_owned(),
        events: vec!["*".parse().unwrap()],
        contract: "standard".to_owned(),
        secret: Some(Secret::new("whsec".to_owned())),
        overlap: None,
        headers: vec![],
        filter: None,
        rate_limit: None,
        ordering: EndpointOrdering::None,
        system: None,
        status: EndpointStatus::Active,
        resumed_at: None,
        created_at: Millis(T0),
        updated_at: Millis(T0),
    }
}

type Committed = tokio::sync::mpsc::Sender<Arc<OpenDelivery>>;
type Worlds = Arc<Vec<(OrganizationId, Vec<EndpointId>)>>;

async fn commit_all(
    store: &Arc<dyn Store>,
    worlds: &Worlds,
    plan: &Plan,
    events: usize,
    then: Option<Committed>,
) -> Vec<Arc<OpenDelivery>> {
    let callers: Vec<_> = (0..plan.callers)
        .map(|caller| {
            let (store, worlds, then) = (Arc::clone(store), Arc::clone(worlds), then.clone());
            let (callers, records) = (plan.callers, plan.records);
            tokio::spawn(async move {
                let mut open = vec![];
                for i in (caller..events).step_by(callers) {
                    let (organization, endpoints) = &worlds[i % worlds.len()];
                    let new = new_event(endpoints, records);
                    let committed = opened(organization, &new);
                    store.commit_events(BASIS, organization, vec![new]).await.unwrap();
                    let Some(then) = &then else {
                        open.extend(committed);
                        continue;
                    };
                    for delivery in committed {
                        // Nobody listens when a backlog is made.
                        let _ = then.send(delivery).await;
                    }
                }
                open
            })
        })
        .collect();
    drop(then);
    let mut open = vec![];
    for caller in callers {
        open.extend(caller.await.unwrap());
    }
    open
}

fn new_event(endpoints: &[EndpointId], records: usize) -> NewEvent {
    let key = next_id();
    let now = Millis(i64::try_from(key.as_u128() >> 80).unwrap());
    let event = Event {
        id: EventId::made(key),
        key,
        event_type: "deal.won".into(),
        occurred_at: now,
        accepted_at: now,
        resource: (records > 0).then(|| about(key, records)),
        data: "x".repeat(DATA_BYTES).into(),
        changes: None,
    };
    let deliveries = endpoints
        .iter()
        .map(|endpoint| NewDelivery {
            in_order: false,
            id: DeliveryId(next_id()),
            endpoint: *endpoint,
            event_type: "deal.won".into(),
            revision: REVISION,
            due_at: now,
        })
        .collect();
    NewEvent { event: Arc::new(event), fingerprint: None, test: false, is_derived: false, deliveries }
}

/// Any record, in no order.
fn about(key: Uuid, records: usize) -> Resource {
    let number = key.as_u64_pair().1.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let id = (number % u64::try_from(records).unwrap()).to_string();
    Resource { kind: "deal".to_owned(), ids: vec![id], uri: None }
}

fn opened(organization: &OrganizationId, new: &NewEvent) -> Vec<Arc<OpenDelivery>> {
    let open = |delivery: &NewDelivery| OpenDelivery {
        id: delivery.id,
        organization: organization.clone(),
        endpoint: delivery.endpoint,
        event_type: Arc::clone(&delivery.event_type),
        revision: delivery.revision,
        test: false,
        created_at: new.event.accepted_at,
        due_at: delivery.due_at,
        progress: Progress::default(),
        trigger: Trigger::Schedule,
        turn: None,
        event: Arc::clone(&new.event),
    };
    new.deliveries.iter().map(|delivery| Arc::new(open(delivery))).collect()
}

async fn record(store: &Arc<dyn Store>, batch: &[Arc<OpenDelivery>]) {
    let outcomes: Vec<_> = batch.iter().map(outcome).collect();
    store.record_outcomes(&outcomes).await.unwrap();
}

fn outcome(delivery: &Arc<OpenDelivery>) -> Outcome {
    let header = |i: usize| (format!("x-header-{i}"), "a value of usual length, say".to_owned());
    let attempt = Attempt {
        id: AttemptId(next_id()),
        started_at: delivery.due_at,
        response_time_ms: 2,
        by_hand: false,
        url: "https://example.com/in".to_owned(),
        request_headers: (0..8).map(header).collect(),
        response: Some(Response {
            status_code: 200,
            headers: (0..8).map(header).map(|(name, value)| (name.into_bytes(), value.into_bytes())).collect(),
            body: b"{\"ok\":true}".to_vec(),
            note: None,
        }),
        failure: None,
        refused_first: None,
    };
    Outcome {
        lease: LEASE,
        delivery: Arc::clone(delivery),
        attempt,
        progress: Progress { attempts_count: 1, slots_used: 1, initial_failure_at: None },
        transition: Transition::Succeed,
        ended_at: delivery.due_at,
        streak: StreakChange::None,
    }
}
