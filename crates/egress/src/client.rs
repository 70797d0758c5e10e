//! The client: one attempt, from a vetted URL to a value that says what happened.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::case::Cases;
use crate::connect::{Connector, Link};
use crate::error::{AttemptError, AttemptErrorKind, SetupError};
use crate::exchange::{Bounds, Broken, exchange};
use crate::guard::{self, Host, UrlRefusal, UrlRules, VettedUrl, judge_url};
use crate::limits::{Limits, ms_after, whole_ms};
use crate::pace::Pace;
use crate::pool::Pool;
use crate::proxy::{EgressProxy, Proxy};
use crate::request::{Request, prepare};
use crate::resolve::{NameCache, Resolve, ResolveError, ResolveFuture, SystemResolver};
use crate::response::Response;
use crate::tls::Tls;

/// How a client is made. `Default` is the strict one: https, public addresses, the system's name servers, no proxy.
#[derive(Clone, Default)]
pub struct ClientSettings {
    /// What the guard allows.
    pub rules: UrlRules,
    /// PEM bundles of certificate authorities that are trusted besides Mozilla's.
    pub extra_ca_pems: Vec<Vec<u8>>,
    /// How requests leave this host.
    pub proxy: EgressProxy,
    /// Who resolves names; `None` is the system's configuration.
    pub resolver: Option<Arc<dyn Resolve>>,
    /// All bounds.
    pub limits: Limits,
}

/// What happened: a response, or why there is none, and how it was reached.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The response, whatever its status, or the reason for its absence.
    pub result: Result<Response, AttemptError>,
    /// From the call to the result.
    pub elapsed: Duration,
    /// The address that answered, or that the last connection went to.
    pub remote_addr: Option<SocketAddr>,
    /// The addresses that new connections were tried to, in order; empty when an idle connection served.
    pub addresses_tried: Vec<SocketAddr>,
    /// Whether the response came over a connection that had served before.
    pub reused_connection: bool,
    /// Whether the request was sent a second time, on a new connection, because an idle one had ended without a byte of answer.
    pub resent_on_new_connection: bool,
}

/// Counters and gauges since the client was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientStats {
    /// Connections made.
    pub connections_opened: u64,
    /// Attempts that took an idle connection.
    pub connections_reused: u64,
    /// Attempts sent again on a new connection.
    pub resends: u64,
    /// TLS handshakes that failed for want of a common cipher.
    pub handshakes_without_shared_cipher: u64,
    /// Connections idle now.
    pub idle_connections: usize,
}

/// The one way out. Cheap to clone; all clones share connections and names.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) rules: UrlRules,
    pub(crate) limits: Arc<Limits>,
    pub(crate) names: NameCache,
    pub(crate) connector: Connector,
    pool: Arc<Pool>,
    cases: Cases,
    opened: AtomicU64,
    reused: AtomicU64,
    resent: AtomicU64,
}

/// What is learnt on the way, for the record, whether the attempt succeeds or not.
#[derive(Default)]
struct Route {
    remote: Option<SocketAddr>,
    tried: Vec<SocketAddr>,
    reused: bool,
    resent: bool,
}

impl Client {
    /// Makes a client. Reads the system's resolver configuration if no resolver is given; where there is none, names do not
    /// resolve and addresses still work.
    ///
    /// # Errors
    /// [`SetupError`] for an unusable certificate authority or proxy.
    pub fn new(settings: ClientSettings) -> Result<Self, SetupError> {
        let limits = Arc::new(settings.limits);
        let connector = Connector {
            tls: Tls::new(&settings.extra_ca_pems, Arc::clone(&limits))?,
            proxy: Proxy::from_settings(&settings.proxy)?,
            pace: Pace::new(Arc::clone(&limits)),
            limits: Arc::clone(&limits),
        };
        let resolver = settings.resolver.unwrap_or_else(system_resolver);
        let inner = Inner {
            rules: settings.rules,
            names: NameCache::new(resolver, Arc::clone(&limits)),
            connector,
            cases: Cases::default(),
            pool: Pool::new(Arc::clone(&limits)),
            limits,
            opened: AtomicU64::new(0),
            reused: AtomicU64::new(0),
            resent: AtomicU64::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Judges a URL under this client's rules, for saving it and for [`Client::send`].
    ///
    /// # Errors
    /// [`UrlRefusal`] as [`judge_url`].
    pub fn judge_url(&self, raw: &str) -> Result<VettedUrl, UrlRefusal> {
        judge_url(raw, &self.inner.rules)
    }

    /// Sends one request and says what happened. Never follows a redirect, never takes longer than the deadline, never fails
    /// otherwise than as a value. Dropping the future closes the connection.
    pub async fn send(&self, request: Request<'_>) -> Attempt {
        let started = Instant::now();
        let mut route = Route::default();
        let result = self.inner.attempt(&request, ms_after(started, whole_ms(request.deadline)), &mut route).await;
        Attempt {
            result,
            elapsed: started.elapsed(),
            remote_addr: route.remote,
            addresses_tried: route.tried,
            reused_connection: route.reused,
            resent_on_new_connection: route.resent,
        }
    }

    /// Counters and gauges.
    #[must_use]
    pub fn stats(&self) -> ClientStats {
        let inner = &self.inner;
        ClientStats {
            connections_opened: inner.opened.load(Ordering::Relaxed),
            connections_reused: inner.reused.load(Ordering::Relaxed),
            resends: inner.resent.load(Ordering::Relaxed),
            handshakes_without_shared_cipher: inner.connector.tls.without_shared_cipher(),
            idle_connections: inner.pool.idle_count(),
        }
    }
}

impl Inner {
    async fn attempt(
        &self,
        request: &Request<'_>,
        deadline: Instant,
        route: &mut Route,
    ) -> Result<Response, AttemptError> {
        let url = request.url;
        url.judge_again(&self.rules).map_err(|refusal| {
            AttemptError::new(AttemptErrorKind::UrlRefused, refusal.code.as_str(), refusal.message)
        })?;
        let mut prepared = prepare(request, &self.cases)?;
        let addresses = self.vetted_addresses(url, deadline).await?;
        let bounds = Bounds { deadline, response_bytes_max: request.response_bytes_max, limits: &self.limits };

        if let Some(mut link) = self.pool.take(url.origin(), &addresses) {
            self.reused.fetch_add(1, Ordering::Relaxed);
            route.remote = Some(link.remote);
            match exchange(&mut link, prepared, &bounds).await {
                Ok(exchanged) => {
                    route.reused = true;
                    return Ok(self.finish(link, exchanged));
                }
                Err(Broken { may_be_resent: true, .. }) => {
                    self.resent.fetch_add(1, Ordering::Relaxed);
                    route.resent = true;
                    prepared = prepare(request, &self.cases)?;
                }
                Err(Broken { error, .. }) => {
                    route.reused = true;
                    return Err(error);
                }
            }
        }
        let opened = self.connector.open(url, &addresses, &self.names, deadline, &mut route.tried).await;
        route.remote = route.tried.last().copied();
        let mut link = opened?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        let exchanged = exchange(&mut link, prepared, &bounds).await.map_err(|broken| broken.error)?;
        Ok(self.finish(link, exchanged))
    }

    fn finish(&self, link: Box<Link>, exchanged: crate::exchange::Exchanged) -> Response {
        if let Some(idle_max) = exchanged.keep {
            self.pool.put(link, idle_max);
        }
        exchanged.response
    }

    /// All addresses of the host, every one judged for this attempt; refused if any is.
    async fn vetted_addresses(&self, url: &VettedUrl, deadline: Instant) -> Result<Addresses, AttemptError> {
        let (name, private) = match url.host() {
            // Judged with the URL, just now.
            Host::Address(ip) => return Ok(Addresses::One(*ip)),
            Host::Localhost(_) => return Ok(Addresses::Some(guard::loopbacks(&self.rules).collect())),
            Host::Name(name) => (name, false),
            Host::PrivateName(name) => (name, true),
        };
        let found = self.names.look_up(name, deadline).await.map_err(|error| dns_error(name, &error, deadline))?;
        if found.len() > self.limits.dns_addresses_max {
            let message = format!("{name} has more than {} addresses", self.limits.dns_addresses_max);
            return Err(AttemptError::new(AttemptErrorKind::AddressRefused, "too_many_addresses", message));
        }
        for ip in found.iter() {
            self.judge_answer(SocketAddr::new(*ip, url.port()), private).map_err(|refusal| {
                let message = format!("{name} leads to {refusal}");
                AttemptError::new(AttemptErrorKind::AddressRefused, refusal.code, message)
            })?;
        }
        Ok(Addresses::Some(found))
    }
}

impl Inner {
    /// The guard's verdict on one address that a name resolved to.
    pub(crate) fn judge_answer(&self, address: SocketAddr, private: bool) -> Result<(), guard::AddressRefusal> {
        if private {
            guard::judge_private_answer(address, &self.rules)
        } else {
            guard::judge_address(address, &self.rules)
        }
    }
}

/// One address needs no allocation.
enum Addresses {
    One(IpAddr),
    Some(Arc<[IpAddr]>),
}

impl std::ops::Deref for Addresses {
    type Target = [IpAddr];

    fn deref(&self) -> &[IpAddr] {
        match self {
            Self::One(ip) => std::slice::from_ref(ip),
            Self::Some(ips) => ips,
        }
    }
}

pub(crate) fn dns_error(name: &str, error: &ResolveError, deadline: Instant) -> AttemptError {
    if *error == ResolveError::Timeout && Instant::now() >= deadline {
        return AttemptError::timeout("dns", &format!("looking up {name}"));
    }
    AttemptError::new(AttemptErrorKind::Dns, error.reason(), format!("{name} could not be looked up: {error}"))
}

fn system_resolver() -> Arc<dyn Resolve> {
    match SystemResolver::from_system() {
        Ok(resolver) => Arc::new(resolver),
        Err(why) => {
            tracing::warn!(%why, "no DNS resolver; only endpoints given by address can be reached");
            Arc::new(NoResolver { why: why.to_string() })
        }
    }
}

struct NoResolver {
    why: String,
}

impl Resolve for NoResolver {
    fn resolve<'a>(&'a self, _name: &'a str) -> ResolveFuture<'a> {
        Box::pin(async { Err(ResolveError::Other(self.why.clone())) })
    }
}
