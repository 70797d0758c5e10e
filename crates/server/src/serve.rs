//! Connections: accepted up to a bound, each with limits on what it may send, how long it may take, and how long it may leave answers unread.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::Sleep;
use tower::Service;

use crate::limits::ServerLimits;
use crate::origin::Peer;

/// How long accepting rests when the system gives no more connections, in milliseconds.
const ACCEPT_REST_MS: u64 = 50;

/// What a connection beyond the bound is told.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\ncontent-length: 145\r\n\
retry-after: 1\r\nconnection: close\r\n\r\n\
{\"type\":\"/docs/problems#overloaded\",\"title\":\"Too much at once\",\"status\":503,\"detail\":\"the server has as many connections as it takes; ask again\"}";

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Requests in work are finished, nothing new begins.
    Stopping,
    /// Time is up.
    Over,
}

/// Serves until `shutdown` is done; then finishes what is in work, for [`ServerLimits::stop_ms_max`] at most.
pub async fn serve(listener: TcpListener, router: Router, limits: &ServerLimits, shutdown: impl Future<Output = ()>) {
    let acceptor = Acceptor::new(router, limits);
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => acceptor.take(stream, peer),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(ACCEPT_REST_MS)).await;
                }
            },
        }
    }
    drop(listener);
    acceptor.stop().await;
}

/// What connections share.
struct Acceptor {
    http: http1::Builder,
    router: Router,
    limits: ServerLimits,
    connections: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    phase: watch::Sender<Phase>,
}

impl Acceptor {
    fn new(router: Router, limits: &ServerLimits) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(Duration::from_millis(limits.head_read_ms_max))
            .max_header_size(limits.head_bytes_max)
            .max_buf_size(limits.connection_buffer_bytes_max);
        Acceptor {
            http,
            router,
            limits: limits.clone(),
            connections: Arc::new(Semaphore::new(limits.connections_max)),
            refusals: Arc::new(Semaphore::new(limits.refusals_max)),
            phase: watch::Sender::new(Phase::Running),
        }
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        // Answers are small and written at once; without this the kernel may hold them back. It works without, too.
        let _ = stream.set_nodelay(true);
        let Ok(permit) = Arc::clone(&self.connections).try_acquire_owned() else { return self.refuse(stream) };
        let stream = StallGuard::new(stream, Duration::from_millis(self.limits.write_stall_ms_max));
        let service = FromPeer { router: self.router.clone(), peer: Peer(peer.ip()) };
        let connection = self.http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let mut phase = self.phase.subscribe();
        tokio::spawn(async move {
            let _permit = permit;
            let mut connection = pin!(connection);
            tokio::select! {
                // How a connection ended is its client's affair.
                _ = connection.as_mut() => return,
                _ = phase.wait_for(|phase| *phase != Phase::Running) => connection.as_mut().graceful_shutdown(),
            }
            tokio::select! {
                _ = connection.as_mut() => {}
                _ = phase.wait_for(|phase| *phase == Phase::Over) => {}
            }
        });
    }

    fn refuse(&self, mut stream: TcpStream) {
        let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() else { return };
        let patience = Duration::from_millis(self.limits.refusal_ms_max);
        tokio::spawn(async move {
            let _permit = permit;
            let tell = async {
                stream.write_all(FULL).await?;
                stream.shutdown().await
            };
            // Nobody is owed more than the attempt to say so.
            let _ = tokio::time::timeout(patience, tell).await;
        });
    }

    async fn stop(&self) {
        self.phase.send_replace(Phase::Stopping);
        let all = u32::try_from(self.limits.connections_max).unwrap_or(u32::MAX);
        let patience = Duration::from_millis(self.limits.stop_ms_max);
        // Whether all have ended or time is up, the rest is cut off.
        let _ = tokio::time::timeout(patience, self.connections.acquire_many(all)).await;
        self.phase.send_replace(Phase::Over);
    }
}

/// The routes, told who is at the other end of the connection.
#[derive(Clone)]
struct FromPeer {
    router: Router,
    peer: Peer,
}

impl<B> Service<Request<B>> for FromPeer
where
    Router: Service<Request<B>>,
{
    type Response = <Router as Service<Request<B>>>::Response;
    type Error = <Router as Service<Request<B>>>::Error;
    type Future = <Router as Service<Request<B>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<Request<B>>::poll_ready(&mut self.router, context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        self.router.call(request)
    }
}

/// A stream that breaks when its peer leaves what is written unread for too long.
struct StallGuard {
    stream: TcpStream,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl StallGuard {
    fn new(stream: TcpStream, patience: Duration) -> Self {
        StallGuard { stream, patience, stalled: None }
    }

    /// Passes on what a write came to; one that waits is given so much time from its first waiting on.
    fn watch<T>(&mut self, written: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

impl AsyncRead for StallGuard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for StallGuard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
