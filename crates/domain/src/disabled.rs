//! Why the system stopped an endpoint: a sentence in English, which is what is stored and shown, and a code with its facts, by which it can be said in
//! another language. The code is read out of the sentence, so that what an earlier release stored has one too.

use std::fmt;

use crate::attempt::FailureKind;

const GONE: &str = "the receiver answered that it is gone for good (status 410)";
const FAILED: &str = " attempts in a row failed; the latest ";
const BY_STATUS: &str = "was answered with status ";
const BY_KIND: &str = "failed with ";

/// Why the system stopped an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisabledReason {
    /// The receiver answered that it is gone for good (410).
    Gone,
    /// Too many attempts failed on end.
    Failures {
        /// How many.
        count: u32,
        /// What became of the latest.
        latest: LatestFailure,
    },
}

/// What became of the latest of several failed attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatestFailure {
    /// It was answered with this status.
    Status(u16),
    /// There was no answer.
    Unanswered(FailureKind),
}

impl DisabledReason {
    /// The codes of all reasons.
    pub const CODES: [&str; 2] = ["gone", "consecutive_failures"];

    /// The word that does not change.
    #[must_use]
    pub fn code(self) -> &'static str {
        let [gone, failures] = Self::CODES;
        match self {
            DisabledReason::Gone => gone,
            DisabledReason::Failures { .. } => failures,
        }
    }

    /// Reads the sentence that this writes; none for a sentence that somebody else wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == GONE {
            return Some(DisabledReason::Gone);
        }
        let (count, latest) = text.split_once(FAILED)?;
        let latest = match latest.strip_prefix(BY_STATUS) {
            Some(status) => LatestFailure::Status(status.parse().ok()?),
            None => LatestFailure::Unanswered(FailureKind::parse(latest.strip_prefix(BY_KIND)?)?),
        };
        Some(DisabledReason::Failures { count: count.parse().ok()?, latest })
    }
}

impl LatestFailure {
    /// The kind of failure; `status` where an answer came.
    #[must_use]
    pub fn kind(self) -> FailureKind {
        match self {
            LatestFailure::Status(_) => FailureKind::Status,
            LatestFailure::Unanswered(kind) => kind,
        }
    }
}

impl fmt::Display for DisabledReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DisabledReason::Gone => f.write_str(GONE),
            DisabledReason::Failures { count, latest: LatestFailure::Status(status) } => {
                write!(f, "{count}{FAILED}{BY_STATUS}{status}")
            }
            DisabledReason::Failures { count, latest: LatestFailure::Unanswered(kind) } => {
                write!(f, "{count}{FAILED}{BY_KIND}{}", kind.as_str())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_latest() -> impl Strategy<Value = LatestFailure> {
        let kind = prop::sample::select(FailureKind::ALL.to_vec()).prop_map(LatestFailure::Unanswered);
        prop_oneof![any::<u16>().prop_map(LatestFailure::Status), kind]
    }

    proptest! {
        #[test]
        fn what_is_stored_is_read_again(count: u32, latest in any_latest()) {
            for reason in [DisabledReason::Gone, DisabledReason::Failures { count, latest }] {
                prop_assert_eq!(DisabledReason::parse(&reason.to_string()), Some(reason));
            }
        }
    }

    #[test]
    fn the_sentences_stay_as_they_are() {
        let failures = |latest| DisabledReason::Failures { count: 50, latest }.to_string();
        assert_eq!(
            failures(LatestFailure::Status(500)),
            "50 attempts in a row failed; the latest was answered with status 500"
        );
        assert_eq!(
            failures(LatestFailure::Unanswered(FailureKind::Timeout)),
            "50 attempts in a row failed; the latest failed with timeout"
        );
        assert_eq!(DisabledReason::Gone.to_string(), "the receiver answered that it is gone for good (status 410)");
        for other in ["50 attempts in a row failed; the latest failed with boredom", "the operator stopped it", ""] {
            assert_eq!(DisabledReason::parse(other), None);
        }
    }
}
