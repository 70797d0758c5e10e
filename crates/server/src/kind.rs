//! The kinds of problems: what their pages, statuses and remedies are.

use http::StatusCode;

/// What can be wrong with a request or with us. The slugs are part of the API and do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Malformed,
    MalformedRequest,
    InvalidQuery,
    InvalidHeader,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    BodyTimeout,
    HeadTimeout,
    Exists,
    WrongState,
    IdempotencyInProgress,
    RotationOpen,
    NoRotation,
    TooLarge,
    UriTooLong,
    MediaType,
    InvalidFields,
    LimitReached,
    EventIdReused,
    IdempotencyKeyReused,
    HeadTooLarge,
    Internal,
    Unavailable,
    Overloaded,
}

impl Kind {
    pub(crate) const ALL: [Kind; 26] = [
        Kind::Malformed,
        Kind::MalformedRequest,
        Kind::InvalidQuery,
        Kind::InvalidHeader,
        Kind::Unauthenticated,
        Kind::Forbidden,
        Kind::NotFound,
        Kind::MethodNotAllowed,
        Kind::BodyTimeout,
        Kind::HeadTimeout,
        Kind::Exists,
        Kind::WrongState,
        Kind::IdempotencyInProgress,
        Kind::RotationOpen,
        Kind::NoRotation,
        Kind::TooLarge,
        Kind::UriTooLong,
        Kind::MediaType,
        Kind::InvalidFields,
        Kind::LimitReached,
        Kind::EventIdReused,
        Kind::IdempotencyKeyReused,
        Kind::HeadTooLarge,
        Kind::Internal,
        Kind::Unavailable,
        Kind::Overloaded,
    ];

    /// Status, `type`, title, and what to do about it.
    fn facts(self) -> (u16, &'static str, &'static str, &'static str) {
        match self {
            Kind::Malformed => (400, "/docs/problems#malformed-json", "The body is not JSON", MALFORMED),
            Kind::MalformedRequest => (400, "/docs/problems#malformed-request", "The request is not HTTP/1.1", NO_HTTP),
            Kind::InvalidQuery => (400, "/docs/problems#invalid-query", "The query is wrong", QUERY),
            Kind::InvalidHeader => (400, "/docs/problems#invalid-header", "A request header is wrong", HEADER),
            Kind::Unauthenticated => {
                (401, "/docs/problems#unauthenticated", "A valid credential is needed", CREDENTIAL)
            }
            Kind::Forbidden => (403, "/docs/problems#forbidden", "The credential does not allow this", FORBIDDEN),
            Kind::NotFound => (404, "/docs/problems#not-found", "There is no such thing", MISSING),
            Kind::MethodNotAllowed => (405, "/docs/problems#method-not-allowed", "The path has no such method", METHOD),
            Kind::BodyTimeout => (408, "/docs/problems#body-timeout", "The body took too long", BODY_TIME),
            Kind::HeadTimeout => (408, "/docs/problems#head-timeout", "The head took too long", HEAD_TIME),
            Kind::Exists => (409, "/docs/problems#exists", "It exists already", EXISTS),
            Kind::WrongState => (409, "/docs/problems#wrong-state", "Its state does not allow this", STATE),
            Kind::IdempotencyInProgress => {
                (409, "/docs/problems#idempotency-in-progress", "The first request is still in work", IN_PROGRESS)
            }
            Kind::RotationOpen => (409, "/docs/problems#rotation-open", "A rotation is not over", ROTATION_OPEN),
            Kind::NoRotation => (409, "/docs/problems#no-rotation", "No rotation is open", NO_ROTATION),
            Kind::TooLarge => (413, "/docs/problems#too-large", "The body is too large", LARGE),
            Kind::UriTooLong => (414, "/docs/problems#uri-too-long", "The URI is too long", LONG_URI),
            Kind::MediaType => (415, "/docs/problems#media-type", "The body must be JSON", MEDIA),
            Kind::InvalidFields => (422, "/docs/problems#invalid-fields", "Some fields are wrong", FIELDS),
            Kind::LimitReached => (422, "/docs/problems#limit-reached", "A limit is reached", LIMIT),
            Kind::EventIdReused => (422, "/docs/problems#event-id-reused", "The event id was used before", EVENT_ID),
            Kind::IdempotencyKeyReused => {
                (422, "/docs/problems#idempotency-key-reused", "The Idempotency-Key was used before", KEY_REUSED)
            }
            Kind::HeadTooLarge => (431, "/docs/problems#head-too-large", "The head is too large", LARGE_HEAD),
            Kind::Internal => (500, "/docs/problems#internal", "A fault of ours", FAULT),
            Kind::Unavailable => (503, "/docs/problems#unavailable", "Not possible at the moment", UNAVAILABLE),
            Kind::Overloaded => (503, "/docs/problems#overloaded", "Too much at once", OVERLOADED),
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        // Every status above is a valid one.
        StatusCode::from_u16(self.facts().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(crate) fn uri(self) -> &'static str {
        self.facts().1
    }

    pub(crate) fn title(self) -> &'static str {
        self.facts().2
    }

    pub(crate) fn remedy(self) -> &'static str {
        self.facts().3
    }

    pub(crate) fn asks_again(self) -> bool {
        matches!(self, Kind::IdempotencyInProgress | Kind::Unavailable | Kind::Overloaded)
    }
}

const MALFORMED: &str =
    "The detail says in which line and column the JSON ends to make sense, or that the bytes are not UTF-8.";
const NO_HTTP: &str = "Send HTTP/1.1 (RFC 9112). Behind a proxy that speaks HTTP/2 or TLS to this server, set that to HTTP/1.1 without TLS.";
const QUERY: &str = "Each entry of `errors` names a query parameter that this route does not know or cannot read.";
const HEADER: &str = "The detail names the request header and what it may hold.";
const CREDENTIAL: &str =
    "Send `Authorization: Bearer` with the operator key, or an organisation key or a token that has not expired.";
const FORBIDDEN: &str = "The detail names what the credential lacks. Use one that has it, or the operator key.";
const MISSING: &str = "Check the path and its ids. What belongs to another organisation is answered the same way.";
const METHOD: &str = "The `Allow` header lists the methods of this path.";
const BODY_TIME: &str = "Send the body at once, without pauses.";
const HEAD_TIME: &str = "Send request line and headers at once, without pauses.";
const EXISTS: &str = "Choose another id, or replace what is there with PUT.";
const STATE: &str = "The detail says what is in the way and what to do first.";
const IN_PROGRESS: &str = "A request with this `Idempotency-Key` has not ended yet. Ask again after `Retry-After`.";
const ROTATION_OPEN: &str = "Two secrets of the endpoint work at the moment. Wait for the overlap's end, end it by confirming with `\"overlap\": \"0s\"`, or, \
    after a leak, rotate with `\"overlap\": \"0s\"`, which ends every other secret.";
const NO_ROTATION: &str = "The endpoint's present secret signs alone already. Rotate it first.";
const LARGE: &str = "The detail names the limit. Send less, or several requests.";
const LONG_URI: &str = "Ask for less with one request: a shorter path, or fewer and shorter query parameters.";
const MEDIA: &str = "Send `Content-Type: application/json`, in UTF-8.";
const FIELDS: &str =
    "Each entry of `errors` points to one wrong field (RFC 6901) and says what it may be. All of them are listed.";
const LIMIT: &str =
    "The detail names the limit and what counts towards it. Remove something, or have the plan changed.";
const EVENT_ID: &str =
    "An event with this id but other content was accepted within 72 hours. Nothing was stored; use a fresh id.";
const KEY_REUSED: &str =
    "An `Idempotency-Key` stands for one request, for 24 hours. Use a fresh key for another request.";
const LARGE_HEAD: &str = "Send fewer or shorter headers. Cookies mean nothing here.";
const FAULT: &str = "Nothing that you can change. The server's operator finds the cause in its log.";
const UNAVAILABLE: &str = "Nothing was stored, unless the detail says otherwise. Ask again after `Retry-After`.";
const OVERLOADED: &str = "The server has as much in work as it takes at once. Ask again after `Retry-After`.";
