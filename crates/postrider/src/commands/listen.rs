//! `listen`: an organisation's deliveries, replayed to a receiver on a developer's machine.

use std::collections::HashSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use http::Method;
use postrider_domain::Subscription;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::cli::ListenArgs;
use crate::commands::contracts;
use crate::commands::session::Session;
use crate::failure::Misuse;
use crate::http::{Api, Asked, Local, segment};
use crate::output;
use crate::settings::Variables;

/// How long the server keeps a question open, in seconds.
const WAIT_S: u32 = 25;
/// The first pause after a server could not be asked; each next one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Deliveries that were read and wait for the local receiver.
const WAITING_MAX: usize = 100;
/// How often endpoints are looked for that were made meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The place before everything that an endpoint was sent.
const OLDEST: &str = "dlv_00000000000000000000000000";
/// Endpoints that are followed at once.
const ENDPOINTS_MAX: usize = 250;

pub(crate) async fn run(args: ListenArgs, variables: &Variables) -> anyhow::Result<ExitCode> {
    let api = Api::from_args(&args.server, variables)?;
    let local = Local::new(&args.forward_to)?;
    let org = segment("an organisation", &args.org)?.to_owned();
    let events = args.events.iter().map(|text| subscription(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let (rows, came) = mpsc::channel(WAITING_MAX);
    let first = args.after.as_deref().unwrap_or("now");
    let follows_all = args.endpoints.is_empty();
    let mut followed = Followed { api, org: org.clone(), known: HashSet::new(), rows, follows_all };
    // The first look is made before anything is said to be listened to, so that what comes from then on is not missed.
    if follows_all {
        followed.follow_new(first).await?;
        let session = match followed.known.len() {
            0 => Some(Session::begin(followed.api.clone(), &org, &contracts::load(&args.own, variables)?).await?),
            _ => None,
        };
        told(&session, &followed, &args.forward_to);
        tokio::spawn(followed.keep_looking(session));
    } else {
        for endpoint in &args.endpoints {
            followed.follow(segment("an endpoint", endpoint)?.to_owned(), first).await?;
        }
        told(&None, &followed, &args.forward_to);
    }
    // Asked for once: an interrupt while one is replayed counts too.
    tokio::select! {
        replayed = replay_all(&args, &local, &events, came) => replayed.map(|()| ExitCode::SUCCESS),
        _ = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
    }
}

/// Replays what comes, until as many were as are wanted.
async fn replay_all(
    args: &ListenArgs,
    local: &Local,
    events: &[Subscription],
    mut came: mpsc::Receiver<anyhow::Result<Value>>,
) -> anyhow::Result<()> {
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let row = came.recv().await.context("no endpoint is left to listen to")??;
        let event_type = row["type"].as_str().unwrap_or_default();
        if events.is_empty() || events.iter().any(|wanted| wanted.matches(event_type)) {
            replay(local, &row, args.json).await?;
            left -= 1;
        }
    }
    Ok(())
}

fn subscription(text: &str) -> anyhow::Result<Subscription> {
    let wrong = |_| Misuse::of(format!("{text:?} is no event type, no prefix such as contact.*, and not *"));
    text.parse().map_err(wrong)
}

/// Says what is listened to.
fn told(session: &Option<Session>, followed: &Followed, forward_to: &str) {
    let (org, count) = (&followed.org, followed.known.len());
    let noun = if count == 1 { "endpoint" } else { "endpoints" };
    let what = match session.as_ref().map(Session::verified_with) {
        None => format!("{count} {noun} of {org}"),
        Some(None) => format!("the events of {org}, which has no endpoint yet"),
        Some(Some(secret)) => {
            format!(
                "the events of {org}, which has no endpoint yet; they are signed for this session, verify them with {secret}"
            )
        }
    };
    output::note(&format!("listening to {what}, forwarding to {forward_to}"));
}

/// The endpoints that are followed.
struct Followed {
    api: Api,
    org: String,
    known: HashSet<String>,
    rows: Rows,
    /// Whether all endpoints of the organisation are followed, however they come and go.
    follows_all: bool,
}

impl Followed {
    /// Reads what is there of an endpoint, and goes on with it by itself.
    async fn follow(&mut self, endpoint: String, first: &str) -> anyhow::Result<()> {
        let path = format!("/v1/organizations/{}/endpoints/{endpoint}/stream", self.org);
        let stream = Stream { api: self.api.clone(), path, endpoint: endpoint.clone(), may_go: self.follows_all };
        let after = stream.begin(first, &self.rows).await?;
        tokio::spawn(stream.follow(after, self.rows.clone()));
        self.known.insert(endpoint);
        Ok(())
    }

    /// Takes up the endpoints that are not followed yet.
    async fn follow_new(&mut self, first: &str) -> anyhow::Result<()> {
        let path = format!("/v1/organizations/{}/endpoints?limit={ENDPOINTS_MAX}", self.org);
        let page = self.api.call(Method::GET, &path, None).await?;
        let ids = page["data"].as_array().into_iter().flatten().filter_map(|endpoint| endpoint["id"].as_str());
        let ids: Vec<_> = ids.map(str::to_owned).collect();
        self.known.retain(|known| ids.contains(known));
        for id in ids {
            if !self.known.contains(&id) && self.known.len() < ENDPOINTS_MAX {
                self.follow(id, first).await?;
            }
        }
        Ok(())
    }

    /// Looks for endpoints that were made meanwhile, and as long as there is none for the organisation's events.
    async fn keep_looking(mut self, mut session: Option<Session>) {
        let mut pace = tokio::time::interval(LOOK_EVERY);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            pace.tick().await;
            if self.rows.is_closed() {
                return;
            }
            if let Some(of_none) = session.as_mut() {
                for row in of_none.look().await {
                    if self.rows.send(Ok(row)).await.is_err() {
                        return;
                    }
                }
            }
            // All of what an endpoint has that was made meanwhile is new.
            if self.follow_new(OLDEST).await.is_ok() && !self.known.is_empty() && session.take().is_some() {
                output::note(&format!("{} has an endpoint now, which is followed; its own secret signs", self.org));
            }
        }
    }
}

/// One endpoint's deliveries.
struct Stream {
    api: Api,
    path: String,
    endpoint: String,
    /// Whether listening goes on without it once it is deleted.
    may_go: bool,
}

type Rows = mpsc::Sender<anyhow::Result<Value>>;

impl Stream {
    /// Reads what is there at once; where to go on.
    async fn begin(&self, after: &str, rows: &Rows) -> anyhow::Result<String> {
        let page = self.api.call(Method::GET, &format!("{}?after={after}&limit=1", self.path), None).await?;
        self.hand_over(page, rows).await
    }

    /// Asks for the next ones, again and again.
    async fn follow(self, mut after: String, rows: Rows) {
        let mut pause = PAUSE;
        loop {
            let path = format!("{}?after={after}&wait={WAIT_S}", self.path);
            match self.api.look(&path).await {
                Ok(Asked::Said(page)) => {
                    if pause != PAUSE {
                        output::note("the server is back");
                        pause = PAUSE;
                    }
                    match self.hand_over(page, &rows).await {
                        Ok(next) => after = next,
                        Err(error) => return drop(rows.send(Err(error)).await),
                    }
                }
                Ok(Asked::NotNow(why)) => {
                    if pause == PAUSE {
                        output::note(&format!("{why}; asking again until it answers"));
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                Ok(Asked::Missing(_)) if self.may_go => {
                    return output::note(&format!("{} was deleted; listening goes on without it", self.endpoint));
                }
                Ok(Asked::Missing(what)) => return drop(rows.send(Err(anyhow::Error::msg(what))).await),
                Err(error) => return drop(rows.send(Err(error)).await),
            }
        }
    }

    async fn hand_over(&self, page: Value, rows: &Rows) -> anyhow::Result<String> {
        let next = page["next_after"].as_str().context("the server's answer has no next_after; is it Postrider?")?;
        for row in page["data"].as_array().into_iter().flatten() {
            // Whoever reads them may have ended.
            if rows.send(Ok(row.clone())).await.is_err() {
                break;
            }
        }
        Ok(next.to_owned())
    }
}

/// Sends one to the local receiver and tells what it answered.
async fn replay(local: &Local, row: &Value, as_json: bool) -> anyhow::Result<()> {
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let begun = Instant::now();
    let answer = match row["request"].as_object() {
        Some(request) => local.send(request).await,
        None => Err(anyhow::anyhow!("the event is not kept any more")),
    };
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if as_json {
        let (status, error) = match &answer {
            Ok(status) => (json!(status), Value::Null),
            Err(error) => (Value::Null, json!(format!("{error:#}"))),
        };
        let line = json!({
            "delivery": text("id"), "event": text("event"), "endpoint": text("endpoint"), "type": text("type"),
            "status": status, "response_time_ms": took_ms, "error": error,
        });
        return Ok(output::line(&line.to_string())?);
    }
    let told = match answer {
        Ok(status) => format!("{status} in {took_ms} ms"),
        Err(error) => format!("no answer: {error:#}"),
    };
    Ok(output::line(&output::plain(&format!("{}  {}  {told}", text("type"), text("id"))))?)
}
