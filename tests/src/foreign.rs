//! Receivers in other languages, as the contracts' customers would write them (`tests/receivers/`).

use std::process::Stdio;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::program::test_needs;
use crate::wait::within;

/// A running receiver. It verifies every request and a copy with one flipped bit, and answers 200 only when the first was accepted and
/// the second refused; 401 when the first was refused. It ends when this is dropped, since its stdin ends.
#[derive(Debug)]
pub struct Foreign {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Foreign {
    /// Node with Express: `/sendpilot`, `/standard` (npm `standardwebhooks`).
    pub async fn node() -> Self {
        let mut command = Command::new("node");
        command.arg(source("node/receiver.cjs")).env("NODE_PATH", test_needs().join("node/node_modules"));
        Self::start(command).await
    }

    /// Python with Flask: `/sendpilot`, `/standard` (PyPI `standardwebhooks`), `/svix` (PyPI `svix`).
    pub async fn python() -> Self {
        let mut command = Command::new(test_needs().join("python/bin/python"));
        command.arg(source("python/receiver.py"));
        Self::start(command).await
    }

    /// Ruby with Rack: `/suresend`.
    pub async fn ruby() -> Self {
        let mut command = Command::new("ruby");
        command.arg(source("ruby/receiver.rb"));
        Self::start(command).await
    }

    async fn start(mut command: Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}; `./dev test` installs what is missing"));
        let stdin = process.stdin.take().expect("piped");
        let mut stdout = BufReader::new(process.stdout.take().expect("piped")).lines();
        let line = within("a receiver's first line", stdout.next_line()).await.expect("readable");
        let line = line.unwrap_or_else(|| panic!("{command:?} ended before it listened"));
        let url = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("unexpected first line {line:?}"));
        Foreign { url: url.to_owned(), stdin, stdout, _process: process }
    }

    /// Tells it the secret of the endpoint at this path.
    pub async fn trust(&mut self, path: &str, secret: &str) {
        let order = format!("{}\n", json!({"path": path, "secret": secret}));
        self.stdin.write_all(order.as_bytes()).await.expect("the receiver runs");
        let line = within("a receiver's answer", self.stdout.next_line()).await.expect("readable");
        assert_eq!(line.as_deref(), Some(format!("ready {path}").as_str()));
    }
}

fn source(path: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("receivers").join(path)
}
