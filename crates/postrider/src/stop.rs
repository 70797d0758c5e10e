//! When to stop: the first SIGTERM or Ctrl-C asks for an end in good order, the second ends the process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask for a stop, caught from the moment this is made.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// # Errors
    /// When the system refuses to hand over signals.
    pub(crate) fn catch() -> std::io::Result<Self> {
        Ok(StopSignals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Returns at the first signal.
    pub(crate) async fn first(mut self) -> Self {
        self.next().await;
        self
    }

    /// Ends the process at the next signal; what is durable stays so, as after a power cut.
    pub(crate) fn end_at_next(mut self) {
        tokio::spawn(async move {
            self.next().await;
            eprintln!("postrider: ended at once, as asked twice");
            std::process::exit(i32::from(crate::failure::FAILED));
        });
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
