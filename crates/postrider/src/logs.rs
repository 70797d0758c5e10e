//! The log: to standard error, for people or as JSON.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::{LogFormat, LogSettings};

/// Begins to log. The settings were checked before.
pub(crate) fn begin(settings: &LogSettings) {
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_default();
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let begun = match settings.format {
        LogFormat::Text => base.with_ansi(std::io::stderr().is_terminal()).finish().try_init(),
        LogFormat::Json => base.json().flatten_event(true).finish().try_init(),
    };
    if begun.is_err() {
        tracing::debug!("the log had begun before");
    }
}
