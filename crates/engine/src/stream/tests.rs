use postrider_domain::{DeliveryStatus, EventId};
use postrider_store::RevisionId;
use proptest::prelude::*;

use super::*;

fn delivery(id: u128) -> Delivery {
    Delivery {
        id: DeliveryId(Uuid::from_u128(id)),
        event: EventId::made(Uuid::from_u128(id)),
        endpoint: EndpointId(Uuid::nil()),
        event_type: "deal.won".into(),
        resource: None,
        revision: RevisionId([0; 32]),
        test: false,
        status: DeliveryStatus::Pending,
        fail_reason: None,
        created_at: Millis(0),
        next_attempt_at: None,
        ended_at: None,
        attempts_count: 0,
        last_status_code: None,
    }
}

/// As a store answers.
fn found(committed: &std::collections::BTreeSet<u128>, after: Uuid, most: usize) -> PageOf<Delivery> {
    let mut rows: Vec<_> =
        committed.iter().filter(|id| **id > after.as_u128()).take(most + 1).map(|id| delivery(*id)).collect();
    let has_more = rows.len() > most;
    rows.truncate(most);
    let next = if has_more { rows.last().map(|row| row.id.0) } else { None };
    PageOf { rows, next }
}

proptest! {
    /// In whatever order deliveries become visible, as long as each does so before it counts as settled.
    #[test]
    fn each_delivery_is_read_once_and_none_is_skipped(
        delays in prop::collection::vec(0_u128..30, 1..250),
        limit in 1_usize..20,
        read_every in 1_u128..8,
    ) {
        let mut committed = std::collections::BTreeSet::new();
        let mut position = StreamPosition::oldest();
        let mut read = Vec::new();
        let end = delays.len() as u128 + 40 + delays.len().div_ceil(limit) as u128 * read_every;
        for now in 0..end {
            // Delivery `n` is accepted at `n` and visible after its delay.
            for (n, delay) in delays.iter().enumerate() {
                if n as u128 + delay == now {
                    committed.insert(n as u128 + 1);
                }
            }
            if now % read_every == 0 {
                let settled_upto = Uuid::from_u128(now.saturating_sub(30));
                let page = found(&committed, position.settled, limit + MARKS_MAX);
                let (rows, next) = position.read(page, settled_upto, limit);
                prop_assert!(rows.len() <= limit && next.marks.len() <= MARKS_MAX);
                prop_assert!(rows.is_sorted_by_key(|row| row.id));
                read.extend(rows.iter().map(|row| row.id.0.as_u128()));
                position = StreamPosition::from_bytes(&next.to_bytes()).unwrap();
                prop_assert_eq!(&position, &next);
            }
        }
        read.sort_unstable();
        prop_assert_eq!(read, (1..=delays.len() as u128).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_no_position_is_none() {
    for bytes in [&[0; 15][..], &[0; 17], &[0; 16 + 8 * (MARKS_MAX + 1)]] {
        assert_eq!(StreamPosition::from_bytes(bytes), None);
    }
}
