//! Writes a group of outcomes: one round trip, unless some of them are not where they were claimed.
//!
//! An outcome counts when its delivery is still open with as many attempts as when it was claimed, and its lease was not revoked. Nobody asks
//! whether the lane is still the lease's: a lease that is not revoked holds every lane that was attached to it, unless its own node has
//! released it, which it does only when nothing of that lane is under way.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use postrider_domain::{Millis, Streak, StreakChange, Transition};
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use super::attached::Lane;
use super::group::{Fault, Unit, and_commit};
use super::leases;
use super::operational;
use super::record::{RecordUnit, SealedOutcome};
use super::record_rows::{self, Columns, Kind, Place};
use super::session::Session;
use super::streaks;
use super::turns::{Leaving, Places};
use super::writer::Shared;
use crate::error::Result;
use crate::model::{LeaseNo, Recorded, WAITING};

impl Unit for RecordUnit {
    type Answer = Vec<Recorded>;

    async fn try_group(_: &Shared, session: &Session, group: &[Self]) -> Result<Vec<Result<Vec<Recorded>>>, Fault> {
        let all: Vec<&SealedOutcome> = group.iter().flat_map(|unit| &unit.outcomes).collect();
        let recorded = record_all(session, &all).await?;
        let mut answers = (0..all.len()).map(|at| recorded.get(&at).copied().unwrap_or(Recorded::Stale));
        Ok(group.iter().map(|unit| Ok(answers.by_ref().take(unit.outcomes.len()).collect())).collect())
    }

    fn keys(&self) -> Vec<Uuid> {
        self.outcomes.iter().map(|outcome| outcome.delivery.id.0).collect()
    }

    fn reply(self, answer: Result<Vec<Recorded>>) {
        // Whoever asked may have gone; what was written stays written.
        let _ = self.reply.send(answer);
    }
}

/// Returns which were recorded, by their places.
async fn record_all(session: &Session, all: &[&SealedOutcome]) -> Result<HashMap<usize, Recorded>, Fault> {
    let mut recorded = HashMap::new();
    for turn in turns(all) {
        let mut left = turn;
        // Most are where they were claimed; one that a person has hastened since then is due at another time.
        for place in [Place::AsClaimed, Place::Anywhere] {
            let found = record(session, all, &left, place).await?;
            left.retain(|at| !found.contains_key(at));
            recorded.extend(found);
            if left.is_empty() {
                break;
            }
        }
    }
    Ok(recorded)
}

/// One after another where several are about the same delivery, which is rare; together otherwise.
fn turns(all: &[&SealedOutcome]) -> Vec<Vec<usize>> {
    let mut turns: Vec<Vec<usize>> = Vec::new();
    let mut seen: BTreeMap<(Uuid, Uuid), usize> = BTreeMap::new();
    for (at, outcome) in all.iter().enumerate() {
        let turn = seen.entry((outcome.org, outcome.delivery.id.0)).or_default();
        if turns.len() <= *turn {
            turns.push(Vec::new());
        }
        turns[*turn].push(at);
        *turn += 1;
    }
    turns
}

/// One transaction about outcomes of different deliveries.
async fn record(
    session: &Session,
    all: &[&SealedOutcome],
    which: &[usize],
    place: Place,
) -> Result<HashMap<usize, Recorded>, Fault> {
    let leases: BTreeSet<i64> = which.iter().map(|at| all[*at].lease.0).collect();
    let mut begin = "BEGIN".to_owned();
    for lease in &leases {
        begin.push_str("; ");
        begin.push_str(&leases::lock_shared(LeaseNo(*lease)));
    }
    let leases: Vec<i64> = leases.into_iter().collect();
    let ended = Columns::of(all, which, Kind::Ended);
    let retried = Columns::of(all, which, Kind::Retried);
    let end = prepare(session, &ended, Kind::Ended, place).await?;
    let retry = prepare(session, &retried, Kind::Retried, place).await?;
    let streaks = streaks::Columns::of(all, which);
    let change = streaks.prepare(session).await?;
    let exhausted = operational::Columns::of(all, which);
    let gather = exhausted.prepare(session).await?;
    let (places, now) = leaving(all, which);
    let leaving = if places.is_empty() { None } else { Some(Leaving::prepare(session).await?) };
    let client: &Client = session;
    let work = async {
        // They are sent in this order, at once.
        tokio::try_join!(
            biased;
            client.batch_execute(&begin),
            run(client, end.as_ref(), &ended, &leases),
            run(client, retry.as_ref(), &retried, &leases),
            streaks.change(client, change.as_ref()),
            exhausted.gather(client, gather.as_ref()),
            leave(client, leaving.as_ref(), &places, now),
        )
    };
    let ((), ended, retried, streaks, (), ()) = and_commit(client, work).await?;
    let places = ended.iter().chain(&retried).filter_map(|row| usize::try_from(row.get::<_, i32>(0)).ok());
    Ok(places.map(|at| (at, answer(all[at], &streaks))).collect())
}

fn answer(outcome: &SealedOutcome, streaks: &HashMap<Lane, Streak>) -> Recorded {
    if outcome.streak == StreakChange::None {
        return Recorded::Recorded;
    }
    let lane = Lane { org: outcome.org, endpoint: outcome.delivery.endpoint.0 };
    Recorded::Counted(streaks.get(&lane).copied().unwrap_or_default())
}

/// Deliveries that have a turn and end, and when the last of their attempts ended. With those that were sent out of turn by hand: they wait again, unless
/// their turn has come meanwhile.
fn leaving(all: &[&SealedOutcome], which: &[usize]) -> (Places, Millis) {
    let (mut places, mut now) = (Places::default(), 0);
    for at in which {
        let outcome = all[*at];
        let goes_on = matches!(outcome.transition, Transition::RetryAt(due_at) if due_at != WAITING);
        let Some(turn) = outcome.delivery.turn.filter(|_| !goes_on) else { continue };
        let lane = Lane { org: outcome.org, endpoint: outcome.delivery.endpoint.0 };
        places.add(lane, &outcome.records, turn, outcome.delivery.id.0);
        now = now.max(outcome.ended_at);
    }
    (places, Millis(now))
}

async fn leave(
    client: &Client,
    leaving: Option<&Leaving>,
    places: &Places,
    now: Millis,
) -> Result<(), tokio_postgres::Error> {
    match leaving {
        Some(leaving) => leaving.run(client, places, now).await,
        None => Ok(()),
    }
}

async fn prepare(
    session: &Session,
    columns: &Columns<'_>,
    kind: Kind,
    place: Place,
) -> Result<Option<Statement>, tokio_postgres::Error> {
    if columns.is_empty() {
        return Ok(None);
    }
    session.prepare_cached(record_rows::statement(kind, place)).await.map(Some)
}

async fn run(
    client: &Client,
    statement: Option<&Statement>,
    columns: &Columns<'_>,
    leases: &Vec<i64>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    match statement {
        Some(statement) => client.query(statement, &columns.values(leases)).await,
        None => Ok(Vec::new()),
    }
}
