use postrider_domain::{Millis, Transition};

use super::*;

fn organization(id: &str) -> OrganizationId {
    id.parse().unwrap()
}

fn endpoint(number: u128) -> EndpointId {
    EndpointId(uuid::Uuid::from_u128(number))
}

fn statistics(rows_max: usize) -> Statistics {
    Statistics::new(&EngineLimits { statistics_rows_max: rows_max, ..EngineLimits::default() })
}

fn row(number: u128, hour: i32) -> EndpointHour {
    let mut tally = Tally::default();
    tally.count(Transition::Succeed, Millis(5), Some(3));
    EndpointHour { organization: organization("acme"), endpoint: endpoint(number), hour: Hour(hour), tally }
}

fn attempts(rows: &[EndpointHour]) -> u64 {
    rows.iter().map(|row| row.tally.attempts).sum()
}

#[test]
fn what_is_gathered_has_a_limit_and_what_has_a_row_goes_on_counting() {
    let statistics = statistics(3);
    statistics.put_back(&[row(1, 1), row(1, 2), row(2, 1), row(3, 1), row(1, 3)]);
    statistics.put_back(&[row(1, 1), row(2, 1)]);
    let taken = statistics.take();
    assert_eq!((taken.len(), attempts(&taken)), (3, 5), "two had no room");
    statistics.put_back(&[row(3, 1), row(3, 2), row(3, 3)]);
    assert_eq!(statistics.take().len(), 3, "there is room again");
    assert_eq!(statistics.take(), []);
}

#[test]
fn what_is_gathered_is_seen_in_its_buckets_by_its_organization_alone() {
    let statistics = statistics(10);
    statistics.put_back(&[row(1, 23), row(1, 24), row(1, 25), row(1, 48)]);
    let days = Buckets { from: Hour(24), until: Hour(48), hours: 24 };
    let seen_by = |id: &str| {
        let mut found = EndpointStatistics::empty(endpoint(1), days);
        statistics.add_gathered(&mut found, &organization(id), days);
        (found.total.attempts, found.buckets.iter().map(|(hour, tally)| (hour.0, tally.attempts)).collect::<Vec<_>>())
    };
    assert_eq!(seen_by("acme"), (2, vec![(24, 2)]));
    assert_eq!(seen_by("other"), (0, vec![(24, 0)]));
}
