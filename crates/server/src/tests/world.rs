//! A server in a temporary directory, and short ways to ask it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use data_encoding::BASE64URL_NOPAD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use postrider_contract::Contracts;
use postrider_egress::{Client, ClientSettings, UrlRules};
use postrider_engine::{Clock, Engine, EngineLimits, EngineParts, MovableClock};
use postrider_store::{MasterKey, SqliteOptions, SqliteStore};
use ring::hmac;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::auth::sha256;
use crate::problem::Cause;
use crate::{Passes, ServerLimits, ServerState, TokenKey, Tokens, router};

pub(super) const OPERATOR: &str = "operator-key-of-the-tests";

/// One server.
pub(super) struct World {
    pub(super) router: Router,
    pub(super) engine: Engine,
    pub(super) clock: Arc<MovableClock>,
    url_rules: Arc<UrlRules>,
    causes: Mutex<Vec<String>>,
    _dir: TempDir,
}

#[cfg_attr(not(feature = "test-clock"), expect(unused_variables, reason = "the state has no clock then"))]
fn state(engine: &Engine, url_rules: &Arc<UrlRules>, clock: &Arc<MovableClock>, limits: ServerLimits) -> ServerState {
    ServerState {
        engine: engine.clone(),
        operator_key_hash: sha256(OPERATOR.as_bytes()),
        tokens: Arc::new(tokens()),
        passes: Arc::new(Passes::of(engine.store().as_ref()).unwrap()),
        public_url: "https://webhooks.example.com".into(),
        url_rules: Arc::clone(url_rules),
        egress_addresses: ["203.0.113.10".to_owned()].into(),
        limits,
        source: None,
        metrics: None,
        #[cfg(feature = "test-clock")]
        clock: Arc::clone(clock),
    }
}

/// What the CRM signs its tokens with.
const TOKEN_SECRET: &str = "the secret of the CRM's tokens, 32 bytes and more";

fn tokens() -> Tokens {
    Tokens::new(vec![TokenKey::shared_secret(TOKEN_SECRET).unwrap()], None, None)
}

/// What it answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    asked: String,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(ServerLimits::default(), SqliteOptions::default()).await
    }

    pub(super) async fn with(limits: ServerLimits, options: SqliteOptions) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("data"), MasterKey::generate().unwrap(), &options).unwrap();
        let rules =
            UrlRules { allow_http: true, allow_cidrs: vec!["127.0.0.0/8".parse().unwrap()], ..UrlRules::default() };
        let settings = ClientSettings { rules: rules.clone(), ..ClientSettings::default() };
        let clock = Arc::new(MovableClock::default());
        let parts = EngineParts {
            store: Arc::new(store),
            contracts: Arc::new(Contracts::built_in().unwrap()),
            egress: Client::new(settings).unwrap(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            mailer: None,
            operational: None,
            tracer: postrider_traces::Tracer::default(),
            limits: EngineLimits::default(),
            node: "test".to_owned(),
        };
        let engine = Engine::start(parts).await.unwrap();
        let url_rules = Arc::new(rules);
        let router = router(state(&engine, &url_rules, &clock, limits));
        World { router, engine, clock, url_rules, causes: Mutex::default(), _dir: dir }
    }

    /// The same server with other limits.
    pub(super) fn limit(&mut self, limits: ServerLimits) {
        self.router = router(state(&self.engine, &self.url_rules, &self.clock, limits));
    }

    /// Any request.
    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let asked = format!("{} {}", request.method(), request.uri());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        self.causes.lock().extend(head.extensions.get::<Cause>().map(|cause| cause.0.clone()));
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: head.status.as_u16(), headers: head.headers, body, asked }
    }

    /// What the operator's log was told so far.
    pub(super) fn causes(&self) -> Vec<String> {
        self.causes.lock().clone()
    }

    /// A request with this credential; a body is sent as JSON.
    pub(super) async fn ask(&self, credential: &str, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        self.send(request(credential, method, path, body)).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask(OPERATOR, Method::GET, path, Body::empty()).await
    }

    pub(super) async fn delete(&self, path: &str) -> Answer {
        self.ask(OPERATOR, Method::DELETE, path, Body::empty()).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(OPERATOR, Method::POST, path, body.to_string()).await
    }

    pub(super) async fn put(&self, path: &str, body: Value) -> Answer {
        self.ask(OPERATOR, Method::PUT, path, body.to_string()).await
    }

    pub(super) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask(OPERATOR, Method::PATCH, path, body.to_string()).await
    }

    /// An organisation of this id under the default contract.
    pub(super) async fn organization(&self, id: &str) {
        self.post("/v1/organizations", json!({"id": id, "name": id})).await.expect(201);
    }

    /// An organisation's key with these scopes.
    pub(super) async fn key(&self, organization: &str, scopes: &[&str]) -> String {
        let path = format!("/v1/organizations/{organization}/keys");
        let made = self.post(&path, json!({"name": "key", "scopes": scopes})).await.expect(201);
        made["key"].as_str().unwrap().to_owned()
    }

    /// A token of the CRM's, good for five minutes.
    pub(super) fn token(&self, organization: &str, role: &str, more: &Value) -> String {
        let mut claims = json!({"org": organization, "role": role, "exp": self.engine.now().unix_seconds() + 300});
        for (name, value) in more.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let message = format!("{}.{}", part(&json!({"alg": "HS256"})), part(&claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, TOKEN_SECRET.as_bytes());
        format!("{message}.{}", BASE64URL_NOPAD.encode(hmac::sign(&key, message.as_bytes()).as_ref()))
    }

    /// An endpoint for everything.
    pub(super) async fn endpoint(&self, organization: &str, url: &str) -> Value {
        let path = format!("/v1/organizations/{organization}/endpoints");
        self.post(&path, json!({"name": "endpoint", "url": url, "events": ["*"]})).await.expect(201)
    }
}

/// Asks again and again until there is an answer; the bound is there so that a fault is a failure and no standstill.
pub(super) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    const PATIENCE: Duration = Duration::from_secs(60);
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| panic!("no {what} within {PATIENCE:?}"))
}

/// A URL on which nobody listens.
pub(super) fn closed_url() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

pub(super) fn request(credential: &str, method: Method, path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(AUTHORIZATION, format!("Bearer {credential}"))
        .header(CONTENT_TYPE, "application/json")
        .body(body.into())
        .unwrap()
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{}: {error}: {}", self.asked, self.text()))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(super) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text());
        self.json()
    }

    /// The slug of a problem's type.
    #[track_caller]
    pub(super) fn problem(&self, status: u16) -> String {
        let problem = self.expect(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.asked);
        assert_eq!(problem["status"], status);
        for member in ["title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
        problem["type"].as_str().unwrap().strip_prefix("/docs/problems#").unwrap().to_owned()
    }

    /// Where the wrong fields are.
    #[track_caller]
    pub(super) fn pointers(&self, status: u16) -> Vec<String> {
        self.problem(status);
        let problem = self.json();
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{}: {problem}", self.asked));
        let mut pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect();
        pointers.sort();
        pointers
    }
}
