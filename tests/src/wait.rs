//! Waiting for something to happen, with a bound.

use std::time::Duration;

/// When a test gives up. Long, since it says nothing about speed: a machine under load is slow, and only a test that fails waits this long.
pub const BOUND: Duration = Duration::from_secs(60);

/// How often something is asked that cannot call back. It paces the asking; no assertion depends on it.
pub(crate) const ASK_EVERY: Duration = Duration::from_millis(10);

/// The future's value.
///
/// # Panics
/// When it takes longer than [`BOUND`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(BOUND, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: did not happen within {BOUND:?}"),
    }
}

/// Asks until there is an answer; for what the API shows soon, such as a recorded attempt.
///
/// # Panics
/// When there is none within [`BOUND`].
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut pace = tokio::time::interval(ASK_EVERY);
    within(what, async {
        loop {
            pace.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    })
    .await
}

/// Looks until it is so; for what can be seen without asking anybody.
///
/// # Panics
/// When it is not within [`BOUND`].
pub async fn until_so(what: &str, is_so: impl Fn() -> bool) {
    let mut pace = tokio::time::interval(ASK_EVERY);
    within(what, async {
        while !is_so() {
            pace.tick().await;
        }
    })
    .await;
}
