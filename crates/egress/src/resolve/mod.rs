//! Names to addresses.
//!
//! - A *resolver* answers one look-up; [`SystemResolver`] is the real one, tests script their own.
//! - The *name cache* stands before it: answers for their clamped TTL, one look-up at a time for a name.
//!
//! Nothing is judged here; the caller judges every address at every attempt, cached or not.

mod cache;
mod system;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

pub(crate) use cache::NameCache;
pub use system::SystemResolver;

/// What a name resolved to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// All addresses of all families, in the order to try them.
    pub addresses: Vec<IpAddr>,
    /// The smallest TTL among the records.
    pub ttl: Duration,
}

/// Why a name did not resolve. All of them are worth another attempt later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// NXDOMAIN (RFC 1035 section 4.1.1, code 3).
    #[error("the name does not exist")]
    NoSuchName,
    /// The name exists and has neither A nor AAAA records.
    #[error("the name has no address")]
    NoAddress,
    /// The name server answered with an error such as SERVFAIL or REFUSED.
    #[error("the name server failed: {0}")]
    ServerFailed(String),
    /// No answer in time.
    #[error("no answer from the name servers in time")]
    Timeout,
    /// Anything else: a malformed answer, a CNAME loop, no name server configured.
    #[error("the look-up failed: {0}")]
    Other(String),
}

impl ResolveError {
    /// A stable name for the record.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoSuchName => "no_such_name",
            Self::NoAddress => "no_address",
            Self::ServerFailed(_) => "server_failed",
            Self::Timeout => "dns_timeout",
            Self::Other(_) => "lookup_failed",
        }
    }
}

/// What [`Resolve::resolve`] gives back.
pub type ResolveFuture<'a> = Pin<Box<dyn Future<Output = Result<Answer, ResolveError>> + Send + 'a>>;

/// Resolves one name, without caching.
pub trait Resolve: Send + Sync {
    /// Looks up all addresses of `name`, an ASCII host name without a trailing dot. The caller bounds the time.
    fn resolve<'a>(&'a self, name: &'a str) -> ResolveFuture<'a>;
}
