//! An export as a file: what comes back, and what is noticed.

use std::num::NonZeroU32;
use std::sync::Arc;

use postrider_domain::{
    AttemptFailure, AttemptId, DeliveryId, Endpoint, EndpointId, EndpointOrdering, EndpointStatus, EventId,
    EventValidation, FailReason, FailureKind, Key, KeyId, Millis, OperationId, OperationStatus, Organization,
    OrganizationId, Overlap, Progress, Resource, Resume, Scope, Secret, Trigger,
};
use uuid::Uuid;

use super::*;
use crate::MasterKey;
use crate::model::{Attempt, ContractRevision, Event, RefusedExchange, Response, RevisionId, StoredAnswer, Version};
use crate::operations::{Operation, Recovery, Removed, Work};

fn master(byte: u8) -> MasterKey {
    MasterKey::from_base64(&data_encoding::BASE64.encode(&[byte; 32])).unwrap()
}

fn acme() -> OrganizationId {
    "acme".parse().unwrap()
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn attempt(number: u128) -> Attempt {
    Attempt {
        id: AttemptId(id(number)),
        started_at: Millis(-5),
        response_time_ms: u32::MAX,
        by_hand: true,
        url: "https://example.com/ü".to_owned(),
        request_headers: vec![("x".to_owned(), String::new())],
        response: number.is_multiple_of(2).then(|| Response {
            status_code: 599,
            headers: vec![(b"a\xff".to_vec(), b"\0".to_vec())],
            body: b"\0\xff<p>".to_vec(),
            note: Some("cut".to_owned()),
        }),
        failure: Some(AttemptFailure {
            kind: FailureKind::Tls,
            reason: Some("alert".into()),
            message: "no".to_owned(),
        }),
        refused_first: number.is_multiple_of(2).then(|| {
            Box::new(RefusedExchange {
                request_headers: vec![("y".to_owned(), "z".to_owned())],
                response_time_ms: 1,
                response: Response { status_code: 401, headers: vec![], body: b"no".to_vec(), note: None },
            })
        }),
    }
}

fn delivery(state: PortableState) -> Portable {
    Portable::Delivery(PortableDelivery {
        organization: acme(),
        id: DeliveryId(id(1)),
        endpoint: EndpointId(id(2)),
        event_key: id(3),
        event_type: "dealWon".into(),
        revision: RevisionId([7; 32]),
        test: true,
        created_at: Millis(9),
        progress: Progress { attempts_count: 3, slots_used: 2, initial_failure_at: Some(Millis(8)) },
        last_status_code: Some(503),
        state,
        attempts: vec![attempt(1), attempt(2)],
    })
}

/// One row of every kind, and of every kind's kinds.
fn rows() -> Vec<Portable> {
    let organization = Organization {
        id: acme(),
        name: "Acme & Söhne".to_owned(),
        contract: "standard".to_owned(),
        plan: None,
        owner_email: Some("a@example.com".to_owned()),
        locale: None,
        event_validation: EventValidation::Enforce,
        frame_ancestors: vec!["https://crm.example".to_owned(), "http://[::1]:8080".to_owned()],
        created_at: Millis(1),
        updated_at: Millis(2),
    };
    let endpoint = |status| Endpoint {
        id: EndpointId(id(2)),
        organization: acme(),
        name: "n".to_owned(),
        description: None,
        url: "https://example.com".to_owned(),
        events: vec!["*".parse().unwrap(), "deal.*".parse().unwrap(), "deal.won".parse().unwrap()],
        contract: "standard".to_owned(),
        secret: Some(Secret::new("whsec_x".to_owned())),
        overlap: Some(Overlap {
            old: Secret::new("whsec_old-secret".to_owned()),
            ends_at: Millis(5),
            is_confirmed: true,
        }),
        headers: vec![("x-token".to_owned(), Secret::new("t".to_owned()))],
        filter: Some("data.amount > 1000".to_owned()),
        rate_limit: NonZeroU32::new(20),
        ordering: EndpointOrdering::Resource,
        system: Some("erp".to_owned()),
        status,
        resumed_at: Some(Millis(3)),
        created_at: Millis(1),
        updated_at: Millis(2),
    };
    let event = Event {
        id: "crm-1".parse().unwrap(),
        key: id(3),
        event_type: "deal.won".into(),
        occurred_at: Millis(1),
        accepted_at: Millis(2),
        resource: Some(Resource { kind: "deal".to_owned(), ids: vec!["1".to_owned(), "2".to_owned()], uri: None }),
        data: "{\"a\": 1.0}".into(),
        changes: Some("{}".into()),
    };
    let key = Key {
        id: KeyId(id(4)),
        organization: acme(),
        name: "ci".to_owned(),
        scopes: Scope::ALL.to_vec(),
        hint: "pr_".to_owned(),
        created_at: Millis(1),
        expires_at: None,
    };
    let mut rows = vec![
        Portable::Revision(ContractRevision {
            id: RevisionId([7; 32]),
            name: "standard".to_owned(),
            text: "a = 1".to_owned(),
        }),
        Portable::OperatorKey([1; 32]),
        Portable::Organization(organization, Version(7)),
        Portable::Key(Key { expires_at: Some(Millis(5)), ..key.clone() }, [2; 32]),
        Portable::Key(key, [3; 32]),
        Portable::DeletedEndpoint(DeletedEndpoint {
            organization: acme(),
            id: EndpointId(id(5)),
            created_at: Millis(1),
            updated_at: Millis(2),
        }),
        Portable::ChosenId(ChosenId {
            organization: acme(),
            id: "crm-1".parse().unwrap(),
            key: id(3),
            accepted_at: Millis(2),
            fingerprint: [4; 32],
            deliveries_count: 2,
            is_event_kept: true,
        }),
        Portable::Event(PortableEvent {
            organization: acme(),
            event: Arc::new(event),
            test: false,
            deliveries_count: 2,
            deliveries: vec![DeliveryId(id(1)), DeliveryId(id(6))],
            is_open: true,
        }),
        Portable::Ready,
    ];
    let disabled = EndpointStatus::Disabled { reason: "failed".to_owned() };
    rows.extend([EndpointStatus::Active, EndpointStatus::Paused, disabled].map(|s| Portable::Endpoint(endpoint(s))));
    let resumes = [Resume::At(Millis(4)), Resume::Succeeded, Resume::Failed(FailReason::Gone)];
    let triggers = resumes.map(|resume| Trigger::Person { resume }).into_iter().chain([Trigger::Schedule]);
    let about = Resource { kind: "deal".to_owned(), ids: vec!["1".to_owned(), "2".to_owned()], uri: None };
    let turn = Some(PortableTurn { number: 7, about });
    rows.extend(
        triggers.map(|trigger| delivery(PortableState::Open { due_at: Millis(6), trigger, turn: turn.clone() })),
    );
    let reasons = std::iter::once(None).chain(FailReason::ALL.map(Some));
    let event = EventId::made(id(3));
    rows.extend(
        reasons.map(|reason| delivery(PortableState::Ended { ended_at: Millis(7), reason, event: event.clone() })),
    );
    rows.extend(operations().map(Portable::Operation));
    for organization in [None, Some(acme())] {
        let answer = StoredAnswer { status: 201, body: b"{}\0".to_vec() };
        let (key, request_hash) = ("k".to_owned(), [5; 32]);
        rows.push(Portable::Answer(PortableAnswer { organization, key, request_hash, created_at: Millis(3), answer }));
    }
    rows
}

/// One of each kind, running and ended.
fn operations() -> [Operation; 3] {
    let running = Operation {
        id: OperationId(id(8)),
        organization: acme(),
        work: Work::Recover(Recovery { endpoint: EndpointId(id(2)), since: Millis(1), until: Millis(2) }),
        status: OperationStatus::Running,
        fail_reason: None,
        done: 3,
        total: Some(4),
        cursor: Some(id(3)),
        removed: Removed::default(),
        created_at: Millis(5),
        ended_at: None,
    };
    let erasing = Operation {
        work: Work::Erase { record: Some(("contact".to_owned(), "42".to_owned())) },
        total: None,
        cursor: None,
        removed: Removed { events: 3, deliveries: 2, attempts: 1 },
        ..running.clone()
    };
    let ended = Operation {
        work: Work::Erase { record: None },
        status: OperationStatus::Failed,
        fail_reason: Some("no".to_owned()),
        ended_at: Some(Millis(6)),
        ..erasing.clone()
    };
    [running, erasing, ended]
}

const EXPORT: ExportId = ExportId(Uuid::from_u128(42));

/// Three chunks.
fn written() -> Vec<u8> {
    let mut writer = ExportWriter::begin(Vec::new(), &master(1), EXPORT).unwrap();
    writer.chunk(&rows()).unwrap();
    writer.chunk(&rows()[..2]).unwrap();
    writer.chunk(&rows()[2..5]).unwrap();
    let (bytes, counts, written) = writer.finish().unwrap();
    assert_eq!(bytes.len() as u64, written);
    assert_eq!((counts.organizations, counts.keys, counts.open_deliveries, counts.ended_deliveries), (2, 4, 4, 6));
    assert_eq!(counts.attempts, 20);
    bytes
}

fn read(bytes: &[u8], keys: &[&MasterKey]) -> Result<Vec<Vec<Portable>>, ExportFileError> {
    let mut reader = ExportReader::begin(bytes, keys)?;
    assert_eq!(reader.export(), EXPORT);
    let mut chunks = vec![];
    while let Some((number, rows)) = reader.chunk()? {
        assert_eq!(number, chunks.len() as u64);
        chunks.push(rows);
    }
    assert!(reader.chunk()?.is_none());
    assert_eq!(reader.bytes(), bytes.len() as u64);
    Ok(chunks)
}

#[test]
fn every_row_comes_back() {
    let bytes = written();
    let chunks = read(&bytes, &[&master(2), &master(1)]).unwrap();
    assert_eq!(chunks, [rows(), rows()[..2].to_vec(), rows()[2..5].to_vec()]);
}

#[test]
fn nothing_can_be_read_in_it() {
    let bytes = written();
    for text in ["Acme", "whsec", "deal", "standard"] {
        assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
    }
    let with_other = written();
    assert_ne!(bytes[74..], with_other[74..]);
}

#[test]
fn every_altered_byte_is_noticed() {
    let bytes = written();
    for at in 0..bytes.len() {
        // The id of the export is told before the first part is opened.
        if (26..42).contains(&at) {
            continue;
        }
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        assert!(read(&altered, &[&master(1)]).is_err(), "byte {at}");
    }
    let mut renamed = bytes.clone();
    renamed[26] ^= 1;
    assert!(matches!(ExportReader::begin(&*renamed, &[&master(1)]).unwrap().chunk(), Err(ExportFileError::Altered(0))));
}

#[test]
fn what_is_cut_off_or_added_is_noticed() {
    let bytes = written();
    for len in 0..bytes.len() {
        let cut = read(&bytes[..len], &[&master(1)]).unwrap_err();
        assert_eq!(matches!(cut, ExportFileError::NotAnExport), len < 18, "{len}: {cut}");
    }
    let more = [bytes.as_slice(), b"\0"].concat();
    assert!(matches!(read(&more, &[&master(1)]), Err(ExportFileError::Altered(3))));
}

/// Each frame, with its head.
fn frames(bytes: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let (header, mut rest) = bytes.split_at(74);
    let mut found = vec![];
    while !rest.is_empty() {
        let len = u32::from_le_bytes(*rest[1..].first_chunk().unwrap()) as usize;
        let (frame, behind) = rest.split_at(5 + len);
        found.push(frame);
        rest = behind;
    }
    (header, found)
}

#[test]
fn parts_that_were_moved_left_out_or_repeated_are_noticed() {
    let bytes = written();
    let (header, frames) = frames(&bytes);
    assert_eq!(frames.len(), 4);
    for order in [[1, 0, 2, 3].as_slice(), &[0, 2, 3], &[0, 1, 2, 2, 3], &[0, 1, 3], &[3]] {
        let parts: Vec<_> = std::iter::once(header).chain(order.iter().map(|at| frames[*at])).collect();
        let read = read(&parts.concat(), &[&master(1)]);
        assert!(matches!(read, Err(ExportFileError::Altered(_))), "{order:?}");
    }
}

#[test]
fn another_key_or_another_file_is_told() {
    let bytes = written();
    let error = read(&bytes, &[&master(2)]).unwrap_err().to_string();
    assert!(error.contains(&master(1).id.to_string()) && error.contains(&master(2).id.to_string()), "{error}");
    assert!(error.contains("--source-encryption-key-file"), "{error}");
    assert!(matches!(read(b"SQLite format 3\0 and more of it", &[&master(1)]), Err(ExportFileError::NotAnExport)));
    let mut newer = bytes;
    newer[16] = 2;
    assert!(matches!(read(&newer, &[&master(1)]), Err(ExportFileError::NewerFormat(2))));
}
