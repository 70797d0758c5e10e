//! How a command ends: its exit status, and what is told about a failure.

use std::fmt;
use std::process::ExitCode;

/// It failed, or the answer is no.
pub(crate) const FAILED: u8 = 1;
/// Wrong arguments, as clap ends it.
pub(crate) const MISUSED: u8 = 2;

/// Wrong arguments.
#[derive(Debug)]
pub(crate) struct Misuse(String);

impl Misuse {
    /// What is wrong, and what to do.
    pub(crate) fn of(line: impl Into<String>) -> anyhow::Error {
        Misuse(line.into()).into()
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

/// Several mistakes in settings or files as one error, a line each.
pub(crate) fn all<T: fmt::Display>(mistakes: &[T]) -> anyhow::Error {
    let lines: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    anyhow::Error::msg(lines.join("\n"))
}

/// Tells an error on standard error, each of its lines with the program's name before it, and returns the exit status.
pub(crate) fn tell(error: &anyhow::Error) -> ExitCode {
    for line in format!("{error:#}").lines() {
        eprintln!("postrider: {line}");
    }
    ExitCode::from(if error.is::<Misuse>() { MISUSED } else { FAILED })
}
