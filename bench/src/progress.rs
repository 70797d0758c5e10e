//! How far the run has come, on stderr.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);

/// Shows a bar on a terminal, a line for each step elsewhere, or nothing.
pub struct Progress {
    bar: ProgressBar,
    lines: bool,
}

impl Progress {
    /// On stderr: a bar when it is a terminal, else a line for each step.
    #[must_use]
    pub fn stderr() -> Self {
        if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{elapsed_precise} [{bar:30}] {prefix:>9}  {msg}");
            let bar = ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(TICK);
            return Progress { bar, lines: false };
        }
        Progress { bar: ProgressBar::hidden(), lines: true }
    }

    /// Shows nothing.
    #[must_use]
    pub fn hidden() -> Self {
        Progress { bar: ProgressBar::hidden(), lines: false }
    }

    pub(crate) fn begin(&self, scenarios: u64) {
        self.bar.set_length(scenarios);
    }

    pub(crate) fn scenario(&self, name: &'static str) {
        self.bar.set_prefix(name);
    }

    pub(crate) fn scenario_done(&self) {
        self.bar.inc(1);
    }

    /// Says what is being done now.
    pub(crate) fn step(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        if self.lines {
            // Progress is a courtesy: a stderr that is gone stops nothing.
            let _ = writeln!(std::io::stderr(), "bench: {}: {what}", self.bar.prefix());
        }
    }

    /// Waits, and shows how much is left.
    pub(crate) async fn wait(&self, what: &str, duration: Duration) {
        self.step(what);
        let deadline = tokio::time::Instant::now() + duration;
        let mut left = duration;
        while !left.is_zero() {
            self.bar.set_message(format!("{what}, {:.0} s left", left.as_secs_f64().ceil()));
            tokio::time::sleep(left.min(Duration::from_secs(1))).await;
            left = deadline.saturating_duration_since(tokio::time::Instant::now());
        }
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
