//! Whatever arrives as a request: nothing verifies but what was signed with this secret, and every altered copy of that is refused.
//!
//! The input is a request as an attacker would write it: lines of headers, an empty line, a body.

use std::sync::LazyLock;

use postrider_contract::{Contract, Contracts, SecretRules, SignInput};
use postrider_domain::{DeliveryId, EventId, Millis, Secret};
use uuid::Uuid;

const NOW: Millis = Millis(1_795_212_000_000);

static CONTRACTS: LazyLock<Contracts> =
    LazyLock::new(|| Contracts::built_in().expect("the built-in contracts are good"));

/// The check.
///
/// # Panics
/// When something does not hold.
pub fn check(request: &[u8]) {
    let end = request.windows(2).position(|pair| pair == b"\n\n").unwrap_or(request.len());
    let (head, body) = (&request[..end], request.get(end + 2..).unwrap_or_default());
    let Ok(head) = std::str::from_utf8(head) else { return };
    for contract in CONTRACTS.iter().filter(|contract| contract.is_signed()) {
        let secret = contract.generate_secret(&[7; SecretRules::RANDOM_BYTES]);
        forged(contract, &secret, head, body);
        genuine(contract, &secret, body, head.len());
    }
}

/// Headers that nobody signed.
fn forged(contract: &Contract, secret: &Secret, lines: &str, body: &[u8]) {
    let headers: Vec<_> = lines.lines().filter_map(|line| line.split_once(':')).map(|(n, v)| (n, v.trim())).collect();
    assert!(contract.verify(secret, &headers, body, NOW).is_err(), "a forgery was accepted");
    // A secret of the attacker's choice is no reason to panic.
    let _ = contract.verify(&Secret::new(lines.to_owned()), &headers, body, NOW);
}

/// A signed request, and altered copies of it.
fn genuine(contract: &Contract, secret: &Secret, body: &[u8], position: usize) {
    let event_id = EventId::made(Uuid::from_u128(1));
    let input = SignInput {
        primary: Some(secret),
        secondary: None,
        attempt_at: NOW,
        event_type: "deal.won",
        event_id: &event_id,
        delivery_id: DeliveryId(Uuid::from_u128(2)),
        body,
    };
    let signed = contract.sign(&input).expect("a generated secret signs");
    let headers: Vec<_> = signed.iter().map(|header| (header.name, header.value.as_ref())).collect();
    contract.verify(secret, &headers, body, NOW).expect("what was signed verifies");
    if body.is_empty() {
        return;
    }
    let mut altered = body.to_vec();
    altered[position % body.len()] ^= 1 << (position % 8);
    assert!(contract.verify(secret, &headers, &altered, NOW).is_err(), "an altered body was accepted");
    let other = contract.generate_secret(&[8; SecretRules::RANDOM_BYTES]);
    assert!(contract.verify(&other, &headers, body, NOW).is_err(), "another secret was accepted");
}
