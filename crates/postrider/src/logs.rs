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

/// Keeps out, whatever the filter asks for, what the driver of Postgres says below a warning: the values of every statement. And what the
/// pool of connections warns of: each of them that an outage cut, beside our own one line about the outage.
fn discreet() -> FilterFn {
    let may_be_logged = |about: &Metadata<'_>| match about.target() {
        target if target.starts_with("tokio_postgres") => *about.level() <= Level::WARN,
        target if target.starts_with("deadpool") => *about.level() <= Level::ERROR,
        _ => true,
    };
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
    fn what_libraries_say_of_statements_and_connections_is_not_logged_whatever_the_filter_asks_for() {
        let kept = Kept::default();
        let writer = kept.clone();
        let filter = EnvFilter::new("trace,tokio_postgres::query=trace");
        let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || writer.clone());
        tracing::subscriber::with_default(base.finish().with(discreet()), || {
            tracing::debug!(target: "tokio_postgres::query", "executing with hush");
            tracing::warn!(target: "deadpool.postgres", "hush");
            tracing::warn!(target: "tokio_postgres::connection", "lost");
            tracing::trace!("ours");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("lost") && text.contains("ours") && !text.contains("hush"), "{text}");
    }
}
