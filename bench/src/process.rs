//! The server under test, as a child process that never outlives the benchmark.

use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use tokio::sync::oneshot;

use crate::database::DatabaseUrl;
use crate::procfs::{self, Resident};

/// How long the server may take until it listens.
const START_WITHIN: Duration = Duration::from_secs(120);
const LISTENING: &str = "listening on http://";
/// Bytes of the server's log that an error shows.
const LOG_TAIL_BYTES: usize = 2_048;

/// Where a server keeps its data.
#[derive(Clone, Debug)]
pub(crate) enum Backing {
    /// In its directory.
    Embedded,
    /// In a database that it shares with other nodes.
    Postgres { url: DatabaseUrl, encryption_key: String, node: String },
}

impl Backing {
    fn log(&self, directory: &Path) -> PathBuf {
        match self {
            Backing::Embedded => directory.join("server.log"),
            Backing::Postgres { node, .. } => directory.join(format!("{node}.log")),
        }
    }

    fn tell(&self, command: &mut Command, directory: &Path) {
        match self {
            Backing::Embedded => {
                command.arg("--data").arg(directory.join("data"));
            }
            // As variables, which other users of the machine cannot see.
            Backing::Postgres { url, encryption_key, node } => {
                command
                    .env("POSTRIDER_DATABASE_URL", url.reveal())
                    .env("POSTRIDER_ENCRYPTION_KEY", encryption_key)
                    .env("POSTRIDER_NODE_NAME", node);
            }
        }
    }
}

/// How a server is started.
pub(crate) struct Start<'a> {
    /// The operator key.
    pub(crate) key: &'a str,
    pub(crate) backing: &'a Backing,
    /// Further settings.
    pub(crate) variables: &'a [(String, String)],
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    start: Duration,
}

/// A number that nobody can guess, from the system's random source by way of the standard library's hash keys.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A key that nobody can guess.
pub(crate) fn random_key() -> String {
    format!("bench-{:016x}{:016x}", random(), random())
}

/// A master key that nobody can guess: 32 bytes in base64.
pub(crate) fn random_encryption_key() -> String {
    let bytes: Vec<u8> = (0..4).flat_map(|_| random().to_le_bytes()).collect();
    data_encoding::BASE64.encode(&bytes)
}

impl Server {
    /// Starts `serve` on that directory and waits until it listens.
    pub(crate) async fn start(executable: &Path, directory: &Path, start: &Start<'_>) -> anyhow::Result<Self> {
        let Start { key, backing, variables } = start;
        let log = backing.log(directory);
        let began = Instant::now();
        let mut command = Command::new(executable);
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            // Neither settings nor a settings file of whoever runs this: a database named there is not ours to fill.
            .env_clear()
            .current_dir(directory)
            .env("POSTRIDER_ALLOW_HTTP", "true")
            .env("POSTRIDER_ALLOW_CIDRS", "127.0.0.0/8")
            .env("POSTRIDER_OPERATOR_KEY", key)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log).context("could not create the server's log")?);
        backing.tell(&mut command, directory);
        let mut child = command.spawn().with_context(|| format!("could not start {}", executable.display()))?;
        let stdout = child.stdout.take();
        let mut server = Server { child, address: ([127, 0, 0, 1], 0).into(), start: began.elapsed() };
        let listening = first_address(stdout.context("the server has no stdout")?)?;
        let address = tokio::time::timeout(START_WITHIN, listening).await;
        server.start = began.elapsed();
        server.address = match address {
            Ok(Ok(address)) => address,
            Ok(Err(_)) => return Err(did_not_start("it ended before it listened", &log)),
            Err(_) => return Err(did_not_start("it did not listen in time", &log)),
        };
        Ok(server)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From starting the process to `listening`.
    pub(crate) fn start_time(&self) -> Duration {
        self.start
    }

    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        procfs::cpu(self.child.id())
    }

    pub(crate) fn resident(&self) -> anyhow::Result<Resident> {
        procfs::resident(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; waiting then returns at once.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads stdout to its end on a thread, so that the server never waits for a reader, and hands over the address it names.
fn first_address(stdout: ChildStdout) -> anyhow::Result<oneshot::Receiver<SocketAddr>> {
    let (found, listening) = oneshot::channel();
    let mut found = Some(found);
    std::thread::Builder::new().name("server-stdout".to_owned()).spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some(address) = listening_address(&line)
                && let Some(found) = found.take()
            {
                let _ = found.send(address);
            }
        }
    })?;
    Ok(listening)
}

fn listening_address(line: &str) -> Option<SocketAddr> {
    line.strip_prefix(LISTENING)?.trim().trim_end_matches('/').parse().ok()
}

fn did_not_start(why: &str, log: &PathBuf) -> anyhow::Error {
    let log = std::fs::read(log).unwrap_or_default();
    let tail = &log[log.len().saturating_sub(LOG_TAIL_BYTES)..];
    anyhow!("the server under test did not start: {why}; its log ends with:\n{}", String::from_utf8_lossy(tail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const START: Start<'_> = Start { key: "k", backing: &Backing::Embedded, variables: &[] };

    fn script(directory: &Path, text: &str) -> PathBuf {
        let path = directory.join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
        path
    }

    #[tokio::test]
    async fn a_dropped_server_is_no_longer_running() {
        let directory = tempfile::tempdir().unwrap();
        let program = script(
            directory.path(),
            "echo hello; echo listening on http://127.0.0.1:4711; exec cat /dev/zero >/dev/null",
        );
        let server = Server::start(&program, directory.path(), &START).await.unwrap();
        assert_eq!(server.address(), "127.0.0.1:4711".parse().unwrap());
        let pid = server.child.id();
        server.resident().unwrap();
        drop(server);
        assert!(procfs::cpu(pid).is_err());
    }

    #[tokio::test]
    async fn a_server_that_ends_at_once_shows_its_log() {
        let directory = tempfile::tempdir().unwrap();
        let program = script(directory.path(), "echo \"$1 $2: no such setting\" >&2; exit 2");
        let error = Server::start(&program, directory.path(), &START).await.err().unwrap().to_string();
        assert!(error.contains("serve --listen: no such setting"), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let error = Server::start(Path::new("/nowhere/postrider"), directory.path(), &START).await.err().unwrap();
        assert!(format!("{error:#}").contains("/nowhere/postrider"));
    }

    #[test]
    fn keys_differ() {
        assert_ne!(random_key(), random_key());
    }
}
