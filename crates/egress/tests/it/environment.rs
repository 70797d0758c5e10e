//! The environment names no proxy.

use std::process::Command;

use crate::support::*;

const INNER: &str = "environment::inner_attempt_with_proxy_variables";

/// Runs under [`proxy_variables_are_ignored`], in a process of its own whose environment names a proxy.
#[tokio::test]
#[ignore = "run by proxy_variables_are_ignored"]
async fn inner_attempt_with_proxy_variables() {
    let receiver = answering(OK, true).await;
    let attempt = post(&client(), &receiver.url()).await;
    assert_eq!(attempt.remote_addr, Some(receiver.address));
    assert_eq!(answered(attempt).status, 200);
    assert_eq!(receiver.requests(), 1);
}

#[tokio::test]
async fn proxy_variables_are_ignored() {
    let proxy = receiver(|mut talk| async move { talk.hang().await }).await;
    let mut inner = Command::new(std::env::current_exe().unwrap());
    inner.args(["--exact", INNER, "--ignored"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        inner.env(name, format!("http://{}", proxy.address));
    }
    for name in ["NO_PROXY", "no_proxy"] {
        inner.env_remove(name);
    }
    let output = tokio::task::spawn_blocking(move || inner.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    assert_eq!(proxy.connections(), 0);
}
