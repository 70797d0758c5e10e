//! Connections: accepted up to a bound, each with limits on what it may send, how long it may take, and how long it may leave answers unread.

mod last_words;
mod wire;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower::Service;

use self::last_words::{full, owed, tell};
use self::wire::Wire;
use crate::limits::ServerLimits;
use crate::origin::Peer;
use crate::proxies::client;

/// How long accepting rests when the system gives no more connections, in milliseconds.
const ACCEPT_REST_MS: u64 = 50;

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
    limits: Arc<ServerLimits>,
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
            limits: Arc::new(limits.clone()),
            connections: Arc::new(Semaphore::new(limits.connections_max)),
            refusals: Arc::new(Semaphore::new(limits.refusals_max)),
            phase: watch::Sender::new(Phase::Running),
        }
    }

    fn take(&self, stream: TcpStream, peer: SocketAddr) {
        // Answers are small and written at once; without this the kernel may hold them back. It works without, too.
        let _ = stream.set_nodelay(true);
        let Ok(permit) = Arc::clone(&self.connections).try_acquire_owned() else { return self.refuse(stream) };
        let stream = Wire::new(stream, Duration::from_millis(self.limits.write_stall_ms_max));
        let service = FromPeer { router: self.router.clone(), peer: peer.ip(), limits: Arc::clone(&self.limits) };
        let mut connection = self.http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let (mut phase, limits) = (self.phase.subscribe(), Arc::clone(&self.limits));
        tokio::spawn(async move {
            let _permit = permit;
            let ended = tokio::select! {
                ended = &mut connection => Some(ended),
                _ = phase.wait_for(|phase| *phase != Phase::Running) => {
                    std::pin::Pin::new(&mut connection).graceful_shutdown();
                    None
                }
            };
            let ended = match ended {
                Some(ended) => ended,
                None => tokio::select! {
                    ended = &mut connection => ended,
                    _ = phase.wait_for(|phase| *phase == Phase::Over) => return,
                },
            };
            // How else a connection ended is its client's affair.
            let Err(error) = ended else { return };
            let wire = connection.into_parts().io.into_inner();
            if let Some(problem) = owed(&wire, &error, &limits) {
                tell(wire.into_stream(), &problem, &limits).await;
            }
        });
    }

    fn refuse(&self, stream: TcpStream) {
        let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() else { return };
        let limits = Arc::clone(&self.limits);
        tokio::spawn(async move {
            let _permit = permit;
            tell(stream, &full(), &limits).await;
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

/// The routes, told who asks.
#[derive(Clone)]
struct FromPeer {
    router: Router,
    peer: IpAddr,
    limits: Arc<ServerLimits>,
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
        let peer = Peer(client(self.peer, request.headers(), &self.limits.trusted_proxies));
        request.extensions_mut().insert(peer);
        self.router.call(request)
    }
}

#[cfg(test)]
mod tests;
