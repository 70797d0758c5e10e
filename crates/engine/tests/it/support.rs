//! A store in a temporary directory, an engine on it, and a receiver that answers as it is told.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use postrider_contract::Contracts;
use postrider_domain::{
    Action, Actor, AuditEntry, AuditId, DeliveryStatus, Endpoint, EndpointId, EndpointOrdering, EndpointStatus,
    EventValidation, Millis, Organization, OrganizationId, Secret,
};
use postrider_egress::{Client, ClientSettings, UrlRules};
use postrider_engine::{Accepted, Clock, Engine, EngineLimits, EngineParts, IncomingEvent, MovableClock};
use postrider_store::{Delivery, DeliveryFilter, Edit, MasterKey, PageRequest, SqliteOptions, SqliteStore, Store};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

/// A bound for everything that is waited for; nothing is asserted about how long it takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often the store is asked for what it cannot call back about. It paces the asking; no assertion depends on it.
pub const ASK_EVERY: Duration = Duration::from_millis(2);

/// Asks until there is an answer.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        let mut pace = tokio::time::interval(ASK_EVERY);
        loop {
            pace.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer,
        Err(_) => panic!("{what}: did not happen within {PATIENCE:?}"),
    }
}

pub struct World {
    pub dir: TempDir,
    pub clock: Arc<MovableClock>,
    pub engine: Engine,
    pub organization: OrganizationId,
    /// Whom operational events are for.
    operational: Option<OrganizationId>,
    key: String,
}

/// What the audit trail tells of changes that the tests do not ask about.
pub fn audit() -> AuditEntry {
    AuditEntry::new(AuditId(Uuid::new_v4()), Millis(0), Actor::System, Action::ENDPOINT_CHANGED, "sample")
}

pub fn edit() -> Edit {
    Edit::of(audit())
}

pub fn contracts() -> Arc<Contracts> {
    Arc::new(Contracts::load(&[]).unwrap())
}

impl World {
    pub async fn new() -> World {
        World::with(EngineLimits::default()).await
    }

    pub async fn with(limits: EngineLimits) -> World {
        World::of(limits, None).await
    }

    /// With operational events for this organisation, which is not there yet.
    pub async fn told_to(operational: &OrganizationId) -> World {
        World::of(EngineLimits::default(), Some(operational.clone())).await
    }

    async fn of(limits: EngineLimits, operational: Option<OrganizationId>) -> World {
        let dir = TempDir::new().unwrap();
        let key = data_encoding::BASE64.encode(&[7; 32]);
        let clock = Arc::new(MovableClock::default());
        let engine = start(&dir, &key, &clock, limits, operational.clone()).await;
        let organization = organization(engine.now());
        engine.store().create_organization(&organization, &audit()).await.unwrap();
        World { dir, clock, engine, organization: organization.id, operational, key }
    }

    /// As after a restart: the old engine and store are gone, new ones open the same directory.
    pub async fn restarted(self) -> World {
        let World { dir, clock, engine, organization, operational, key } = self;
        engine.stop().await;
        engine.store().close().await.unwrap();
        drop(engine);
        let engine = start(&dir, &key, &clock, EngineLimits::default(), operational.clone()).await;
        World { dir, clock, engine, organization, operational, key }
    }

    pub async fn endpoint(&self, url: &str) -> Endpoint {
        let endpoint = endpoint_at(&self.engine, &self.organization, url);
        self.engine.store().create_endpoint(&endpoint, &Default::default(), &edit()).await.unwrap();
        self.engine.changed(&self.organization);
        endpoint
    }

    pub async fn set_status(&self, endpoint: &Endpoint, status: EndpointStatus) {
        self.engine.store().update_endpoint(&Endpoint { status, ..endpoint.clone() }, &edit()).await.unwrap();
        self.engine.changed(&self.organization);
    }

    pub async fn publish(&self, count: usize) -> Vec<Accepted> {
        let events = (0..count).map(|n| event(&format!(r#"{{"id":"{n}","n":1.10}}"#))).collect();
        self.engine.accept(&self.organization, events).await.unwrap()
    }

    pub async fn deliveries(&self, status: Option<DeliveryStatus>) -> Vec<Delivery> {
        let filter = DeliveryFilter { status, ..DeliveryFilter::default() };
        let page = PageRequest { limit: 5_000, before: None };
        self.engine.store().deliveries(&self.organization, &filter, page).await.unwrap().rows
    }

    /// Waits until as many deliveries are in this state.
    pub async fn until(&self, status: DeliveryStatus, count: usize) -> Vec<Delivery> {
        let all_there = async || Some(self.deliveries(Some(status)).await).filter(|rows| rows.len() >= count);
        until("the deliveries get there", all_there).await
    }

    /// Waits until the one delivery has had as many attempts.
    pub async fn until_attempts(&self, count: u32) -> Delivery {
        let first = async || self.deliveries(None).await.into_iter().next();
        until("the attempts are made", async || first().await.filter(|delivery| delivery.attempts_count >= count)).await
    }
}

async fn start(
    dir: &TempDir,
    key: &str,
    clock: &Arc<MovableClock>,
    limits: EngineLimits,
    operational: Option<OrganizationId>,
) -> Engine {
    let master = MasterKey::from_base64(key).unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(dir.path(), master, &SqliteOptions::default()).unwrap());
    let egress = egress();
    let clock: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
    let node = "test".to_owned();
    Engine::start(EngineParts {
        store,
        contracts: contracts(),
        egress,
        clock,
        mailer: None,
        operational,
        tracer: postrider_traces::Tracer::default(),
        limits,
        node,
    })
    .await
    .unwrap()
}

/// The one way out, with loopback allowed.
pub fn egress() -> Client {
    let rules = UrlRules { allow_http: true, allow_cidrs: vec!["127.0.0.0/8".parse().unwrap()], ..UrlRules::default() };
    Client::new(ClientSettings { rules, ..ClientSettings::default() }).unwrap()
}

pub fn organization(now: Millis) -> Organization {
    Organization {
        id: "acme".parse().unwrap(),
        name: "Acme".into(),
        contract: contracts().default_name().to_owned(),
        plan: None,
        owner_email: None,
        locale: None,
        event_validation: EventValidation::Off,
        frame_ancestors: vec![],
        created_at: now,
        updated_at: now,
    }
}

pub fn endpoint_at(engine: &Engine, organization: &OrganizationId, url: &str) -> Endpoint {
    let now = engine.now();
    Endpoint {
        id: EndpointId(engine.ids().next(now)),
        organization: organization.clone(),
        name: "receiver".into(),
        description: None,
        url: url.to_owned(),
        events: vec!["*".parse().unwrap()],
        contract: contracts().default_name().to_owned(),
        secret: Some(Secret::new(format!("whsec_{}", data_encoding::BASE64.encode(&[1; 24])))),
        overlap: None,
        headers: vec![("X-Tenant".into(), Secret::new("t-1".into()))],
        filter: None,
        rate_limit: None,
        ordering: EndpointOrdering::None,
        system: None,
        status: EndpointStatus::Active,
        resumed_at: None,
        created_at: now,
        updated_at: now,
    }
}

pub fn event(data: &str) -> IncomingEvent {
    IncomingEvent {
        event_type: "deal.won".into(),
        data: data.into(),
        id: None,
        occurred_at: None,
        resource: None,
        previous: None,
        changes: None,
    }
}

/// How far `due_at` is after `from`, in whole seconds.
pub fn seconds_between(from: Millis, due_at: Millis) -> u64 {
    due_at.since(from).as_secs()
}

/// What a receiver answers to a request, given how many came before it; none keeps it waiting for ever.
pub type Answer = dyn Fn(usize) -> Option<&'static str> + Send + Sync;

pub struct Receiver {
    pub url: String,
    seen: Arc<Seen>,
}

struct Seen {
    let_go: Semaphore,
    count: AtomicUsize,
    requests: Mutex<Vec<String>>,
    arrived: Notify,
}

pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// [`OK`], once the test says so, as with every answer behind such a mark.
pub const HELD: &str = "\0HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
pub const FAIL: &str = "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n";

impl Receiver {
    pub async fn start(answer: impl Fn(usize) -> Option<&'static str> + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let seen = Arc::new(Seen {
            let_go: Semaphore::new(0),
            count: AtomicUsize::new(0),
            requests: Mutex::default(),
            arrived: Notify::new(),
        });
        let (answer, keep): (Arc<Answer>, _) = (Arc::new(answer), Arc::clone(&seen));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&answer), Arc::clone(&keep)));
            }
        });
        Receiver { url, seen }
    }

    /// Lets every answer go that is held, now and later.
    pub fn let_go(&self) {
        self.seen.let_go.add_permits(1_000);
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().clone()
    }

    /// Waits until as many requests have come.
    pub async fn until(&self, count: usize) {
        let all_there = async {
            loop {
                let arrived = self.seen.arrived.notified();
                if self.seen.requests.lock().len() >= count {
                    return;
                }
                arrived.await;
            }
        };
        tokio::time::timeout(PATIENCE, all_there).await.expect("requests did not come");
    }

    /// How often each event came to each path, by the header that carries its id.
    pub fn times_by_id(&self) -> HashMap<(String, String), usize> {
        let mut times = HashMap::new();
        for request in self.requests() {
            let path = request.split(' ').nth(1).unwrap().to_owned();
            let id = request.lines().find_map(|line| line.strip_prefix("webhook-id: ")).unwrap().to_owned();
            *times.entry((path, id)).or_default() += 1;
        }
        times
    }
}

async fn converse(mut stream: TcpStream, answer: Arc<Answer>, seen: Arc<Seen>) {
    let mut buffer = Vec::new();
    loop {
        let Some(request) = read_request(&mut stream, &mut buffer).await else { return };
        let nth = seen.count.fetch_add(1, Ordering::SeqCst);
        seen.requests.lock().push(request);
        seen.arrived.notify_waiters();
        let Some(text) = answer(nth) else { return std::future::pending().await };
        let held = text.strip_prefix('\0');
        if held.is_some() {
            // A permit is there once the test lets it go.
            let _ = seen.let_go.acquire().await;
        }
        drop(stream.write_all(held.unwrap_or(text).as_bytes()).await);
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(buffer).into_owned();
        if let Some(head) = text.find("\r\n\r\n") {
            let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")?.parse::<usize>().ok());
            let end = head + 4 + length.unwrap_or(0);
            if buffer.len() >= end {
                let request = String::from_utf8_lossy(&buffer[..end]).into_owned();
                buffer.drain(..end);
                return Some(request);
            }
        }
        let mut chunk = [0; 8192];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}
