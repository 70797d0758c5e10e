//! How findings are written.

use postrider_source::counted::counted;
use postrider_source::finding::{Finding, Severity};
use serde_json::{Value, json};

use crate::output::plain;

/// A few lines for each, the gravest first; what is found in several places stands once, with all of them.
pub(super) fn text(findings: &[Finding]) -> String {
    let mut groups: Vec<(&Finding, Vec<&str>)> = Vec::new();
    for finding in findings {
        let same = |(other, _): &&mut (&Finding, Vec<&str>)| {
            (other.severity, &other.what, &other.advice) == (finding.severity, &finding.what, &finding.advice)
        };
        match groups.iter_mut().find(same) {
            Some((_, places)) => places.push(&finding.place),
            None => groups.push((finding, vec![&finding.place])),
        }
    }
    groups.sort_by_key(|(finding, _)| std::cmp::Reverse(finding.severity));
    let mut lines = Vec::new();
    for (finding, places) in groups {
        let places = plain(&places.join(", "));
        lines.push(format!("{:<8} {places}: {}", finding.severity.as_str(), plain(&finding.what)));
        if !finding.advice.is_empty() {
            lines.push(format!("{:8} what to do: {}", "", plain(&finding.advice)));
        }
    }
    lines.join("\n")
}

pub(super) fn json_of(findings: &[Finding]) -> Value {
    let one = |finding: &Finding| {
        json!({
            "severity": finding.severity.as_str(), "place": finding.place, "what": finding.what, "advice": finding.advice,
        })
    };
    findings.iter().map(one).collect()
}

/// How many of each kind there are, in words.
pub(super) fn summary(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count() as u64;
    let counts = [("error", Severity::Error), ("warning", Severity::Warning), ("note", Severity::Note)];
    let words = counts.map(|(word, severity)| counted(count(severity), word, &format!("{word}s")));
    words.join(", ")
}

/// Whether there is an error among them.
pub(super) fn has_error(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_in_several_places_is_said_once() {
        let finding = |severity, place: &str, advice: &str| {
            let (place, advice) = (place.to_owned(), advice.to_owned());
            Finding { severity, place, what: "hides rows".to_owned(), advice }
        };
        let findings = [
            finding(Severity::Warning, "deals", "look"),
            finding(Severity::Error, "leads", "look"),
            finding(Severity::Warning, "tasks", "look"),
            finding(Severity::Warning, "notes", ""),
        ];
        let told = "error    leads: hides rows\n         what to do: look\nwarning  deals, tasks: hides rows\n         what to do: look\nwarning  notes: hides rows";
        assert_eq!(text(&findings), told);
    }
}
