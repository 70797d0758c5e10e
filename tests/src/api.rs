//! A client of the API that shows everything that came back.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::wait::within;

/// Where the API is, and who asks.
#[derive(Clone, Debug)]
pub struct Api {
    address: SocketAddr,
    credential: Option<String>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Call {
    /// Without a body.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Call { method: method.to_owned(), path: path.to_owned(), headers: vec![], body: Bytes::new() }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
    }

    /// With a body that says it is JSON, whatever it is.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        self.body_of("application/json", body)
    }

    /// With a body of this media type.
    #[must_use]
    pub fn body_of(mut self, media_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", media_type)
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    asked: String,
}

impl Answer {
    /// The body as JSON; null when it is empty.
    #[must_use]
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{}: {e}: {}", self.asked, self.text()))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body, of an answer that must have this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.text());
        self.json()
    }

    /// The problem (RFC 9457) of an answer that must have this status.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        let problem = self.expect(status);
        let media = self.header("content-type").unwrap_or_default();
        assert!(media.starts_with("application/problem+json"), "{}: content-type {media:?}", self.asked);
        assert_eq!(problem["status"], status, "{}: {problem}", self.asked);
        for field in ["type", "title", "detail"] {
            assert!(
                problem[field].as_str().is_some_and(|text| !text.is_empty()),
                "{}: no {field}: {problem}",
                self.asked
            );
        }
        problem
    }

    /// The pointers of a problem's `errors`, sorted.
    #[track_caller]
    pub fn pointers(&self, status: u16) -> Vec<String> {
        self.pointers_in(&self.problem(status))
    }

    /// The same of an answer that is no problem but tells of mistakes.
    #[track_caller]
    pub fn pointers_told(&self) -> Vec<String> {
        self.pointers_in(&self.expect(200))
    }

    #[track_caller]
    fn pointers_in(&self, problem: &Value) -> Vec<String> {
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("{}: no errors: {problem}", self.asked));
        let mut pointers = vec![];
        for error in errors {
            assert!(error["detail"].as_str().is_some_and(|text| !text.is_empty()), "{}: {error}", self.asked);
            pointers.push(error["pointer"].as_str().unwrap_or_else(|| panic!("{}: {error}", self.asked)).to_owned());
        }
        pointers.sort();
        pointers
    }
}

impl Api {
    /// With this credential, or none.
    #[must_use]
    pub fn new(address: SocketAddr, credential: Option<&str>) -> Self {
        Api { address, credential: credential.map(str::to_owned) }
    }

    /// Somebody else at the same place.
    #[must_use]
    pub fn with(&self, credential: Option<&str>) -> Self {
        Api::new(self.address, credential)
    }

    /// Where it is, as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The answer, or why there is none, e.g. since the program was killed.
    ///
    /// # Errors
    /// When the connection fails or ends early.
    pub async fn try_call(&self, call: Call) -> io::Result<Answer> {
        let asked = format!("{} {}", call.method, call.path);
        let mut request = Request::builder().method(call.method.as_str()).uri(&call.path);
        request = request.header("host", self.address.to_string());
        let own = call.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        if let Some(credential) = self.credential.as_deref().filter(|_| !own) {
            request = request.header("authorization", format!("Bearer {credential}"));
        }
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(call.body)).expect("a request that HTTP allows");
        within(&asked, exchange(self.address, request)).await.map(|(status, headers, body)| Answer {
            status,
            headers,
            body,
            asked: asked.clone(),
        })
    }

    /// The answer.
    ///
    /// # Panics
    /// When there is none.
    pub async fn call(&self, call: Call) -> Answer {
        let asked = format!("{} {}", call.method, call.path);
        self.try_call(call).await.unwrap_or_else(|e| panic!("{asked}: {e}"))
    }

    /// GET
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Call::new("GET", path)).await
    }

    /// DELETE
    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Call::new("DELETE", path)).await
    }

    /// POST
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Call::new("POST", path).json(body)).await
    }

    /// PUT
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call(Call::new("PUT", path).json(body)).await
    }

    /// PATCH
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call(Call::new("PATCH", path).json(body)).await
    }
}

async fn exchange(address: SocketAddr, request: Request<Full<Bytes>>) -> io::Result<(u16, HeaderMap, Bytes)> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    driver.abort();
    Ok((head.status.as_u16(), head.headers, body))
}
