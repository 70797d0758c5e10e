//! A rotation's overlap against receivers as their documents' samples write them: each holds one secret, old or new, and reads
//! one signature (contracts.md, reading 6).

use postrider_contract::{Contract, Contracts, SecretRules, SignInput};
use postrider_domain::{DeliveryId, EventId, Millis, Secret};
use ring::hmac;

const BODY: &str = r#"{"eventId":"e","eventType":"message.received","data":{}}"#;

fn hex(secret: &Secret, signed: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    data_encoding::HEXLOWER.encode(hmac::sign(&key, signed.as_bytes()).as_ref())
}

/// `parts.find(p => p.startsWith('s=')).slice(2)`
fn reads_the_first(header: &str, secret: &Secret) -> bool {
    let part = |prefix: &str| header.split(',').find(|p| p.starts_with(prefix)).unwrap()[2..].to_owned();
    part("s=") == hex(secret, &format!("{}.{BODY}", part("t=")))
}

/// `dict(p.split('=') for p in signature.split(','))`, which fails where a part has two `=` and keeps the last of equal keys.
fn reads_the_last(header: &str, secret: &Secret) -> bool {
    let part = |name: &str| {
        let pairs: Vec<Vec<&str>> = header.split(',').map(|p| p.split('=').collect()).collect();
        assert!(pairs.iter().all(|pair| pair.len() == 2), "{header}");
        pairs.iter().rfind(|pair| pair[0] == name).unwrap()[1].to_owned()
    };
    part("s") == hex(secret, &format!("{}.{BODY}", part("t")))
}

fn header(contract: &Contract, primary: &Secret, secondary: &Secret) -> String {
    let event_id: EventId = "e".parse().unwrap();
    let input = SignInput {
        primary: Some(primary),
        secondary: Some(secondary),
        attempt_at: Millis(1_773_820_962_350),
        event_type: "message.received",
        event_id: &event_id,
        delivery_id: DeliveryId(uuid::Uuid::nil()),
        body: BODY.as_bytes(),
    };
    contract.sign(&input).unwrap().pop().unwrap().value.into_owned()
}

#[test]
fn naive_receivers_accept_the_first_request_or_the_swapped_one_with_either_secret() {
    let contracts = Contracts::built_in().unwrap();
    let contract = contracts.get("sendpilot").unwrap();
    let [old, new] = [1, 2].map(|seed| contract.generate_secret(&[seed; SecretRules::RANDOM_BYTES]));
    // Before the rotation is confirmed the old secret is the primary, afterwards the new one.
    for (primary, secondary) in [(&old, &new), (&new, &old)] {
        for held in [&old, &new] {
            for reads in [reads_the_first, reads_the_last] {
                let first = reads(&header(contract, primary, secondary), held);
                let swapped = reads(&header(contract, secondary, primary), held);
                assert!(first || swapped);
                assert_eq!(first, held == primary, "the primary's holder needs one request alone");
            }
        }
    }
    assert!([400, 401, 403].into_iter().all(|status| contract.swaps_on(status)) && !contract.swaps_on(500));
}

#[test]
fn a_receiver_that_reads_the_list_accepts_either_secret_at_once() {
    let contracts = Contracts::built_in().unwrap();
    for name in ["sendpilot", "standard"] {
        let contract = contracts.get(name).unwrap();
        let [old, new] = [1, 2].map(|seed| contract.generate_secret(&[seed; SecretRules::RANDOM_BYTES]));
        let event_id: EventId = "e".parse().unwrap();
        let now = Millis(1_773_820_962_350);
        let input = SignInput {
            primary: Some(&old),
            secondary: Some(&new),
            attempt_at: now,
            event_type: "message.received",
            event_id: &event_id,
            delivery_id: DeliveryId(uuid::Uuid::nil()),
            body: BODY.as_bytes(),
        };
        let headers = contract.sign(&input).unwrap();
        let shown: Vec<_> = headers.iter().map(|h| (h.name, h.value.as_ref())).collect();
        for secret in [&old, &new] {
            assert_eq!(contract.verify(secret, &shown, BODY.as_bytes(), now), Ok(()));
        }
    }
}
