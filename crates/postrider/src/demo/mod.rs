//! The demo: a server, sample organisations, a receiver with a page, and sample CRM events, in one process and on this machine alone.
//!
//! Words: an *arrival* is a webhook that the receiver got; a *role* is how one of its endpoints behaves; the *stream* is what the terminal
//! shows; with `--crm` the *CRM* is a database, and events are what changes in it.

mod arrival;
mod banner;
mod console;
mod crm;
mod events;
mod pace;
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
use tokio::task::JoinHandle;

use crate::cli::DemoArgs;
use crate::failure::{Misuse, all};
use crate::files::Files;
use crate::http::Api;
use crate::serve::Server;
use crate::settings::{Paths, SettingFlags, Settings, Variables};
use crate::stop::StopSignals;
use crate::{logs, operator_key, output};

use arrival::Arrivals;
use console::{Happening, Terminal};
use crm::Crm;
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
    let crm = if args.crm { Some(Crm::start(variables).await?) } else { None };

    let key = operator_key::make()?;
    let settings = settings(listen, &folder, key.reveal(), crm.as_ref(), variables)?;
    logs::begin(&settings.log);
    let mut files = Files::load(&Paths::default()).map_err(|unsound| all(&unsound.mistakes))?;
    files.source = crm.as_ref().map(Crm::mapping);
    let contracts = contracts(args, &files);
    let (server, _) = Server::start(&settings, files).await?;
    let api = Api::new(&format!("http://{}", server.address), key.clone())?;
    let stage = Arc::new(Stage::set(&api, &receiver, &contracts).await?);

    let terminal = Terminal::of(variables);
    output::write(&banner::text(
        &banner::Facts {
            api: server.address,
            receiver: receiver.address,
            key: &key,
            stage: &stage,
            folder: &folder,
            crm: crm.as_ref(),
        },
        terminal,
    ))?;
    let telling = [
        begin(&api, &stage, crm.as_ref(), receiver.arrivals(), args.rate, happened.clone()).await?,
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
    if let Some(crm) = crm {
        crm.stop().await?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The contracts that were asked for; with a CRM, whose events are those of one contract, the default one.
fn contracts(args: &DemoArgs, files: &Files) -> Vec<String> {
    if args.crm && args.contracts.is_empty() {
        return vec![files.contracts.default_name().to_owned()];
    }
    args.contracts.clone()
}

/// Lets things happen: in the CRM's database, or else by the API.
async fn begin(
    api: &Api,
    stage: &Arc<Stage>,
    crm: Option<&Crm>,
    arrivals: Arc<Arrivals>,
    rate_per_s: f64,
    happened: mpsc::Sender<Happening>,
) -> anyhow::Result<JoinHandle<()>> {
    let Some(crm) = crm else {
        return Ok(tokio::spawn(events::publish(api.clone(), Arc::clone(stage), arrivals, rate_per_s, happened)));
    };
    let organizations = stage.organizations.iter().map(|sample| sample.id.clone()).collect();
    Ok(tokio::spawn(crm::change(crm.session().await?, organizations, arrivals, rate_per_s, happened)))
}

/// Settings of the demo alone: neither the file nor the variables of a real server have a say, except about the log.
fn settings(
    listen: SocketAddr,
    folder: &Folder,
    key: &str,
    crm: Option<&Crm>,
    variables: &Variables,
) -> anyhow::Result<Settings> {
    let (listen, data) = (listen.to_string(), folder.path().to_string_lossy());
    let crm_url = crm.map(Crm::reader_url);
    let mut given = vec![
        ("listen", listen.as_str()),
        ("data", &*data),
        ("operator_key", key),
        ("allow_http", "true"),
        ("allow_cidrs", "127.0.0.0/8,::1"),
        ("log", variables.get("POSTRIDER_LOG").unwrap_or("warn")),
        ("log_format", variables.get("POSTRIDER_LOG_FORMAT").unwrap_or("text")),
    ];
    // The mapping is inside the program.
    given.extend(crm_url.iter().flat_map(|url| [("source", "source.toml"), ("source_database_url", url.reveal())]));
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
