use super::*;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

struct Started {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<()>,
}

async fn start(router: Router, limits: ServerLimits) -> Started {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(async move {
        serve(listener, router, &limits, async {
            stopped.await.unwrap();
        })
        .await;
    });
    Started { address, stop, served }
}

async fn connect(address: std::net::SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

async fn all_of(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn a_connection_too_many_is_told_at_once_and_one_less_makes_room() {
    let server = start(hello(), ServerLimits { connections_max: 1, ..ServerLimits::default() }).await;
    let mut first = connect(server.address).await;
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 15];
    first.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    assert!(all_of(&mut connect(server.address).await).await.starts_with("HTTP/1.1 503"));
    drop(first);
    // The server notices the end of the first one in its own time.
    for _ in 0..1_000 {
        let mut next = connect(server.address).await;
        // One that is told "full" may close before all is written.
        let _ = next.write_all(ASK).await;
        let mut text = String::new();
        if next.read_to_string(&mut text).await.is_ok() && text.starts_with("HTTP/1.1 200") {
            return;
        }
    }
    panic!("no room was made");
}

/// The problem of an answer that is the last of its connection.
#[track_caller]
fn problem(answer: &str, status: u16, slug: &str) -> serde_json::Value {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {answer:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    assert!(head.contains("\r\ncontent-type: application/problem+json\r\n"), "{head}");
    assert!(head.ends_with("\r\nconnection: close"), "{head}");
    let problem: serde_json::Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body:?}"));
    assert_eq!((&problem["status"], &problem["type"]), (&status.into(), &format!("/docs/problems#{slug}").into()));
    problem
}

#[tokio::test]
async fn a_head_that_does_not_end_is_told_so_and_an_idle_connection_nothing() {
    let limits = ServerLimits { head_read_ms_max: 50, ..ServerLimits::default() };
    let server = start(hello(), limits).await;
    let mut stream = connect(server.address).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    problem(&all_of(&mut stream).await, 408, "head-timeout");
    assert_eq!(all_of(&mut connect(server.address).await).await, "");
    let mut served = connect(server.address).await;
    served.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(all_of(&mut served).await.ends_with("\r\n\r\nhello"));
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused_though_more_of_it_comes() {
    let server = start(hello(), ServerLimits { head_bytes_max: 1_024, ..ServerLimits::default() }).await;
    for (long, status, slug) in [
        (format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(2_000)), 431, "head-too-large"),
        (format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(1_000_000)), 431, "head-too-large"),
        (format!("GET /{}", "x".repeat(1_000_000)), 414, "uri-too-long"),
    ] {
        let mut stream = connect(server.address).await;
        stream.write_all(long.as_bytes()).await.unwrap();
        problem(&all_of(&mut stream).await, status, slug);
    }
}

#[tokio::test]
async fn what_is_no_http_is_told_so_after_the_answers_before_it() {
    let server = start(hello(), ServerLimits::default()).await;
    for bad in [
        "GET\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\na\u{0}b: c\r\n\r\n",
        "GET / HTTP/9.9\r\nhost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: ten\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{0}\u{5} a client that speaks TLS\r\n\r\n",
    ] {
        let mut stream = connect(server.address).await;
        stream.write_all(bad.as_bytes()).await.unwrap();
        problem(&all_of(&mut stream).await, 400, "malformed-request");
        let mut second = connect(server.address).await;
        second.write_all([b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", bad.as_bytes()].concat().as_slice()).await.unwrap();
        let both = all_of(&mut second).await;
        let (first, last) = both.split_once("hello").unwrap_or_else(|| panic!("{bad:?}: {both:?}"));
        assert!(first.starts_with("HTTP/1.1 200 OK\r\n"), "{first}");
        problem(last, 400, "malformed-request");
    }
}

#[tokio::test]
async fn a_client_that_begins_with_http_2_is_told_what_is_spoken_here() {
    let server = start(hello(), ServerLimits::default()).await;
    let mut stream = connect(server.address).await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    problem(&all_of(&mut stream).await, 400, "malformed-request");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_let_go() {
    const LARGE: usize = 64 * 1024 * 1024;
    let large = Router::new().route("/", get(|| async { vec![b'x'; LARGE] }));
    let limits = ServerLimits { write_stall_ms_max: 50, stop_ms_max: 3_600_000, ..ServerLimits::default() };
    let server = start(large, limits).await;
    let mut stream = connect(server.address).await;
    stream.write_all(ASK).await.unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.unwrap();
    // A stop waits an hour for connections, so it ends soon only if this one is let go.
    server.stop.send(()).unwrap();
    server.served.await.unwrap();
    let mut read = Vec::new();
    let _ = stream.read_to_end(&mut read).await;
    assert!(read.len() < LARGE);
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_work_and_takes_nothing_new() {
    let (begun, has_begun) = oneshot::channel::<()>();
    let (go, wait) = oneshot::channel::<()>();
    let once = std::sync::Mutex::new(Some((begun, wait)));
    let once = Arc::new(once);
    let slow = Router::new().route(
        "/",
        get(move || {
            let (begun, wait) = once.lock().unwrap().take().unwrap();
            async move {
                begun.send(()).unwrap();
                wait.await.unwrap();
                "done"
            }
        }),
    );
    let server = start(slow, ServerLimits::default()).await;
    let mut stream = connect(server.address).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    has_begun.await.unwrap();
    server.stop.send(()).unwrap();
    go.send(()).unwrap();
    assert!(all_of(&mut stream).await.ends_with("done"));
    server.served.await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn who_asks_is_whom_a_trusted_proxy_names_and_nobody_else_is_believed() {
    for (trusted, expected) in [("127.0.0.0/8", "203.0.113.7"), ("10.0.0.0/8", "127.0.0.1")] {
        let tell = |axum::Extension(Peer(address)): axum::Extension<Peer>| async move { address.to_string() };
        let limits = ServerLimits { trusted_proxies: vec![trusted.parse().unwrap()], ..ServerLimits::default() };
        let server = start(Router::new().route("/", get(tell)), limits).await;
        let mut stream = connect(server.address).await;
        let ask = "GET / HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 1.1.1.1, 203.0.113.7\r\nconnection: close\r\n\r\n";
        stream.write_all(ask.as_bytes()).await.unwrap();
        assert!(all_of(&mut stream).await.ends_with(&format!("\r\n\r\n{expected}")), "{trusted}");
    }
}
