//! Rotations: what is asked for, and what is answered. A new secret is shown in the answer to its rotation, and never again.

use std::time::Duration;

use postrider_contract::{Contract, SecretRules, parse_duration};
use postrider_domain::{Endpoint, Millis, Secret};
use serde::Serialize;
use utoipa::ToSchema;

use crate::code::Code;
use crate::fields::Fields;
use crate::time::Moment;
use crate::wire::endpoint::choose_secret;

/// The longest overlap: as long as a contract may say.
const OVERLAP_MAX: Duration = Duration::from_secs(30 * 86_400);

/// A secret to replace the present one with.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says how the object looks; it is read into what the domain wants")]
pub(crate) struct RotateRequest {
    /// The new secret, where the contract lets people choose. Made when left out, of the same kind as the present one, where the contract makes
    /// secrets. The bare prefix of one of the contract's kinds of secret (such as `whsk_`) has one of that kind made.
    secret: Option<String>,
    /// How long the old secret works beside the new one: a number and `s`, `m`, `h` or `d`, at most `30d`. As the contract says, usually `24h`, when left
    /// out. `0s`, after a leak, ends every other secret at once, and an overlap that is open.
    #[schema(example = "24h")]
    overlap: Option<String>,
}

/// What a rotation request says.
pub(crate) struct Rotate {
    pub(crate) secret: Option<Secret>,
    pub(crate) overlap: Duration,
}

impl RotateRequest {
    pub(crate) const FIELDS: &[&str] = &["secret", "overlap"];

    /// `random` is what a secret is made of.
    pub(crate) fn read(
        fields: &mut Fields<'_, '_>,
        contract: &Contract,
        endpoint: &Endpoint,
        random: &[u8; SecretRules::RANDOM_BYTES],
    ) -> Rotate {
        let present = endpoint.secret.as_ref();
        let secret = if !contract.is_signed() {
            fields.wrong("secret", Code::SecretUnsigned.says("cannot be had: the endpoint's contract signs nothing"));
            None
        } else if fields.raw("secret").is_some() {
            choose_secret(fields, contract, random)
        } else if contract.secret().generated {
            let like = |present| contract.generate_secret_like(present, random);
            Some(present.map_or_else(|| contract.generate_secret(random), like))
        } else {
            fields.wrong("secret", Code::SecretRequired.says("is missing; the secrets of this contract are chosen"));
            None
        };
        if secret.is_some() && secret.as_ref() == present {
            fields.wrong("secret", Code::SecretSame.says("is the endpoint's present secret; give another one"));
        }
        Rotate { secret, overlap: overlap(fields).unwrap_or(contract.secret().overlap) }
    }
}

fn overlap(fields: &mut Fields<'_, '_>) -> Option<Duration> {
    fields.chosen("overlap", |text| {
        let lasts = parse_duration(text).filter(|lasts| *lasts <= OVERLAP_MAX);
        lasts.ok_or_else(|| {
            let detail = "must be a number and s, m, h or d, such as 24h, and at most 30d; 0s after a leak";
            Code::DurationInvalid.says(detail).with("max", "30d")
        })
    })
}

/// What a rotation leaves the endpoint with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rotated)]
pub(crate) struct RotatedBody<'a> {
    /// The new secret: here, and never again.
    secret: &'a str,
    /// What receivers verify with, where the secret is an asymmetric key.
    #[schema(required = true)]
    public_key: Option<String>,
    /// When the old secret stops working; `null` when there was none.
    #[schema(required = true)]
    expires_at: Option<Moment>,
}

impl<'a> RotatedBody<'a> {
    pub(crate) fn new(secret: &'a Secret, contract: &Contract, expires_at: Option<Millis>) -> Self {
        let expires_at = expires_at.map(Moment);
        RotatedBody { secret: secret.reveal(), public_key: contract.public_key(secret), expires_at }
    }
}

/// What may be said when a rotation is confirmed.
#[derive(Debug, ToSchema)]
pub(crate) struct ConfirmRequest {
    /// How much longer the old secret works, if less than it would: `0s` ends it at once.
    #[schema(value_type = Option<String>, example = "0s")]
    pub(crate) overlap: Option<Duration>,
}

impl ConfirmRequest {
    pub(crate) const FIELDS: &[&str] = &["overlap"];

    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Self {
        ConfirmRequest { overlap: overlap(fields) }
    }
}
