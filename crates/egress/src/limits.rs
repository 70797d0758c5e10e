//! Every limit of this crate: one name, one unit (last in the name), one place.

use std::time::Duration;

use tokio::time::Instant;

/// The longest time that anything here may take or be kept, in milliseconds: a day. It keeps arithmetic on instants in range.
pub(crate) const ANY_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// The moment `ms` milliseconds after `start`, at most a day.
pub(crate) fn ms_after(start: Instant, ms: u64) -> Instant {
    start + Duration::from_millis(ms.min(ANY_MS_MAX))
}

/// A duration in whole milliseconds, at most a day.
pub(crate) fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(ANY_MS_MAX).min(ANY_MS_MAX)
}

/// What bounds an attempt, its connections, and what is kept between attempts.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes read before the final response head is complete, interim (1xx) replies included; hyper needs at least 8 KiB.
    pub response_head_bytes_max: usize,
    /// Interim (1xx) replies before the final one.
    pub interim_replies_max: u32,
    /// Time from the first byte of the response to its complete head, in milliseconds. The attempt's deadline holds besides, and
    /// alone until that byte: a receiver may use all of its time to think.
    pub response_head_ms_max: u64,
    /// Response headers kept for the record.
    pub response_headers_kept_max: usize,
    /// Bytes of response headers kept for the record, names and values.
    pub response_headers_kept_bytes_max: usize,

    /// Time for one name look-up, in milliseconds.
    pub dns_ms_max: u64,
    /// Addresses that an answer may hold; all are judged, and a longer answer is refused.
    pub dns_addresses_max: usize,
    /// Shortest time that an answer is kept, in milliseconds, whatever its TTL.
    pub dns_ttl_ms_min: u64,
    /// Longest time that an answer is kept, in milliseconds, whatever its TTL.
    pub dns_ttl_ms_max: u64,
    /// How long a failed look-up is kept, in milliseconds, so that waiting attempts fail together.
    pub dns_failure_ttl_ms: u64,
    /// Names whose answers are kept.
    pub dns_names_max: usize,

    /// Vetted addresses that are tried in one attempt.
    pub addresses_tried_max: usize,
    /// Vetted addresses that an examination connects to.
    pub addresses_examined_max: usize,
    /// Time for one TCP connection, in milliseconds.
    pub connect_ms_max: u64,
    /// Time for one TLS handshake, in milliseconds.
    pub tls_ms_max: u64,
    /// How long a TLS 1.3 server that asked for a client certificate may take to go on without one, in milliseconds.
    pub client_certificate_ms_max: u64,
    /// Bytes of a proxy's reply.
    pub proxy_reply_bytes_max: usize,
    /// New connections to one origin in a second; the burst is as large.
    pub new_connections_per_origin_per_s_max: u32,
    /// Origins whose pace is remembered.
    pub paced_origins_max: usize,

    /// Idle connections kept to one origin.
    pub idle_per_origin_max: usize,
    /// Idle connections kept in all; the longest idle goes first.
    pub idle_total_max: usize,
    /// How long a connection may be idle, in milliseconds, or less where the peer says so.
    pub idle_ms_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            response_head_bytes_max: 64 * 1024,
            interim_replies_max: 8,
            response_head_ms_max: 10_000,
            response_headers_kept_max: 64,
            response_headers_kept_bytes_max: 8 * 1024,
            dns_ms_max: 5_000,
            dns_addresses_max: 64,
            dns_ttl_ms_min: 1_000,
            dns_ttl_ms_max: 300_000,
            dns_failure_ttl_ms: 1_000,
            dns_names_max: 10_000,
            addresses_tried_max: 3,
            addresses_examined_max: 8,
            connect_ms_max: 5_000,
            tls_ms_max: 10_000,
            client_certificate_ms_max: 2_000,
            proxy_reply_bytes_max: 8 * 1024,
            new_connections_per_origin_per_s_max: 1_000,
            paced_origins_max: 4_096,
            idle_per_origin_max: 64,
            idle_total_max: 2_000,
            idle_ms_max: 4_000,
        }
    }
}
