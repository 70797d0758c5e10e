//! Small numbers that stand for why a delivery failed and who asked for its next attempt.

use postrider_domain::{FailReason, Millis, Resume, Trigger};

use super::damaged;
use crate::error::Result;

/// `fail_reason` of a delivery that succeeded.
const SUCCEEDED: i16 = 0;

pub(crate) fn fail_code(reason: Option<FailReason>) -> i16 {
    match reason {
        None => SUCCEEDED,
        Some(FailReason::Exhausted) => 1,
        Some(FailReason::Gone) => 2,
        Some(FailReason::Expired) => 3,
        Some(FailReason::EndpointDeleted) => 4,
        Some(FailReason::Erased) => 5,
    }
}

pub(crate) fn fail_reason(code: i16) -> Result<Option<FailReason>> {
    match code {
        SUCCEEDED => Ok(None),
        1 => Ok(Some(FailReason::Exhausted)),
        2 => Ok(Some(FailReason::Gone)),
        3 => Ok(Some(FailReason::Expired)),
        4 => Ok(Some(FailReason::EndpointDeleted)),
        5 => Ok(Some(FailReason::Erased)),
        _ => Err(damaged("a delivery's fail_reason")),
    }
}

/// The columns `resume` and `resume_at` of a trigger.
pub(crate) fn resume_columns(trigger: Trigger) -> (Option<i16>, Option<i64>) {
    match trigger {
        Trigger::Schedule => (None, None),
        Trigger::Person { resume: Resume::At(at) } => (Some(0), Some(at.0)),
        Trigger::Person { resume: Resume::Succeeded } => (Some(1), None),
        Trigger::Person { resume: Resume::Failed(reason) } => (Some(1 + fail_code(Some(reason))), None),
    }
}

/// The other way round.
pub(crate) fn trigger(resume: Option<i16>, resume_at: Option<i64>) -> Result<Trigger> {
    let resume = match (resume, resume_at) {
        (None, _) => return Ok(Trigger::Schedule),
        (Some(0), Some(at)) => Resume::At(Millis(at)),
        (Some(1), _) => Resume::Succeeded,
        (Some(code), _) => match fail_reason(code.saturating_sub(1))? {
            Some(reason) => Resume::Failed(reason),
            None => return Err(damaged("a delivery's resume")),
        },
    };
    Ok(Trigger::Person { resume })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trigger_comes_back_from_its_columns() {
        let reasons = FailReason::ALL.map(Resume::Failed);
        let resumes = reasons.into_iter().chain([Resume::At(Millis(7)), Resume::Succeeded]);
        let triggers = resumes.map(|resume| Trigger::Person { resume }).chain([Trigger::Schedule]);
        for asked in triggers {
            let (resume, resume_at) = resume_columns(asked);
            assert_eq!(trigger(resume, resume_at).unwrap(), asked);
        }
        for code in [-1, 0, 7, i16::MIN] {
            assert!(trigger(Some(code), None).is_err());
        }
    }
}
