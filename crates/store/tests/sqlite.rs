//! What only the embedded store promises: its directory, its lock, its key, its files, a full disk.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use postrider_domain::{
    Action, Actor, AttemptFailure, AttemptId, AuditEntry, AuditId, DeliveryId, Endpoint, EndpointId, EndpointOrdering,
    EndpointStatus, EventId, EventValidation, FailureKind, Millis, Organization, OrganizationId, Progress, Secret,
    StreakChange, Transition, Trigger,
};
use postrider_store::{
    Attempt, Basis, ContractRevision, Edit, EndpointLimits, Event, Granted, Idempotency, LeaseNo, MasterKey,
    MasterKeys, NewDelivery, NewEvent, OpenDelivery, Outcome, Recorded, Response, RevisionId, SqliteOptions,
    SqliteStore, Store, StoreError, StoredAnswer,
};
use rusqlite::Connection;
use uuid::Uuid;

#[path = "sqlite/backups.rs"]
mod backups;
#[path = "sqlite/faults.rs"]
mod faults;

const DATABASE: &str = "postrider.sqlite3";
const T0: Millis = Millis(1_800_000_000_000);
const REVISION: RevisionId = RevisionId([7; 32]);

/// What the audit trail tells of changes that the tests do not ask about.
fn audit() -> AuditEntry {
    AuditEntry::new(AuditId(Uuid::new_v4()), Millis(0), Actor::System, Action::ENDPOINT_CHANGED, "sample")
}

fn edit() -> Edit {
    Edit::of(audit())
}

fn master(byte: u8) -> MasterKey {
    MasterKey::from_base64(&data_encoding::BASE64.encode(&[byte; 32])).unwrap()
}

/// The first lease of a store that was opened just now.
const LEASE: LeaseNo = LeaseNo(1);
const BASIS: Basis = Basis { lease: LEASE, version: None };

fn open(dir: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(dir, master(1), &SqliteOptions::default()).map(leased)
}

/// For the embedded store granting takes no time.
fn leased(store: SqliteStore) -> SqliteStore {
    let granted = store.grant_lease("", Duration::MAX).as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(granted, Poll::Ready(Ok(Granted { lease: LEASE, .. }))));
    store
}

fn refusal(dir: &Path, key: MasterKey) -> String {
    match SqliteStore::open(dir, key, &SqliteOptions::default()) {
        Err(error @ StoreError::Unusable { .. }) => {
            let text = error.to_string();
            assert!(!text.contains('\n'), "{text}");
            text
        }
        Err(error) => error.to_string() + " (should be Unusable)",
        Ok(_) => "it opened".to_owned(),
    }
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(u128::from(T0.0.unsigned_abs()) << 80 | 7 << 76 | 1 << 63 | number)
}

fn org() -> OrganizationId {
    "acme".parse().unwrap()
}

fn endpoint() -> Endpoint {
    Endpoint {
        id: EndpointId(id(1)),
        organization: org(),
        name: "in".to_owned(),
        description: None,
        url: "https://example.com/in?token=seeded-url".to_owned(),
        events: vec!["*".parse().unwrap()],
        contract: "standard".to_owned(),
        secret: Some(Secret::new("whsec_seeded-signing".to_owned())),
        overlap: None,
        headers: vec![("x-token".to_owned(), Secret::new("seeded-header".to_owned()))],
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

fn organization(id: OrganizationId) -> Organization {
    Organization {
        id,
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

async fn prepare(store: &SqliteStore) {
    store.create_organization(&organization(org()), &audit()).await.unwrap();
    store.create_endpoint(&endpoint(), &EndpointLimits::default(), &edit()).await.unwrap();
    let revision = ContractRevision { id: REVISION, name: "standard".to_owned(), text: "x".to_owned() };
    store.save_contract_revision(&revision).await.unwrap();
}

fn new_event(number: u128, data: &str) -> NewEvent {
    let key = id(number);
    let event = Event {
        id: EventId::made(key),
        key,
        event_type: "deal.won".into(),
        occurred_at: T0,
        accepted_at: T0,
        resource: None,
        data: data.into(),
        changes: Some("{\"field\":\"seeded-changes\"}".into()),
    };
    let delivery = NewDelivery {
        in_order: false,
        id: DeliveryId(id(number + 1)),
        endpoint: endpoint().id,
        event_type: "deal.won".into(),
        revision: REVISION,
        due_at: T0,
    };
    NewEvent { event: Arc::new(event), fingerprint: None, test: false, is_derived: false, deliveries: vec![delivery] }
}

fn outcome(delivery: OpenDelivery) -> Outcome {
    let attempt = Attempt {
        id: AttemptId(id(99)),
        started_at: T0,
        response_time_ms: 1,
        by_hand: false,
        url: "https://example.com/in?token=seeded-url".to_owned(),
        request_headers: vec![("x-request".to_owned(), "seeded-request-header".to_owned())],
        response: Some(Response {
            status_code: 500,
            headers: vec![(b"x-answer".to_vec(), b"seeded-response-header".to_vec())],
            body: b"seeded-response-body".to_vec(),
            note: Some("seeded-note".to_owned()),
        }),
        failure: Some(AttemptFailure {
            kind: FailureKind::Status,
            reason: Some("seeded-reason".into()),
            message: "seeded-message".to_owned(),
        }),
        refused_first: None,
    };
    Outcome {
        lease: LEASE,
        delivery: Arc::new(delivery),
        attempt,
        progress: Progress { attempts_count: 1, slots_used: 1, initial_failure_at: None },
        transition: Transition::Succeed,
        ended_at: T0,
        streak: StreakChange::None,
    }
}

async fn claim(store: &SqliteStore) -> Vec<OpenDelivery> {
    store.claim_due(LEASE, &org(), endpoint().id, T0, 10_000, vec![]).await.unwrap()
}

/// Commits, records, answers: something of everything that is sealed.
async fn fill(store: &SqliteStore) {
    prepare(store).await;
    store.commit_events(BASIS, &org(), vec![new_event(10, "{\"name\":\"seeded-data\"}")]).await.unwrap();
    let open = claim(store).await.remove(0);
    assert_eq!(open.trigger, Trigger::Schedule);
    assert_eq!(store.record_outcomes(&[outcome(open)]).await.unwrap(), [Recorded::Recorded]);
    for owner in [None, Some(&org())] {
        let begun = store.begin_idempotent(owner, "k", [9; 32], T0).await.unwrap();
        assert_eq!(begun, Idempotency::Started);
        let answer = StoredAnswer { status: 201, body: b"seeded-answer".to_vec() };
        store.finish_idempotent(owner, "k", answer).await.unwrap();
    }
}

/// Files by name; a socket holds nothing.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test]
async fn directory_and_files_are_their_owners_alone() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    let store = open(&dir).unwrap();
    fill(&store).await;
    assert_eq!(std::fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
    let names: Vec<_> = files(&dir).into_iter().map(|(name, _)| name).collect();
    for suffix in ["", "-wal", "-shm"] {
        assert!(names.contains(&format!("{DATABASE}{suffix}")), "{names:?}");
    }
    for name in names {
        assert_eq!(std::fs::metadata(dir.join(&name)).unwrap().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_directory_that_others_may_open_is_closed_or_refused() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("data");
    std::fs::create_dir(&dir).unwrap();
    let widen = || std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    widen();
    drop(open(&dir).unwrap());
    assert_eq!(std::fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
    widen();
    std::fs::write(dir.join("holiday.jpg"), b"").unwrap();
    let text = refusal(&dir, master(1));
    assert!(text.contains("directory of its own"), "{text}");
    assert_eq!(std::fs::metadata(&dir).unwrap().mode() & 0o777, 0o755);
}

#[tokio::test]
async fn one_process_has_the_directory_until_it_closes() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    let text = refusal(dir.path(), master(1));
    assert!(text.contains("another process has this data directory"), "{text}");
    first.close().await.unwrap();
    drop(open(dir.path()).unwrap());
    drop(open(dir.path()).unwrap());
}

#[tokio::test]
async fn another_master_key_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    fill(&store).await;
    drop(store);
    let text = refusal(dir.path(), master(2));
    assert!(text.contains("give the right key"), "{text}");
    assert_eq!(claim(&open(dir.path()).unwrap()).await, []);
}

#[test]
fn what_is_no_database_of_ours_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(DATABASE);
    std::fs::write(&path, b"Dear diary, today I learnt that files are just bytes. ".repeat(200)).unwrap();
    let text = refusal(dir.path(), master(1));
    assert!(text.contains("restore it from a backup"), "{text}");
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE photos (x)").unwrap();
    let text = refusal(dir.path(), master(1));
    assert!(text.contains("another program's database"), "{text}");
    let tables: i64 =
        Connection::open(&path).unwrap().query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn a_damaged_or_cut_file_is_refused() {
    for damage in [|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2), |bytes: &mut Vec<u8>| bytes[..4_096].fill(7)]
    {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path()).unwrap();
        prepare(&store).await;
        let data = "x".repeat(100_000);
        let events = (0..50).map(|i| new_event(10 + 2 * i, &data)).collect();
        store.commit_events(BASIS, &org(), events).await.unwrap();
        store.close().await.unwrap();
        let path = dir.path().join(DATABASE);
        let mut bytes = std::fs::read(&path).unwrap();
        damage(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        let text = refusal(dir.path(), master(1));
        assert!(text.contains("damaged"), "{text}");
    }
}

#[test]
fn a_newer_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    Connection::open(dir.path().join(DATABASE)).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let text = refusal(dir.path(), master(1));
    assert!(text.contains("newer Postrider"), "{text}");
}

#[tokio::test]
async fn nothing_secret_lies_in_any_file_in_the_clear() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    fill(&store).await;
    let while_open = files(dir.path());
    store.close().await.unwrap();
    assert!(while_open.iter().any(|(name, bytes)| name.ends_with("-wal") && contains(bytes, "deal.won")));
    for (name, bytes) in while_open.iter().chain(&files(dir.path())) {
        assert!(!contains(bytes, "seeded"), "{name}");
        assert!(!contains(bytes, &data_encoding::BASE64.encode(&[1; 32])), "{name}");
        assert!(!contains(bytes, "\u{1}".repeat(32).as_str()), "{name}");
    }
}

#[tokio::test]
async fn a_deleted_organizations_history_cannot_be_read_from_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    fill(&store).await;
    let conn = Connection::open(dir.path().join(DATABASE)).unwrap();
    let wrapped: Vec<u8> =
        conn.query_row("SELECT wrapped FROM data_keys WHERE org_no = 1", [], |row| row.get(0)).unwrap();
    drop(conn);
    store.delete_organization(&org(), &audit()).await.unwrap();
    store.close().await.unwrap();
    for (name, bytes) in files(dir.path()) {
        assert!(!bytes.windows(wrapped.len()).any(|window| window == wrapped), "{name}");
    }
}

#[tokio::test]
async fn a_sealed_value_moved_to_another_row_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    prepare(&store).await;
    let events = vec![new_event(10, "{\"n\":1}"), new_event(20, "{\"n\":2}")];
    let ids: Vec<_> = events.iter().map(|new| new.event.id.clone()).collect();
    store.commit_events(BASIS, &org(), events).await.unwrap();
    let conn = Connection::open(dir.path().join(DATABASE)).unwrap();
    conn.execute("UPDATE events SET sealed = (SELECT sealed FROM events WHERE no = 1) WHERE no = 2", []).unwrap();
    let moved = store.event(&org(), &ids[1]).await;
    assert!(matches!(moved, Err(StoreError::Sealed { .. })), "{moved:?}");
    assert!(store.event(&org(), &ids[0]).await.unwrap().is_some());
}

#[tokio::test]
async fn a_ring_opens_what_any_of_its_master_keys_wrapped() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let ring = |current, others: &[u8]| MasterKeys {
        current: master(current),
        others: others.iter().copied().map(master).collect(),
    };
    let reopen = |keys: MasterKeys| SqliteStore::open(dir.path(), keys, &SqliteOptions::default()).map(leased);
    // Nothing was wrapped by the second, so going back needs the first alone.
    drop(reopen(ring(2, &[1])).unwrap());
    let store = reopen(ring(1, &[])).unwrap();
    store.create_organization(&organization("by-first".parse().unwrap()), &audit()).await.unwrap();
    drop(store);
    let store = reopen(ring(2, &[1])).unwrap();
    store.create_organization(&organization("by-second".parse().unwrap()), &audit()).await.unwrap();
    drop(store);
    for alone in [1, 2] {
        let text = refusal(dir.path(), master(alone));
        assert!(text.contains("give the right key"), "{text}");
    }
    let store = reopen(ring(1, &[3, 2])).unwrap();
    for name in ["by-first", "by-second"] {
        assert_eq!(store.commit_events(BASIS, &name.parse().unwrap(), vec![]).await.unwrap(), []);
    }
    assert_eq!(store.rewrap().await.unwrap(), 1);
    drop(store);
    drop(reopen(ring(1, &[])).unwrap());
}

#[tokio::test]
async fn another_master_key_takes_over_without_touching_what_is_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    fill(&store).await;
    drop(store);
    let both = MasterKeys { current: master(2), others: vec![master(1)] };
    let store = leased(SqliteStore::open(dir.path(), both, &SqliteOptions::default()).unwrap());
    assert_eq!(store.rewrap().await.unwrap(), 2);
    assert_eq!(store.rewrap().await.unwrap(), 0);
    let other: OrganizationId = "made-after".parse().unwrap();
    store.create_organization(&organization(other.clone()), &audit()).await.unwrap();
    drop(store);
    let text = refusal(dir.path(), master(1));
    assert!(text.contains("give the right key"), "{text}");
    let store = leased(SqliteStore::open(dir.path(), master(2), &SqliteOptions::default()).unwrap());
    let event = store.event(&org(), &new_event(10, "").event.id).await.unwrap().unwrap();
    assert_eq!(&*event.event.data, "{\"name\":\"seeded-data\"}");
    assert_eq!(store.endpoint(&org(), endpoint().id).await.unwrap(), Some(endpoint()));
    assert_eq!(store.commit_events(BASIS, &other, vec![]).await.unwrap(), []);
    let again = store.begin_idempotent(None, "k", [9; 32], T0).await.unwrap();
    assert!(matches!(again, Idempotency::Done(_)));
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteOptions { pages_max: Some(400) };
    let store = leased(SqliteStore::open(dir.path(), master(1), &options).unwrap());
    prepare(&store).await;
    let data = "x".repeat(20_000);
    let mut stored = 0;
    let refused = loop {
        match store.commit_events(BASIS, &org(), vec![new_event(10 + 2 * stored, &data)]).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 1_000);
    };
    assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused:?}");
    let again = store.commit_events(BASIS, &org(), vec![new_event(10 + 2 * stored, &data)]).await;
    assert!(matches!(again, Err(StoreError::Unavailable { .. })), "{again:?}");
    assert_eq!(claim(&store).await.len(), usize::try_from(stored).unwrap());
    // Retention makes room, and the store goes on by itself.
    while store.retain(Millis(T0.0 + 2), Millis(T0.0 + 1), 100).await.unwrap().more {}
    store.commit_events(BASIS, &org(), vec![new_event(100_000, &data)]).await.unwrap();
    store.check(T0).await.unwrap();
    store.close().await.unwrap();
    let store = open(dir.path()).unwrap();
    assert_eq!(claim(&store).await.len(), 1);
    let conn = Connection::open(dir.path().join(DATABASE)).unwrap();
    let verdict: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

#[tokio::test]
async fn the_write_ahead_log_stays_small() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    prepare(&store).await;
    let data = "x".repeat(30_000);
    let mut wal_bytes_max = 0;
    for i in 0..100 {
        let batch = (0..40).map(|j| new_event(10 + 2 * (i * 40 + j), &data)).collect();
        store.commit_events(BASIS, &org(), batch).await.unwrap();
        let wal = std::fs::metadata(dir.path().join(format!("{DATABASE}-wal"))).unwrap();
        wal_bytes_max = wal_bytes_max.max(wal.len());
    }
    // 120 MB were written.
    assert!(wal_bytes_max < 64_000_000, "{wal_bytes_max}");
}
