//! Scripted receivers and resolvers.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use postrider_egress::resolve::{Answer, Resolve, ResolveError, ResolveFuture};
use postrider_egress::{Attempt, AttemptErrorKind, Client, ClientSettings, Request, Response, UrlRules};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// For attempts that end by themselves; generous, since nothing is measured by it.
pub(crate) const PATIENT: Duration = Duration::from_secs(20);
/// For attempts that must end by their deadline, and that have to get somewhere before it even on a busy machine.
pub(crate) const SHORT: Duration = Duration::from_secs(1);
/// A test that takes longer than this hangs.
const TEST_MAX: Duration = Duration::from_secs(60);

pub(crate) fn loopback_rules() -> UrlRules {
    let allow_cidrs = ["127.0.0.0/8", "::1/128"].map(|cidr| cidr.parse().unwrap()).to_vec();
    UrlRules { allow_http: true, allow_cidrs, ..UrlRules::default() }
}

pub(crate) fn loopback_settings() -> ClientSettings {
    ClientSettings { rules: loopback_rules(), resolver: Some(Script::empty()), ..ClientSettings::default() }
}

pub(crate) fn client() -> Client {
    Client::new(loopback_settings()).unwrap()
}

pub(crate) struct Post<'a> {
    pub(crate) url: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a [u8])],
    pub(crate) body: Bytes,
    pub(crate) deadline: Duration,
    pub(crate) response_bytes_max: usize,
}

impl<'a> Post<'a> {
    pub(crate) fn to(url: &'a str) -> Self {
        Self { url, headers: &[], body: Bytes::from_static(b"{}"), deadline: PATIENT, response_bytes_max: 64 * 1024 }
    }

    pub(crate) async fn with(&self, client: &Client) -> Attempt {
        let url = client.judge_url(self.url).unwrap();
        let request = Request {
            url: &url,
            method: http::Method::POST,
            headers: self.headers,
            body: self.body.clone(),
            deadline: self.deadline,
            response_bytes_max: self.response_bytes_max,
        };
        bounded(client.send(request)).await
    }
}

pub(crate) async fn post(client: &Client, url: &str) -> Attempt {
    Post::to(url).with(client).await
}

pub(crate) async fn bounded<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(TEST_MAX, future).await.expect("the test hangs")
}

#[track_caller]
pub(crate) fn answered(attempt: Attempt) -> Response {
    attempt.result.expect("a response")
}

#[track_caller]
pub(crate) fn assert_failed(attempt: &Attempt, kind: AttemptErrorKind, reason: &str) {
    let error = attempt.result.as_ref().expect_err("no response");
    assert_eq!((error.kind, error.reason), (kind, reason), "{error}");
    assert!(!error.message.is_empty());
}

pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// One accepted connection of a receiver.
pub(crate) struct Talk {
    pub(crate) stream: Box<dyn Duplex>,
    /// From 0, in the order of acceptance.
    pub(crate) number: usize,
    seen: Arc<Seen>,
    pending: Vec<u8>,
}

/// What a receiver has seen over all connections.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) connections: AtomicUsize,
    pub(crate) requests: AtomicUsize,
    pub(crate) bytes: AtomicUsize,
    pub(crate) raw: Mutex<Vec<Vec<u8>>>,
}

impl Talk {
    pub(crate) fn new(stream: impl Duplex + 'static, number: usize, seen: Arc<Seen>) -> Self {
        Self { stream: Box::new(stream), number, seen, pending: Vec::new() }
    }

    /// Reads one whole request with a `Content-Length`; `None` when the peer has closed.
    pub(crate) async fn read_request(&mut self) -> Option<Vec<u8>> {
        let head_end = loop {
            if let Some(at) = self.pending.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            self.read_more().await?;
        };
        let head = String::from_utf8_lossy(&self.pending[..head_end]).to_lowercase();
        let length = head
            .split_once("content-length: ")
            .map_or(0, |(_, rest)| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
        while self.pending.len() < head_end + length {
            self.read_more().await?;
        }
        let rest = self.pending.split_off(head_end + length);
        let request = std::mem::replace(&mut self.pending, rest);
        self.seen.requests.fetch_add(1, Ordering::SeqCst);
        self.seen.raw.lock().push(request.clone());
        Some(request)
    }

    pub(crate) async fn read_head_only(&mut self) {
        while !self.pending.windows(4).any(|four| four == b"\r\n\r\n") {
            self.read_more().await.unwrap();
        }
    }

    async fn read_more(&mut self) -> Option<()> {
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk).await {
            Ok(0) | Err(_) => None,
            Ok(n) => {
                self.seen.bytes.fetch_add(n, Ordering::SeqCst);
                self.pending.extend_from_slice(&chunk[..n]);
                Some(())
            }
        }
    }

    /// Whether the peer was still there to take it.
    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).await.is_ok() && self.stream.flush().await.is_ok()
    }

    /// Holds the connection until the peer closes it.
    pub(crate) async fn hang(&mut self) {
        while self.read_more().await.is_some() {}
    }
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Seen>,
}

impl Receiver {
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(crate) fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn request_text(&self, at: usize) -> String {
        String::from_utf8_lossy(&self.seen.raw.lock()[at]).into_owned()
    }
}

/// Runs `script` for every connection.
pub(crate) async fn receiver<F, Fut>(script: F) -> Receiver
where
    F: Fn(Talk) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    receiver_over(|tcp| async { Some(tcp) }, script).await
}

/// Like [`receiver`], with a handshake before the script.
pub(crate) async fn receiver_over<W, WFut, S, F, Fut>(wrap: W, script: F) -> Receiver
where
    W: Fn(TcpStream) -> WFut + Send + 'static,
    WFut: Future<Output = Option<S>> + Send + 'static,
    S: Duplex + 'static,
    F: Fn(Talk) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    // A backlog for hundreds of connections at once: a full one drops SYNs, and these come again after a second.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1_024).unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Seen::default());
    let shared = Arc::clone(&seen);
    let script = Arc::new(Mutex::new(script));
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let number = shared.connections.fetch_add(1, Ordering::SeqCst);
            let wrapped = wrap(tcp);
            let (seen, script) = (Arc::clone(&shared), Arc::clone(&script));
            tokio::spawn(async move {
                if let Some(stream) = wrapped.await {
                    let talking = (script.lock())(Talk::new(stream, number, seen));
                    talking.await;
                }
            });
        }
    });
    Receiver { address, seen }
}

/// Answers every request on every connection with the same bytes, then keeps or closes the connection.
pub(crate) async fn answering(answer: impl Into<Vec<u8>>, keep_open: bool) -> Receiver {
    let answer: Arc<[u8]> = answer.into().into();
    receiver(move |mut talk| {
        let answer = Arc::clone(&answer);
        async move {
            while talk.read_request().await.is_some() {
                if !talk.write(&answer).await || !keep_open {
                    return;
                }
            }
        }
    })
    .await
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

type Line = Result<Answer, ResolveError>;

/// A resolver that gives the scripted answers in turn; the last one stays.
#[derive(Default)]
pub(crate) struct Script {
    lines: Mutex<HashMap<String, VecDeque<Option<Line>>>>,
    pub(crate) asked: AtomicUsize,
}

impl Script {
    pub(crate) fn empty() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn new(lines: impl IntoIterator<Item = (&'static str, Vec<Line>)>) -> Arc<Self> {
        let lines = lines.into_iter().map(|(name, lines)| (name.to_owned(), lines.into_iter().map(Some).collect()));
        Arc::new(Self { lines: Mutex::new(lines.collect()), asked: AtomicUsize::new(0) })
    }

    /// `name` never gets an answer.
    pub(crate) fn silent(name: &str) -> Arc<Self> {
        let script = Self::empty();
        script.lines.lock().insert(name.to_owned(), VecDeque::from([None]));
        script
    }
}

impl Resolve for Script {
    fn resolve<'a>(&'a self, name: &'a str) -> ResolveFuture<'a> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut lines = self.lines.lock();
        let line = match lines.get_mut(name) {
            Some(turns) if turns.len() > 1 => turns.pop_front().unwrap(),
            Some(turns) => turns.front().cloned().unwrap(),
            None => Some(Err(ResolveError::NoSuchName)),
        };
        Box::pin(async move {
            match line {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    }
}

pub(crate) fn addresses(list: &[&str]) -> Line {
    let addresses = list.iter().map(|text| text.parse::<IpAddr>().unwrap()).collect();
    Ok(Answer { addresses, ttl: Duration::from_secs(60) })
}
