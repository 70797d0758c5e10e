//! Receivers that misbehave within one connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use postrider_egress::{AttemptErrorKind, Client, ClientSettings, Limits};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::support::*;

#[tokio::test]
async fn a_receiver_that_hangs_costs_no_more_than_the_deadline() {
    let receiver = receiver(|mut talk| async move { talk.hang().await }).await;
    let attempt = Post { deadline: SHORT, ..Post::to(&receiver.url()) }.with(&client()).await;
    assert_failed(&attempt, AttemptErrorKind::Timeout, "response_head");
    assert_eq!(attempt.remote_addr, Some(receiver.address));
    assert!(attempt.elapsed >= SHORT);
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_by_the_deadline() {
    let receiver = receiver(|mut talk| async move {
        talk.read_request().await;
        talk.write("HTTP/1.1 200 OK\r\nX-Slow: ").await;
        talk.hang().await;
    })
    .await;
    let attempt = Post { deadline: SHORT, ..Post::to(&receiver.url()) }.with(&client()).await;
    assert_failed(&attempt, AttemptErrorKind::Timeout, "response_head");
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_by_its_own_limit_before_a_long_deadline() {
    let receiver = receiver(|mut talk| async move {
        talk.read_request().await;
        talk.write("HTTP/1.1 200 OK\r\nX-Slow: ").await;
        talk.hang().await;
    })
    .await;
    let limits = Limits { response_head_ms_max: 100, ..Limits::default() };
    let client = Client::new(ClientSettings { limits, ..loopback_settings() }).unwrap();
    let attempt = post(&client, &receiver.url()).await;
    assert_failed(&attempt, AttemptErrorKind::Timeout, "response_head");
    assert!(attempt.elapsed < PATIENT);
}

#[tokio::test]
async fn a_receiver_that_thinks_longer_than_a_head_may_take_is_waited_for() {
    let receiver = receiver(|mut talk| async move {
        talk.read_request().await;
        talk.write(OK).await;
    })
    .await;
    // No time at all for the head, so that any thinking is longer.
    let limits = Limits { response_head_ms_max: 0, ..Limits::default() };
    let client = Client::new(ClientSettings { limits, ..loopback_settings() }).unwrap();
    assert_eq!(answered(post(&client, &receiver.url()).await).status, 200);
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_read() {
    let receiver = receiver(|mut talk| async move {
        talk.read_request().await;
        for byte in OK.bytes() {
            talk.write([byte]).await;
            tokio::task::yield_now().await;
        }
    })
    .await;
    let response = answered(post(&client(), &receiver.url()).await);
    assert_eq!((response.status, response.body.as_ref()), (200, b"ok".as_slice()));
}

#[tokio::test]
async fn a_slow_body_does_not_hide_the_status() {
    let receiver = receiver(|mut talk| async move {
        talk.read_request().await;
        talk.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
        talk.hang().await;
    })
    .await;
    let client = client();
    let response = answered(Post { deadline: SHORT, ..Post::to(&receiver.url()) }.with(&client).await);
    assert_eq!((response.status, response.body.as_ref()), (200, b"half".as_slice()));
    assert!(response.body_error.is_some());
    assert_eq!(client.stats().idle_connections, 0);
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_limit_and_its_connection_closed() {
    for head in ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"] {
        let closed = Arc::new(Notify::new());
        let told = Arc::clone(&closed);
        let receiver = receiver(move |mut talk| {
            let told = Arc::clone(&told);
            async move {
                talk.read_request().await;
                talk.write(head).await;
                let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
                while talk.write(&chunk).await {}
                told.notify_one();
            }
        })
        .await;
        let client = client();
        let response = answered(Post { response_bytes_max: 16_384, ..Post::to(&receiver.url()) }.with(&client).await);
        assert_eq!((response.status, response.body.len(), response.body_truncated), (200, 16_384, true));
        assert_eq!(client.stats().idle_connections, 0);
        bounded(closed.notified()).await;
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_whole() {
    let receiver = answering(OK, true).await;
    let client = client();
    let response = answered(Post { response_bytes_max: 2, ..Post::to(&receiver.url()) }.with(&client).await);
    assert!(!response.body_truncated && response.body == "ok");
    assert_eq!(client.stats().idle_connections, 1);
    let response = answered(Post { response_bytes_max: 0, ..Post::to(&receiver.url()) }.with(&client).await);
    assert!(response.body_truncated && response.body.is_empty());
}

#[tokio::test]
async fn compressed_bodies_are_never_decoded_and_never_asked_for() {
    // The first bytes of a gzip member (RFC 1952); a decoder would fail on them or inflate them.
    let bomb: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xec\xc1\x01";
    let mut answer =
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", bomb.len()).into_bytes();
    answer.extend_from_slice(bomb);
    let receiver = answering(answer, true).await;
    let response = answered(post(&client(), &receiver.url()).await);
    assert_eq!(response.body, bomb);
    assert_eq!(response.content_encoding(), Some(b"gzip".as_slice()));
    assert!(!receiver.request_text(0).to_lowercase().contains("accept-encoding"));
}

#[tokio::test]
async fn thousands_of_headers_are_no_response() {
    let headers: String = (0..5_000).map(|n| format!("X-{n}: 1\r\n")).collect();
    let receiver = answering(format!("HTTP/1.1 200 OK\r\n{headers}\r\n"), false).await;
    let attempt = post(&client(), &receiver.url()).await;
    assert_eq!(attempt.result.unwrap_err().kind, AttemptErrorKind::BadResponse);
}

#[tokio::test]
async fn a_huge_header_is_cut_early() {
    let written = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let receiver = receiver(move |mut talk| {
        let count = Arc::clone(&count);
        async move {
            talk.read_request().await;
            talk.write("HTTP/1.1 200 OK\r\nX-Huge: ").await;
            let part = "x".repeat(64 * 1024);
            for _ in 0..160 {
                if !talk.write(&part).await {
                    return;
                }
                count.fetch_add(part.len(), Ordering::SeqCst);
            }
            talk.hang().await;
        }
    })
    .await;
    let attempt = post(&client(), &receiver.url()).await;
    assert_eq!(attempt.result.unwrap_err().kind, AttemptErrorKind::BadResponse);
    assert!(written.load(Ordering::SeqCst) < 10 * 1024 * 1024);
}

#[tokio::test]
async fn many_headers_are_kept_within_bounds() {
    let headers: String = (0..90).map(|n| format!("X-{n}: {}\r\n", "v".repeat(100))).collect();
    let receiver = answering(format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 0\r\n\r\n"), true).await;
    let response = answered(post(&client(), &receiver.url()).await);
    assert!(response.headers_truncated && response.headers.len() <= 64);
}

#[tokio::test]
async fn a_flood_of_interim_replies_is_cut_after_eight() {
    let receiver = receiver(|mut talk| async move {
        talk.read_request().await;
        while talk.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").await {}
    })
    .await;
    let attempt = post(&client(), &receiver.url()).await;
    assert_failed(&attempt, AttemptErrorKind::BadResponse, "interim_replies");
}

#[tokio::test]
async fn a_few_interim_replies_before_the_final_one_are_fine() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(8);
    let receiver = answering(format!("{interim}{OK}"), true).await;
    let client = client();
    for _ in 0..2 {
        assert_eq!(answered(post(&client, &receiver.url()).await).status, 200);
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn large_interim_replies_count_towards_the_head() {
    let interim = format!("HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n", "x".repeat(12 * 1024)).repeat(7);
    let receiver = receiver(move |mut talk| {
        let interim = interim.clone();
        async move {
            talk.read_request().await;
            talk.write(interim).await;
            talk.hang().await;
        }
    })
    .await;
    let attempt = post(&client(), &receiver.url()).await;
    assert_failed(&attempt, AttemptErrorKind::BadResponse, "head_too_large");
}

#[tokio::test]
async fn redirects_are_shown_and_never_followed() {
    let elsewhere = answering(OK, true).await;
    for status in [301, 302, 303, 307, 308] {
        let location = elsewhere.url();
        let answer = format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let receiver = answering(answer, true).await;
        let response = answered(post(&client(), &receiver.url()).await);
        assert_eq!(response.status, status);
        assert_eq!(response.header_values("location").next(), Some(location.as_bytes()));
        assert_eq!(receiver.requests(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_reset_after_the_request_is_not_sent_again() {
    let receiver = receiver_over(
        |tcp: TcpStream| async {
            tcp.set_zero_linger().unwrap();
            Some(tcp)
        },
        |mut talk| async move {
            talk.read_request().await;
        },
    )
    .await;
    let attempt = post(&client(), &receiver.url()).await;
    assert_failed(&attempt, AttemptErrorKind::ConnectionClosed, "no_answer");
    assert!(!attempt.resent_on_new_connection);
    assert_eq!((receiver.connections(), receiver.requests()), (1, 1));
}

#[tokio::test]
async fn a_close_without_an_answer_is_not_sent_again() {
    let receiver = answering("", false).await;
    let attempt = post(&client(), &receiver.url()).await;
    assert_failed(&attempt, AttemptErrorKind::ConnectionClosed, "no_answer");
    assert_eq!((receiver.connections(), receiver.requests()), (1, 1));
}

#[tokio::test]
async fn a_close_in_the_middle_of_the_head_is_no_response() {
    let receiver = answering("HTTP/1.1 200 OK\r\nContent-", false).await;
    let attempt = post(&client(), &receiver.url()).await;
    assert_failed(&attempt, AttemptErrorKind::ConnectionClosed, "partial_head");
}

#[tokio::test]
async fn half_a_body_and_a_close_still_have_a_status() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnot a chunk",
    ] {
        let receiver = answering(answer, false).await;
        let response = answered(post(&client(), &receiver.url()).await);
        assert_eq!((response.status, response.body.as_ref()), (200, b"half".as_slice()));
        assert!(response.body_error.is_some(), "{answer:?}");
    }
}

#[tokio::test]
async fn contradicting_lengths_are_no_response() {
    for lengths in
        ["Content-Length: 2\r\nContent-Length: 3", "Content-Length: 2, 3", "Content-Length: x", "Content-Length: -1"]
    {
        let receiver = answering(format!("HTTP/1.1 200 OK\r\n{lengths}\r\n\r\nok"), false).await;
        let attempt = post(&client(), &receiver.url()).await;
        assert_failed(&attempt, AttemptErrorKind::BadResponse, "not_http");
    }
}

#[tokio::test]
async fn what_is_not_http_is_no_response() {
    for answer in [
        "<html>HTTP/0.9</html>",
        "\x00\x01\x02\x03\u{7f}\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 1000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad Header: 1\r\n\r\n",
    ] {
        let receiver = answering(answer, false).await;
        let attempt = post(&client(), &receiver.url()).await;
        assert_failed(&attempt, AttemptErrorKind::BadResponse, "not_http");
    }
}

#[tokio::test]
async fn a_server_that_speaks_first_is_no_http_server() {
    let receiver = receiver(|mut talk| async move {
        talk.write("SSH-2.0-OpenSSH_9.9\r\n").await;
        talk.hang().await;
    })
    .await;
    let attempt = post(&client(), &receiver.url()).await;
    assert_failed(&attempt, AttemptErrorKind::BadResponse, "not_http");
}

#[tokio::test]
async fn odd_statuses_are_kept_as_they_are() {
    for status in [200, 299, 410, 429, 503, 600, 999] {
        let receiver = answering(format!("HTTP/1.1 {status} Odd\r\nContent-Length: 0\r\n\r\n"), true).await;
        assert_eq!(answered(post(&client(), &receiver.url()).await).status, status);
    }
}

#[tokio::test]
async fn switching_protocols_is_a_status_like_any_other() {
    let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nbytes";
    let receiver = answering(answer, true).await;
    let client = client();
    assert_eq!(answered(post(&client, &receiver.url()).await).status, 101);
    assert_eq!(client.stats().idle_connections, 0);
}

#[tokio::test]
async fn an_answer_before_the_body_is_read_counts() {
    let receiver = receiver(|mut talk| async move {
        talk.read_head_only().await;
        talk.write("HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig").await;
        // Dropped with most of the body unread, so the kernel resets the connection.
    })
    .await;
    let client = client();
    let body = Bytes::from(vec![b'x'; 16 * 1024 * 1024]);
    let response = answered(Post { body, ..Post::to(&receiver.url()) }.with(&client).await);
    assert_eq!(response.status, 413);
    assert_eq!(client.stats().idle_connections, 0);
}

#[tokio::test]
async fn bytes_are_kept_as_bytes() {
    let body = b"\x00\xff\x1b[31m\xe2\x80\xae<script></textarea>{{x}}";
    let mut answer = b"HTTP/1.1 200 OK\r\nX-Odd: \xff\xfe<b>\r\nContent-Length: ".to_vec();
    answer.extend_from_slice(format!("{}\r\n\r\n", body.len()).as_bytes());
    answer.extend_from_slice(body);
    let receiver = answering(answer, true).await;
    let response = answered(post(&client(), &receiver.url()).await);
    assert_eq!(response.body, body.as_slice());
    assert_eq!(response.header_values("x-odd").next(), Some(b"\xff\xfe<b>".as_slice()));
}
