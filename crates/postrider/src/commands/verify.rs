//! `verify`: whether a received request is authentic and, where not, why and what to do.

use std::process::ExitCode;

use postrider_contract::{Contract, VerifyFailure};
use postrider_domain::{Millis, Secret};
use postrider_engine::{Clock, SystemClock};

use crate::cli::VerifyArgs;
use crate::commands::contracts;
use crate::commands::read_input;
use crate::failure::{FAILED, Misuse};
use crate::output;
use crate::settings::Variables;

pub(crate) fn run(args: &VerifyArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let now = args.now.as_deref().map_or_else(|| Ok(SystemClock.now()), moment)?;
    let headers = args.headers.iter().map(|text| header(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let contracts = contracts::load(&args.own, variables)?;
    let contract = contracts::find(&contracts, &args.contract)?;
    let body = read_input(args.body.as_deref())?;
    let verified = contract.verify(&Secret::new(args.secret.clone()), &headers, &body, now);
    output::line(&answer(contract, &verified, args.json))?;
    Ok(if verified.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn answer(contract: &Contract, verified: &Result<(), VerifyFailure>, json: bool) -> String {
    match (verified, json) {
        (Ok(()), false) => format!("authentic: signed as {} says", contract.name()),
        (Ok(()), true) => serde_json::json!({"authentic": true}).to_string(),
        (Err(why), false) => format!("NOT authentic: {why}\nwhat to do: {}", advice(why)),
        (Err(why), true) => {
            serde_json::json!({"authentic": false, "reason": reason(why), "detail": why.to_string(), "advice": advice(why)}).to_string()
        }
    }
}

/// A stable name for scripts.
fn reason(why: &VerifyFailure) -> &'static str {
    match why {
        VerifyFailure::NotSigned => "not_signed",
        VerifyFailure::HeaderMissing { .. } => "header_missing",
        VerifyFailure::HeaderMalformed { .. } => "header_malformed",
        VerifyFailure::Secret(_) => "secret_unusable",
        VerifyFailure::TimestampTooOld { .. } => "timestamp_too_old",
        VerifyFailure::TimestampInFuture { .. } => "timestamp_in_future",
        VerifyFailure::BodyAltered(_) => "body_altered",
        VerifyFailure::SecretMisread(_) => "secret_misread",
        VerifyFailure::NoneOfThisKind { .. } => "none_of_this_kind",
        VerifyFailure::WrongSecretOrBody => "wrong_secret_or_body",
    }
}

fn advice(why: &VerifyFailure) -> &'static str {
    match why {
        VerifyFailure::NotSigned => "check that --contract names the contract of the endpoint.",
        VerifyFailure::HeaderMissing { .. } => {
            "pass every header of the request with --header; where it is really missing, something on the way removed it, the endpoint has \
             no secret, or the request did not come from here."
        }
        VerifyFailure::HeaderMalformed { .. } => {
            "pass the header as it was received, unshortened; check that --contract is right."
        }
        VerifyFailure::Secret(_) => "copy the endpoint's secret again, whole and with its prefix.",
        VerifyFailure::TimestampTooOld { .. } => {
            "for a request that was saved earlier, give the moment it arrived with --now; a receiver should refuse it, as it may be a replay, \
             or set its clock."
        }
        VerifyFailure::TimestampInFuture { .. } => {
            "set this machine's clock, or give the moment of arrival with --now."
        }
        VerifyFailure::BodyAltered(_) => {
            "in the receiver, take the raw bytes of the body before any JSON parser or middleware touches them; here, save the body without \
             an editor."
        }
        VerifyFailure::SecretMisread(_) => {
            "change how the receiver reads the secret, as said above; the secret itself is right."
        }
        VerifyFailure::NoneOfThisKind { .. } => {
            "use the secret of this endpoint, or the public key that belongs to it."
        }
        VerifyFailure::WrongSecretOrBody => {
            "compare the secret with the endpoint's (after a rotation the old one ends), and make sure that the body is the raw bytes that arrived. \
             If both are right, the request did not come from here."
        }
    }
}

fn header(text: &str) -> anyhow::Result<(&str, &str)> {
    let wrong = || Misuse::of(format!("{text:?} is no header; write one as 'Name: value'"));
    let (name, value) = text.split_once(':').filter(|(name, _)| !name.trim().is_empty()).ok_or_else(wrong)?;
    Ok((name.trim(), value.trim()))
}

/// Reads an RFC 3339 time, or seconds since 1970.
fn moment(text: &str) -> anyhow::Result<Millis> {
    let seconds = text.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000));
    let time = || text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond);
    let wrong =
        || Misuse::of(format!("--now {text:?} is no time; write one as 2026-03-01T12:00:00Z, or seconds since 1970"));
    seconds.or_else(time).map(Millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use postrider_contract::{Contracts, SignInput};
    use postrider_domain::{DeliveryId, EventId};

    const BODY: &[u8] = br#"{"type":"deal.won","data":{"id":1}}"#;

    /// The contracts, one's name, headers, secret.
    type Signed = (Contracts, String, Vec<(String, String)>, Secret);

    /// Every contract with headers that verify at second 1,700,000,000, and the secret.
    fn signed() -> Vec<Signed> {
        let contracts = Contracts::built_in().unwrap();
        let sign = |contract: &Contract| {
            let secret = contract.generate_secret(&[7; postrider_contract::SecretRules::RANDOM_BYTES]);
            let headers = contract.sign(&SignInput {
                primary: Some(&secret),
                secondary: None,
                attempt_at: Millis(1_700_000_000_000),
                event_type: "deal.won",
                event_id: &EventId::made(uuid::Uuid::from_u128(1)),
                delivery_id: DeliveryId(uuid::Uuid::from_u128(2)),
                body: BODY,
            });
            let own = headers.unwrap().into_iter().map(|h| (h.name.to_owned(), h.value.into_owned())).collect();
            (contracts.clone(), contract.name().to_owned(), own, secret)
        };
        contracts.iter().filter(|contract| contract.is_signed()).map(|contract| sign(contract)).collect()
    }

    fn ask(
        contracts: &Contracts,
        name: &str,
        headers: &[(String, String)],
        secret: &str,
        body: &[u8],
    ) -> (bool, String) {
        let contract = contracts::find(contracts, name).unwrap();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let verified = contract.verify(&Secret::new(secret.to_owned()), &headers, body, Millis(1_700_000_000_000));
        (verified.is_ok(), answer(contract, &verified, false))
    }

    #[test]
    fn every_signed_contract_is_told_authentic_and_one_flipped_byte_not() {
        for (contracts, name, headers, secret) in signed() {
            let (authentic, text) = ask(&contracts, &name, &headers, secret.reveal(), BODY);
            assert!(authentic, "{name}: {text}");
            let flipped: Vec<u8> = BODY.iter().map(|b| if *b == b'1' { b'2' } else { *b }).collect();
            let (authentic, text) = ask(&contracts, &name, &headers, secret.reveal(), &flipped);
            assert!(
                !authentic && text.contains("wrong secret, or body altered") && text.contains("what to do: "),
                "{name}: {text}"
            );
        }
    }

    #[test]
    fn a_body_with_a_line_break_at_its_end_is_told_as_such() {
        for (contracts, name, headers, secret) in signed() {
            let (_, text) = ask(&contracts, &name, &headers, secret.reveal(), &[BODY, b"\n"].concat());
            assert!(text.contains("body altered") && text.contains("raw bytes"), "{name}: {text}");
        }
    }

    #[test]
    fn a_moment_is_a_time_or_seconds() {
        assert_eq!(moment("1700000000").unwrap(), Millis(1_700_000_000_000));
        assert_eq!(moment("2023-11-14T22:13:20Z").unwrap(), Millis(1_700_000_000_000));
        assert!(moment("yesterday").is_err());
    }

    #[test]
    fn headers_are_split_at_their_first_colon() {
        assert_eq!(header("X-Time: 12:00").unwrap(), ("X-Time", "12:00"));
        assert!(header("X-Time").is_err());
        assert!(header(": x").is_err());
    }
}
