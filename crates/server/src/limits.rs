//! Every limit of the server: one name, one unit (last in the name), one place.

use ipnet::IpNet;

/// What bounds connections, requests and answers; [`ServerLimits::default`] suits one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Bytes of one event's JSON (a setting); a larger one is answered with 413.
    pub event_bytes_max: usize,
    /// Bytes of a batch of events.
    pub batch_bytes_max: usize,
    /// Events in a batch.
    pub batch_events_max: usize,
    /// Bytes of every other request's body.
    pub request_bytes_max: usize,
    /// Bytes of request bodies held in memory at once, all requests together; beyond that 503.
    pub bodies_bytes_max: usize,
    /// How long a request's body may take to arrive, in milliseconds.
    pub body_read_ms_max: u64,
    /// How much of a body that is refused anyway is read and thrown away, so that its sender sees the answer and not a reset.
    pub discard_bytes_max: usize,
    /// Requests under `/v1` in work at once; beyond that 503, at once.
    pub requests_in_work_max: usize,
    /// How long a request may be in work, in milliseconds; it is answered with 503 then. Test deliveries wait for their receiver, so
    /// it is longer than any contract's timeout.
    pub request_ms_max: u64,
    /// Connections at once; one more is answered with 503 and closed.
    pub connections_max: usize,
    /// Connections beyond that which are being told so; one more is closed without a word.
    pub refusals_max: usize,
    /// How long telling so may take, in milliseconds.
    pub refusal_ms_max: u64,
    /// How long a request's head may take, counted from the end of the request before it: how long a connection may idle, too. Longer
    /// than the 60 s for which common load balancers keep theirs, so that they never send into one that is being closed.
    pub head_read_ms_max: u64,
    /// Bytes of a request's head.
    pub head_bytes_max: usize,
    /// Bytes that one connection buffers.
    pub connection_buffer_bytes_max: usize,
    /// How long a client may leave an answer unread, in milliseconds.
    pub write_stall_ms_max: u64,
    /// Whose word counts about who is behind them, in `Forwarded` and `X-Forwarded-For` (a setting).
    pub trusted_proxies: Vec<IpNet>,
    /// How long a stop waits for requests in work, in milliseconds.
    pub stop_ms_max: u64,
    /// Keys that one organisation has at once, expired ones that nobody deleted included; one more is answered with 422.
    pub organization_keys_max: u32,
    /// Organisation keys remembered, so that not every request reads the store.
    pub keys_cached_max: usize,
    /// How long a key is remembered, in milliseconds: how long a key that was deleted on another node, or an operator key that was replaced, works on.
    pub key_cached_ms_max: u64,
    /// How long an answer of `/readyz` is repeated, in milliseconds: each new one writes to the disk.
    pub ready_cached_ms: u64,
    /// How long readiness and metrics wait for the store, in milliseconds.
    pub probe_ms_max: u64,
}

impl Default for ServerLimits {
    fn default() -> Self {
        ServerLimits {
            event_bytes_max: 256 * 1024,
            batch_bytes_max: 8 * 1024 * 1024,
            batch_events_max: 1_000,
            request_bytes_max: 64 * 1024,
            bodies_bytes_max: 64 * 1024 * 1024,
            body_read_ms_max: 30_000,
            discard_bytes_max: 32 * 1024 * 1024,
            requests_in_work_max: 2_048,
            request_ms_max: 75_000,
            connections_max: 8_192,
            refusals_max: 256,
            refusal_ms_max: 1_000,
            head_read_ms_max: 75_000,
            head_bytes_max: 32 * 1024,
            connection_buffer_bytes_max: 128 * 1024,
            write_stall_ms_max: 30_000,
            trusted_proxies: Vec::new(),
            stop_ms_max: 5_000,
            organization_keys_max: 100,
            keys_cached_max: 10_000,
            key_cached_ms_max: 5_000,
            ready_cached_ms: 1_000,
            probe_ms_max: 5_000,
        }
    }
}

/// The most mistakes that one answer lists.
pub(crate) const MISTAKES_MAX: usize = 100;
/// The longest piece of a caller's own text that an error repeats, in characters.
pub(crate) const QUOTED_CHARS_MAX: usize = 64;
/// The most rows of one page of a list.
pub(crate) const PAGE_ROWS_MAX: usize = 250;
/// The rows of a page whose size is not given.
pub(crate) const PAGE_ROWS_DEFAULT: usize = 50;
/// The most deliveries whose last attempts one search looks at; the page says where the next one goes on.
pub(crate) const SEARCH_ROWS_MAX: usize = 1_000;
/// The deliveries whose last attempts a search holds at once.
pub(crate) const SEARCH_PAGE_ROWS: usize = 100;
/// The longest text that is searched for, in characters.
pub(crate) const SEARCH_CHARS_MAX: usize = 200;
/// The longest cursor, in bytes.
pub(crate) const CURSOR_BYTES_MAX: usize = 256;
/// The longest `Idempotency-Key`, in bytes.
pub(crate) const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
/// The longest `X-Request-Id` that is taken over, in bytes.
pub(crate) const REQUEST_ID_BYTES_MAX: usize = 128;
/// The most hops that are read of what proxies say about who is behind them.
pub(crate) const FORWARDED_HOPS_MAX: usize = 32;
/// How much of it is read, in bytes.
pub(crate) const FORWARDED_BYTES_MAX: usize = 4 * 1024;
/// How often a change is decided again because another node was faster with one of the same organisation.
pub(crate) const EDIT_TRIES_MAX: usize = 50;
/// The longest token, in bytes; a longer one is refused before it is read.
pub(crate) const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// By how much the clocks of whoever signs tokens and of this server may differ, in seconds.
pub(crate) const TOKEN_LEEWAY_S: i64 = 60;
/// Keys that one token is tried with.
pub(crate) const TOKEN_KEYS_TRIED_MAX: usize = 16;
/// The shortest shared secret for tokens, in bytes.
pub(crate) const TOKEN_SECRET_BYTES_MIN: usize = 32;
/// The longest `sub` of a token, in characters.
pub(crate) const TOKEN_SUBJECT_CHARS_MAX: usize = 255;
/// How long a session lasts, at most, in seconds.
pub(crate) const SESSION_S_MAX: u64 = 8 * 3_600;
/// How long a portal link works that does not say so, in seconds.
pub(crate) const PORTAL_LINK_S_DEFAULT: u64 = 3_600;
/// How long a portal link works, at least, in seconds.
pub(crate) const PORTAL_LINK_S_MIN: u64 = 60;
/// How long a portal link works, at most, in seconds.
pub(crate) const PORTAL_LINK_S_MAX: u64 = 24 * 3_600;
/// The most keys of a JWK Set.
pub(crate) const JWKS_KEYS_MAX: usize = 100;
/// How long an `Idempotency-Key` stands for one request, in milliseconds. The store keeps answers as long.
pub(crate) const IDEMPOTENCY_MS: i64 = 24 * 3_600_000;
/// Answers under `Idempotency-Key`s that the store could not be given, in bytes; beyond that no further request under a key is begun.
pub(crate) const UNKEPT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The longest name of an organisation, endpoint or key, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 200;
/// The longest description, in characters.
pub(crate) const DESCRIPTION_CHARS_MAX: usize = 2_000;
/// The longest system identifier, in characters.
pub(crate) const SYSTEM_CHARS_MAX: usize = 200;
/// The longest e-mail address, in characters (RFC 5321, section 4.5.3.1.3, less its angle brackets).
pub(crate) const EMAIL_CHARS_MAX: usize = 254;
/// The longest language tag, in characters (RFC 5646, section 4.4.1).
pub(crate) const LOCALE_CHARS_MAX: usize = 35;
/// The most origins whose pages may show an organisation's dashboard in a frame.
pub(crate) const FRAME_ANCESTORS_MAX: usize = 20;
/// The longest origin, in characters: a name of 253, a scheme and a port.
pub(crate) const ORIGIN_CHARS_MAX: usize = 270;
/// The longest URL of a resource, in characters.
pub(crate) const URI_CHARS_MAX: usize = 2_048;
/// The most entries of an endpoint's `events`.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 100;
/// The most attempts a second that an endpoint's rate limit may allow; who wants more needs none.
pub(crate) const RATE_LIMIT_PER_S_MAX: u32 = 10_000;
/// The longest that a reader of a stream waits for new deliveries, in seconds.
pub(crate) const STREAM_WAIT_S_MAX: u64 = 30;
/// The most deliveries of one page of a stream, which come with their bodies.
pub(crate) const STREAM_ROWS_MAX: usize = 100;
/// The longest position in a stream, in bytes.
pub(crate) const STREAM_AFTER_BYTES_MAX: usize = 2_048;
/// The most members of a `headers` object that are looked at.
pub(crate) const HEADERS_MAX: usize = 100;
