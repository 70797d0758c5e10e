//! The demo: a server, sample organisations, a receiver with a page, and sample CRM events, in one process and on this machine alone.
//!
//! Words: an *arrival* is a webhook that the receiver got; a *role* is how one of its endpoints behaves; the *stream* is what the terminal
//! shows.

mod arrival;
mod banner;
mod console;
mod events;
mod page;
mod receiver;
mod retries;
mod stage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::cli::DemoArgs;
use crate::failure::{Misuse, all};
use crate::files::Files;
use crate::http::Api;
use crate::serve::Server;
use crate::settings::{Paths, SettingFlags, Settings, Variables};
use crate::stop::StopSignals;
use crate::{logs, operator_key, output};

use console::Terminal;
use receiver::Receiver;
use stage::Stage;

/// Where the API listens unless that is taken.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 8400);
/// Where the receiver listens unless that is taken.
const RECEIVER: ([u8; 4], u16) = ([127, 0, 0, 1], 8401);
/// Events a second that the stream is still of use at.
const RATE: std::ops::RangeInclusive<f64> = 0.1..=200.0;
/// What happened and was not shown yet; beyond that the stream leaves lines out.
const STREAM_LINES_MAX: usize = 1_024;

/// `demo`
pub(crate) async fn run(args: &DemoArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    ensure!(
        RATE.contains(&args.rate),
        Misuse::of(format!("--rate is a number from {} to {}", RATE.start(), RATE.end()))
    );
    let signals = StopSignals::catch().context("signals cannot be caught")?;
    let folder = Folder::open(args.data.clone())?;
    let listen = free_address("--listen", args.listen, LISTEN).await?;
    let (happened, happenings) = mpsc::channel(STREAM_LINES_MAX);
    let receiver = Receiver::start(bind("--receiver", args.receiver, RECEIVER).await?, happened.clone()).await?;

    let key = operator_key::make()?;
    let settings = settings(listen, &folder, key.reveal(), variables)?;
    logs::begin(&settings.log);
    let files = Files::load(&Paths::default()).map_err(|unsound| all(&unsound.mistakes))?;
    let (server, _) = Server::start(&settings, files).await?;
    let api = Api::new(&format!("http://{}", server.address), key.clone())?;
    let stage = Arc::new(Stage::set(&api, &receiver, &args.contracts).await?);

    let terminal = Terminal::of(variables);
    output::write(&banner::text(
        &banner::Facts { api: server.address, receiver: receiver.address, key: &key, stage: &stage, folder: &folder },
        terminal,
    ))?;
    let telling = [
        tokio::spawn(events::publish(
            api.clone(),
            Arc::clone(&stage),
            receiver.arrivals(),
            args.rate,
            happened.clone(),
        )),
        tokio::spawn(retries::watch(api, Arc::clone(&stage), happened)),
        tokio::spawn(console::show(happenings, terminal)),
    ];
    let signals = signals.first().await;
    signals.end_at_next();
    for one in telling {
        one.abort();
    }
    receiver.end();
    output::line("\nstopping")?;
    server.stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// Settings of the demo alone: neither the file nor the variables of a real server have a say, except about the log.
fn settings(listen: SocketAddr, folder: &Folder, key: &str, variables: &Variables) -> anyhow::Result<Settings> {
    let (listen, data) = (listen.to_string(), folder.path().to_string_lossy());
    let given = [
        ("listen", listen.as_str()),
        ("data", &*data),
        ("operator_key", key),
        ("allow_http", "true"),
        ("allow_cidrs", "127.0.0.0/8,::1"),
        ("log", variables.get("POSTRIDER_LOG").unwrap_or("warn")),
        ("log_format", variables.get("POSTRIDER_LOG_FORMAT").unwrap_or("text")),
    ];
    Settings::of_flags(&SettingFlags::of(&given)).map_err(|mistakes| all(&mistakes))
}

/// Where the demo's data is; a temporary one goes when this is dropped.
enum Folder {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Folder {
    fn open(kept: Option<PathBuf>) -> anyhow::Result<Self> {
        let temporary = || {
            tempfile::Builder::new().prefix("postrider-demo-").tempdir().context("no temporary directory can be made")
        };
        kept.map_or_else(|| temporary().map(Folder::Temporary), |path| Ok(Folder::Kept(path)))
    }

    fn path(&self) -> &std::path::Path {
        match self {
            Folder::Kept(path) => path,
            Folder::Temporary(folder) => folder.path(),
        }
    }

    fn is_kept(&self) -> bool {
        matches!(self, Folder::Kept(_))
    }
}

/// Listens where it was asked to; without a wish, at the usual place or, when that is taken, anywhere.
async fn bind(flag: &str, wish: Option<SocketAddr>, usual: ([u8; 4], u16)) -> anyhow::Result<TcpListener> {
    let usual = SocketAddr::from(usual);
    if let Some(address) = wish {
        ensure!(
            address.ip().is_loopback(),
            Misuse::of(format!("{flag} {address} is not on this machine alone; write one as {usual}"))
        );
        return TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address}; choose another with {flag}"));
    }
    match TcpListener::bind(usual).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((usual.ip(), 0)).await.context("cannot listen on any port of this machine"),
    }
}

/// The same as an address that the server can bind itself.
async fn free_address(flag: &str, wish: Option<SocketAddr>, usual: ([u8; 4], u16)) -> anyhow::Result<SocketAddr> {
    Ok(bind(flag, wish, usual).await?.local_addr()?)
}
