//! The probe: what the receiver's answer to a signed test event means, as checks.

use std::time::Duration;

use postrider_contract::Contract;
use postrider_domain::{Advice, AttemptFailure, FailureKind};
use postrider_store::{Attempt, Response};

use super::Check;

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
    checks.extend(OF_THE_ANSWER.map(|name| Check::skipped(name, "nothing was sent: it could not arrive")));
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
            (Some(failure), code) => Check::failed_as("probe", failure, code),
            (None, Some(code)) => Check::passed("probe", format!("a test event was answered with {code}")),
            (None, None) => Check::passed("probe", "a test event was delivered"),
        }
    }

    fn response_time(&self) -> Check {
        let (name, took, limit) = ("response_time", self.took.as_millis(), self.timeout.as_millis());
        let found = format!("{took} ms, where the contract allows {limit} ms");
        let later = Advice::SlowAnswer;
        match self.failure {
            Some(failure) if failure.kind == FailureKind::Timeout => Check::failed(name, found, later),
            _ if self.response.is_none() => Check::skipped(name, "there was no answer"),
            _ if self.took * 2 >= self.timeout => Check::warning(name, found, later),
            _ => Check::passed(name, found),
        }
    }

    fn redirect(&self) -> Check {
        let name = "redirect";
        let Some(response) = self.response else { return Check::skipped(name, "there was no answer") };
        if !(300..=399).contains(&response.status_code) {
            return Check::passed(name, "the receiver answers itself and redirects nowhere");
        }
        let location = response.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"location"));
        let found = match location {
            Some((_, target)) => {
                let target: String = String::from_utf8_lossy(target).chars().take(TARGET_CHARS_MAX).collect();
                format!("the receiver redirects to {target:?}")
            }
            None => "the receiver redirects and does not say where to".to_owned(),
        };
        Check::failed(name, found, super::advice(FailureKind::Status, None, Some(response.status_code)))
    }

    fn signature(&self) -> Check {
        let name = "signature";
        let Some(code) = self.status_code() else { return Check::skipped(name, "there was no answer") };
        if matches!(code, 401 | 403) {
            let found = format!("the receiver answered {code}: it refused the signature, or wants a credential");
            return Check::failed(name, found, super::advice(FailureKind::Status, None, Some(code)));
        }
        if self.failure.is_some() {
            return Check::skipped(name, format!("the answer {code} does not tell"));
        }
        if self.is_signed {
            let swapped = if self.was_swapped { ", signed with the other of the rotation's two secrets" } else { "" };
            return Check::passed(name, format!("the receiver took the signed test event{swapped}"));
        }
        let found =
            "the test event was not signed, since the endpoint has no secret: the receiver cannot tell who sent it";
        if self.may_be_signed {
            return Check::warning(name, found, Advice::Unsigned);
        }
        Check::skipped(name, "the contract signs nothing")
    }
}
