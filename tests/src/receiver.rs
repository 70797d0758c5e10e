//! A receiver on the loopback that records every request as it came over the wire, and answers as it is told.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::wait::within;

/// One request, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// E.g. `POST`.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Names as they were written and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Through which [`Receiver::door`] it came.
    pub door: Option<SocketAddr>,
}

impl Request {
    /// The first value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// How a request is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// With this status, these headers and this body; the connection stays open.
    Status(u16, Vec<(String, String)>, Vec<u8>),
    /// With these bytes, and then the end of the connection.
    Raw(Vec<u8>),
    /// With these bytes, and then these again and again for as long as somebody reads.
    Endless(Vec<u8>, Vec<u8>),
    /// With 200, once the gate is opened.
    Gated(Gate),
    /// Never; the connection stays open.
    Hang,
}

impl Reply {
    /// A status alone.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Reply::Status(code, vec![], vec![])
    }

    /// A status and one header.
    #[must_use]
    pub fn with_header(code: u16, name: &str, value: &str) -> Self {
        Reply::Status(code, vec![(name.to_owned(), value.to_owned())], vec![])
    }
}

/// Holds answers back until it is opened.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<bool>);

impl Default for Gate {
    fn default() -> Self {
        Gate(watch::Sender::new(false))
    }
}

impl Gate {
    /// Lets everything pass from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    async fn passed(&self) {
        // The sender lives as long as `self`, so that this ends with the gate open.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

/// A path that the receiver answers by itself, so that a test can wait until everything before it was seen.
const FENCE_PATH: &str = "/.fence";

/// The receiver. It ends when this is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
    accepting: Mutex<Vec<AbortHandle>>,
}

#[derive(Debug, Default)]
struct State {
    requests: Mutex<Vec<(Instant, Request)>>,
    scripts: Mutex<HashMap<String, VecDeque<Reply>>>,
    standing: Mutex<HashMap<String, Reply>>,
    changed: Notify,
    connections_open: AtomicUsize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Receiver {
    /// Answers everything with 200 until it is told otherwise.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(State::default());
        let accepting = Mutex::new(vec![tokio::spawn(accept(listener, state.clone(), None)).abort_handle()]);
        Receiver { address, state, accepting }
    }

    /// Another way in, as an HTTP proxy that leads here wherever it is asked to: what came through it shows who sent it.
    pub async fn door(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let accepting = tokio::spawn(accept(listener, self.state.clone(), Some(address)));
        lock(&self.accepting).push(accepting.abort_handle());
        address
    }

    /// The URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers the next requests at a path like this, one after the other.
    pub fn script(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        lock(&self.state.scripts).entry(path.to_owned()).or_default().extend(replies);
    }

    /// Answers every request at a path like this when no script is left.
    pub fn always(&self, path: &str, reply: Reply) {
        lock(&self.state.standing).insert(path.to_owned(), reply);
    }

    /// What has arrived at a path so far.
    #[must_use]
    pub fn at(&self, path: &str) -> Vec<Request> {
        lock(&self.state.requests).iter().map(|(_, r)| r).filter(|r| r.path == path).cloned().collect()
    }

    /// How many have arrived at a path so far.
    #[must_use]
    pub fn count_at(&self, path: &str) -> usize {
        lock(&self.state.requests).iter().filter(|(_, r)| r.path == path).count()
    }

    /// Everything that has arrived so far.
    #[must_use]
    pub fn all(&self) -> Vec<Request> {
        lock(&self.state.requests).iter().map(|(_, request)| request.clone()).collect()
    }

    /// What has arrived so far, without so many of the first.
    #[must_use]
    pub fn from(&self, skipped: usize) -> Vec<Request> {
        lock(&self.state.requests).iter().skip(skipped).map(|(_, request)| request.clone()).collect()
    }

    /// When each request at a path came, in order.
    #[must_use]
    pub fn times_at(&self, path: &str) -> Vec<Instant> {
        lock(&self.state.requests).iter().filter(|(_, r)| r.path == path).map(|(time, _)| *time).collect()
    }

    /// Says at any time how many have arrived, also where the receiver itself cannot be.
    pub fn counter(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        let state = self.state.clone();
        move || lock(&state.requests).len()
    }

    /// How many have arrived at all.
    #[must_use]
    pub fn count(&self) -> usize {
        lock(&self.state.requests).len()
    }

    /// Waits until so many have arrived at a path, and returns them.
    pub async fn wait_for(&self, path: &str, count: usize) -> Vec<Request> {
        self.wait_until(&format!("{count} requests at {path}"), || self.count_at(path) >= count).await;
        self.at(path)
    }

    /// Waits until this is so; it is looked at whenever a request arrives or a connection ends.
    pub async fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        within(what, async {
            loop {
                let changed = self.state.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if is_so() {
                    return;
                }
                changed.await;
            }
        })
        .await;
    }

    /// Waits until every connection that a dead process left behind has been read to its end.
    pub async fn wait_quiet(&self) {
        within("the fence", async {
            // Connections are accepted in order: when this one is answered, all before it are counted.
            let mut fence = TcpStream::connect(self.address).await.expect("it listens");
            let request = format!("GET {FENCE_PATH} HTTP/1.1\r\nconnection: close\r\n\r\n");
            fence.write_all(request.as_bytes()).await.expect("it reads");
            fence.read_to_end(&mut vec![]).await.expect("it answers");
        })
        .await;
        self.wait_until("no open connections", || self.state.connections_open.load(Ordering::SeqCst) == 0).await;
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        for accepting in lock(&self.accepting).iter() {
            accepting.abort();
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>, door: Option<SocketAddr>) {
    while let Ok((stream, _)) = listener.accept().await {
        let open = Open::count(&state);
        tokio::spawn(async move {
            let (read, write) = stream.into_split();
            // A connection that breaks is the other side's doing, and what it sent before counts.
            let _ = serve(BufReader::new(read), write, &open.0, door).await;
        });
    }
}

/// Counts a connection for as long as it lives.
struct Open(Arc<State>);

impl Open {
    fn count(state: &Arc<State>) -> Self {
        state.connections_open.fetch_add(1, Ordering::SeqCst);
        Open(state.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections_open.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }
}

async fn serve(
    mut read: BufReader<OwnedReadHalf>,
    mut write: OwnedWriteHalf,
    state: &State,
    door: Option<SocketAddr>,
) -> std::io::Result<()> {
    while let Some(mut request) = read_request(&mut read).await? {
        if request.method == "CONNECT" {
            write.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            continue;
        }
        request.door = door;
        if request.path == FENCE_PATH {
            return write.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
        let path = request.path.clone();
        lock(&state.requests).push((Instant::now(), request));
        state.changed.notify_waiters();
        let scripted = lock(&state.scripts).get_mut(&path).and_then(VecDeque::pop_front);
        let reply = scripted.or_else(|| lock(&state.standing).get(&path).cloned()).unwrap_or(Reply::status(200));
        if !answer(reply, &mut read, &mut write).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether the connection stays open.
async fn answer(
    reply: Reply,
    read: &mut BufReader<OwnedReadHalf>,
    write: &mut OwnedWriteHalf,
) -> std::io::Result<bool> {
    match reply {
        Reply::Status(code, headers, body) => {
            write.write_all(&render(code, &headers, &body)).await?;
            Ok(true)
        }
        Reply::Raw(bytes) => {
            write.write_all(&bytes).await?;
            write.shutdown().await?;
            Ok(false)
        }
        Reply::Endless(head, again) => {
            write.write_all(&head).await?;
            loop {
                write.write_all(&again).await?;
            }
        }
        Reply::Gated(gate) => {
            gate.passed().await;
            write.write_all(&render(200, &[], b"")).await?;
            Ok(true)
        }
        Reply::Hang => {
            // Returns when the other side gives up.
            let _ = read.read_to_end(&mut vec![]).await;
            Ok(false)
        }
    }
}

fn render(code: u16, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {code} Scripted\r\n");
    // RFC 9110, section 8.6: no Content-Length in a 204.
    if code != 204 {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

async fn read_request(read: &mut BufReader<OwnedReadHalf>) -> std::io::Result<Option<Request>> {
    let Some(first) = read_line(read).await? else { return Ok(None) };
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let mut headers = vec![];
    while let Some(line) = read_line(read).await?.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body: vec![], door: None };
    let bytes = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    request.body.resize(bytes, 0);
    read.read_exact(&mut request.body).await?;
    Ok(Some(request))
}

async fn read_line(read: &mut BufReader<OwnedReadHalf>) -> std::io::Result<Option<String>> {
    let mut line = vec![];
    if read.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()))
}
