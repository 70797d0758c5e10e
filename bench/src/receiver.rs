//! The receiver: reads requests, notes them, answers at once, or, where the path says so, badly.
//!
//! Paths: `/ok/N` answers 200 for endpoint N, `/hang` never answers, `/trickle` answers a head and then a byte a second.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::arrivals::Arrivals;
use crate::http1::{ReadBuffer, Request};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
/// Announces more than a patient sender would wait for.
const TRICKLE_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 1000000\r\n\r\n";
const TRICKLE_EVERY: Duration = Duration::from_secs(1);

/// A receiver at one or more addresses; it ends when dropped.
pub(crate) struct Receiver {
    addresses: Vec<SocketAddr>,
    arrivals: Arc<Arrivals>,
    _running: watch::Sender<()>,
}

/// What a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    Answer { endpoint: usize },
    Hang,
    Trickle,
}

impl Behaviour {
    fn of(path: &str) -> Self {
        match path {
            "/hang" => Behaviour::Hang,
            "/trickle" => Behaviour::Trickle,
            _ => Behaviour::Answer { endpoint: path.strip_prefix("/ok/").and_then(|n| n.parse().ok()).unwrap_or(0) },
        }
    }
}

impl Receiver {
    /// Listens on that many loopback addresses: endpoints with an address each are strangers to one another, as real ones are.
    pub(crate) fn start(addresses: usize, threads: usize, arrivals: Arrivals) -> anyhow::Result<Self> {
        let listeners = (0..addresses).map(|_| listen()).collect::<anyhow::Result<Vec<_>>>()?;
        let arrivals = Arc::new(arrivals);
        let (running, ended) = watch::channel(());
        for _ in 0..threads.max(1) {
            let mine = listeners.iter().map(std::net::TcpListener::try_clone).collect::<Result<Vec<_>, _>>()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (arrivals, ended) = (Arc::clone(&arrivals), ended.clone());
            thread::Builder::new().name("receiver".to_owned()).spawn(move || {
                runtime.block_on(serve(mine, arrivals, ended));
                runtime.shutdown_background();
            })?;
        }
        let addresses = listeners.iter().map(std::net::TcpListener::local_addr).collect::<Result<_, _>>()?;
        Ok(Receiver { addresses, arrivals, _running: running })
    }

    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    pub(crate) fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }
}

fn listen() -> anyhow::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("the receiver could not listen")?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Accepts until the receiver is dropped.
async fn serve(listeners: Vec<std::net::TcpListener>, arrivals: Arc<Arrivals>, mut ended: watch::Receiver<()>) {
    for listener in listeners {
        tokio::spawn(accept(listener, Arc::clone(&arrivals)));
    }
    // The error is the end: nothing is ever sent.
    let _ = ended.changed().await;
}

async fn accept(listener: std::net::TcpListener, arrivals: Arc<Arrivals>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = stream.set_nodelay(true);
                let arrivals = Arc::clone(&arrivals);
                // The sender sees a connection that ends badly; there is nobody else to tell.
                tokio::spawn(async move { converse(stream, &arrivals).await.ok() });
            }
            // Out of files, most likely: those that are open must end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

/// One connection, to its end.
async fn converse(mut stream: TcpStream, arrivals: &Arrivals) -> anyhow::Result<()> {
    let mut buffer = ReadBuffer::new();
    loop {
        let (behaviour, bytes, closes) = loop {
            if let Some(request) = buffer.request()? {
                break note(&request, arrivals);
            }
            let read = stream.read(buffer.space()?).await?;
            buffer.add(read)?;
        };
        buffer.consume(bytes);
        match behaviour {
            Behaviour::Answer { .. } => stream.write_all(OK).await?,
            Behaviour::Hang | Behaviour::Trickle => {
                // The buffer is not needed any more, and thousands of these are open at once.
                drop(buffer);
                arrivals.hold();
                let end = keep(stream, behaviour).await;
                arrivals.let_go();
                return end;
            }
        }
        if closes {
            return Ok(());
        }
    }
}

fn note(request: &Request<'_>, arrivals: &Arrivals) -> (Behaviour, usize, bool) {
    let behaviour = Behaviour::of(request.path);
    if let Behaviour::Answer { endpoint } = behaviour {
        arrivals.add(endpoint, request.body);
    }
    (behaviour, request.bytes, request.closes)
}

/// Keeps the sender waiting until it closes.
async fn keep(mut stream: TcpStream, behaviour: Behaviour) -> anyhow::Result<()> {
    let (mut from, mut to) = stream.split();
    let mut ignored = [0; 64];
    if behaviour == Behaviour::Hang {
        while from.read(&mut ignored).await? > 0 {}
        return Ok(());
    }
    to.write_all(TRICKLE_HEAD).await?;
    let mut pace = tokio::time::interval(TRICKLE_EVERY);
    loop {
        tokio::select! {
            read = from.read(&mut ignored) => if read? == 0 { return Ok(()) },
            _ = pace.tick() => to.write_all(b".").await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::event::{RequestTemplate, Stamp};

    /// Generous: it only ends a test that fails.
    const LONG: Duration = Duration::from_secs(30);

    fn receiver() -> Receiver {
        Receiver::start(2, 1, Arrivals::new(Clock::start(), 2).unwrap()).unwrap()
    }

    async fn post(address: SocketAddr, path: &str, sequence: u64) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut template = RequestTemplate::new(address, path, "k", "deal.won");
        stream.write_all(template.stamped(Stamp { sent_ns: 0, sequence })).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn requests_are_answered_and_counted_at_every_address() {
        let receiver = receiver();
        for (endpoint, address) in receiver.addresses().iter().enumerate() {
            let mut stream = post(*address, &format!("/ok/{endpoint}"), 3).await;
            let mut answer = vec![0; OK.len()];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, OK);
        }
        assert_eq!((receiver.arrivals().unique(), receiver.arrivals().duplicates()), (2, 0));
    }

    #[tokio::test]
    async fn a_hanging_path_holds_the_sender_until_it_leaves() {
        let receiver = receiver();
        let stream = post(receiver.addresses()[0], "/hang", 0).await;
        assert!(receiver.arrivals().wait(LONG, |a| a.held() == 1).await);
        drop(stream);
        assert!(receiver.arrivals().wait(LONG, |a| a.held() == 0).await);
        assert_eq!(receiver.arrivals().received(), 0);
    }

    #[tokio::test]
    async fn a_trickling_path_sends_its_head_and_never_its_end() {
        let receiver = receiver();
        let mut stream = post(receiver.addresses()[0], "/trickle", 0).await;
        let mut answer = vec![0; TRICKLE_HEAD.len() + 1];
        stream.read_exact(&mut answer).await.unwrap();
        assert!(answer.starts_with(TRICKLE_HEAD) && answer.ends_with(b"."));
        drop(stream);
        assert!(receiver.arrivals().wait(LONG, |a| a.held() == 0).await);
    }

    #[tokio::test]
    async fn a_dropped_receiver_closes_its_connections() {
        let receiver = receiver();
        let mut stream = post(receiver.addresses()[0], "/hang", 0).await;
        assert!(receiver.arrivals().wait(LONG, |a| a.held() == 1).await);
        drop(receiver);
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(LONG, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok());
    }
}
