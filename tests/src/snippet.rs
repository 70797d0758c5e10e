//! Receivers that the program itself wrote (`GET /v1/contracts/{name}/verification`), run as their languages run them.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::api::{Api, Call};
use crate::program::test_needs;
use crate::wait::within;

/// A running receiver with its one secret; it ends when this is dropped.
#[derive(Debug)]
pub struct Snippet {
    /// Where it is, for an endpoint.
    pub url: String,
    api: Api,
    _process: Child,
}

impl Snippet {
    /// Writes the file into the folder and runs it with this secret or public key, on a free port of the loopback interface.
    pub async fn start(language: &str, folder: &Path, file: &str, code: &str, secret: &str) -> Self {
        std::fs::write(folder.join(file), code).expect("a folder that can be written to");
        let mut command = command(language, folder, file).await;
        command.current_dir(folder).env("PORT", "0").env("WEBHOOK_SECRET", secret).env("WEBHOOK_PUBLIC_KEY", secret);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut process =
            command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}; `./dev test` installs what is missing"));
        let stdout = process.stdout.take().expect("piped");
        let stderr = process.stderr.take().expect("piped");
        // Ruby's server says where it listens on stderr, all others on stdout. Both are read to their ends.
        let port = if language == "ruby" {
            tokio::spawn(port_in(stdout));
            within("a receiver's port", tokio::spawn(port_in(stderr))).await
        } else {
            tokio::spawn(port_in(stderr));
            within("a receiver's port", tokio::spawn(port_in(stdout))).await
        };
        let port = port.expect("not cancelled").unwrap_or_else(|said| panic!("{command:?} did not listen: {said}"));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        Snippet { url: format!("http://{address}/hooks"), api: Api::new(address, None), _process: process }
    }

    /// What it answers to a request.
    pub async fn answers(&self, headers: &[(String, String)], body: &[u8]) -> u16 {
        let call = headers.iter().fold(Call::new("POST", "/hooks"), |call, (name, value)| call.header(name, value));
        self.api.call(call.body(body.to_vec())).await.status
    }
}

async fn command(language: &str, folder: &Path, file: &str) -> Command {
    match language {
        "node" => with_arguments("node", &[file]),
        "python" => with_arguments(test_needs().join("python/bin/python"), &[file]),
        "ruby" => with_arguments("rackup", &["--server", "webrick", "--host", "127.0.0.1", "--port", "0", file]),
        "go" => {
            // Its standard library alone, without a C compiler.
            let mut build = with_arguments("go", &["build", "-o", "receiver", file]);
            let built = build.current_dir(folder).env("CGO_ENABLED", "0").output().await;
            let Output { status, stderr, .. } =
                built.unwrap_or_else(|e| panic!("{build:?}: {e}; `./dev test` installs what is missing"));
            assert!(status.success(), "{build:?}: {}", String::from_utf8_lossy(&stderr));
            with_arguments(folder.join("receiver"), &[])
        }
        other => panic!("no test runs {other}"),
    }
}

fn with_arguments(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// The port in `listening on port N`, or `port=N` as Ruby's server says it, and then all the rest, read and dropped; what was said instead
/// when it ends before.
async fn port_in(output: impl AsyncRead + Unpin + Send + 'static) -> Result<u16, String> {
    let (mut lines, mut said) = (BufReader::new(output).lines(), String::new());
    while let Ok(Some(line)) = lines.next_line().await {
        let found = line.split_once("listening on port ").or_else(|| line.split_once(" port="));
        if let Some(port) = found.and_then(|(_, port)| port.trim().parse().ok()) {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(port);
        }
        said.push_str(&line);
        said.push('\n');
    }
    Err(said)
}
