//! The log: to standard error, for people or as JSON.

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterFn, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::{LogFormat, LogSettings};

/// Begins to log. The settings were checked before.
pub(crate) fn begin(settings: &LogSettings) {
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_default();
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let begun = match settings.format {
        LogFormat::Text => base.with_ansi(std::io::stderr().is_terminal()).finish().with(discreet()).try_init(),
        LogFormat::Json => base.json().flatten_event(true).finish().with(discreet()).try_init(),
    };
    if begun.is_err() {
        tracing::debug!("the log had begun before");
    }
}

/// Keeps out what the driver of Postgres says below a warning, whatever the filter asks for: the values of every statement.
fn discreet() -> FilterFn {
    let may_be_logged =
        |about: &Metadata<'_>| *about.level() <= Level::WARN || !about.target().starts_with("tokio_postgres");
    filter_fn(may_be_logged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn values_of_statements_are_not_logged_whatever_the_filter_asks_for() {
        let kept = Kept::default();
        let writer = kept.clone();
        let filter = EnvFilter::new("trace,tokio_postgres::query=trace");
        let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || writer.clone());
        tracing::subscriber::with_default(base.finish().with(discreet()), || {
            tracing::debug!(target: "tokio_postgres::query", "executing with hush");
            tracing::warn!(target: "tokio_postgres::connection", "lost");
            tracing::trace!("ours");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("lost") && text.contains("ours") && !text.contains("hush"), "{text}");
    }
}
