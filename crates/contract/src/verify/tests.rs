use super::*;
use crate::{RenderInput, SecretRules, SignInput};
use postrider_domain::{DeliveryId, EventId};

const AT: Millis = Millis(1_614_265_330_000);
const BODY: &str = r#"{"type":"deal.won","name":"Zoë","n":[1,2]}"#;

/// A contract with a lead, two schemes and a list of signatures: every form that a signature header can have.
const FILE: &str = r#"
name = "list"
title = "List"
envelope = '{"data":"$data"}'
[headers]
X-Id = "${event.id}"
[signature]
header = "X-Signature"
lead = "t=${attempt.unix};"
part = "${version}=${signature}"
separator = " "
overlap = ["primary", "secondary"]
signed = "${event.id}.${attempt.unix}.${body}"
encoding = "base64"
[signature.schemes.v1]
prefix = "whsec_"
key = "base64"
[signature.schemes.v1a]
prefix = "whsk_"
algorithm = "ed25519"
key = "base64"
public_prefix = "whpk_"
[types.x]
description = "x"
resource = "x"
schema = '{}'
sample = '1'
"#;

fn contract() -> Contract {
    Contract::parse(FILE, "list.toml").unwrap()
}

fn plain() -> Contract {
    let plain = "name = 'plain'\ntitle = 'Plain'\nenvelope = '{}'\n[signature]\nheader = 'X-Signature'\n[types.x]\n\
                 description = 'x'\nresource = 'x'\nschema = '{}'\nsample = '1'\n";
    Contract::parse(plain, "plain.toml").unwrap()
}

fn signed(contract: &Contract, secret: &Secret, body: &str) -> Vec<(String, String)> {
    let event_id: EventId = "evt-1".parse().unwrap();
    let input = SignInput {
        primary: Some(secret),
        secondary: None,
        attempt_at: AT,
        event_type: "x",
        event_id: &event_id,
        delivery_id: DeliveryId(uuid::Uuid::nil()),
        body: body.as_bytes(),
    };
    contract.sign(&input).unwrap().into_iter().map(|h| (h.name.to_owned(), h.value.into_owned())).collect()
}

fn verify(
    contract: &Contract,
    secret: &Secret,
    headers: &[(String, String)],
    body: &str,
    now: Millis,
) -> Result<(), VerifyFailure> {
    let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    contract.verify(secret, &headers, body.as_bytes(), now)
}

fn replaced(headers: &[(String, String)], name: &str, value: &str) -> Vec<(String, String)> {
    let other = |(n, v): &(String, String)| (n.clone(), if n == name { value.to_owned() } else { v.clone() });
    headers.iter().map(other).collect()
}

fn secret(seed: u8) -> Secret {
    contract().generate_secret(&[seed; SecretRules::RANDOM_BYTES])
}

#[test]
fn the_published_vector_of_standard_webhooks_is_signed_and_verified() {
    // The vector of the reference libraries' documentation: secret, identifier, time and payload.
    let contracts = crate::Contracts::built_in().unwrap();
    let contract = contracts.get(contracts.default_name()).unwrap();
    let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
    let event_id: EventId = "msg_p5jXN8AQM9LWM0D4loKWxJek".parse().unwrap();
    let body = br#"{"test": 2432232314}"#;
    let input = SignInput {
        primary: Some(&secret),
        secondary: None,
        attempt_at: AT,
        event_type: "x",
        event_id: &event_id,
        delivery_id: DeliveryId(uuid::Uuid::nil()),
        body,
    };
    let headers = contract.sign(&input).unwrap();
    let shown: Vec<_> = headers.iter().map(|h| (h.name, h.value.as_ref())).collect();
    let expected = [
        ("Content-Type", "application/json"),
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ];
    assert_eq!(shown, expected);
    assert_eq!(contract.verify(&secret, &shown, body, AT), Ok(()));
}

#[test]
fn a_missing_or_malformed_header_is_named_with_its_form() {
    let (contract, secret) = (contract(), secret(1));
    let headers = signed(&contract, &secret, BODY);
    let missing = VerifyFailure::HeaderMissing { header: "X-Signature".into() };
    assert_eq!(verify(&contract, &secret, &headers[..2], BODY, AT), Err(missing));
    let without_id = [headers[2].clone()];
    let missing = VerifyFailure::HeaderMissing { header: "X-Id".into() };
    assert_eq!(verify(&contract, &secret, &without_id, BODY, AT), Err(missing));
    for value in ["", "abc", "t=1614265330;", "t=1614265330;v1", "t=1614265330;v1=*"] {
        let failure = verify(&contract, &secret, &replaced(&headers, "X-Signature", value), BODY, AT).unwrap_err();
        let expected = "t=${attempt.unix};${version}=${signature}".to_owned();
        assert_eq!(failure, VerifyFailure::HeaderMalformed { header: "X-Signature".into(), expected }, "{value}");
    }
    let no_number = headers[2].1.replace("t=1614265330", "t=now");
    let failure = verify(&contract, &secret, &replaced(&headers, "X-Signature", &no_number), BODY, AT);
    assert!(matches!(failure, Err(VerifyFailure::HeaderMalformed { .. })));
}

#[test]
fn an_old_or_early_signature_is_told_from_a_wrong_one() {
    let (contract, secret) = (contract(), secret(1));
    let headers = signed(&contract, &secret, BODY);
    let after = |s: u64| verify(&contract, &secret, &headers, BODY, AT + Duration::from_secs(s));
    let tolerance = Duration::from_secs(300);
    assert_eq!(after(300), Ok(()));
    assert_eq!(after(301), Err(VerifyFailure::TimestampTooOld { age: Duration::from_secs(301), tolerance }));
    let early = verify(&contract, &secret, &headers, BODY, AT - Duration::from_secs(301));
    assert_eq!(early, Err(VerifyFailure::TimestampInFuture { ahead: Duration::from_secs(301), tolerance }));
    let forged = headers[2].1.replace("t=1614265330", "t=1614265990");
    let forged = replaced(&headers, "X-Signature", &forged);
    let failure = verify(&contract, &secret, &forged, BODY, Millis(1_614_265_990_000));
    assert_eq!(failure, Err(VerifyFailure::WrongSecretOrBody));
}

#[test]
fn an_altered_body_is_told_from_a_wrong_secret_where_it_can_be() {
    let (contract, secret) = (contract(), secret(1));
    let headers = signed(&contract, &secret, BODY);
    let altered = |body: &str| verify(&contract, &secret, &headers, body, AT).unwrap_err();
    let change = |change| VerifyFailure::BodyAltered(change);
    assert_eq!(altered(&format!("{BODY}\n")), change(BodyChange::Surroundings));
    assert_eq!(altered(&format!("\u{feff}{BODY}")), change(BodyChange::Surroundings));
    let pretty = r#"{"type": "deal.won", "name": "Zo\u00eb", "n": [1, 2]}"#;
    assert_eq!(altered(pretty), change(BodyChange::Rewritten));
    assert_eq!(altered(&pretty.replace("\\u00eb", "ë")), change(BodyChange::Rewritten));
    assert_eq!(altered(&BODY.replace("won", "lost")), VerifyFailure::WrongSecretOrBody);
    let lines = "{\"a\":\n1}";
    let headers = signed(&contract, &secret, lines);
    let failure = verify(&contract, &secret, &headers, "{\"a\":\r\n1}", AT);
    assert_eq!(failure, Err(change(BodyChange::LineEndings)));
}

#[test]
fn a_secret_that_is_read_wrongly_is_told_from_a_wrong_one() {
    let (contract, plain) = (contract(), plain());
    let secret = secret(1);
    let headers = signed(&contract, &secret, BODY);
    let with = |text: String| verify(&contract, &Secret::new(text), &headers, BODY, AT).unwrap_err();
    let misread = VerifyFailure::SecretMisread;
    assert_eq!(with(format!("\"{}\"\n", secret.reveal())), misread(SecretReading::Trimmed));
    let bare = secret.reveal().trim_start_matches("whsec_").to_owned();
    assert_eq!(with(bare), misread(SecretReading::WithPrefix("whsec_".into())));
    let hex = Secret::new("00ff00ff00ff00ff00ff00ff00ff00ff".to_owned());
    let by_text = signed(&plain, &hex, BODY);
    assert_eq!(verify(&plain, &hex, &by_text, BODY, AT), Ok(()));
    let key = data_encoding::HEXLOWER.decode(hex.reveal().as_bytes()).unwrap();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), BODY.as_bytes());
    let by_bytes = replaced(&by_text, "X-Signature", &data_encoding::HEXLOWER.encode(tag.as_ref()));
    let failure = verify(&plain, &hex, &by_bytes, BODY, AT);
    assert_eq!(failure, Err(misread(SecretReading::Decoded("hex"))));
}

#[test]
fn ed25519_signatures_verify_with_the_public_key_alone() {
    let contract = contract();
    let pair = contract.generate_secret_of("whsk_", &[3; SecretRules::RANDOM_BYTES]).unwrap();
    let public = Secret::new(contract.public_key(&pair).unwrap());
    assert!(public.reveal().starts_with("whpk_"));
    let headers = signed(&contract, &pair, BODY);
    for secret in [&pair, &public] {
        assert_eq!(verify(&contract, secret, &headers, BODY, AT), Ok(()));
        assert_eq!(verify(&contract, secret, &headers, "{}", AT), Err(VerifyFailure::WrongSecretOrBody));
    }
    let failure = verify(&contract, &secret(1), &headers, BODY, AT);
    assert_eq!(failure, Err(VerifyFailure::NoneOfThisKind { version: "v1".into() }));
    assert_eq!(contract.public_key(&secret(1)), None);
}

#[test]
fn a_contract_without_a_signature_says_so() {
    let file = FILE.replace(&FILE[FILE.find("[signature]").unwrap()..FILE.find("[types.x]").unwrap()], "");
    let contract = Contract::parse(&file, "x.toml").unwrap();
    assert_eq!(contract.verify(&secret(1), &[], b"", AT), Err(VerifyFailure::NotSigned));
    let event_id: EventId = "e".parse().unwrap();
    let body = contract.render(&RenderInput {
        event_type: "x",
        event_id: &event_id,
        delivery_id: DeliveryId(uuid::Uuid::nil()),
        organization_id: "o",
        occurred_at: AT,
        data: "1",
        changes: None,
        resource: None,
        test: false,
    });
    assert_eq!(body, r#"{"data":1}"#);
}

#[test]
fn a_failure_never_shows_the_secret() {
    let (contract, secret) = (contract(), Secret::new("whsec_notbase64!".to_owned()));
    let headers = signed(&contract, &super::tests::secret(1), BODY);
    let failure = verify(&contract, &secret, &headers, BODY, AT).unwrap_err();
    assert!(matches!(failure, VerifyFailure::Secret(_)));
    assert!(!format!("{failure} {failure:?}").contains("notbase64"));
}
