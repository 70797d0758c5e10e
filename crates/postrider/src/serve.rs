//! The server: its parts put together, started, and stopped in good order.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use postrider_dashboard::{DashboardParts, Frames, ServerTime};
use postrider_domain::Secret;
use postrider_egress::resolve::{Resolve, SystemResolver};
use postrider_egress::{Client, ClientSettings, UrlRules};
use postrider_engine::{Clock, Engine, EngineLimits, EngineParts, StoreClock, SystemClock};
use postrider_mail::{Mailer, SmtpMailer, SmtpSecurity, SmtpSettings};
use postrider_server::{Passes, ServerLimits, ServerState, Source, Tokens};
use postrider_source::handover::HandOver;
use postrider_store::Store;
use postrider_traces::Tracer;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cli::ServeArgs;
use crate::failure::all;
use crate::files::Files;
use crate::settings::{
    DatabaseSettings, EgressSettings, MailSettings, Purpose, Settings, Sources, StorePlace, Variables,
};
use crate::sign_in::SignIn;
use crate::source::Looking;
use crate::stop::StopSignals;
use crate::{before_start, logs, operator_key, output, source, store, token_keys, traces};

/// How long a stop in good order may take in all.
const STOP: Duration = Duration::from_secs(10);
/// How long requests in work are waited for before the engine refuses new events too.
const REQUESTS_FIRST: Duration = Duration::from_millis(500);
/// How long the last spans may take to the collector, beside the closing of the store.
const LAST_SPANS: Duration = Duration::from_millis(500);

/// `serve`
pub(crate) async fn run(args: &ServeArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let sources = Sources { config: args.config.as_deref(), variables, flags: &args.settings };
    let reading = sources.read(Purpose::Serve);
    if args.check {
        let mistakes = before_start::check(&reading);
        ensure!(mistakes.is_empty(), all(&mistakes));
        output::line("the settings are right")?;
        return Ok(ExitCode::SUCCESS);
    }
    let (settings, files) = before_start::read(reading).await?;
    logs::begin(&settings.log);
    say_facts(&settings);
    let signals = StopSignals::catch().context("signals cannot be caught")?;
    let (server, made_key) = Server::start(&settings, files).await?;
    if let Some(key) = made_key {
        eprintln!(
            "\nThe operator key, shown this once and never again:\n\n  {}\n\nKeep it as POSTRIDER_OPERATOR_KEY where `postrider send` and `postrider keys` run.\n",
            key.reveal()
        );
    }
    output::line(&format!("listening on http://{}", server.address))?;
    server.sign_in.say(std::io::stderr().is_terminal())?;
    let signals = signals.first().await;
    tracing::info!("stopping");
    signals.end_at_next();
    server.stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// What an operator wants to find in the log later on.
fn say_facts(settings: &Settings) {
    let version = env!("CARGO_PKG_VERSION");
    match &settings.store.place {
        StorePlace::Data(data) => {
            tracing::info!(version, data = %data.display(), public_url = settings.public_url, "starting");
        }
        StorePlace::Database(database) => {
            let (node, public_url) = (node_name(settings), &settings.public_url);
            tracing::info!(version, node, database = %database.url, lease = ?settings.lease, public_url, "starting");
            if database.is_password_seen {
                tracing::warn!("{}", DatabaseSettings::PASSWORD_SEEN);
            }
        }
    }
    if !settings.egress.addresses.is_empty() {
        tracing::info!(
            "deliveries come from {}: receivers with a firewall let these in",
            settings.egress.addresses.join(", ")
        );
    }
    for (name, value, consequence) in &settings.loosened {
        tracing::warn!("{name} = {value}: {consequence}");
    }
}

/// The one way out, and the rules that it and the API judge by.
pub(crate) fn client(
    egress: &EgressSettings,
    extra_ca_pems: Vec<Vec<u8>>,
    own: Option<SocketAddr>,
) -> anyhow::Result<(Client, UrlRules)> {
    let rules = UrlRules {
        allow_http: egress.allow_http,
        allow_cidrs: egress.allow_cidrs.clone(),
        own_addresses: own.into_iter().collect(),
        allow_nat64: egress.allow_nat64,
        ..UrlRules::default()
    };
    let resolver = match egress.name_servers.as_slice() {
        [] => None,
        servers => Some(Arc::new(SystemResolver::with_name_servers(servers)?) as Arc<dyn Resolve>),
    };
    let settings = ClientSettings {
        rules: rules.clone(),
        extra_ca_pems,
        proxy: egress.proxy.clone(),
        resolver,
        ..ClientSettings::default()
    };
    Ok((Client::new(settings)?, rules))
}

/// What tells owners by e-mail. The operator's own server may be on a private address, so the guard of deliveries does not judge it.
fn mailer(mail: &MailSettings, ca_pem: Option<Vec<u8>>) -> anyhow::Result<Arc<dyn Mailer>> {
    let url = &mail.url;
    let security = match (url.is_tls, mail.allow_plain) {
        (true, _) => SmtpSecurity::Tls,
        (false, false) => SmtpSecurity::StartTls,
        (false, true) => SmtpSecurity::None,
    };
    let settings = SmtpSettings {
        host: url.host.clone(),
        port: url.port,
        security,
        credentials: url.credentials.clone(),
        from: mail.from.clone(),
        ca_pem,
    };
    Ok(Arc::new(SmtpMailer::new(settings).map_err(anyhow::Error::msg)?))
}

/// Who may frame an organisation's dashboard, as the organisation is now.
struct FramesOf(Engine);

#[async_trait]
impl Frames for FramesOf {
    async fn ancestors(&self, organization: &str) -> Vec<String> {
        let Ok(id) = organization.parse() else { return Vec::new() };
        self.0.frame_ancestors(&id).await
    }
}

/// The engine's time, for screens.
struct TimeOf(Engine);

impl ServerTime for TimeOf {
    fn now_ms(&self) -> i64 {
        self.0.now().0
    }
}

/// A running server.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// How the operator gets to the dashboard.
    sign_in: SignIn,
    engine: Engine,
    store: Arc<dyn Store>,
    tracer: Tracer,
    /// Brings the changes in a CRM's database.
    source: Option<HandOver>,
    shutdown: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    /// Looks after the keys of tokens that may change.
    following: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts one; the operator key comes back when it was made just now.
    pub(crate) async fn start(settings: &Settings, files: Files) -> anyhow::Result<(Self, Option<Secret>)> {
        raise_open_files();
        let store = store::open(&settings.store).await?;
        let agreed = agree_on_operator_key(store.as_ref(), settings).await?;
        let listener = TcpListener::bind(settings.listen).await.with_context(|| {
            format!("cannot listen on {}; choose another address with --listen or POSTRIDER_LISTEN", settings.listen)
        })?;
        let address = listener.local_addr()?;
        let (client, rules) = client(&settings.egress, files.ca_pems.clone(), Some(address))?;
        let metrics = postrider_server::install_metrics()?;
        let source = source::place(settings.source.as_ref(), files.source, files.source_ca_pem)?;
        let tracer = traces::tracer(settings.traces.as_ref(), files.ca_pems, node_name(settings))?;
        let clock = clock_of(&settings.store.place);
        let parts = EngineParts {
            store: Arc::clone(&store),
            contracts: files.contracts,
            egress: client,
            clock: clock.clone(),
            mailer: settings.mail.as_ref().map(|mail| mailer(mail, files.smtp_ca_pem)).transpose()?,
            operational: settings.operational_organization.clone(),
            tracer: tracer.clone(),
            limits: engine_limits(settings),
            node: node_name(settings),
        };
        let engine = Engine::start(parts).await?;
        // A key that is made is shown once, so nothing may fail after it.
        let (operator_key_hash, made_key) = match agreed {
            Some(hash) => (hash, None),
            None => operator_key::settle(store.as_ref(), settings.operator_key.as_ref(), engine.now()).await?,
        };
        let fixed = settings.tokens.secret.iter().cloned().chain(files.token_key).collect();
        let (issuer, audience) = (settings.tokens.issuer.clone(), settings.tokens.audience.clone());
        let tokens = Arc::new(Tokens::new(fixed, issuer, audience));
        let following = files.jwks.map(|jwks| tokio::spawn(token_keys::follow(jwks, Arc::clone(&tokens))));
        let limits = ServerLimits {
            event_bytes_max: settings.limits.payload_bytes_max,
            trusted_proxies: settings.trusted_proxies.clone(),
            ..ServerLimits::default()
        };
        let passes = Arc::new(Passes::of(store.as_ref())?);
        let public_url = settings.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        let source = source.map(|source| source.begin(&engine, settings.limits.payload_bytes_max, node_name(settings)));
        let looking = source.as_ref().map(|source| Arc::new(Looking(source.watch())) as Arc<dyn Source>);
        let api = postrider_server::router(ServerState {
            engine: engine.clone(),
            operator_key_hash,
            tokens: Arc::clone(&tokens),
            passes: Arc::clone(&passes),
            public_url: public_url.clone().into(),
            url_rules: Arc::new(rules),
            egress_addresses: settings.egress.addresses.clone().into(),
            limits: limits.clone(),
            source: looking,
            metrics: Some(metrics),
            #[cfg(feature = "test-clock")]
            clock,
        });
        let frames = Arc::new(FramesOf(engine.clone()));
        let dashboard = postrider_dashboard::router(DashboardParts {
            api: api.clone(),
            frames,
            clock: Arc::new(TimeOf(engine.clone())),
            public_url: public_url.clone(),
        });
        let router = api.merge(dashboard);
        let (shutdown, asked) = oneshot::channel();
        let serving = tokio::spawn(async move {
            // A sender that is gone asks for the same.
            let asked = async { drop(asked.await) };
            postrider_server::serve(listener, router, &limits, asked).await;
        });
        let sign_in = SignIn { passes, public_url, operator_key_hash, now: engine.now() };
        Ok((Server { address, sign_in, engine, store, tracer, source, shutdown, serving, following }, made_key))
    }

    /// Stops accepting, lets what is under way finish, gives the rest back, closes the store; within [`STOP`].
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let Server { engine, store, tracer, source, shutdown, mut serving, following, .. } = self;
        following.inspect(JoinHandle::abort);
        let stop = async {
            // It ends only when asked to, so somebody listens.
            let _ = shutdown.send(());
            let source = async {
                if let Some(source) = source {
                    source.stop().await;
                }
            };
            let (requests, ()) = tokio::join!(tokio::time::timeout(REQUESTS_FIRST, &mut serving), source);
            let given_back = match requests {
                Ok(_) => engine.stop().await,
                Err(_) => tokio::join!(engine.stop(), serving).0,
            };
            if given_back > 0 {
                tracing::info!(
                    given_back,
                    "attempts that were under way are made again, after the next start or by another node"
                );
            }
            tokio::join!(store.close(), tracer.flush(LAST_SPANS)).0
        };
        let stopped = tokio::time::timeout(STOP, stop).await;
        stopped.with_context(|| {
            format!("the stop took more than {} s and was cut short; nothing accepted is lost", STOP.as_secs())
        })??;
        Ok(())
    }
}

/// Where nodes share the store, the hash of the key that they share: before the engine takes up any of their work.
async fn agree_on_operator_key(store: &dyn Store, settings: &Settings) -> anyhow::Result<Option<[u8; 32]>> {
    match (&settings.store.place, &settings.operator_key) {
        (StorePlace::Database(_), Some(key)) => operator_key::agree(store, key).await.map(Some),
        _ => Ok(None),
    }
}

/// What this node is called: as it was told, or after its host and process.
fn node_name(settings: &Settings) -> String {
    let of_process = || {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        format!("{host}-{}", std::process::id())
    };
    settings.node_name.clone().unwrap_or_else(of_process)
}

/// The time of the store: a database's own, which all nodes have, or this machine's.
fn time_of(place: &StorePlace) -> Arc<dyn Clock> {
    match place {
        StorePlace::Data(_) => Arc::new(SystemClock),
        StorePlace::Database(_) => Arc::new(StoreClock::default()),
    }
}

#[cfg(feature = "test-clock")]
fn clock_of(place: &StorePlace) -> Arc<postrider_engine::MovableClock> {
    Arc::new(postrider_engine::MovableClock::over(time_of(place)))
}

#[cfg(not(feature = "test-clock"))]
fn clock_of(place: &StorePlace) -> Arc<dyn Clock> {
    time_of(place)
}

fn engine_limits(settings: &Settings) -> EngineLimits {
    let defaults = EngineLimits::default();
    EngineLimits {
        lane_slots_max: settings.limits.lane_slots_max,
        lane_slots_initial: defaults.lane_slots_initial.min(settings.limits.lane_slots_max),
        attempts_prompt_max: settings.limits.attempts_prompt_max,
        attempts_other_max: settings.limits.attempts_other_max,
        held_bytes_max: settings.limits.held_bytes_max,
        retention: settings.retention,
        audit_retention: settings.audit_retention,
        lease: settings.lease,
        ..defaults
    }
}

/// Each connection is an open file; the default of many systems is 1,024 of a much higher limit.
fn raise_open_files() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!(limit, "open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files could not be raised"),
    }
}
