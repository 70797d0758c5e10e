//! Readiness: whether a commit would work now, asked of the store at most once in a while.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::state::Running;

/// The last answer. Whoever asks meanwhile waits for it and takes it over.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, Result<(), String>)>>);

impl Readiness {
    /// Nothing when the store can commit, else why not.
    pub(crate) async fn check(&self, app: &Running) -> Result<(), String> {
        let mut last = self.0.lock().await;
        let fresh_for = Duration::from_millis(app.limits().ready_cached_ms);
        if let Some((at, answer)) = last.as_ref()
            && at.elapsed() < fresh_for
        {
            return answer.clone();
        }
        let patience = Duration::from_millis(app.limits().probe_ms_max);
        let answer = match tokio::time::timeout(patience, app.store().check(app.now())).await {
            Ok(checked) => checked.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the store did not answer within {patience:?}")),
        };
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}
