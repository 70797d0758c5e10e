//! Whatever an operator writes into a contract file: each mistake names a place in it, and what is accepted works.

use postrider_contract::{Contract, RenderInput, SecretRules, SignInput};
use postrider_domain::{DeliveryId, EventId, Millis};
use uuid::Uuid;

use crate::templates::is_object;

/// The check.
///
/// # Panics
/// When something does not hold.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    match Contract::parse(text, "fuzzed.toml") {
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            // The end of the file is a place too, one line behind the last.
            let lines = text.lines().count() + 1;
            assert!(
                mistakes.iter().all(|mistake| mistake.line <= lines && !mistake.problem.is_empty()),
                "{mistakes:?}"
            );
        }
        Ok(contract) => exercise(&contract),
    }
}

fn exercise(contract: &Contract) {
    let again = Contract::parse(contract.text(), "again.toml").expect("its own text makes the same contract");
    assert_eq!(again.revision(), contract.revision());
    let event_id = EventId::made(Uuid::from_u128(1));
    let delivery_id = DeliveryId(Uuid::from_u128(2));
    let input = RenderInput {
        event_type: "deal.won",
        event_id: &event_id,
        delivery_id,
        organization_id: "acme",
        occurred_at: Millis(1_700_000_000_000),
        data: r#"{"id":1.50}"#,
        changes: Some(r#"{"id":{"previous":1,"current":1.50}}"#),
        resource: None,
        test: true,
    };
    let body = contract.render(&input);
    assert!(is_object(&body), "{body}");
    let secret = contract.generate_secret(&[7; SecretRules::RANDOM_BYTES]);
    let attempt_at = Millis(1_700_000_060_000);
    let sign = SignInput {
        primary: Some(&secret),
        secondary: None,
        attempt_at,
        event_type: input.event_type,
        event_id: &event_id,
        delivery_id,
        body: body.as_bytes(),
    };
    // Rules that no secret fits are the operator's own doing; what is signed must verify.
    let Ok(headers) = contract.sign(&sign) else { return };
    if contract.is_signed() {
        let headers: Vec<_> = headers.iter().map(|header| (header.name, header.value.as_ref())).collect();
        contract.verify(&secret, &headers, body.as_bytes(), attempt_at).expect("what was signed verifies");
    }
}
