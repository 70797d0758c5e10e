use super::*;
use axum::routing::get;
use tokio::io::AsyncReadExt;
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

#[test]
fn what_a_connection_too_many_is_told_is_as_long_as_it_says() {
    let text = std::str::from_utf8(FULL).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
}

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

#[tokio::test]
async fn a_head_that_does_not_end_closes_its_connection() {
    let limits = ServerLimits { head_read_ms_max: 50, ..ServerLimits::default() };
    let server = start(hello(), limits).await;
    let mut stream = connect(server.address).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
    let mut left = Vec::new();
    // Closed one way or the other; what matters is that it ends.
    let _ = stream.read_to_end(&mut left).await;
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let server = start(hello(), ServerLimits { head_bytes_max: 1_024, ..ServerLimits::default() }).await;
    let mut stream = connect(server.address).await;
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "x".repeat(2_000));
    stream.write_all(long.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
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
