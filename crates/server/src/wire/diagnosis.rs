//! A diagnosis: what was looked at, what was found, and what to do.

use postrider_domain::Advice;
use postrider_engine::{Check, Diagnosis};
use serde::Serialize;
use utoipa::ToSchema;

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
    /// The same of each of several: addresses with the guard's verdict, connections, certificates.
    details: &'a [String],
    /// What to do; `null` where nothing is to be done.
    #[schema(required = true)]
    advice: Option<&'static str>,
    /// The advice as a word that does not change, for saying it in another language; `null` where there is none.
    #[schema(required = true, example = "certificate_ends_soon")]
    advice_code: Option<&'static str>,
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
            found: &check.found,
            details: &check.details,
            advice: check.advice.map(Advice::text),
            advice_code: check.advice.map(Advice::code),
        }
    }
}
