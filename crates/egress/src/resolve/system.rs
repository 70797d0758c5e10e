//! The real resolver: hickory with the system's name servers and hosts file.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;

use super::{Answer, Resolve, ResolveError, ResolveFuture};
use crate::error::SetupError;

/// Time for one try at one name server, in milliseconds; two tries fit into the look-up's limit.
const TRY_MS_MAX: u64 = 2_000;
const TRIES: usize = 2;

/// Look-ups that may wait on one name server at a time.
const IN_FLIGHT_MAX: usize = 1_024;

/// Asks the system's name servers. No search domains: a name means what it says.
pub struct SystemResolver {
    resolver: TokioResolver,
}

impl SystemResolver {
    /// Reads the system's configuration (`/etc/resolv.conf`, `/etc/hosts`) once.
    ///
    /// # Errors
    /// [`SetupError::Resolver`] when there is none or it cannot be read.
    pub fn from_system() -> Result<Self, SetupError> {
        let (config, options) = hickory_resolver::system_conf::read_system_conf().map_err(setup)?;
        Self::build(ResolverConfig::from_parts(None, Vec::new(), config.name_servers), options, ResolveHosts::Always)
    }

    /// Asks these name servers alone, over UDP and TCP, without a hosts file.
    ///
    /// # Errors
    /// [`SetupError::Resolver`] when the resolver refuses its settings.
    pub fn with_name_servers(addresses: &[SocketAddr]) -> Result<Self, SetupError> {
        let servers = addresses.iter().map(|address| name_server(*address)).collect();
        Self::build(ResolverConfig::from_parts(None, Vec::new(), servers), ResolverOpts::default(), ResolveHosts::Never)
    }

    fn build(config: ResolverConfig, mut options: ResolverOpts, hosts: ResolveHosts) -> Result<Self, SetupError> {
        options.ndots = 0;
        options.timeout = Duration::from_millis(TRY_MS_MAX);
        options.attempts = TRIES;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        // The crate's own cache is the only one, so that a TTL counts once.
        options.cache_size = 0;
        options.use_hosts_file = hosts;
        options.max_active_requests = IN_FLIGHT_MAX;
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        Ok(Self { resolver: builder.build().map_err(setup)? })
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, connections)
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> ResolveFuture<'a> {
        Box::pin(async move {
            // The final dot makes it absolute (RFC 1034 section 3.1).
            let answer = self.resolver.lookup_ip(format!("{name}.")).await.map_err(|error| translate(&error))?;
            let ttl_s = answer.as_lookup().answers().iter().map(|record| record.ttl).min().unwrap_or(0);
            Ok(Answer { addresses: answer.iter().collect(), ttl: Duration::from_secs(ttl_s.into()) })
        })
    }
}

fn translate(error: &NetError) -> ResolveError {
    match error {
        NetError::Timeout => ResolveError::Timeout,
        NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. })) => match *response_code {
            ResponseCode::NXDomain => ResolveError::NoSuchName,
            ResponseCode::NoError => ResolveError::NoAddress,
            code => ResolveError::ServerFailed(code.to_string()),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => ResolveError::ServerFailed(code.to_string()),
        other => ResolveError::Other(other.to_string()),
    }
}

fn setup(error: NetError) -> SetupError {
    SetupError::Resolver(error.to_string())
}
