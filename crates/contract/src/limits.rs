//! What a contract promises beside its bytes: answers, patience, plans and limits.

use std::ops::RangeInclusive;
use std::time::Duration;

use postrider_domain::Verdict;

/// How answers are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseRules {
    /// How long one attempt may take, from looking up the name to the answer's end.
    pub timeout: Duration,
    pub(crate) success: Vec<RangeInclusive<u16>>,
    pub(crate) gone: Vec<u16>,
}

impl ResponseRules {
    pub(crate) fn judge(&self, status: u16) -> Verdict {
        if self.success.iter().any(|range| range.contains(&status)) {
            Verdict::Delivered
        } else if self.gone.contains(&status) {
            Verdict::Gone
        } else {
            Verdict::Failed
        }
    }
}

/// When an endpoint that keeps failing is disabled: both conditions together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisableRule {
    /// This many failed attempts since the last success (contracts.md, reading 8).
    pub consecutive_failures: u32,
    /// And at least this long since the first of them.
    pub minimum_span: Duration,
}

/// One plan that an organisation may be on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name in the API.
    pub name: String,
    /// What people read.
    pub title: String,
    /// How many endpoints it allows; without a limit when none.
    pub endpoints_max: Option<u32>,
}

/// How much an organisation may create.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The plans, in the file's order.
    pub plans: Vec<Plan>,
    /// How many endpoints an organisation without a plan may have; without a limit when none.
    pub endpoints_max: Option<u32>,
    /// How many enabled and paused endpoints of one system may subscribe to the same event type (contracts.md, reading 9).
    pub endpoints_per_event_and_system_max: Option<u32>,
}

impl Limits {
    /// The plan of that name.
    #[must_use]
    pub fn plan(&self, name: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.name == name)
    }

    /// How many endpoints an organisation may have; without a limit when none. A plan that the contract no longer knows counts
    /// as none.
    #[must_use]
    pub fn endpoints_max(&self, plan: Option<&str>) -> Option<u32> {
        match plan.and_then(|name| self.plan(name)) {
            Some(plan) => plan.endpoints_max,
            None => self.endpoints_max,
        }
    }
}

/// What URLs an endpoint may have. Which addresses may be dialled is the guard's to say, for every contract alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UrlRules {
    /// Whether only `https` is allowed, unless the operator allows `http`.
    pub https_only: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_judged_by_the_contracts_ranges_alone() {
        let rules =
            ResponseRules { timeout: Duration::from_secs(10), success: vec![200..=201, 204..=204], gone: vec![410] };
        let verdicts = [200, 201, 202, 204, 301, 410, 500, 999].map(|status| rules.judge(status));
        let expected = [
            Verdict::Delivered,
            Verdict::Delivered,
            Verdict::Failed,
            Verdict::Delivered,
            Verdict::Failed,
            Verdict::Gone,
            Verdict::Failed,
            Verdict::Failed,
        ];
        assert_eq!(verdicts, expected);
    }

    #[test]
    fn an_unknown_plan_counts_as_none() {
        let pro = Plan { name: "pro".into(), title: "Pro".into(), endpoints_max: Some(10) };
        let limits = Limits { plans: vec![pro], endpoints_max: Some(0), endpoints_per_event_and_system_max: None };
        assert_eq!(limits.endpoints_max(Some("pro")), Some(10));
        assert_eq!(limits.endpoints_max(Some("gold")), Some(0));
        assert_eq!(limits.endpoints_max(None), Some(0));
    }
}
