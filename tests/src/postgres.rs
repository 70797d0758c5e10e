//! Postgres for tests: a fresh [`Database`] on the server that `./dev test` starts, or a [`PrivateServer`] that a test may stop,
//! pause and end without mercy. A [`Seat`] is a bare connection, there to take the place of others.

use std::fs::{File, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::program::from_environment;
use crate::random::Random;
use crate::tls::Authority;
use crate::wait::{until, within};

/// Ports from here on are tried: below those that Linux gives to outgoing connections, one of which would be in the way of a restart.
const PORT_MIN: u16 = 15_000;
/// How many ports are tried.
const PORTS: u16 = 15_000;

/// The folder of the newest server's programs: where Debian has them, or else where the shell finds them.
fn bin() -> PathBuf {
    let mut found: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").is_file())
        .collect();
    found
        .sort_by_key(|bin| bin.parent().and_then(|p| p.file_name()?.to_str()?.parse::<u32>().ok()).unwrap_or_default());
    if let Some(newest) = found.pop() {
        return newest;
    }
    let path = from_environment("PATH").unwrap_or_default();
    let on_path = path.split(':').map(PathBuf::from).find(|folder| folder.join("initdb").is_file());
    on_path.expect("Postgres is not installed; `./dev test` installs it")
}

/// Runs SQL with psql and returns the rows, their fields separated by `|`.
///
/// # Errors
/// What Postgres said.
pub fn ask(url: &str, sql: &str) -> Result<String, String> {
    let mut command = Command::new(bin().join("psql"));
    command.args(["--no-psqlrc", "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql, url]).stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("psql: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// A database of a test's own; dropped with this.
#[derive(Debug)]
pub struct Database(postrider_scratch::Database);

impl Database {
    /// A fresh one on the run's server.
    ///
    /// # Panics
    /// When there is no server.
    #[must_use]
    pub fn create() -> Self {
        Database(postrider_scratch::Database::create())
    }

    /// A fresh one on the server of this URL, which goes with it.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn create_on(url: &str) -> Self {
        Database(postrider_scratch::Database::create_on(url))
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Where its server is.
    ///
    /// # Panics
    /// When the server's URL does not end with an address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let url = self.url();
        let address = url.rsplit(['@', '/']).nth(1).and_then(|address| address.parse().ok());
        address.unwrap_or_else(|| panic!("no address and port in {url}"))
    }

    /// Its URL for somebody who reaches the server at another address.
    #[must_use]
    pub fn url_at(&self, address: SocketAddr) -> String {
        format!("postgres://postgres@{address}/{}", self.0.name())
    }

    /// What SQL answers, a row a line.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn ask(&self, sql: &str) -> String {
        ask(&self.url(), sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// All that lies in it, as text; bytes are written in hex.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn dump(&self) -> String {
        let output =
            Command::new(bin().join("pg_dump")).arg(self.url()).stdin(Stdio::null()).output().expect("pg_dump");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// The user that a server runs as when the tests run as root, which Postgres refuses to do: `postgres`, or else `nobody`.
fn server_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse::<u32>);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    Some(ids("postgres").or_else(|| ids("nobody")).expect("a user for Postgres"))
}

/// A Postgres server of a test's own. It ends, and everything in it goes, when this is dropped.
#[derive(Debug)]
pub struct PrivateServer {
    folder: TempDir,
    port: u16,
    flags: Vec<String>,
    postmaster: Option<Child>,
}

impl PrivateServer {
    /// With the usual settings.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With these settings besides, e.g. `max_connections=20`.
    pub async fn with(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        if let Some((user, group)) = server_user() {
            chown(folder.path(), Some(user), Some(group)).expect("root may");
        }
        let mut server = PrivateServer { port: free_port(), flags: flags(settings), folder, postmaster: None };
        let mut initdb = server.command("initdb");
        initdb.args(["--no-sync", "--no-instructions", "--auth=trust", "--username=postgres"]);
        initdb.args(["--encoding=UTF8", "--locale=C"]);
        let status = run(initdb).await.expect("initdb");
        assert!(status.success(), "initdb: {}", server.log());
        server.start_again().await;
        server
    }

    /// Its maintenance database's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Starts it after a stop, and waits until it takes connections.
    pub async fn start_again(&mut self) {
        let mut postgres = self.command("postgres");
        postgres.args(&self.flags).args(["-p", &self.port.to_string()]);
        self.postmaster = Some(postgres.spawn().expect("postgres"));
        until("a connection to Postgres", async || {
            let ended = self.postmaster.as_mut().and_then(|process| process.try_wait().ok().flatten());
            assert!(ended.is_none(), "Postgres does not start: {}", self.log());
            Seat::take(self.address()).await.ok().map(drop)
        })
        .await;
    }

    /// Lets people in as these lines of `pg_hba.conf` say from now on; behind them, the superuser without a password.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub async fn lets_in(&self, lines: &str) {
        let file = self.folder.path().join("data/pg_hba.conf");
        std::fs::write(file, format!("{lines}\nhost all postgres 127.0.0.1/32 trust\n")).expect("pg_hba.conf");
        let loaded = || ask(&self.url(), "SELECT pg_conf_load_time()").expect("the superuser is let in");
        let before = loaded();
        self.signal(Signal::HUP);
        until("the server reads its settings again", async || (loaded() != before).then_some(())).await;
    }

    /// Stops it, and starts it with TLS, for which a certificate of this authority for `localhost` vouches.
    ///
    /// # Panics
    /// When a file cannot be written.
    pub async fn speaks_tls(&mut self, authority: &Authority) {
        self.stop_fast().await;
        for file in authority.files(self.folder.path()) {
            std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("ours");
            if let Some((user, group)) = server_user() {
                chown(&file, Some(user), Some(group)).expect("root may");
            }
        }
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let settings =
            [format!("ssl_cert_file={}", file("server.pem")), format!("ssl_key_file={}", file("server.key"))];
        self.flags.extend(["-c".to_owned(), "ssl=on".to_owned()]);
        self.flags.extend(settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]));
        self.start_again().await;
    }

    /// Stops it, and starts it without any slot: as the server that takes over after a failover is.
    ///
    /// # Panics
    /// When the slots cannot be removed.
    pub async fn fails_over_without_slots(&mut self) {
        self.stop_immediately().await;
        for slot in std::fs::read_dir(self.folder.path().join("data/pg_replslot")).expect("slots").flatten() {
            std::fs::remove_dir_all(slot.path()).expect("a slot's folder");
        }
        self.start_again().await;
    }

    /// Ends it at once, as a crash would; the next start recovers from the write-ahead log.
    pub async fn stop_immediately(&mut self) {
        self.stop(Signal::QUIT).await;
    }

    /// Ends it in good order, connections or not.
    pub async fn stop_fast(&mut self) {
        self.stop(Signal::INT).await;
    }

    async fn stop(&mut self, signal: Signal) {
        self.signal(signal);
        let mut postmaster = self.postmaster.take().expect("it runs");
        let ended = tokio::task::spawn_blocking(move || postmaster.wait());
        within("the end of Postgres", ended).await.expect("it can be waited for").expect("it can be waited for");
    }

    /// Holds all of its processes still: connections stay, nobody answers.
    pub fn pause(&self) {
        // The postmaster first, so that no process is added meanwhile.
        self.signal(Signal::STOP);
        for process in self.children() {
            let _ = kill_process(process, Signal::STOP);
        }
    }

    /// Lets them go on.
    pub fn resume(&self) {
        for process in self.children() {
            let _ = kill_process(process, Signal::CONT);
        }
        self.signal(Signal::CONT);
    }

    fn postmaster(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.postmaster.as_ref()?.id()).ok()?)
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.postmaster().expect("it runs"), signal).expect("it can be signalled");
    }

    fn children(&self) -> Vec<Pid> {
        let Some(postmaster) = self.postmaster().map(Pid::as_raw_nonzero) else { return vec![] };
        let listed = std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"));
        let listed = listed.unwrap_or_default();
        listed.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(bin().join(program));
        let log = File::options().append(true).create(true).open(self.log_path()).expect("a log");
        command.arg("-D").arg(self.folder.path().join("data")).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        if let Some((user, group)) = server_user() {
            command.uid(user).gid(group);
        }
        command
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log(&self) -> String {
        read(&self.log_path())
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the end of Postgres' log ---\n{}", last_lines(&self.log(), 40));
        }
        if self.postmaster.is_some() {
            self.resume();
            self.signal(Signal::QUIT);
        }
        if let Some(mut postmaster) = self.postmaster.take() {
            let _ = postmaster.wait();
        }
    }
}

fn flags(settings: &[&str]) -> Vec<String> {
    let usual = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=60"];
    usual.iter().chain(settings).flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]).collect()
}

fn free_port() -> u16 {
    let mut random = Random::seeded(uuid::Uuid::new_v4().as_u64_pair().0);
    let mut ports = (0..100).map(|_| PORT_MIN + u16::try_from(random.below(PORTS.into())).unwrap_or_default());
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).expect("one of a hundred ports is free")
}

async fn run(mut command: Command) -> io::Result<std::process::ExitStatus> {
    within("initdb", tokio::task::spawn_blocking(move || command.status())).await.map_err(io::Error::other)?
}

fn read(file: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default()).into_owned()
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// A process of a server on this machine that is held still, until this is dropped.
#[derive(Debug)]
pub struct HeldStill(Pid);

impl HeldStill {
    /// Holds it.
    ///
    /// # Panics
    /// When there is no such process.
    #[must_use]
    pub fn process(id: &str) -> Self {
        let process = id.parse().ok().and_then(Pid::from_raw).unwrap_or_else(|| panic!("{id:?} is no process"));
        kill_process(process, Signal::STOP).expect("it can be signalled");
        HeldStill(process)
    }
}

impl Drop for HeldStill {
    fn drop(&mut self) {
        // It may have gone.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

/// A bare connection of the superuser: it takes one of the server's connections, and runs SQL in a session of its own.
#[derive(Debug)]
pub struct Seat {
    stream: TcpStream,
}

impl Seat {
    /// Takes one.
    ///
    /// # Errors
    /// When the server cannot be reached or has none left; then with the server's words.
    pub async fn take(server: SocketAddr) -> Result<Self, String> {
        Self::of(server, "postgres").await
    }

    /// One in a test's own database, where it may do more than that.
    ///
    /// # Errors
    /// As [`Seat::take`].
    pub async fn in_database(database: &Database) -> Result<Self, String> {
        Self::of(database.address(), database.0.name()).await
    }

    async fn of(server: SocketAddr, database: &str) -> Result<Self, String> {
        let told = |error: io::Error| error.to_string();
        let mut seat = Seat { stream: TcpStream::connect(server).await.map_err(told)? };
        // StartupMessage (PostgreSQL documentation, 55.7): its length, protocol 3.0, parameters, a zero byte.
        let parameters = format!("user\0postgres\0database\0{database}\0\0").into_bytes();
        let mut startup = 8_u32.wrapping_add(parameters.len() as u32).to_be_bytes().to_vec();
        startup.extend(196_608_u32.to_be_bytes());
        startup.extend(parameters);
        seat.stream.write_all(&startup).await.map_err(told)?;
        seat.until_ready().await?;
        Ok(seat)
    }

    /// Runs SQL and forgets what it answers.
    ///
    /// # Errors
    /// The server's words, or why it cannot be reached.
    pub async fn run(&mut self, sql: &str) -> Result<(), String> {
        // Query: its type, the length of the rest, the text, a zero byte.
        let mut query = vec![b'Q'];
        query.extend(5_u32.wrapping_add(sql.len() as u32).to_be_bytes());
        query.extend(sql.as_bytes());
        query.push(0);
        self.stream.write_all(&query).await.map_err(|error| error.to_string())?;
        self.until_ready().await
    }

    /// Reads messages up to `ReadyForQuery`.
    async fn until_ready(&mut self) -> Result<(), String> {
        let mut refused = None;
        loop {
            let mut head = [0; 5];
            if let Err(error) = self.stream.read_exact(&mut head).await {
                return Err(refused.unwrap_or_else(|| error.to_string()));
            }
            let bytes = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let mut body = vec![0; bytes.saturating_sub(4)];
            self.stream.read_exact(&mut body).await.map_err(|error| error.to_string())?;
            match head[0] {
                b'Z' => return refused.map_or(Ok(()), Err),
                b'E' => refused = Some(String::from_utf8_lossy(&body).replace('\0', " ")),
                _ => {}
            }
        }
    }
}
