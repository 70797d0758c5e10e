//! How many endpoints of one system may subscribe to the same event (contracts.md, reading 9): enabled and paused ones count, and a
//! subscription to several events counts for each of them.

use postrider_contract::Contract;
use postrider_domain::{Endpoint, EndpointStatus, Subscription};

/// Those of an organisation's endpoints that count together with this one.
pub(crate) fn others(all: &[Endpoint], endpoint: &Endpoint) -> Vec<Endpoint> {
    all.iter().filter(|other| counts_with(other, endpoint)).cloned().collect()
}

fn counts_with(other: &Endpoint, endpoint: &Endpoint) -> bool {
    other.id != endpoint.id
        && other.system == endpoint.system
        && other.contract == endpoint.contract
        && !matches!(other.status, EndpointStatus::Disabled { .. })
}

/// Whether a change makes an endpoint count for something that it did not count for before.
pub(crate) fn takes_more(before: &Endpoint, after: &Endpoint) -> bool {
    let counted = |endpoint: &Endpoint| !matches!(endpoint.status, EndpointStatus::Disabled { .. });
    counted(after) && (!counted(before) || before.events != after.events || before.system != after.system)
}

/// The first event for which there would be more than `max` endpoints, if there is one.
pub(crate) fn overfull(others: &[Endpoint], endpoint: &Endpoint, contract: &Contract, max: u32) -> Option<String> {
    let is_full = |wanted: &dyn Fn(&Subscription) -> bool| {
        let wanting = others.iter().filter(|other| other.events.iter().any(wanted)).count();
        u32::try_from(wanting).unwrap_or(u32::MAX) >= max
    };
    let wants = |name: &str| endpoint.events.iter().any(|subscription| subscription.matches(name));
    let is_full_of = |name: &str| is_full(&|subscription| subscription.matches(name));
    let of_catalogue = contract.event_types().iter().map(|t| t.name.as_str()).filter(|name| wants(name));
    let named = endpoint.events.iter().chain(others.iter().flat_map(|other| &other.events)).filter_map(|s| match s {
        Subscription::Type(name) if wants(name) => Some(name.as_str()),
        _ => None,
    });
    let full = of_catalogue.chain(named).find(|name| is_full_of(name)).map(str::to_owned);
    // An open catalogue has events without a name here: those that every prefix or star stands for.
    full.or_else(|| {
        let stars = endpoint.events.iter().filter(|s| !matches!(s, Subscription::Type(_)));
        let same = |star: &Subscription| is_full(&|other| other == star || *other == Subscription::All);
        stars.filter(|_| contract.is_open()).find(|star| same(star)).map(ToString::to_string)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use postrider_domain::{EndpointId, Millis};
    use uuid::Uuid;

    fn endpoint(number: u128, events: &[&str]) -> Endpoint {
        Endpoint {
            id: EndpointId(Uuid::from_u128(number)),
            organization: "acme".parse().unwrap(),
            name: "e".into(),
            description: None,
            url: "https://example.com".into(),
            events: events.iter().map(|text| text.parse().unwrap()).collect(),
            contract: "c".into(),
            secret: None,
            overlap: None,
            headers: vec![],
            filter: None,
            rate_limit: None,
            ordering: postrider_domain::EndpointOrdering::None,
            system: None,
            status: EndpointStatus::Active,
            resumed_at: None,
            created_at: Millis(0),
            updated_at: Millis(0),
        }
    }

    fn overfull_of(others: &[&[&str]], events: &[&str]) -> Option<String> {
        let contracts = postrider_contract::Contracts::built_in().unwrap();
        let limited = contracts.iter().find(|c| c.limits().endpoints_per_event_and_system_max.is_some()).unwrap();
        let others: Vec<_> = others.iter().enumerate().map(|(i, e)| endpoint(i as u128, e)).collect();
        overfull(&others, &endpoint(99, events), limited, 2)
    }

    #[test]
    fn the_third_endpoint_for_an_event_is_one_too_many_and_the_event_is_named() {
        let (created, updated) = ("peopleCreated", "peopleUpdated");
        assert_eq!(overfull_of(&[&[created]], &[created]), None);
        assert_eq!(overfull_of(&[&[created], &[created, updated]], &[updated, created]), Some(created.to_owned()));
        assert_eq!(overfull_of(&[&[created], &[created]], &[updated]), None);
    }

    #[test]
    fn all_events_count_for_each_of_them() {
        assert_eq!(overfull_of(&[&["*"], &["*"]], &["own.type"]), Some("own.type".to_owned()));
        assert_eq!(overfull_of(&[&["own.type"], &["own.type"]], &["*"]), Some("own.type".to_owned()));
        assert!(overfull_of(&[&["*"], &["*"]], &["*"]).is_some());
    }

    #[test]
    fn a_change_that_takes_nothing_more_is_never_refused() {
        let before = endpoint(1, &["peopleCreated"]);
        let renamed = Endpoint { name: "x".into(), ..before.clone() };
        assert!(!takes_more(&before, &renamed));
        let disabled = EndpointStatus::Disabled { reason: "r".into() };
        assert!(takes_more(&Endpoint { status: disabled, ..before.clone() }, &before));
        assert!(takes_more(&before, &endpoint(1, &["*"])));
    }
}
