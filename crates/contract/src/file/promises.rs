//! The parts of a contract file that are promises: answers, retries, giving up, plans, limits, URLs.

use std::time::Duration;

use postrider_document::Section;
use postrider_domain::{Schedule, ScheduleKind};

use crate::headers::CustomHeaderRules;
use crate::limits::{DisableRule, Limits, Plan, ResponseRules, UrlRules};

pub(super) const RESPONSE: &[&str] = &["success", "gone", "timeout"];
pub(super) const RETRY: &[&str] = &["kind", "steps", "jitter"];
pub(super) const DISABLE: &[&str] = &["consecutive_failures", "minimum_span"];
pub(super) const LIMITS: &[&str] = &["endpoints_max", "endpoints_per_event_and_system_max"];
pub(super) const PLAN: &[&str] = &["title", "endpoints_max"];
pub(super) const URL: &[&str] = &["https_only"];
pub(super) const CUSTOM_HEADERS: &[&str] = &["allowed", "count_max", "bytes_max"];

const DAY: Duration = Duration::from_secs(86_400);
/// "Unstated: timeout 30 s" (contracts.md, reading 5).
const TIMEOUT: Duration = Duration::from_secs(30);
/// The waits of the second document (contracts.md, reading 1: unstated schedules).
const WAITS_S: [u64; 5] = [60, 300, 1_800, 7_200, 86_400];
const STEPS_MAX: usize = 64;
const PLANS_MAX: usize = 64;
const PLAN_NAME_BYTES_MAX: usize = 64;

pub(super) fn response(root: &Section<'_, '_>) -> Option<ResponseRules> {
    let section = root.section("response", RESPONSE);
    let range = Duration::from_millis(100)..=Duration::from_secs(120);
    let stated = section.duration("timeout", range);
    let success = section.statuses("success").unwrap_or_else(|| vec![200..=299]);
    if success.is_empty() {
        section.missing("success", "name at least one status, or leave it out for 200-299");
    }
    let gone: Vec<u16> =
        section.statuses("gone").map_or_else(|| vec![410], |ranges| ranges.into_iter().flatten().collect());
    if gone.iter().any(|status| success.iter().any(|range| range.contains(status))) {
        let problem = "names a status that is also a success";
        section.document().mistake(section.place(), problem, "take it out of success or gone");
    }
    Some(ResponseRules { timeout: stated.unwrap_or(TIMEOUT), success, gone })
}

pub(super) fn schedule(root: &Section<'_, '_>) -> Option<Schedule> {
    let section = root.section("retry", RETRY);
    let kind = match section.text("kind") {
        None => Some(ScheduleKind::After),
        Some(found) => match found.value {
            "after" => Some(ScheduleKind::After),
            "at" => Some(ScheduleKind::At),
            other => {
                let advice = "write \"at\" (offsets from the first failure) or \"after\" (waits between attempts)";
                section.document().mistake(&found.place, format!("{other:?} is no kind of schedule"), advice);
                None
            }
        },
    };
    let jitter = section.fraction("jitter").unwrap_or(0.0);
    let range = Duration::from_secs(1)..=30 * DAY;
    let Some(found) = section.durations("steps", range) else {
        if kind == Some(ScheduleKind::At) {
            section.missing("steps", "list the offsets, e.g. steps = [\"1m\", \"5m\"]");
        }
        let steps = WAITS_S.map(Duration::from_secs).to_vec();
        return Some(Schedule { kind: kind?, steps, jitter });
    };
    if found.len() > STEPS_MAX {
        let problem = format!("has {} steps", found.len());
        section.document().mistake(section.place(), problem, format!("write at most {STEPS_MAX}"));
    }
    if kind == Some(ScheduleKind::At) {
        for pair in found.windows(2).filter(|pair| pair[1].value <= pair[0].value) {
            let advice =
                "offsets are counted from the first failure: write them in ascending order, or kind = \"after\"";
            section.document().mistake(&pair[1].place, "is not later than the offset before it", advice);
        }
    }
    let steps = found.into_iter().map(|f| f.value).collect();
    Some(Schedule { kind: kind?, steps, jitter })
}

pub(super) fn disable(root: &Section<'_, '_>) -> Option<DisableRule> {
    let section = root.section("disable", DISABLE);
    let consecutive_failures = section.number("consecutive_failures", 1..=1_000_000);
    let minimum_span = section.duration("minimum_span", Duration::ZERO..=365 * DAY).unwrap_or_default();
    if section.is_present() && !section.has("consecutive_failures") {
        section.missing("consecutive_failures", "say how many failures in a row, or leave out [disable]");
    }
    consecutive_failures.map(|consecutive_failures| DisableRule { consecutive_failures, minimum_span })
}

pub(super) fn limits(root: &Section<'_, '_>) -> Limits {
    let section = root.section("limits", LIMITS);
    let plans = root.named("plans", PLAN);
    if plans.len() > PLANS_MAX || plans.iter().any(|(name, _)| name.is_empty() || name.len() > PLAN_NAME_BYTES_MAX) {
        let advice = format!("write at most {PLANS_MAX}, each with a name of 1 to {PLAN_NAME_BYTES_MAX} bytes");
        root.about("plans", "has too many plans, or a name that is empty or too long", advice);
    }
    let plan = |(name, section): (&str, Section<'_, '_>)| Plan {
        name: name.to_owned(),
        title: section.text("title").map_or(name, |found| found.value).to_owned(),
        endpoints_max: section.number("endpoints_max", 0..=u32::MAX),
    };
    Limits {
        plans: plans.into_iter().map(plan).collect(),
        endpoints_max: section.number("endpoints_max", 0..=u32::MAX),
        endpoints_per_event_and_system_max: section.number("endpoints_per_event_and_system_max", 1..=u32::MAX),
    }
}

pub(super) fn url(root: &Section<'_, '_>) -> UrlRules {
    UrlRules { https_only: root.section("url", URL).flag("https_only", true) }
}

pub(super) fn custom_headers(root: &Section<'_, '_>) -> CustomHeaderRules {
    let section = root.section("custom_headers", CUSTOM_HEADERS);
    let number = |key, range, default: u32| section.number(key, range).unwrap_or(default) as usize;
    CustomHeaderRules {
        allowed: section.flag("allowed", true),
        count_max: number("count_max", 1..=100, 20),
        bytes_max: number("bytes_max", 1..=32_768, 8_192),
    }
}
