//! Idle connections: which are kept, which are not, and what happens when one has died.

use std::sync::Arc;

use postrider_egress::{AttemptErrorKind, Client, ClientSettings, Limits};
use tokio::sync::Notify;

use crate::support::*;

#[tokio::test]
async fn a_clean_connection_serves_again() {
    let receiver = answering(OK, true).await;
    let client = client();
    let first = post(&client, &receiver.url()).await;
    assert!(!first.reused_connection && first.addresses_tried == [receiver.address]);
    for _ in 0..20 {
        let attempt = post(&client, &receiver.url()).await;
        assert!(attempt.reused_connection && attempt.addresses_tried.is_empty());
        assert_eq!(attempt.remote_addr, Some(receiver.address));
        assert_eq!(answered(attempt).body, "ok");
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn connections_that_are_not_clean_are_not_kept() {
    for (why, answer) in [
        (
            "both framings",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        ),
        ("a doubled length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"),
        ("bytes beyond the body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"),
        ("a body where none belongs", "HTTP/1.1 204 No Content\r\n\r\nbody"),
        ("a wish to close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
        ("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        ("no time to keep it", "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok"),
    ] {
        let receiver = answering(answer, true).await;
        let client = client();
        for _ in 0..2 {
            let response = answered(post(&client, &receiver.url()).await);
            assert!((200..300).contains(&response.status) && response.body_error.is_none(), "{why}");
            assert_eq!(client.stats().idle_connections, 0, "{why}");
        }
        assert_eq!(receiver.connections(), 2, "{why}");
    }
}

#[tokio::test]
async fn older_peers_that_ask_for_it_are_kept() {
    for answer in [
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nKeep-Alive: max=100, timeout=5\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n",
    ] {
        let receiver = answering(answer, true).await;
        let client = client();
        answered(post(&client, &receiver.url()).await);
        assert!(post(&client, &receiver.url()).await.reused_connection, "{answer:?}");
    }
}

/// Closes the first connection when its second request arrives; `fresh` is the script of every later connection.
async fn stale_after_one(answer_to_second: &'static str, answer_when_fresh: &'static str) -> Receiver {
    receiver(move |mut talk| async move {
        if talk.number > 0 {
            talk.read_request().await;
            talk.write(answer_when_fresh).await;
            return talk.hang().await;
        }
        talk.read_request().await;
        talk.write(OK).await;
        talk.read_request().await;
        talk.write(answer_to_second).await;
    })
    .await
}

#[tokio::test]
async fn a_request_lost_with_an_idle_connection_is_sent_once_more_on_a_new_one() {
    let receiver = stale_after_one("", OK).await;
    let client = client();
    answered(post(&client, &receiver.url()).await);
    let attempt = post(&client, &receiver.url()).await;
    assert!(attempt.resent_on_new_connection && !attempt.reused_connection);
    assert_eq!(attempt.addresses_tried, [receiver.address]);
    assert_eq!(answered(attempt).status, 200);
    assert_eq!((receiver.connections(), receiver.requests()), (2, 3));
    assert_eq!(receiver.request_text(1), receiver.request_text(2));
    assert_eq!(client.stats().resends, 1);
}

#[tokio::test]
async fn a_request_is_sent_again_only_once() {
    let receiver = receiver(|mut talk| async move {
        talk.read_request().await;
        if talk.number == 0 {
            talk.write(OK).await;
            talk.read_request().await;
        }
    })
    .await;
    let client = client();
    answered(post(&client, &receiver.url()).await);
    let attempt = post(&client, &receiver.url()).await;
    assert_failed(&attempt, AttemptErrorKind::ConnectionClosed, "no_answer");
    assert!(attempt.resent_on_new_connection);
    assert_eq!((receiver.connections(), receiver.requests()), (2, 3));
}

#[tokio::test]
async fn a_byte_of_an_answer_forbids_sending_again() {
    let receiver = stale_after_one("H", OK).await;
    let client = client();
    answered(post(&client, &receiver.url()).await);
    let attempt = post(&client, &receiver.url()).await;
    assert_failed(&attempt, AttemptErrorKind::ConnectionClosed, "partial_head");
    assert!(attempt.reused_connection && !attempt.resent_on_new_connection);
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_hang_on_an_idle_connection_is_not_sent_again() {
    let receiver = receiver(|mut talk| async move {
        talk.read_request().await;
        talk.write(OK).await;
        talk.hang().await;
    })
    .await;
    let client = client();
    answered(post(&client, &receiver.url()).await);
    let attempt = Post { deadline: SHORT, ..Post::to(&receiver.url()) }.with(&client).await;
    assert_failed(&attempt, AttemptErrorKind::Timeout, "response_head");
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn an_idle_connection_that_was_closed_or_spoke_is_not_used() {
    for parting in ["", "HTTP/1.1 408 Request Timeout\r\n\r\n"] {
        let (idle, parted) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (told_idle, told_parted) = (Arc::clone(&idle), Arc::clone(&parted));
        let receiver = receiver(move |mut talk| {
            let (idle, parted) = (Arc::clone(&told_idle), Arc::clone(&told_parted));
            async move {
                talk.read_request().await;
                talk.write(OK).await;
                if talk.number == 0 {
                    idle.notified().await;
                    talk.write(parting).await;
                    drop(talk);
                    parted.notify_one();
                } else {
                    talk.hang().await;
                }
            }
        })
        .await;
        let client = client();
        answered(post(&client, &receiver.url()).await);
        idle.notify_one();
        bounded(parted.notified()).await;
        // Whatever the kernel has for the idle connection is seen when the runtime waits for another.
        let other = answering(OK, true).await;
        answered(post(&client, &other.url()).await);
        let attempt = post(&client, &receiver.url()).await;
        assert!(!attempt.reused_connection && !attempt.resent_on_new_connection);
        assert_eq!(answered(attempt).status, 200);
        assert_eq!((receiver.connections(), receiver.requests()), (2, 2));
    }
}

#[tokio::test]
async fn idle_connections_are_bounded_in_all_and_per_origin() {
    let limits = Limits { idle_total_max: 3, idle_per_origin_max: 2, ..Limits::default() };
    let client = Client::new(ClientSettings { limits, ..loopback_settings() }).unwrap();
    let mut receivers = Vec::new();
    for _ in 0..5 {
        let receiver = answering(OK, true).await;
        let url = receiver.url();
        let attempts = (0..4).map(|_| post(&client, &url));
        for attempt in join_all(attempts).await {
            answered(attempt);
        }
        receivers.push(receiver);
        assert!(client.stats().idle_connections <= 3);
    }
    // The last origin kept its two, the one before it the one that was left.
    assert!(post(&client, &receivers[4].url()).await.reused_connection);
    assert!(post(&client, &receivers[3].url()).await.reused_connection);
    assert!(!post(&client, &receivers[0].url()).await.reused_connection);
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_in_time() {
    let closed = Arc::new(Notify::new());
    let told = Arc::clone(&closed);
    let receiver = receiver(move |mut talk| {
        let told = Arc::clone(&told);
        async move {
            talk.read_request().await;
            talk.write(OK).await;
            talk.hang().await;
            told.notify_one();
        }
    })
    .await;
    let limits = Limits { idle_ms_max: 1, ..Limits::default() };
    let client = Client::new(ClientSettings { limits, ..loopback_settings() }).unwrap();
    answered(post(&client, &receiver.url()).await);
    assert_eq!(client.stats().idle_connections, 1);
    bounded(closed.notified()).await;
    assert_eq!(client.stats().idle_connections, 0);
}

/// One connection a second, so that the deadline leaves room for some twenty of sixty attempts.
#[tokio::test]
async fn a_wait_for_a_new_connection_beyond_the_deadline_fails_at_once() {
    let receiver = receiver(|mut talk| async move { talk.hang().await }).await;
    let limits = Limits { new_connections_per_origin_per_s_max: 1, ..Limits::default() };
    let client = Client::new(ClientSettings { limits, ..loopback_settings() }).unwrap();
    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let (client, url) = (client.clone(), receiver.url());
        attempts.spawn(async move { post(&client, &url).await });
    }
    for _ in 0..5 {
        let attempt = bounded(attempts.join_next()).await.unwrap().unwrap();
        assert_failed(&attempt, AttemptErrorKind::Connect, "paced");
        assert!(attempt.addresses_tried.is_empty());
    }
}

async fn join_all<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut pending: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        for (future, done) in pending.iter_mut().filter(|(_, done)| done.is_none()) {
            if let std::task::Poll::Ready(value) = future.as_mut().poll(cx) {
                *done = Some(value);
            }
        }
        if pending.iter().all(|(_, done)| done.is_some()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    pending.into_iter().filter_map(|(_, done)| done).collect()
}
