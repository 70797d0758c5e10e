//! A server that is just enough for the benchmark: it takes events and posts them on, and keeps nothing. It runs as a child
//! process like the real one: this test program itself, started by a script that `serve` and its flags do not disturb.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::http1::ReadBuffer;

/// The one contract that it knows.
pub(crate) const CONTRACT: &str = "made-up";
/// Tells this test program to be the server.
const MARK: &str = "POSTRIDER_BENCH_FAKE_SERVER";
/// Connections to one endpoint.
const SENDERS: usize = 4;
/// Endpoints without a system of their own, as some contracts limit them.
const SYSTEM_ENDPOINTS_MAX: usize = 2;

/// The program to start in place of the real one.
pub(crate) fn executable(directory: &Path) -> PathBuf {
    let path = directory.join("postrider");
    let this = std::env::current_exe().unwrap();
    let text = format!("#!/bin/sh\n{MARK}=1 exec '{}' --exact fake::serve --nocapture\n", this.display());
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
    path
}

/// Not a test of its own: what the script starts. It ends when it is killed, and at once in an ordinary run.
#[test]
fn serve() {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // The test program has begun a line of its own.
        println!("\nlistening on http://{}", listener.local_addr().unwrap());
        let organizations = Arc::new(Organizations::default());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let organizations = Arc::clone(&organizations);
            tokio::spawn(async move { converse(stream, &organizations).await.ok() });
        }
    });
}

/// Each organisation's endpoints: where to put the events for each.
#[derive(Default)]
struct Organizations(Mutex<HashMap<String, Vec<UnboundedSender<String>>>>);

async fn converse(mut stream: TcpStream, organizations: &Organizations) -> anyhow::Result<()> {
    let mut buffer = ReadBuffer::new();
    loop {
        let (status, answer, bytes) = loop {
            if let Some(request) = buffer.request()? {
                let body = serde_json::from_slice(request.body).unwrap_or(Value::Null);
                let (status, answer) = organizations.answer(request.method, request.path, &body);
                break (status, answer.to_string(), request.bytes);
            }
            let read = stream.read(buffer.space()?).await?;
            buffer.add(read)?;
        };
        buffer.consume(bytes);
        let head = format!("HTTP/1.1 {status} Fine\r\nContent-Length: {}\r\n\r\n", answer.len());
        stream.write_all((head + &answer).as_bytes()).await?;
    }
}

impl Organizations {
    fn answer(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let parts: Vec<&str> = path.trim_start_matches("/v1/organizations/").split('/').collect();
        match (method, parts.as_slice()) {
            ("PUT", [_]) if body["contract"] != CONTRACT => (422, json!({"title": "There is no such contract"})),
            ("PUT", [id]) => {
                self.0.lock().insert((*id).to_owned(), Vec::new());
                (200, json!({"id": id}))
            }
            ("GET", [_, "event-types"]) => (200, json!({"data": [{"name": "contact.created"}]})),
            ("POST", [id, "endpoints"]) => match self.0.lock().get_mut(*id) {
                None => (404, json!({"title": "Not found"})),
                Some(all) if all.len() >= SYSTEM_ENDPOINTS_MAX && body["system"].is_null() => (422, json!({})),
                Some(all) => {
                    all.push(endpoint(body["url"].as_str().unwrap_or_default()));
                    (201, json!({"secret": "s"}))
                }
            },
            ("POST", [id, "events"]) => (202, self.publish(id, body)),
            ("POST", [id, "events", "batch"]) => {
                let events = body["events"].as_array().cloned().unwrap_or_default();
                let data: Vec<_> = events.iter().map(|event| self.publish(id, event)).collect();
                (202, json!({"data": data}))
            }
            _ => (404, json!({"title": "Not found"})),
        }
    }

    fn publish(&self, id: &str, event: &Value) -> Value {
        let organizations = self.0.lock();
        let endpoints = organizations.get(id).map_or(&[][..], Vec::as_slice);
        let body = json!({"type": event["type"], "data": event["data"]}).to_string();
        endpoints.iter().for_each(|endpoint| endpoint.send(body.clone()).unwrap());
        json!({"id": "evt_1", "deliveries_count": endpoints.len()})
    }
}

/// Delivers what is put in, in order of arrival, over a few connections.
fn endpoint(url: &str) -> UnboundedSender<String> {
    let (sender, events) = unbounded_channel();
    let events = Arc::new(tokio::sync::Mutex::new(events));
    let (address, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    for _ in 0..SENDERS {
        tokio::spawn(deliver(address.to_owned(), format!("/{path}"), Arc::clone(&events)));
    }
    sender
}

async fn deliver(
    address: String,
    path: String,
    events: Arc<tokio::sync::Mutex<UnboundedReceiver<String>>>,
) -> anyhow::Result<()> {
    let mut connection = None;
    loop {
        let Some(body) = events.lock().await.recv().await else { return Ok(()) };
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => TcpStream::connect(&address).await?,
        };
        let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).await?;
        let mut buffer = ReadBuffer::new();
        while buffer.response()?.is_none() {
            let read = stream.read(buffer.space()?).await?;
            buffer.add(read)?;
        }
        connection = Some(stream);
    }
}
