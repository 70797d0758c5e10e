//! What goes out, and what keeps it from going out.

use std::sync::Arc;

use bytes::Bytes;
use postrider_egress::{AttemptErrorKind, Client, ClientSettings, Limits};
use tokio::sync::Notify;

use crate::support::*;

#[tokio::test]
async fn the_request_goes_out_as_prepared_and_with_nothing_else() {
    let receiver = answering(OK, true).await;
    let headers: &[(&str, &[u8])] = &[
        ("Content-Type", b"application/json"),
        ("webhook-id", b"msg_1"),
        ("X-CRM-Signature", b"ab"),
        ("x-b", b"2"),
        ("x-a", b"\xc3\xa9"),
    ];
    let url = format!("{}?a=%20b", receiver.url());
    answered(Post { headers, body: Bytes::from("{\"n\":1.0}"), ..Post::to(&url) }.with(&client()).await);
    let expected = format!(
        "POST /hook?a=%20b HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nwebhook-id: msg_1\r\n\
         X-CRM-Signature: ab\r\nx-b: 2\r\nx-a: é\r\n\
         Content-Length: 9\r\n\r\n{{\"n\":1.0}}",
        receiver.address
    );
    assert_eq!(receiver.request_text(0), expected);
}

#[tokio::test]
async fn an_empty_body_is_sent_with_its_length() {
    let receiver = answering(OK, true).await;
    answered(Post { body: Bytes::new(), ..Post::to(&receiver.url()) }.with(&client()).await);
    assert!(receiver.request_text(0).contains("Content-Length: 0\r\n"));
}

#[tokio::test]
async fn cookies_are_not_kept() {
    let receiver =
        answering("HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nClear-Site-Data: *\r\nContent-Length: 0\r\n\r\n", true).await;
    let client = client();
    for _ in 0..2 {
        answered(post(&client, &receiver.url()).await);
    }
    assert!(!receiver.request_text(1).to_lowercase().contains("cookie"));
}

#[tokio::test]
async fn headers_that_would_reframe_the_message_are_refused_and_nothing_is_sent() {
    let receiver = answering(OK, true).await;
    for (name, value, reason) in [
        ("Transfer-Encoding", "chunked", "reserved_header"),
        ("content-length", "1", "reserved_header"),
        ("Host", "other", "reserved_header"),
        ("accept-encoding", "gzip", "reserved_header"),
        ("x-a", "1\r\nx-b: 2", "malformed_header"),
        ("x a", "1", "malformed_header"),
        ("", "1", "malformed_header"),
    ] {
        let headers: &[(&str, &[u8])] = &[(name, value.as_bytes())];
        let attempt = Post { headers, ..Post::to(&receiver.url()) }.with(&client()).await;
        assert_failed(&attempt, AttemptErrorKind::RequestInvalid, reason);
        assert!(!attempt.result.unwrap_err().message.contains("x-b"));
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn nobody_at_the_port_is_a_connect_error() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let attempt = post(&client(), &format!("http://{free}/")).await;
    assert_failed(&attempt, AttemptErrorKind::Connect, "connection_refused");
    assert_eq!(attempt.addresses_tried, [free]);
}

#[tokio::test]
async fn an_attempt_that_is_given_up_closes_its_connection() {
    let (asked, closed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told_asked, told_closed) = (Arc::clone(&asked), Arc::clone(&closed));
    let receiver = receiver(move |mut talk| {
        let (asked, closed) = (Arc::clone(&told_asked), Arc::clone(&told_closed));
        async move {
            talk.read_request().await;
            asked.notify_one();
            talk.hang().await;
            closed.notify_one();
        }
    })
    .await;
    let client = client();
    let url = receiver.url();
    let attempt = Post::to(&url);
    tokio::select! {
        _ = attempt.with(&client) => panic!("nobody answers"),
        () = asked.notified() => {}
    }
    bounded(closed.notified()).await;
}

#[tokio::test]
async fn extreme_limits_and_deadlines_do_not_panic() {
    let receiver = answering(OK, true).await;
    let everything = Limits {
        response_head_ms_max: u64::MAX,
        dns_ms_max: u64::MAX,
        dns_ttl_ms_min: u64::MAX,
        dns_ttl_ms_max: u64::MAX,
        connect_ms_max: u64::MAX,
        idle_ms_max: u64::MAX,
        new_connections_per_origin_per_s_max: u32::MAX,
        ..Limits::default()
    };
    let nothing = Limits {
        response_head_bytes_max: 0,
        interim_replies_max: 0,
        response_head_ms_max: 0,
        response_headers_kept_max: 0,
        response_headers_kept_bytes_max: 0,
        dns_ms_max: 0,
        dns_addresses_max: 0,
        dns_names_max: 0,
        addresses_tried_max: 0,
        connect_ms_max: 0,
        new_connections_per_origin_per_s_max: 0,
        paced_origins_max: 0,
        idle_per_origin_max: 0,
        idle_total_max: 0,
        idle_ms_max: 0,
        ..Limits::default()
    };
    for (limits, works) in [(everything, true), (nothing, false)] {
        let resolver = Script::new([("receiver.example.com", vec![addresses(&["127.0.0.1"])])]);
        let settings = ClientSettings { limits, resolver: Some(resolver), ..loopback_settings() };
        let client = Client::new(settings).unwrap();
        for host in ["127.0.0.1", "receiver.example.com"] {
            let url = format!("http://{host}:{}/", receiver.address.port());
            let attempt = Post { deadline: std::time::Duration::MAX, ..Post::to(&url) }.with(&client).await;
            assert_eq!(attempt.result.is_ok(), works, "{:?}", attempt.result);
        }
    }
    let attempt = Post { deadline: std::time::Duration::ZERO, ..Post::to(&receiver.url()) }.with(&client()).await;
    assert!(attempt.result.is_err());
}

#[test]
fn a_client_can_be_made_before_the_runtime() {
    assert!(Client::new(ClientSettings::default()).is_ok());
}

#[tokio::test]
async fn a_receiver_that_does_not_read_costs_no_more_than_the_deadline() {
    let receiver = receiver(|talk| async move {
        std::future::pending::<()>().await;
        drop(talk);
    })
    .await;
    let body = Bytes::from(vec![b'x'; 32 * 1024 * 1024]);
    let attempt = Post { body, deadline: SHORT, ..Post::to(&receiver.url()) }.with(&client()).await;
    assert_failed(&attempt, AttemptErrorKind::Timeout, "sending");
}
