//! The receiver: verifies every webhook as a customer would, answers as its role says, and shows what arrived.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use postrider_contract::{Contract, VerifyFailure};
use postrider_domain::Secret;
use postrider_engine::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use super::arrival::{Arrival, Arrivals, BODY_BYTES_MAX, Signature, Totals};
use super::console::Happening;
use super::page;

/// The largest webhook that is received, in bytes: more than any contract's envelope makes of an event.
const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long the page's question for something new is left open.
const PAGE_PATIENCE: Duration = Duration::from_secs(20);
/// Every so many first attempts the flaky one fails.
const FLAKY_EVERY: u64 = 3;
/// Every so many first attempts the slow one keeps silent until its sender gives up.
const SILENT_EVERY: u64 = 4;
/// How long the slow one takes otherwise.
const SLOW: Duration = Duration::from_millis(1_500);
/// What an event of the demo carries in its data, to be known again by.
pub(super) const SEQUENCE: &str = "demo_sequence";

/// How an endpoint behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Answers at once.
    Reliable,
    /// Fails now and then; a retry succeeds.
    Flaky,
    /// Takes its time, and now and then too much of it.
    Slow,
    /// Fails always, like a site that nobody looks after any more.
    Broken,
}

/// What the receiver knows about one of its endpoints.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) organization: String,
    pub(super) endpoint: String,
    pub(super) contract: Arc<Contract>,
    pub(super) secret: Option<Secret>,
    pub(super) role: Role,
}

/// A running receiver.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    address: SocketAddr,
    known: RwLock<HashMap<String, Known>>,
    arrivals: Arc<Arrivals>,
    happened: mpsc::Sender<Happening>,
    flaky_firsts: AtomicU64,
    slow_firsts: AtomicU64,
    /// Whether whoever is kept waiting is let go.
    ending: watch::Sender<bool>,
}

impl Receiver {
    /// Serves until the process ends.
    pub(super) async fn start(listener: TcpListener, happened: mpsc::Sender<Happening>) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            address,
            known: RwLock::default(),
            arrivals: Arc::default(),
            happened,
            flaky_firsts: 0.into(),
            slow_firsts: 0.into(),
            ending: watch::Sender::new(false),
        });
        let page = Router::new()
            .route("/", get(page::html))
            .route("/page.js", get(page::js))
            .route("/page.css", get(page::css))
            .route("/arrivals", get(arrivals))
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&shared), own_host_only));
        let webhooks =
            Router::new().route("/in/{*path}", post(receive)).layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX));
        let router = page.merge(webhooks).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Receiver { address, shared })
    }

    /// The URL of a path.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Tells it about an endpoint.
    pub(super) fn know(&self, path: &str, known: Known) {
        self.shared.known.write().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), known);
    }

    /// Keeps nobody waiting any more, so that the server's stop need not wait either.
    pub(super) fn end(&self) {
        self.shared.ending.send_replace(true);
    }

    pub(super) fn arrivals(&self) -> Arc<Arrivals> {
        Arc::clone(&self.shared.arrivals)
    }
}

/// Keeps out pages of other sites that reach this address by a name of their own (DNS rebinding).
async fn own_host_only(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let host = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let port = shared.address.port();
    if host == shared.address.to_string() || host == format!("localhost:{port}") {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, format!("ask for http://{}/\n", shared.address)).into_response()
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    after: u64,
}

#[derive(Serialize)]
struct Page<'a> {
    arrivals: &'a [Arc<Arrival>],
    totals: Totals,
}

async fn arrivals(State(shared): State<Arc<Shared>>, Query(since): Query<Since>) -> Response {
    let (arrivals, totals) = shared.arrivals.after(since.after, PAGE_PATIENCE).await;
    match serde_json::to_vec(&Page { arrivals: &arrivals, totals }) {
        Ok(body) => page::with_headers("application/json", body),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn receive(State(shared): State<Arc<Shared>>, uri: axum::http::Uri, headers: HeaderMap, body: Bytes) -> Response {
    let at_ms = SystemClock.now().0;
    let path = uri.path().to_owned();
    let known = shared.known.read().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
    let headers: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let signature = check(known.as_ref(), &headers, &body);
    let parsed: Value = serde_json::from_slice(&body).unwrap_or_default();
    let sequence = find(&parsed, SEQUENCE).and_then(Value::as_u64);
    let guessed = event_type(&parsed);
    let origin = sequence.and_then(|sequence| shared.arrivals.origin(sequence, &path, &guessed));
    let attempt = origin.as_ref().map_or(1, |origin| origin.attempt);
    let answer = match &signature {
        Signature::Refused(_) => Answer::Status(401),
        _ => shared.answer(known.as_ref().map_or(Role::Reliable, |known| known.role), attempt),
    };
    let latency = origin.as_ref().filter(|_| attempt == 1).map(|origin| origin.since);
    let arrival = Arrival {
        number: 0,
        at_ms,
        organization: known.as_ref().map_or_else(String::new, |known| known.organization.clone()),
        endpoint: known.as_ref().map_or_else(|| path.clone(), |known| known.endpoint.clone()),
        contract: known.as_ref().map_or_else(String::new, |known| known.contract.name().to_owned()),
        statement: origin.as_ref().and_then(|origin| origin.statement.clone()),
        event_type: origin.map_or(guessed, |origin| origin.event_type),
        changes: changes(&parsed),
        attempt,
        signature,
        status: answer.status(),
        answered_after_ms: answer.after_ms(),
        latency_us: latency.and_then(|latency| u64::try_from(latency.as_micros()).ok()),
        headers,
        body: String::from_utf8_lossy(&body[..body.len().min(BODY_BYTES_MAX)]).into_owned(),
        body_bytes: body.len(),
        path,
    };
    let arrival = shared.arrivals.add(arrival);
    // A stream that is behind leaves lines out; the page has them all.
    let _ = shared.happened.try_send(Happening::Arrived(arrival));
    let mut ending = shared.ending.subscribe();
    tokio::select! {
        response = answer.give(known.as_ref()) => response,
        _ = ending.wait_for(|ending| *ending) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// What an arrival is answered, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Status(u16),
    Late(u16),
    Never,
}

impl Shared {
    fn answer(&self, role: Role, attempt: u32) -> Answer {
        let next = |firsts: &AtomicU64| firsts.fetch_add(1, Ordering::Relaxed);
        match role {
            Role::Flaky if attempt == 1 && next(&self.flaky_firsts).is_multiple_of(FLAKY_EVERY) => Answer::Status(503),
            Role::Slow if attempt == 1 && next(&self.slow_firsts) % SILENT_EVERY == 1 => Answer::Never,
            Role::Slow => Answer::Late(200),
            Role::Broken => Answer::Status(500),
            Role::Flaky | Role::Reliable => Answer::Status(204),
        }
    }
}

impl Answer {
    fn status(self) -> Option<u16> {
        match self {
            Answer::Status(status) | Answer::Late(status) => Some(status),
            Answer::Never => None,
        }
    }

    fn after_ms(self) -> Option<u64> {
        (matches!(self, Answer::Late(_))).then(|| SLOW.as_secs() * 1_000 + u64::from(SLOW.subsec_millis()))
    }

    async fn give(self, known: Option<&Known>) -> Response {
        match self {
            Answer::Status(_) => {}
            Answer::Late(_) => tokio::time::sleep(SLOW).await,
            // Longer than its sender waits, and no longer than that.
            Answer::Never => {
                let patience = known.map_or(SLOW, |known| known.contract.response().timeout);
                tokio::time::sleep(patience + SLOW).await;
            }
        }
        let status = self.status().and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK);
        let body = if status.is_success() { "" } else { "not now (the demo's receiver fails on purpose)\n" };
        (status, body).into_response()
    }
}

fn check(known: Option<&Known>, headers: &[(String, String)], body: &[u8]) -> Signature {
    let Some(known) = known else {
        return Signature::NotChecked("this receiver does not know the endpoint's secret".to_owned());
    };
    let Some(secret) = &known.secret else { return Signature::NotChecked("the endpoint has no secret".to_owned()) };
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    match known.contract.verify(secret, &headers, body, SystemClock.now()) {
        Ok(()) => Signature::Verified,
        Err(VerifyFailure::NotSigned) => Signature::NotChecked(VerifyFailure::NotSigned.to_string()),
        Err(why) => Signature::Refused(why.to_string()),
    }
}

/// The member of that name, wherever in the body's objects it is.
fn find<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(name).or_else(|| members.values().find_map(|member| find(member, name))),
        _ => None,
    }
}

/// What an envelope calls the type, as far as names go: the receiver guesses like a person would.
fn event_type(body: &Value) -> String {
    let named = ["type", "event", "eventType", "event_type"].into_iter().find_map(|name| body.get(name)?.as_str());
    named.unwrap_or("unknown").chars().take(100).collect()
}

/// What an event says that changed, in short: `stage: "new" -> "won"`.
fn changes(body: &Value) -> Option<String> {
    const FIELDS_MAX: usize = 2;
    const VALUE_CHARS_MAX: usize = 24;
    let short = |value: &Value| {
        let text = value.to_string();
        let cut: String = text.chars().take(VALUE_CHARS_MAX).collect();
        if cut.len() < text.len() { format!("{cut}...") } else { text }
    };
    let changes = find(body, "changes")?.as_object().filter(|changes| !changes.is_empty())?;
    let one = |(name, change): (&String, &Value)| {
        Some(format!("{name}: {} -> {}", short(change.get("previous")?), short(change.get("current")?)))
    };
    let shown: Vec<String> = changes.iter().take(FIELDS_MAX).map(one).collect::<Option<_>>()?;
    let more = changes.len().saturating_sub(FIELDS_MAX);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!("{}{rest}", shown.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_found_in_any_envelope() {
        for body in [
            r#"{"demo_sequence":7}"#,
            r#"{"data":{"id":1,"demo_sequence":7}}"#,
            r#"{"a":{},"payload":{"data":{"demo_sequence":7}}}"#,
        ] {
            let body: Value = serde_json::from_str(body).unwrap();
            assert_eq!(find(&body, SEQUENCE).and_then(Value::as_u64), Some(7));
        }
    }

    #[test]
    fn what_changed_is_told_in_short() {
        let told = |changed: Value| changes(&serde_json::json!({"data": {}, "changes": changed}));
        let change = |previous: &str, current: &str| serde_json::json!({"previous": previous, "current": current});
        assert_eq!(told(serde_json::json!({"stage": change("new", "won")})).unwrap(), r#"stage: "new" -> "won""#);
        let many = serde_json::json!({"a": change("1", "2"), "b": change("3", &"x".repeat(99)), "c": change("5", "6")});
        assert!(told(many).unwrap().ends_with("... and 1 more"));
        assert_eq!((told(serde_json::json!({})), told(serde_json::json!([1]))), (None, None));
    }

    #[tokio::test]
    async fn a_receiver_that_does_not_know_the_secret_says_so_and_one_that_does_refuses_forgeries() {
        let contracts = postrider_contract::Contracts::built_in().unwrap();
        let contract = contracts.get(contracts.default_name()).unwrap();
        let known = Known {
            organization: "Acme".into(),
            endpoint: "CRM".into(),
            contract: Arc::clone(contract),
            secret: Some(contract.generate_secret(&[1; postrider_contract::SecretRules::RANDOM_BYTES])),
            role: Role::Reliable,
        };
        assert!(matches!(check(None, &[], b"{}"), Signature::NotChecked(_)));
        assert!(matches!(check(Some(&known), &[], b"{}"), Signature::Refused(_)));
    }
}
