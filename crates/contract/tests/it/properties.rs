//! What holds for every built-in contract and any event: bodies are JSON, what is signed verifies, and nothing else does.

use std::sync::LazyLock;

use postrider_contract::{Contract, Contracts, RenderInput, SecretRules, SignInput, VerifyFailure};
use postrider_domain::{DeliveryId, EventId, Millis, Resource, Secret};
use proptest::prelude::*;
use serde_json::value::RawValue;
use uuid::Uuid;

static CONTRACTS: LazyLock<Contracts> = LazyLock::new(|| Contracts::built_in().unwrap());

const NOW: Millis = Millis(1_773_820_962_350);

fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let name = prop_oneof![Just("id".to_owned()), Just("organization_id".to_owned()), any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|v| format!("[ {}\n]", v.join(" ,"))),
            prop::collection::vec((name, inner), 0..6).prop_map(|members| {
                let text = |(k, v): &(String, String)| format!("{} : {v}", serde_json::to_string(k).unwrap());
                format!("{{ {}}}", members.iter().map(text).collect::<Vec<_>>().join(",\t"))
            }),
        ]
    })
}

prop_compose! {
    fn any_event()(
        data in any_json(),
        changes in prop::option::of(any_json()),
        resource in prop::option::of((any::<String>(), prop::collection::vec(any::<String>(), 0..4), prop::option::of(any::<String>()))),
        id in "[!-~]{1,128}",
        organization in any::<String>(),
        delivery: u128, at: i64, test: bool, event_type in "[a-z]{1,9}[._][a-z]{1,9}",
    ) -> Event {
        let resource = resource.map(|(kind, ids, uri)| Resource { kind, ids, uri });
        let (delivery, at) = (DeliveryId(Uuid::from_u128(delivery)), Millis(at));
        Event { data, changes, resource, id: id.parse().unwrap(), organization, delivery, at, test, event_type }
    }
}

#[derive(Debug)]
struct Event {
    data: String,
    changes: Option<String>,
    resource: Option<Resource>,
    id: EventId,
    organization: String,
    delivery: DeliveryId,
    at: Millis,
    test: bool,
    event_type: String,
}

impl Event {
    fn body(&self, contract: &Contract) -> String {
        contract.render(&RenderInput {
            event_type: &self.event_type,
            event_id: &self.id,
            delivery_id: self.delivery,
            organization_id: &self.organization,
            occurred_at: self.at,
            data: &self.data,
            changes: self.changes.as_deref(),
            resource: self.resource.as_ref(),
            test: self.test,
        })
    }

    fn headers(&self, contract: &Contract, secrets: &[Secret], body: &[u8]) -> Vec<(String, String)> {
        let input = SignInput {
            primary: secrets.first(),
            secondary: secrets.get(1),
            attempt_at: NOW,
            event_type: &self.event_type,
            event_id: &self.id,
            delivery_id: self.delivery,
            body,
        };
        let headers = contract.sign(&input).unwrap();
        headers.into_iter().map(|h| (h.name.to_owned(), h.value.into_owned())).collect()
    }
}

fn verify(
    contract: &Contract,
    secret: &Secret,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<(), VerifyFailure> {
    let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    contract.verify(secret, &headers, body, NOW)
}

/// Two different secrets of a contract.
fn secrets(contract: &Contract) -> Vec<Secret> {
    [1, 2].map(|seed| contract.generate_secret(&[seed; SecretRules::RANDOM_BYTES])).into()
}

proptest! {
    #[test]
    fn a_body_is_json_that_holds_the_data_as_it_came_and_never_changes(event in any_event()) {
        for contract in CONTRACTS.iter() {
            let body = event.body(contract);
            prop_assert!(serde_json::from_str::<&RawValue>(&body).is_ok(), "{body}");
            let own = event.data.strip_prefix('{').unwrap_or(&event.data);
            prop_assert!(body.contains(own), "{body}");
            prop_assert_eq!(&body, &event.body(contract));
            prop_assert_eq!(body.contains("\"test\":true}"), event.test, "{}", body);
        }
    }

    #[test]
    fn what_is_signed_verifies_and_one_flipped_bit_does_not(
        event in any_event(), body in prop::collection::vec(any::<u8>(), 1..200), at: prop::sample::Index, bit in 0u8..8,
    ) {
        for contract in CONTRACTS.iter() {
            let secrets = secrets(contract);
            for both in [&secrets[..1], &secrets[..]] {
                let headers = event.headers(contract, both, &body);
                prop_assert_eq!(verify(contract, &secrets[0], &headers, &body), Ok(()));
                let mut altered = body.clone();
                altered[at.index(body.len())] ^= 1 << bit;
                prop_assert!(verify(contract, &secrets[0], &headers, &altered).is_err());
            }
            let headers = event.headers(contract, &secrets[..1], &body);
            prop_assert!(verify(contract, &secrets[1], &headers, &body).is_err());
        }
    }

    #[test]
    fn arbitrary_headers_and_secrets_never_panic(secret: String, value: String, body: Vec<u8>, cut: prop::sample::Index) {
        for contract in CONTRACTS.iter() {
            let _ = contract.check_secret(&secret);
            let names = ["webhook-id", "webhook-timestamp", "webhook-signature", "X-Webhook-Signature", "x-salessheet-signature"];
            let cut = cut.index(value.len() + 1);
            let part = value.get(cut..).unwrap_or(&value);
            let headers = names.map(|name| (name, part));
            let _ = contract.verify(&Secret::new(secret.clone()), &headers, &body, NOW);
        }
    }

    #[test]
    fn arbitrary_files_never_panic(text: String) {
        let _ = Contract::parse(&text, "x.toml");
    }

    #[test]
    fn a_built_in_file_with_a_piece_missing_or_doubled_never_panics(
        which: prop::sample::Index, from: prop::sample::Index, length in 1usize..400, doubled: bool,
    ) {
        let all: Vec<_> = CONTRACTS.iter().collect();
        let text = all[which.index(all.len())].text();
        let start = from.index(text.len());
        let end = (start + length).min(text.len());
        if let (Some(before), Some(piece), Some(after)) = (text.get(..start), text.get(start..end), text.get(end..)) {
            let edited = if doubled { format!("{before}{piece}{piece}{after}") } else { format!("{before}{after}") };
            if let Err(mistakes) = Contract::parse(&edited, "x.toml") {
                prop_assert!(!mistakes.is_empty());
            }
        }
    }
}

#[test]
fn every_sample_is_delivered_under_its_own_schema_and_no_two_are_alike() {
    for contract in CONTRACTS.iter() {
        let mut seen = std::collections::HashSet::new();
        for event_type in contract.event_types() {
            assert_eq!(contract.misfits(&event_type.name, &event_type.sample), []);
            assert!(seen.insert(&event_type.sample), "{} of {} has a sample twice", event_type.name, contract.name());
            let sample = contract.sample(&event_type.name);
            assert_eq!(sample.resource.kind, event_type.resource);
            assert!(!contract.misfits(&event_type.name, "17").is_empty(), "{} allows any data", event_type.name);
        }
    }
}

#[test]
fn every_mapped_name_leads_to_a_type_and_no_further() {
    for contract in CONTRACTS.iter() {
        let own: Vec<_> = CONTRACTS.iter().flat_map(|c| c.event_types()).map(|t| t.name.as_str()).collect();
        for name in own {
            if let Some(receivers) = contract.resolve_type(name) {
                assert_eq!(contract.resolve_type(receivers), Some(receivers));
                assert!(contract.knows_type(receivers));
            }
        }
    }
}
