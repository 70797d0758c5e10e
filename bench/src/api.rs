//! The few calls of the server's API that set a scenario up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http1::ReadBuffer;

const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// How often a call that was refused for overload is made again, and after how long.
const REFUSALS_MAX: u32 = 200;
const REFUSED_PAUSE: Duration = Duration::from_millis(100);
/// What is published when the contract's catalogue is open and names nothing.
const TYPE_OF_AN_OPEN_CATALOGUE: &str = "deal.won";

/// The API; every call is a connection of its own, to the nodes in turn.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    addresses: Vec<SocketAddr>,
    next: Arc<AtomicUsize>,
    key: String,
}

impl Api {
    pub(crate) fn new(addresses: Vec<SocketAddr>, key: &str) -> Self {
        Api { addresses, next: Arc::default(), key: key.to_owned() }
    }

    /// The metrics of each node, in Prometheus' text format.
    pub(crate) async fn metrics(&self) -> anyhow::Result<Vec<String>> {
        let mut texts = Vec::new();
        for address in &self.addresses {
            let (status, text) = self.exchange(*address, "GET", "/metrics", "").await?;
            anyhow::ensure!(status == 200, "GET /metrics was answered with {status}");
            texts.push(String::from_utf8_lossy(&text).into_owned());
        }
        Ok(texts)
    }

    pub(crate) async fn put_organization(&self, id: &str, contract: &str, plan: Option<&str>) -> anyhow::Result<()> {
        let mut body = json!({"name": "Benchmark", "contract": contract});
        if let Some(plan) = plan {
            body["plan"] = json!(plan);
        }
        self.call("PUT", &format!("/v1/organizations/{id}"), &body.to_string()).await?;
        Ok(())
    }

    /// An event type of the organisation's contract.
    pub(crate) async fn event_type(&self, organization: &str) -> anyhow::Result<String> {
        let answer = self.call("GET", &format!("/v1/organizations/{organization}/event-types"), "").await?;
        let types = answer.get("data").unwrap_or(&answer);
        let name = types.get(0).and_then(|first| first.get("name")).and_then(Value::as_str);
        Ok(name.unwrap_or(TYPE_OF_AN_OPEN_CATALOGUE).to_owned())
    }

    /// An endpoint for every event type.
    pub(crate) async fn create_endpoint(&self, organization: &str, name: &str, url: &str) -> anyhow::Result<()> {
        let path = format!("/v1/organizations/{organization}/endpoints");
        let mut body = json!({"name": name, "url": url, "events": ["*"]});
        let (status, _) = self.ask("POST", &path, &body.to_string()).await?;
        if !(200..=299).contains(&status) {
            // A contract may allow each system only a few endpoints for a type; then each of ours is a system of its own. When
            // that was not the reason, the second answer says what is.
            body["system"] = json!(url);
            self.call("POST", &path, &body.to_string()).await?;
        }
        Ok(())
    }

    /// Publishes events, each a JSON object; answers how many deliveries they made.
    pub(crate) async fn publish(&self, organization: &str, events: &[String]) -> anyhow::Result<u64> {
        let body = format!(r#"{{"events":[{}]}}"#, events.join(","));
        let answer = self.call("POST", &format!("/v1/organizations/{organization}/events/batch"), &body).await?;
        let accepted = answer["data"].as_array().context("the answer to a batch has no `data`")?;
        Ok(accepted.iter().filter_map(|event| event["deliveries_count"].as_u64()).sum())
    }

    /// Makes a call that must succeed.
    async fn call(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Value> {
        let (status, answer) = self.ask(method, path, body).await?;
        match status {
            200..=299 if answer.is_empty() => Ok(Value::Null),
            200..=299 => serde_json::from_slice(&answer).with_context(|| format!("the answer to {method} {path}")),
            _ => bail!("{method} {path} was answered with {status}: {}", String::from_utf8_lossy(&answer)),
        }
    }

    /// Makes a call, again and again while the server says that it is overloaded.
    async fn ask(&self, method: &str, path: &str, body: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        for _ in 0..REFUSALS_MAX {
            let turn = self.next.fetch_add(1, Relaxed) % self.addresses.len().max(1);
            let address = *self.addresses.get(turn).context("there is no node")?;
            let answer = tokio::time::timeout(ANSWER_WITHIN, self.exchange(address, method, path, body)).await;
            let answer = answer.map_err(anyhow::Error::from).and_then(|answer| answer);
            match answer.with_context(|| format!("{method} {path}"))? {
                (429 | 503, _) => tokio::time::sleep(REFUSED_PAUSE).await,
                answer => return Ok(answer),
            }
        }
        bail!("{method} {path} was refused for overload {REFUSALS_MAX} times")
    }

    async fn exchange(
        &self,
        address: SocketAddr,
        method: &str,
        path: &str,
        body: &str,
    ) -> anyhow::Result<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect(address).await.context("could not connect")?;
        stream.set_nodelay(true)?;
        let key = &self.key;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             connection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut buffer = ReadBuffer::new();
        loop {
            if let Some(response) = buffer.response()? {
                return Ok((response.status, response.body.to_vec()));
            }
            let read = stream.read(buffer.space()?).await?;
            buffer.add(read)?;
        }
    }
}
