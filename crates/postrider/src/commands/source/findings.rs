//! How findings are written.

use postrider_source::finding::{Finding, Severity};
use serde_json::{Value, json};

use crate::output::plain;

/// A few lines for each, the gravest first.
pub(super) fn text(findings: &[Finding]) -> String {
    let mut sorted: Vec<_> = findings.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let mut lines = Vec::new();
    for finding in sorted {
        lines.push(format!("{:<8} {}: {}", finding.severity.as_str(), plain(&finding.place), plain(&finding.what)));
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
pub(super) fn counted(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let counts = [("error", Severity::Error), ("warning", Severity::Warning), ("note", Severity::Note)];
    let words = counts.map(|(word, severity)| match count(severity) {
        1 => format!("1 {word}"),
        many => format!("{many} {word}s"),
    });
    words.join(", ")
}

/// Whether there is an error among them.
pub(super) fn has_error(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity == Severity::Error)
}
