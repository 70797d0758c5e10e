//! Diagnosis: the documents' troubleshooting as a list of *checks*, from the endpoint's status to a signed *probe*, each with what was found and
//! what to do ("confirm the webhook is active", "correct and publicly accessible", "your SSL certificate is valid", "within 10 seconds", "the
//! correct webhook secret").
//!
//! A probe is a test event: the receiver's mark for those is on it, and it is never retried nor counted.

mod network;
mod probe;
mod url;

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::{
    Advice, AttemptFailure, AuditEntry, DeliveryId, DisabledReason, EndpointId, EndpointStatus, FailureKind, Finding,
    FindingKind, LatestFailure, OrganizationId, advice,
};
use postrider_egress::{UrlRefusal, VettedUrl};

use crate::engine::Engine;
use crate::error::TestError;
use probe::Probe;
pub use url::UrlDiagnosis;

/// The longest that the look at names, addresses, connections and certificates may take; the probe has its contract's time besides.
const EXAMINATION: Duration = Duration::from_secs(15);

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// As it should be.
    Passed,
    /// It works, and something about it is likely to make trouble.
    Warning,
    /// Deliveries fail for this.
    Failed,
    /// It could not be looked at, because of something before it, or does not apply.
    Skipped,
}

impl CheckOutcome {
    /// The word in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CheckOutcome::Passed => "passed",
            CheckOutcome::Warning => "warning",
            CheckOutcome::Failed => "failed",
            CheckOutcome::Skipped => "skipped",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// A word that stays the same: `endpoint_status`, `url`, `dns`, `tcp`, `tls`, `certificate`, `probe`, `response_time`, `redirect` or `signature`.
    pub name: &'static str,
    /// How it ended.
    pub outcome: CheckOutcome,
    /// What was found.
    pub found: Finding,
    /// What was found of each of several, e.g. addresses.
    pub details: Vec<Finding>,
    /// What to do; none where nothing is to be done.
    pub advice: Option<Advice>,
}

impl Check {
    fn of(name: &'static str, outcome: CheckOutcome, found: Finding) -> Self {
        Check { name, outcome, found, details: Vec::new(), advice: None }
    }

    fn passed(name: &'static str, found: Finding) -> Self {
        Check::of(name, CheckOutcome::Passed, found)
    }

    fn warning(name: &'static str, found: Finding, advice: Advice) -> Self {
        Check { advice: Some(advice), ..Check::of(name, CheckOutcome::Warning, found) }
    }

    fn failed(name: &'static str, found: Finding, advice: Advice) -> Self {
        Check { advice: Some(advice), ..Check::of(name, CheckOutcome::Failed, found) }
    }

    /// One that fails as an attempt would, with the words that stand beside such an attempt.
    fn failed_as(name: &'static str, failure: &AttemptFailure) -> Self {
        Check::failed(name, Finding::failure(failure), advice(failure.kind, failure.reason.as_deref(), None))
    }

    fn skipped(name: &'static str, found: Finding) -> Self {
        Check::of(name, CheckOutcome::Skipped, found)
    }

    fn with(self, details: Vec<Finding>) -> Self {
        Check { details, ..self }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// Every check, in the order in which they build on each other.
    pub checks: Vec<Check>,
    /// The delivery under which the probe is listed, where one was sent.
    pub delivery: Option<DeliveryId>,
}

impl Diagnosis {
    /// Whether nothing failed.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.checks.iter().all(|check| check.outcome != CheckOutcome::Failed)
    }
}

impl Engine {
    /// Looks at everything that keeps an endpoint from receiving, and sends it a probe of this type (the first that it subscribes to when none
    /// is named) where one can arrive. Takes fifteen seconds and the contract's time for an attempt at most.
    ///
    /// # Errors
    /// When there is no such endpoint or type, or the store cannot be read or commit.
    pub async fn diagnose(
        &self,
        organization: &OrganizationId,
        id: EndpointId,
        event_type: Option<&str>,
        audit: AuditEntry,
    ) -> Result<Diagnosis, TestError> {
        let inner = &self.inner;
        let view = inner.directory.read(organization).await?.ok_or(TestError::UnknownEndpoint)?;
        let view = Arc::clone(view.endpoints.get(&id).ok_or(TestError::UnknownEndpoint)?);
        let mut checks = vec![status(&view.endpoint.status)];
        let mut delivery = None;
        let can_arrive = match &view.url {
            Err(refusal) => {
                checks.push(refused(refusal));
                network::skip(&mut checks);
                false
            }
            Ok(url) => {
                checks.push(allowed(url));
                let examination = inner.egress.examine(url, EXAMINATION).await;
                network::check(url, &examination, inner.clock.now(), &mut checks)
            }
        };
        if can_arrive {
            let sent = self.send_test(organization, id, event_type, audit).await?;
            delivery = Some(sent.delivery);
            let secrets = view.endpoint.signing_secrets(inner.clock.now());
            Probe::of(&sent.attempt, &view.contract, secrets.primary.is_some()).check(&mut checks);
        } else {
            probe::skip(&mut checks);
        }
        Ok(Diagnosis { checks, delivery })
    }
}

fn status(status: &EndpointStatus) -> Check {
    let name = "endpoint_status";
    match status {
        EndpointStatus::Active => Check::passed(name, FindingKind::EndpointActive.says("the endpoint is active")),
        EndpointStatus::Paused => {
            let text = "the endpoint is paused: new events make no deliveries for it";
            Check::warning(name, FindingKind::EndpointPaused.says(text), Advice::EndpointPaused)
        }
        EndpointStatus::Disabled { reason } => Check::failed(name, disabled(reason), Advice::EndpointDisabled),
    }
}

fn disabled(reason: &str) -> Finding {
    let text = format!("the endpoint was disabled by the system: {reason}");
    match DisabledReason::parse(reason) {
        None => FindingKind::EndpointDisabled.says(text),
        Some(DisabledReason::Gone) => FindingKind::EndpointGone.says(text),
        Some(DisabledReason::Failures { count, latest }) => {
            let found =
                FindingKind::EndpointFailures.says(text).with("count", count).with("kind", latest.kind().as_str());
            match latest {
                LatestFailure::Status(code) => found.with("status_code", code),
                LatestFailure::Unanswered(_) => found,
            }
        }
    }
}

fn allowed(url: &VettedUrl) -> Check {
    let origin = shown(url.origin());
    Check::passed(
        "url",
        FindingKind::UrlAllowed.says(format!("{origin} keeps the rules for URLs")).with("origin", origin),
    )
}

/// A URL that breaks a rule: found as the field of a creation would be.
fn refused(refusal: &UrlRefusal) -> Check {
    let (text, params) = (refusal.message.clone(), refusal.params.clone());
    let found = Finding { code: refusal.code.of_field().into(), text, params };
    Check::failed("url", found, advice(FailureKind::UrlRefused, Some(refusal.code.as_str()), None))
}

/// An origin without its port where that is the usual one.
fn shown(origin: &str) -> &str {
    match origin.split_once("://") {
        Some(("https", _)) => origin.strip_suffix(":443").unwrap_or(origin),
        Some(("http", _)) => origin.strip_suffix(":80").unwrap_or(origin),
        _ => origin,
    }
}
