//! Many attempts at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::support::*;

/// Small enough for any machine's file limit: each attempt has two sockets here.
const HANGING: usize = 400;

#[tokio::test]
async fn hanging_receivers_do_not_hold_up_a_healthy_one() {
    let all_hang = Arc::new(Notify::new());
    let (told, count) = (Arc::clone(&all_hang), Arc::new(AtomicUsize::new(0)));
    let hanging = receiver(move |mut talk| {
        let (told, count) = (Arc::clone(&told), Arc::clone(&count));
        async move {
            talk.read_request().await;
            if count.fetch_add(1, Ordering::SeqCst) + 1 == HANGING {
                told.notify_one();
            }
            talk.hang().await;
        }
    })
    .await;
    let healthy = answering(OK, true).await;
    let client = client();

    let mut attempts = JoinSet::new();
    for _ in 0..HANGING {
        let (client, url) = (client.clone(), hanging.url());
        attempts.spawn(async move { post(&client, &url).await });
    }
    bounded(all_hang.notified()).await;
    for _ in 0..100 {
        assert_eq!(answered(post(&client, &healthy.url()).await).status, 200);
    }
    assert!(attempts.try_join_next().is_none(), "the hanging ones still hang");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_two_attempts_at_a_time_keep_to_their_connections() {
    let receiver = answering(OK, true).await;
    let client = client();
    let mut senders = JoinSet::new();
    for _ in 0..32 {
        let (client, url) = (client.clone(), receiver.url());
        senders.spawn(async move {
            for _ in 0..50 {
                assert_eq!(answered(post(&client, &url).await).status, 200);
            }
        });
    }
    while let Some(done) = bounded(senders.join_next()).await {
        done.unwrap();
    }
    assert_eq!(receiver.requests(), 32 * 50);
    assert!(receiver.connections() <= 32, "{} connections", receiver.connections());
}

/// The attempt drives its connection itself; when its task has used up its share of a poll, it must still be woken.
#[tokio::test]
async fn many_attempts_in_one_task_all_finish() {
    let receiver = answering(OK, true).await;
    let client = client();
    let url = receiver.url();
    let mut attempts: Vec<_> = (0..300).map(|_| Some(Box::pin(post_owned(client.clone(), url.clone())))).collect();
    bounded(std::future::poll_fn(|cx| {
        for slot in &mut attempts {
            if let Some(attempt) = slot
                && let std::task::Poll::Ready(attempt) = attempt.as_mut().poll(cx)
            {
                assert_eq!(answered(attempt).status, 200);
                *slot = None;
            }
        }
        if attempts.iter().all(Option::is_none) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    }))
    .await;
    assert_eq!(receiver.requests(), 300);
}

async fn post_owned(client: postrider_egress::Client, url: String) -> postrider_egress::Attempt {
    post(&client, &url).await
}
