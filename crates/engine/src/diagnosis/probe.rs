//! The probe: what the receiver's answer to a signed test event means, as checks.

use std::time::Duration;

use postrider_contract::Contract;
use postrider_domain::{Advice, AttemptFailure, FailureKind, Finding, FindingKind};
use postrider_store::{Attempt, Response};

use super::Check;
use crate::exchange::whole_ms;

/// The longest target of a redirect that is shown, in characters.
const TARGET_CHARS_MAX: usize = 300;

/// The checks that only an answer can tell of.
const OF_THE_ANSWER: [&str; 4] = ["probe", "response_time", "redirect", "signature"];

/// A signed test event that was sent, and its answer.
pub(super) struct Probe<'a> {
    response: Option<&'a Response>,
    failure: Option<&'a AttemptFailure>,
    took: Duration,
    /// The contract's time for an attempt.
    timeout: Duration,
    is_signed: bool,
    /// The contract signs where there is a secret.
    may_be_signed: bool,
    was_swapped: bool,
}

/// Nothing was sent.
pub(super) fn skip(checks: &mut Vec<Check>) {
    let why = FindingKind::SkippedNotSent.says("nothing was sent: it could not arrive");
    checks.extend(OF_THE_ANSWER.map(|name| Check::skipped(name, why.clone())));
}

impl<'a> Probe<'a> {
    pub(super) fn of(attempt: &'a Attempt, contract: &Contract, has_secret: bool) -> Self {
        Probe {
            response: attempt.response.as_ref(),
            failure: attempt.failure.as_ref(),
            took: Duration::from_millis(attempt.response_time_ms.into()),
            timeout: contract.response().timeout,
            is_signed: contract.is_signed() && has_secret,
            may_be_signed: contract.is_signed(),
            was_swapped: attempt.refused_first.is_some(),
        }
    }

    pub(super) fn check(&self, checks: &mut Vec<Check>) {
        checks.extend([self.answer(), self.response_time(), self.redirect(), self.signature()]);
    }

    fn status_code(&self) -> Option<u16> {
        self.response.map(|response| response.status_code)
    }

    fn answer(&self) -> Check {
        match (self.failure, self.status_code()) {
            (Some(failure), code) => {
                let found = Finding::failure(failure);
                let found = match code {
                    Some(code) => found.with("status_code", code),
                    None => found,
                };
                Check::failed("probe", found, super::advice(failure.kind, failure.reason.as_deref(), code))
            }
            (None, Some(code)) => {
                let found = FindingKind::ProbeAnswered.says(format!("a test event was answered with {code}"));
                Check::passed("probe", found.with("status_code", code))
            }
            (None, None) => Check::passed("probe", FindingKind::ProbeDelivered.says("a test event was delivered")),
        }
    }

    fn response_time(&self) -> Check {
        let (name, took, allowed) = ("response_time", whole_ms(self.took), whole_ms(self.timeout));
        let found = FindingKind::ResponseTime.says(format!("{took} ms, where the contract allows {allowed} ms"));
        let found = found.with("took_ms", took).with("allowed_ms", allowed);
        let later = Advice::SlowAnswer;
        match self.failure {
            Some(failure) if failure.kind == FailureKind::Timeout => Check::failed(name, found, later),
            _ if self.response.is_none() => no_answer(name),
            _ if self.took * 2 >= self.timeout => Check::warning(name, found, later),
            _ => Check::passed(name, found),
        }
    }

    fn redirect(&self) -> Check {
        let name = "redirect";
        let Some(response) = self.response else { return no_answer(name) };
        if !(300..=399).contains(&response.status_code) {
            let text = "the receiver answers itself and redirects nowhere";
            return Check::passed(name, FindingKind::RedirectNone.says(text));
        }
        let location = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"location"));
        let found = match location {
            Some((_, target)) => {
                let target: String = String::from_utf8_lossy(target).chars().take(TARGET_CHARS_MAX).collect();
                FindingKind::RedirectTarget.says(format!("the receiver redirects to {target:?}")).with("target", target)
            }
            None => FindingKind::RedirectNowhere.says("the receiver redirects and does not say where to"),
        };
        Check::failed(name, found, super::advice(FailureKind::Status, None, Some(response.status_code)))
    }

    fn signature(&self) -> Check {
        let name = "signature";
        let Some(code) = self.status_code() else { return no_answer(name) };
        if matches!(code, 401 | 403) {
            let text = format!("the receiver answered {code}: it refused the signature, or wants a credential");
            let found = FindingKind::SignatureRefused.says(text).with("status_code", code);
            return Check::failed(name, found, super::advice(FailureKind::Status, None, Some(code)));
        }
        if self.failure.is_some() {
            let found = FindingKind::SkippedNotTold.says(format!("the answer {code} does not tell"));
            return Check::skipped(name, found.with("status_code", code));
        }
        if self.is_signed {
            return Check::passed(name, self.taken());
        }
        if self.may_be_signed {
            let text =
                "the test event was not signed, since the endpoint has no secret: the receiver cannot tell who sent it";
            return Check::warning(name, FindingKind::SignatureMissing.says(text), Advice::Unsigned);
        }
        Check::skipped(name, FindingKind::SkippedUnsigned.says("the contract signs nothing"))
    }

    fn taken(&self) -> Finding {
        let text = "the receiver took the signed test event";
        if self.was_swapped {
            let text = format!("{text}, signed with the other of the rotation's two secrets");
            return FindingKind::SignatureTakenSwapped.says(text);
        }
        FindingKind::SignatureTaken.says(text)
    }
}

fn no_answer(name: &'static str) -> Check {
    Check::skipped(name, FindingKind::SkippedNoAnswer.says("there was no answer"))
}
