//! A diagnosis: what was looked at, what was found, and what to do.

use postrider_domain::{Advice, Finding, Params};
use postrider_engine::{Check, Diagnosis};
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::write_params;

/// How a check ended.
#[derive(Debug, ToSchema)]
#[schema(as = CheckOutcome, rename_all = "snake_case")]
#[expect(dead_code, reason = "says which words there are; they are the engine's")]
pub(crate) enum OutcomeWord {
    /// As it should be.
    Passed,
    /// It works, and something about it is likely to make trouble.
    Warning,
    /// Deliveries fail for this.
    Failed,
    /// It could not be looked at, because of something before it, or does not apply.
    Skipped,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Check)]
pub(crate) struct CheckBody<'a> {
    /// A word that does not change: `endpoint_status`, `url`, `dns`, `tcp`, `tls`, `certificate`, `probe`, `response_time`, `redirect` or `signature`.
    #[schema(example = "certificate")]
    name: &'static str,
    #[schema(value_type = OutcomeWord)]
    outcome: &'static str,
    /// What was found.
    #[schema(example = "for example.com; valid from 2026-09-01 until 2026-11-30, 9 days more")]
    found: &'a str,
    /// The same as a word that does not change, for saying it in another language: of a finding, of a failed attempt's message, or of a wrong field.
    #[schema(example = "certificate.current")]
    found_code: &'a str,
    /// The facts of what was found, numbers and texts; left out when there are none.
    #[serde(skip_serializing_if = "Params::is_empty", serialize_with = "write_params")]
    #[schema(value_type = Object, required = false,
        example = json!({"names": "example.com", "from": "2026-09-01", "until": "2026-11-30", "days": 9}))]
    found_params: &'a Params,
    /// What was found of each of several: addresses with the guard's verdict, connections, certificates.
    details: Vec<DetailBody<'a>>,
    /// What to do; `null` where nothing is to be done.
    #[schema(required = true)]
    advice: Option<&'static str>,
    /// The advice as a word that does not change, for saying it in another language; `null` where there is none.
    #[schema(required = true, example = "certificate_ends_soon")]
    advice_code: Option<&'static str>,
}

/// What was found of one of several.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckDetail)]
pub(crate) struct DetailBody<'a> {
    /// What was found.
    #[schema(example = "203.0.113.7:443: connected in 18 ms")]
    text: &'a str,
    /// The same as a word that does not change.
    #[schema(example = "connection.made")]
    code: &'a str,
    /// The facts of the text, numbers and texts; left out when there are none.
    #[serde(skip_serializing_if = "Params::is_empty", serialize_with = "write_params")]
    #[schema(value_type = Object, required = false, example = json!({"address": "203.0.113.7:443", "took_ms": 18}))]
    params: &'a Params,
}

/// What keeps an endpoint from receiving, or that nothing does.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Diagnosis)]
pub(crate) struct DiagnosisBody<'a> {
    /// Whether no check failed.
    healthy: bool,
    /// The checks, in the order in which they build on each other.
    checks: Vec<CheckBody<'a>>,
    /// The delivery under which the test event is listed; `null` when none was sent, since it could not arrive.
    #[schema(required = true)]
    delivery: Option<String>,
}

impl<'a> DiagnosisBody<'a> {
    pub(crate) fn new(diagnosis: &'a Diagnosis) -> Self {
        DiagnosisBody {
            healthy: diagnosis.is_healthy(),
            checks: diagnosis.checks.iter().map(CheckBody::new).collect(),
            delivery: diagnosis.delivery.map(|id| id.to_string()),
        }
    }
}

impl<'a> CheckBody<'a> {
    fn new(check: &'a Check) -> Self {
        CheckBody {
            name: check.name,
            outcome: check.outcome.as_str(),
            found: &check.found.text,
            found_code: &check.found.code,
            found_params: &check.found.params,
            details: check.details.iter().map(DetailBody::new).collect(),
            advice: check.advice.map(Advice::text),
            advice_code: check.advice.map(Advice::code),
        }
    }
}

impl<'a> DetailBody<'a> {
    fn new(found: &'a Finding) -> Self {
        DetailBody { text: &found.text, code: &found.code, params: &found.params }
    }
}
