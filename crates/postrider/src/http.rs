//! A small HTTP client for a server of our own: one request, one connection, one answer. Deliveries never go through it.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use postrider_domain::Secret;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::cli::ServerArgs;
use crate::failure::Misuse;
use crate::output::plain;
use crate::settings::Variables;

/// The server when none is named.
const URL: &str = "http://127.0.0.1:8400";
/// How long a request may take, a slow commit included.
const REQUEST: Duration = Duration::from_secs(60);
/// How long a local receiver may take to answer.
const REPLAY: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A server and the key to use with it; without one for what everybody may ask.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    base: url::Url,
    key: Option<Secret>,
    patience: Duration,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    status: http::StatusCode,
    retry_after: Option<String>,
    body: Bytes,
}

impl Api {
    /// At this address, with this key.
    ///
    /// # Errors
    /// When the address is no `http://` or `https://` URL.
    pub(crate) fn new(url: &str, key: Secret) -> anyhow::Result<Self> {
        Ok(Api { key: Some(key), ..Api::without_key(url, REQUEST)? })
    }

    /// At this address, for what needs no key; each answer is waited for so long.
    ///
    /// # Errors
    /// When the address is no `http://` or `https://` URL.
    pub(crate) fn without_key(url: &str, patience: Duration) -> anyhow::Result<Self> {
        let wrong = || Misuse::of(format!("{url:?} is no URL of a server; write one as {URL}"));
        let base = url::Url::parse(url).map_err(|_| wrong())?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() || base.query().is_some() {
            return Err(wrong());
        }
        Ok(Api { base, key: None, patience })
    }

    /// What flags and variables say.
    ///
    /// # Errors
    /// When the URL is none, or there is no key.
    pub(crate) fn from_args(args: &ServerArgs, variables: &Variables) -> anyhow::Result<Self> {
        let url = args.url.as_deref().or_else(|| variables.get("POSTRIDER_URL")).unwrap_or(URL);
        let variable = || variables.get("POSTRIDER_API_KEY").or_else(|| variables.get("POSTRIDER_OPERATOR_KEY"));
        let key = args.key.as_deref().or_else(variable);
        let key = key.ok_or_else(|| {
            Misuse::of("no key is given; set POSTRIDER_API_KEY or POSTRIDER_OPERATOR_KEY, or use --key")
        })?;
        Api::new(url, Secret::new(key.to_owned()))
    }

    /// Asks, and returns the answer's JSON.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses: what it said, and what to do.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<String>) -> anyhow::Result<Value> {
        let answer = self.ask(method, path, body).await?;
        if !answer.status.is_success() {
            bail!("{}", answer.refusal());
        }
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer.body)
            .with_context(|| format!("{} answered something that is not JSON; is it Postrider?", self.base))
    }

    /// Asks; a server that is away or has too much to do is no error.
    ///
    /// # Errors
    /// When the server refuses: what it said.
    pub(crate) async fn look(&self, path: &str) -> anyhow::Result<Asked<Value>> {
        Ok(match self.look_raw(path).await? {
            Asked::NotNow(why) => Asked::NotNow(why),
            Asked::Missing(what) => Asked::Missing(what),
            Asked::Said(body) => {
                let not_json = || format!("{} answered something that is not JSON; is it Postrider?", self.base);
                Asked::Said(serde_json::from_slice(&body).with_context(not_json)?)
            }
        })
    }

    /// The same; the answer byte for byte.
    ///
    /// # Errors
    /// When the server refuses: what it said.
    pub(crate) async fn look_raw(&self, path: &str) -> anyhow::Result<Asked<Bytes>> {
        let answer = match self.ask(Method::GET, path, None).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Asked::NotNow(format!("{error:#}"))),
        };
        if answer.status.is_server_error() || answer.status == http::StatusCode::TOO_MANY_REQUESTS {
            return Ok(Asked::NotNow(answer.refusal()));
        }
        if answer.status == http::StatusCode::NOT_FOUND {
            return Ok(Asked::Missing(answer.refusal()));
        }
        ensure!(answer.status.is_success(), "{}", answer.refusal());
        Ok(Asked::Said(answer.body))
    }

    async fn ask(&self, method: Method, path: &str, body: Option<String>) -> anyhow::Result<Answer> {
        let exchange = async {
            let stream = self.connect().await?;
            exchange(stream, self.request(method, path, body)?).await
        };
        let answer = tokio::time::timeout(self.patience, exchange).await;
        let late = || anyhow!("no answer within {} s", self.patience.as_secs());
        let answer = answer.map_err(|_| late()).and_then(|answer| answer);
        answer.with_context(|| {
            format!("{} cannot be asked (is the server running? --url or POSTRIDER_URL says where)", self.base)
        })
    }

    fn request(&self, method: Method, path: &str, body: Option<String>) -> anyhow::Result<Request<Full<Bytes>>> {
        let path = format!("{}{path}", self.base.path().trim_end_matches('/'));
        let authority = &self.base[url::Position::BeforeHost..url::Position::AfterPort];
        let mut request = Request::builder().method(method).uri(path.parse::<Uri>()?).header("host", authority);
        if let Some(key) = &self.key {
            let mut bearer = http::HeaderValue::try_from(format!("Bearer {}", key.reveal()))
                .map_err(|_| Misuse::of("the key has characters that no key has; copy it again"))?;
            bearer.set_sensitive(true);
            request = request.header("authorization", bearer);
        }
        let request = request.header("content-type", "application/json");
        Ok(request.body(Full::new(Bytes::from(body.unwrap_or_default())))?)
    }

    async fn connect(&self) -> anyhow::Result<Box<dyn Stream>> {
        let host = self.base.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = self.base.port_or_known_default().unwrap_or(80);
        let tcp = TcpStream::connect((bare, port)).await.context("no connection")?;
        tcp.set_nodelay(true)?;
        if self.base.scheme() == "http" {
            return Ok(Box::new(tcp));
        }
        let name = rustls::pki_types::ServerName::try_from(bare.to_owned())?;
        Ok(Box::new(tls()?.connect(name, tcp).await.context("no secure connection")?))
    }
}

/// What a server said, unless it could not.
#[derive(Debug)]
pub(crate) enum Asked<T> {
    /// Its answer.
    Said(T),
    /// Why there is none at the moment.
    NotNow(String),
    /// There is no such thing (any more): what it said.
    Missing(String),
}

/// A receiver on this machine or near it, spoken to in the clear.
#[derive(Clone, Debug)]
pub(crate) struct Local(url::Url);

impl Local {
    /// At this address.
    ///
    /// # Errors
    /// When it is no `http://` URL.
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        let wrong = || {
            Misuse::of(format!("--forward-to {url:?} is no http:// URL; write one as http://localhost:3000/webhooks"))
        };
        let url = url::Url::parse(url).map_err(|_| wrong())?;
        if url.scheme() == "http" && url.host().is_some() { Ok(Local(url)) } else { Err(wrong()) }
    }

    /// Sends a request as the server showed it: its headers, its body. The status code of the answer.
    ///
    /// # Errors
    /// When nobody answers in time.
    pub(crate) async fn send(&self, shown: &serde_json::Map<String, Value>) -> anyhow::Result<u16> {
        let body = match shown.get("body_base64").and_then(Value::as_str) {
            Some(text) => data_encoding::BASE64.decode(text.as_bytes())?,
            None => shown.get("body").and_then(Value::as_str).unwrap_or_default().as_bytes().to_vec(),
        };
        let path = &self.0[url::Position::BeforePath..url::Position::AfterQuery];
        let authority = &self.0[url::Position::BeforeHost..url::Position::AfterPort];
        let mut request = Request::builder().method(Method::POST).uri(path.parse::<Uri>()?).header("host", authority);
        for (name, value) in shown.get("headers").and_then(Value::as_object).into_iter().flatten() {
            request = request.header(name, value.as_str().unwrap_or_default());
        }
        let request = request.body(Full::new(Bytes::from(body)))?;
        let exchange = async {
            let host = self.0.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
            let tcp = TcpStream::connect((host, self.0.port_or_known_default().unwrap_or(80)))
                .await
                .context("no connection")?;
            exchange(Box::new(tcp), request).await
        };
        let answer = tokio::time::timeout(REPLAY, exchange).await;
        Ok(answer.map_err(|_| anyhow!("no answer within {} s", REPLAY.as_secs()))??.status.as_u16())
    }
}

impl Answer {
    /// What the server said, in one line a mistake.
    fn refusal(&self) -> String {
        let problem: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let said = problem["detail"].as_str().or_else(|| problem["title"].as_str()).unwrap_or_default();
        let mut lines = vec![plain(format!("the server answered {}: {said}", self.status).trim_end_matches(": "))];
        for error in problem["errors"].as_array().into_iter().flatten() {
            let text = |name: &str| error[name].as_str().unwrap_or_default();
            lines.push(plain(&format!("{}: {}", text("pointer"), text("detail"))));
        }
        if self.status == http::StatusCode::UNAUTHORIZED {
            lines.push(
                "check --key, POSTRIDER_API_KEY and POSTRIDER_OPERATOR_KEY, and that this is the key's server"
                    .to_owned(),
            );
        }
        if let Some(seconds) = &self.retry_after {
            lines.push(plain(&format!("try again in {seconds} s")));
        }
        lines.join("\n")
    }
}

/// A connection, secure or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

fn tls() -> anyhow::Result<tokio_rustls::TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(std::sync::Arc::new(config.with_root_certificates(roots).with_no_client_auth()).into())
}

async fn exchange(stream: Box<dyn Stream>, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let asked = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| anyhow!(error))?.to_bytes();
        let retry_after = head.headers.get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
        Ok(Answer { status: head.status, retry_after, body })
    };
    tokio::pin!(asked);
    // The connection is driven by the task that waits for the answer.
    tokio::select! {
        answer = &mut asked => answer,
        ended = connection => {
            ended?;
            asked.await
        }
    }
}

/// A piece of a path, from a person: what would end it is refused, rather than asked for something else.
///
/// # Errors
/// When it has characters that no id has.
pub(crate) fn segment<'t>(what: &str, text: &'t str) -> anyhow::Result<&'t str> {
    let is_plain = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.:".contains(&b))
        && text != "."
        && text != "..";
    ensure!(is_plain, Misuse::of(format!("{text:?} is no id of {what}; ids have letters, digits and any of _ - . :")));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_every_wrong_field() {
        let body = r#"{"title":"Unprocessable","status":422,"detail":"2 fields are wrong","errors":[{"pointer":"/type","detail":"unknown"},{"pointer":"/x","detail":"y"}]}"#;
        let answer =
            Answer { status: http::StatusCode::UNPROCESSABLE_ENTITY, retry_after: Some("5".into()), body: body.into() };
        let expected =
            "the server answered 422 Unprocessable Entity: 2 fields are wrong\n/type: unknown\n/x: y\ntry again in 5 s";
        assert_eq!(answer.refusal(), expected);
    }

    #[test]
    fn a_refusal_without_a_problem_is_told_by_its_status() {
        let answer = Answer { status: http::StatusCode::BAD_GATEWAY, retry_after: None, body: "<html>".into() };
        assert_eq!(answer.refusal(), "the server answered 502 Bad Gateway");
    }

    #[test]
    fn ids_that_would_change_the_path_are_refused() {
        assert!(segment("an organisation", "acme:eu-1").is_ok());
        for wrong in ["", "..", "a/b", "a?b", "a%2fb", "a b"] {
            assert!(segment("an organisation", wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_flag_goes_before_the_api_key_and_that_before_the_operator_key() {
        let variables = Variables::of(&[("POSTRIDER_OPERATOR_KEY", "operator"), ("POSTRIDER_API_KEY", "api")]);
        let used = |key: Option<&str>, variables: &Variables| {
            let args = ServerArgs { url: None, key: key.map(str::to_owned) };
            Api::from_args(&args, variables).ok()?.key.map(|key| key.reveal().to_owned())
        };
        assert_eq!(used(Some("flag"), &variables).as_deref(), Some("flag"));
        assert_eq!(used(None, &variables).as_deref(), Some("api"));
        assert_eq!(used(None, &Variables::of(&[("POSTRIDER_OPERATOR_KEY", "operator")])).as_deref(), Some("operator"));
        assert_eq!(used(None, &Variables::default()), None);
    }

    #[test]
    fn a_base_url_may_have_a_path() {
        let api = Api::new("https://proxy.example.com/webhooks/", Secret::new("k".into())).unwrap();
        let request = api.request(Method::GET, "/v1/contracts", None).unwrap();
        assert_eq!(request.uri().path(), "/webhooks/v1/contracts");
        assert_eq!(request.headers()["host"], "proxy.example.com");
    }
}
