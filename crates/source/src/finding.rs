//! What stands against capturing, or for looking at it again.

use std::fmt;

/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// It works, and not as one might think.
    Warning,
    /// It does not work.
    Error,
}

impl Severity {
    /// As people and programs read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Where: a table, a place in the mapping, a setting of the server.
    pub place: String,
    /// What is the matter.
    pub what: String,
    /// What to do; empty where nothing need be done.
    pub advice: String,
}

/// Gathers findings.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub(crate) Vec<Finding>);

impl Findings {
    pub(crate) fn add(
        &mut self,
        severity: Severity,
        place: &dyn fmt::Display,
        what: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let (place, what, advice) = (place.to_string(), what.into(), advice.into());
        self.0.push(Finding { severity, place, what, advice });
    }

    pub(crate) fn error(&mut self, place: &dyn fmt::Display, what: impl Into<String>, advice: impl Into<String>) {
        self.add(Severity::Error, place, what, advice);
    }

    pub(crate) fn warning(&mut self, place: &dyn fmt::Display, what: impl Into<String>, advice: impl Into<String>) {
        self.add(Severity::Warning, place, what, advice);
    }

    pub(crate) fn note(&mut self, place: &dyn fmt::Display, what: impl Into<String>, advice: impl Into<String>) {
        self.add(Severity::Note, place, what, advice);
    }
}
