//! Egress proxies: asked for vetted addresses alone, and never found in the environment.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use postrider_egress::{AttemptErrorKind, Client, ClientSettings, EgressProxy, ProxyAuth};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::support::*;

type Heard = Arc<Mutex<Vec<String>>>;

/// Takes CONNECT requests, notes the address asked for, and answers 403.
pub(crate) async fn recording_connect_proxy() -> (SocketAddr, Heard) {
    let heard = Heard::default();
    let notes = Arc::clone(&heard);
    let proxy = connect_proxy(move |head| {
        let address = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap();
        notes.lock().push(address.to_owned());
        Reply::Say("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    });
    (proxy.await, heard)
}

enum Reply {
    Tunnel,
    Say(&'static str),
}

async fn connect_proxy(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let reply = Arc::new(reply);
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            let reply = Arc::clone(&reply);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    if tcp.read_buf(&mut head).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let head = String::from_utf8(head).unwrap();
                match reply(&head) {
                    Reply::Say(text) => {
                        let _ = tcp.write_all(text.as_bytes()).await;
                    }
                    Reply::Tunnel => {
                        let to = head.split(' ').nth(1).unwrap();
                        let mut onward = TcpStream::connect(to).await.unwrap();
                        tcp.write_all(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n").await.unwrap();
                        let _ = copy_bidirectional(&mut tcp, &mut onward).await;
                    }
                }
            });
        }
    });
    address
}

fn through(proxy: EgressProxy) -> Client {
    let resolver = Script::new([("receiver.example.com", vec![addresses(&["127.0.0.1"])])]);
    Client::new(ClientSettings { proxy, resolver: Some(resolver), ..loopback_settings() }).unwrap()
}

fn auth() -> Option<ProxyAuth> {
    Some(ProxyAuth { username: "user".to_owned(), password: "pass".to_owned() })
}

#[tokio::test]
async fn a_connect_proxy_is_asked_for_the_address_and_not_the_name() {
    let receiver = answering(OK, true).await;
    let heard = Heard::default();
    let notes = Arc::clone(&heard);
    let proxy = connect_proxy(move |head| {
        notes.lock().push(head.to_owned());
        Reply::Tunnel
    })
    .await;
    let client = through(EgressProxy::Connect { address: format!("http://{proxy}"), auth: auth() });
    let url = format!("http://receiver.example.com:{}/", receiver.address.port());
    let attempt = post(&client, &url).await;
    assert_eq!(attempt.remote_addr, Some(receiver.address));
    assert_eq!(answered(attempt).status, 200);
    // RFC 7617 section 2: "user:pass" in base64.
    let expected = format!(
        "CONNECT {0} HTTP/1.1\r\nHost: {0}\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n",
        receiver.address
    );
    assert_eq!(*heard.lock(), [expected]);
    assert!(receiver.request_text(0).contains(&format!("Host: receiver.example.com:{}\r\n", receiver.address.port())));
    assert!(!receiver.request_text(0).contains("dXNlcjpwYXNz"));
    assert!(post(&client, &url).await.reused_connection);
}

#[tokio::test]
async fn the_guard_judges_before_a_proxy_is_asked() {
    let (proxy, heard) = recording_connect_proxy().await;
    let resolver = Script::new([("rebound.example.com", vec![addresses(&["93.184.215.14", "169.254.169.254"])])]);
    let proxy = EgressProxy::Connect { address: proxy.to_string(), auth: None };
    let client = Client::new(ClientSettings { proxy, resolver: Some(resolver), ..ClientSettings::default() }).unwrap();
    let attempt = post(&client, "https://rebound.example.com/").await;
    assert_failed(&attempt, AttemptErrorKind::AddressRefused, "not_public");
    assert!(heard.lock().is_empty());
}

#[tokio::test]
async fn a_proxy_that_refuses_or_misbehaves_is_a_proxy_error() {
    for (reply, reason) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "proxy_refused"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\nbody", "proxy_refused"),
        ("HTTP/1.1 200 OK\r\n\r\nbytes that nobody asked for", "proxy_refused"),
        ("garbage\r\n\r\n", "proxy_refused"),
        ("", "proxy_refused"),
    ] {
        let proxy = connect_proxy(move |_| Reply::Say(reply)).await;
        let client = through(EgressProxy::Connect { address: proxy.to_string(), auth: None });
        let attempt = post(&client, "http://receiver.example.com:8080/").await;
        assert_failed(&attempt, AttemptErrorKind::Proxy, reason);
    }
}

#[tokio::test]
async fn an_endless_reply_of_a_proxy_is_cut() {
    let endless: &'static str = "x".repeat(64 * 1024).leak();
    let proxy = connect_proxy(move |_| Reply::Say(endless)).await;
    let client = through(EgressProxy::Connect { address: proxy.to_string(), auth: None });
    assert_failed(&post(&client, "http://127.0.0.1:8080/").await, AttemptErrorKind::Proxy, "proxy_refused");
}

#[tokio::test]
async fn a_proxy_that_is_not_there_or_hangs_is_bounded() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = through(EgressProxy::Connect { address: free.to_string(), auth: None });
    assert_failed(&post(&client, "http://127.0.0.1:8080/").await, AttemptErrorKind::Proxy, "proxy_connection");

    let silent = receiver(|mut talk| async move { talk.hang().await }).await;
    let client = through(EgressProxy::Connect { address: silent.address.to_string(), auth: None });
    let attempt = Post { deadline: SHORT, ..Post::to("http://127.0.0.1:8080/") }.with(&client).await;
    assert_failed(&attempt, AttemptErrorKind::Timeout, "connect");
}

/// Speaks SOCKS5 with user name and password, notes what was asked, and answers with `code`, tunnelling on 0.
async fn socks5_proxy(code: u8) -> (SocketAddr, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Heard::default();
    let notes = Arc::clone(&heard);
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut greeting = [0; 3];
        tcp.read_exact(&mut greeting).await.unwrap();
        assert_eq!(greeting, [5, 1, 2]);
        tcp.write_all(&[5, 2]).await.unwrap();
        let mut credentials = [0; 11];
        tcp.read_exact(&mut credentials).await.unwrap();
        assert_eq!(&credentials, b"\x01\x04user\x04pass");
        tcp.write_all(&[1, 0]).await.unwrap();
        let mut request = [0; 10];
        tcp.read_exact(&mut request).await.unwrap();
        let [5, 1, 0, 1, a, b, c, d, high, low] = request else { panic!("no CONNECT to an IPv4 address: {request:?}") };
        let to = SocketAddr::from(([a, b, c, d], u16::from_be_bytes([high, low])));
        notes.lock().push(to.to_string());
        tcp.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        if code == 0 {
            let mut onward = TcpStream::connect(to).await.unwrap();
            let _ = copy_bidirectional(&mut tcp, &mut onward).await;
        }
    });
    (address, heard)
}

#[tokio::test]
async fn a_socks5_proxy_is_asked_for_the_address_and_not_the_name() {
    let receiver = answering(OK, true).await;
    let (proxy, heard) = socks5_proxy(0).await;
    let client = through(EgressProxy::Socks5 { address: proxy.to_string(), auth: auth() });
    let url = format!("http://receiver.example.com:{}/", receiver.address.port());
    assert_eq!(answered(post(&client, &url).await).status, 200);
    assert_eq!(*heard.lock(), [receiver.address.to_string()]);
}

#[tokio::test]
async fn a_socks5_proxy_that_refuses_is_a_proxy_error() {
    let (proxy, _) = socks5_proxy(2).await;
    let client = through(EgressProxy::Socks5 { address: proxy.to_string(), auth: auth() });
    let attempt = post(&client, "http://receiver.example.com:8080/").await;
    assert_failed(&attempt, AttemptErrorKind::Proxy, "proxy_refused");
    assert!(attempt.result.unwrap_err().message.contains("rules"));
}
