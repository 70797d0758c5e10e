//! The program under test: how it is started, spoken to as a process, and ended.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use crate::wait::{BOUND, within};

/// The operator key that every program under test is given.
pub const OPERATOR_KEY: &str = "operator-key-of-the-black-box-tests-7f3a9c";

/// The master key of programs that share a database, where no data directory holds one: 32 bytes in base64.
pub const ENCRYPTION_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// How long a lease lasts in tests, for what waits until one has run out.
pub const LEASE: Duration = Duration::from_secs(2);

/// Finds where a program listens in a line of its stdout.
type Find = fn(&str) -> Option<SocketAddr>;

fn in_serves_line(line: &str) -> Option<SocketAddr> {
    line.strip_prefix("listening on http://")?.trim().parse().ok()
}

fn in_demos_line(line: &str) -> Option<SocketAddr> {
    line.trim().strip_prefix("API")?.trim().strip_prefix("http://")?.parse().ok()
}

/// A variable of the tester's own environment, where `./dev test` says where things are.
#[expect(clippy::disallowed_methods, reason = "the one place that reads it")]
#[must_use]
pub fn from_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The built program: `PROGRAM_UNDER_TEST`, or the dev build in the checkout.
#[must_use]
pub fn program_path() -> PathBuf {
    from_environment("PROGRAM_UNDER_TEST").map_or_else(|| checkout().join("target/debug/postrider"), PathBuf::from)
}

/// The folder that `./dev test` fills with npm and PyPI packages: `TEST_NEEDS_DIR`, or `.dev` in the checkout.
#[must_use]
pub fn test_needs() -> PathBuf {
    from_environment("TEST_NEEDS_DIR").map_or_else(|| checkout().join(".dev"), PathBuf::from)
}

/// The repository's README.
#[must_use]
pub fn readme() -> PathBuf {
    checkout().join("README.md")
}

/// How to start the program.
#[derive(Clone, Debug)]
pub struct Setup {
    data: PathBuf,
    env: BTreeMap<String, String>,
}

impl Setup {
    /// On a free port of the loopback, which is also where deliveries may go, with this data directory.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        let setup = Setup { data: data.to_owned(), env: BTreeMap::new() };
        setup
            .env("POSTRIDER_DATA", &data.to_string_lossy())
            .env("POSTRIDER_LISTEN", "127.0.0.1:0")
            .env("POSTRIDER_OPERATOR_KEY", OPERATOR_KEY)
            .env("POSTRIDER_ALLOW_HTTP", "true")
            .env("POSTRIDER_ALLOW_CIDRS", "127.0.0.0/8")
    }

    /// On this Postgres database instead of a data directory of its own; others may be on it too.
    #[must_use]
    pub fn on_database(self, url: &str) -> Self {
        self.without("POSTRIDER_DATA")
            .env("POSTRIDER_DATABASE_URL", url)
            .env("POSTRIDER_DATABASE_CONNECTIONS_MAX", "10")
            .env("POSTRIDER_ENCRYPTION_KEY", ENCRYPTION_KEY)
            .env("POSTRIDER_LEASE", &format!("{}s", LEASE.as_secs()))
    }

    /// With this variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Without this variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program_path());
        // Nothing of the tester's own environment, and no `postrider.toml` of the tester's own folder.
        command.env_clear().envs(&self.env).current_dir(self.data.parent().unwrap_or(Path::new("/")));
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    fn spawn(&self, arguments: &[&str], find: Find) -> (Child, Readers) {
        let mut command = self.command(arguments);
        let mut child = command.spawn().unwrap_or_else(|e| {
            panic!("{}: {e}; build it with `cargo build --all-features --bin postrider`", program_path().display())
        });
        let readers = Readers::of(&mut child, find);
        (child, readers)
    }

    /// Runs `serve` until it accepts requests.
    ///
    /// # Panics
    /// When it ends, or says nothing within the bound.
    pub async fn start(&self) -> Program {
        self.start_with(&[]).await
    }

    /// The same with flags.
    ///
    /// # Panics
    /// When it ends, or says nothing within the bound.
    pub async fn start_with(&self, flags: &[&str]) -> Program {
        self.start_command(&[&["serve"], flags].concat(), in_serves_line).await
    }

    /// Runs `demo` on free ports until it says where its API is.
    ///
    /// # Panics
    /// When it ends, or says nothing within the bound.
    pub async fn start_demo(&self, more: &[&str]) -> Program {
        let arguments = [&["demo", "--listen", "127.0.0.1:0", "--receiver", "127.0.0.1:0"], more].concat();
        self.start_command(&arguments, in_demos_line).await
    }

    async fn start_command(&self, arguments: &[&str], find: Find) -> Program {
        let (mut child, mut readers) = self.spawn(arguments, find);
        let listening = readers.listening.take().expect("taken once");
        let Ok(address) = within("the line that says where it listens", listening).await else {
            let status = within("the program's end", child.wait()).await;
            let ended = readers.finish(status.ok().and_then(|s| s.code())).await;
            panic!("the program ended before it listened: {ended:?}");
        };
        Program { child, readers, address }
    }

    /// Runs `serve` where it must not start, or any other command, to its end.
    ///
    /// # Panics
    /// When it does not end within the bound.
    pub async fn run(&self, arguments: &[&str]) -> Ended {
        let (mut child, readers) = self.spawn(arguments, |_| None);
        let Ok(status) = tokio::time::timeout(BOUND, child.wait()).await else {
            panic!("{arguments:?} did not end: {}{}", text(&readers.stdout), text(&readers.stderr));
        };
        readers.finish(status.expect("it can be waited for").code()).await
    }
}

impl Setup {
    /// Starts any other command, which goes on by itself until it ends or is interrupted. It listens nowhere.
    #[must_use]
    pub fn begin(&self, arguments: &[&str]) -> Program {
        let (child, readers) = self.spawn(arguments, |_| None);
        Program { child, readers, address: SocketAddr::from(([0, 0, 0, 0], 0)) }
    }
}

/// A process that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Its exit status; none after a signal.
    pub status: Option<i32>,
    /// All it wrote on stdout.
    pub stdout: String,
    /// All it wrote on stderr.
    pub stderr: String,
}

/// One life of the program, listening.
#[derive(Debug)]
pub struct Program {
    child: Child,
    readers: Readers,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Program {
    /// Ends it as a power cut would, as far as a process can tell.
    pub async fn kill(mut self) -> Ended {
        self.child.start_kill().expect("it runs");
        self.ended().await
    }

    /// Asks it to stop (SIGTERM), and waits until it has.
    pub async fn stop(self) -> Ended {
        self.terminate();
        self.ended().await
    }

    /// Asks it to stop and goes on.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to stop as Ctrl-C does, and goes on.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Holds it still, as a host does that is out of memory or has its machine moved.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(pid.expect("it runs"), signal).expect("it can be signalled");
    }

    /// Waits until it has ended.
    pub async fn ended(mut self) -> Ended {
        let status = within("the program's end", self.child.wait()).await.expect("it can be waited for");
        let readers = std::mem::replace(&mut self.readers, Readers::none());
        readers.finish(status.code()).await
    }

    /// What it has written so far, on stdout and stderr.
    #[must_use]
    pub fn output(&self) -> String {
        format!("{}{}", text(&self.readers.stdout), text(&self.readers.stderr))
    }

    /// Waits until what it has written on stdout is as wanted, and returns it.
    pub async fn wait_for_stdout(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let stdout = &self.readers.stdout;
        within(what, async {
            loop {
                let written = self.readers.written.notified();
                tokio::pin!(written);
                written.as_mut().enable();
                let text = text(stdout);
                if is_so(&text) {
                    return text;
                }
                written.await;
            }
        })
        .await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the program's stderr ---\n{}", text(&self.readers.stderr));
        }
    }
}

type Text = Arc<Mutex<String>>;

fn text(shared: &Text) -> String {
    shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Read what the program writes, so that its pipes never fill.
#[derive(Debug)]
struct Readers {
    stdout: Text,
    stderr: Text,
    listening: Option<oneshot::Receiver<SocketAddr>>,
    written: Arc<Notify>,
    reading: Vec<JoinHandle<()>>,
}

impl Readers {
    fn of(child: &mut Child, find: Find) -> Self {
        let mut readers = Readers::none();
        let (tell, listening) = oneshot::channel();
        readers.listening = Some(listening);
        let (stdout, stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let into_stdout = Reader { into: readers.stdout.clone(), written: readers.written.clone(), find };
        let into_stderr = Reader { into: readers.stderr.clone(), written: readers.written.clone(), find: |_| None };
        readers.reading.push(tokio::spawn(into_stdout.read(stdout, Some(tell))));
        readers.reading.push(tokio::spawn(into_stderr.read(stderr, None)));
        readers
    }

    fn none() -> Self {
        let (stdout, stderr, written) = (Text::default(), Text::default(), Arc::default());
        Readers { stdout, stderr, listening: None, written, reading: vec![] }
    }

    async fn finish(self, status: Option<i32>) -> Ended {
        for reading in self.reading {
            within("the end of the program's output", reading).await.expect("the reader does not panic");
        }
        Ended { status, stdout: text(&self.stdout), stderr: text(&self.stderr) }
    }
}

/// Reads one pipe to its end.
struct Reader {
    into: Text,
    written: Arc<Notify>,
    find: Find,
}

impl Reader {
    async fn read(self, pipe: impl AsyncRead + Unpin, mut tell: Option<oneshot::Sender<SocketAddr>>) {
        let mut pipe = BufReader::new(pipe);
        let mut line = vec![];
        while pipe.read_until(b'\n', &mut line).await.is_ok_and(|bytes| bytes > 0) {
            let read = String::from_utf8_lossy(&line).into_owned();
            self.into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&read);
            if let Some(address) = (self.find)(&read)
                && let Some(tell) = tell.take()
            {
                // The test may have given up already.
                let _ = tell.send(address);
            }
            self.written.notify_waiters();
            line.clear();
        }
    }
}
