//! What a group of commits rests on, asked in one round trip at the beginning of its transaction.

use std::collections::{BTreeSet, HashMap, HashSet};

use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use super::attached::{Lane, columns};
use super::commit::CommitUnit;
use super::group::Fault;
use super::leases;
use super::session::{Session, Values};
use super::writer::Shared;
use crate::error::Result;
use crate::limits::{CHOSEN_ID_MS, LANE_TRIES_MAX};
use crate::model::{LeaseNo, RevisionId};
use crate::rows::damaged;

/// What an event's id was used for.
#[derive(Clone, Copy)]
pub(super) struct Used {
    pub(super) fingerprint: [u8; 32],
    pub(super) deliveries_count: u32,
}

/// The facts.
#[derive(Default)]
pub(super) struct Facts {
    leases: HashSet<LeaseNo>,
    versions: HashMap<Uuid, i64>,
    endpoints: HashSet<Lane>,
    used: HashMap<(Uuid, String), Used>,
    /// Who holds the lanes that this node did not know to be its own.
    holders: HashMap<Lane, LeaseNo>,
    taken: Vec<(LeaseNo, Lane)>,
}

impl Facts {
    pub(super) fn lasts(&self, lease: LeaseNo) -> bool {
        self.leases.contains(&lease)
    }

    /// None when the organisation was deleted.
    pub(super) fn version(&self, org: Uuid) -> Option<i64> {
        self.versions.get(&org).copied()
    }

    pub(super) fn exists(&self, endpoint: Lane) -> bool {
        self.endpoints.contains(&endpoint)
    }

    /// Within 72 hours.
    pub(super) fn used(&self, org: Uuid, id: &str) -> Option<Used> {
        self.used.get(&(org, id.to_owned())).copied()
    }

    /// None when the lane is the lease's.
    pub(super) fn elsewhere(&self, lane: Lane, lease: LeaseNo) -> Option<LeaseNo> {
        self.holders.get(&lane).copied().filter(|holder| *holder != lease)
    }

    /// Lanes that the transaction attached.
    pub(super) fn taken(&self) -> &[(LeaseNo, Lane)] {
        &self.taken
    }

    /// Begins the transaction and asks.
    pub(super) async fn ask(shared: &Shared, session: &Session, group: &[CommitUnit]) -> Result<Self, Fault> {
        let questions = Questions::of(shared, group);
        let statements = Statements::prepare(session, &questions).await?;
        let q = &questions;
        let client: &Client = session;
        // They are sent in this order, at once.
        let (begun, there, used, revisions, lanes) = tokio::join!(
            biased;
            client.batch_execute(&q.begin),
            async { client.query(&statements.there, &[&q.leases, &q.orgs, &q.endpoints.0, &q.endpoints.1]).await },
            async { ask(client, statements.used.as_ref(), &[&q.ids.0, &q.ids.1, &q.ids.2]).await },
            async { ask(client, statements.revisions.as_ref(), &[&q.revisions]).await },
            async { ask(client, statements.lanes.as_ref(), &[&q.lanes.0, &q.lanes.1]).await },
        );
        begun?;
        for row in revisions? {
            shared.revisions.learn(RevisionId(array(&row, 0)?));
        }
        let mut facts = Facts::default();
        for row in there? {
            facts.note(&row);
        }
        for row in used? {
            let deliveries_count = row.get::<_, i32>(3).unsigned_abs();
            let used = Used { fingerprint: array(&row, 2)?, deliveries_count };
            facts.used.insert((row.get(0), row.get(1)), used);
        }
        facts.note_holders(&lanes?);
        Ok(facts)
    }

    /// One of [`THERE`].
    fn note(&mut self, row: &Row) {
        match (row.get::<_, Option<Uuid>>(0), row.get::<_, Option<Uuid>>(1)) {
            (Some(org), Some(endpoint)) => {
                self.endpoints.insert(Lane { org, endpoint });
            }
            (Some(org), None) => {
                self.versions.insert(org, row.get(2));
            }
            (None, _) => {
                self.leases.insert(LeaseNo(row.get(2)));
            }
        }
    }

    fn note_holders(&mut self, rows: &[Row]) {
        self.holders.extend(rows.iter().map(|row| (lane(row), LeaseNo(row.get(2)))));
    }

    /// Attaches those of a lease's lanes that nobody holds. A lane that comes and goes in this moment is asked for again.
    pub(super) async fn take(
        &mut self,
        session: &Session,
        lease: LeaseNo,
        wanted: BTreeSet<Lane>,
    ) -> Result<(), Fault> {
        let mut open: Vec<Lane> = wanted.into_iter().filter(|lane| !self.holders.contains_key(lane)).collect();
        for _ in 0..LANE_TRIES_MAX {
            if open.is_empty() {
                return Ok(());
            }
            let (orgs, endpoints) = columns(&open);
            let (take, holders) = (session.prepare_cached(TAKE).await?, session.prepare_cached(HOLDERS).await?);
            let client: &Client = session;
            let taken_values: Values<'_> = &[&orgs, &endpoints, &lease.0];
            let holder_values: Values<'_> = &[&orgs, &endpoints];
            let (taken, held) =
                tokio::join!(biased; client.query(&take, taken_values), client.query(&holders, holder_values));
            self.taken.extend(taken?.iter().map(|row| (lease, lane(row))));
            self.note_holders(&held?);
            open.retain(|lane| !self.holders.contains_key(lane));
        }
        if open.is_empty() { Ok(()) } else { Err(Fault::Crowded) }
    }
}

fn lane(row: &Row) -> Lane {
    Lane { org: row.get(0), endpoint: row.get(1) }
}

fn array(row: &Row, column: usize) -> Result<[u8; 32]> {
    row.get::<_, &[u8]>(column).try_into().map_err(|_| damaged("a hash"))
}

async fn ask(
    client: &Client,
    statement: Option<&Statement>,
    values: Values<'_>,
) -> Result<Vec<Row>, tokio_postgres::Error> {
    match statement {
        Some(statement) => client.query(statement, values).await,
        None => Ok(Vec::new()),
    }
}

/// Leases that last, organisations that exist with their versions, endpoints that exist: in one statement, because each costs as much as
/// a good many rows.
const THERE: &str = "SELECT NULL::uuid, NULL::uuid, no FROM leases WHERE no = ANY($1) AND NOT revoked
    UNION ALL
    SELECT org, NULL, version FROM organizations WHERE org = ANY($2) AND NOT deleted
    UNION ALL
    SELECT e.org, e.id, NULL FROM unnest($3::uuid[], $4::uuid[]) AS w(org, id)
    JOIN endpoints e ON e.org = w.org AND e.id = w.id WHERE NOT e.deleted";
const USED: &str = "SELECT i.org, i.id, i.fingerprint, i.deliveries_count
                    FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS w(org, id, forgotten_at)
                    JOIN event_ids i ON i.org = w.org AND i.id = w.id WHERE i.accepted_at + 0 > w.forgotten_at";
const REVISIONS: &str = "SELECT hash FROM contract_revisions WHERE hash = ANY($1)";
/// What is written as a sum or with `coalesce` here keeps an index away that a plan made for an almost empty table might read whole.
///
/// Shared with other commits; the holder's release waits until what is made for it is there to be seen. The weakest of locks: whoever waited for
/// a release keeps it on a lane that is free now, and [`TAKE`] must not wait for that of another who did the same.
pub(super) const HOLDERS: &str = "SELECT l.org, l.endpoint, l.lease FROM unnest($1::uuid[], $2::uuid[]) AS w(org, endpoint)
                       JOIN lanes l ON l.org = w.org AND l.endpoint = w.endpoint WHERE coalesce(l.lease, 0) <> 0 FOR KEY SHARE OF l";
pub(super) const TAKE: &str = "INSERT INTO lanes (org, endpoint, lease)
                    SELECT w.org, w.endpoint, $3 FROM unnest($1::uuid[], $2::uuid[]) AS w(org, endpoint)
                    ON CONFLICT (org, endpoint) DO UPDATE SET lease = excluded.lease, due_at = NULL
                    WHERE lanes.lease IS NULL RETURNING org, endpoint";

/// Prepared before the transaction begins: what fails then fails alone.
struct Statements {
    there: Statement,
    used: Option<Statement>,
    revisions: Option<Statement>,
    lanes: Option<Statement>,
}

impl Statements {
    async fn prepare(session: &Session, questions: &Questions) -> Result<Self, tokio_postgres::Error> {
        let asked = async |is_asked: bool, sql| match is_asked {
            true => session.prepare_cached(sql).await.map(Some),
            false => Ok(None),
        };
        if !questions.lanes.0.is_empty() {
            session.prepare_cached(TAKE).await?;
        }
        Ok(Statements {
            there: session.prepare_cached(THERE).await?,
            used: asked(!questions.ids.0.is_empty(), USED).await?,
            revisions: asked(!questions.revisions.is_empty(), REVISIONS).await?,
            lanes: asked(!questions.lanes.0.is_empty(), HOLDERS).await?,
        })
    }
}

/// What is asked, each thing once and in order, so that two groups that want the same lanes do not wait for each other.
struct Questions {
    begin: String,
    leases: Vec<i64>,
    orgs: Vec<Uuid>,
    endpoints: (Vec<Uuid>, Vec<Uuid>),
    ids: (Vec<Uuid>, Vec<String>, Vec<i64>),
    revisions: Vec<Vec<u8>>,
    lanes: (Vec<Uuid>, Vec<Uuid>),
}

impl Questions {
    fn of(shared: &Shared, group: &[CommitUnit]) -> Self {
        let leases: BTreeSet<i64> = group.iter().map(|unit| unit.basis.lease.0).collect();
        let mut begin = "BEGIN".to_owned();
        for lease in &leases {
            begin.push_str("; ");
            begin.push_str(&leases::lock_shared(LeaseNo(*lease)));
        }
        let orgs: BTreeSet<Uuid> = group.iter().map(|unit| unit.tenant.org).collect();
        let endpoints: BTreeSet<Lane> = group.iter().flat_map(CommitUnit::lanes).collect();
        let mut unknown = BTreeSet::new();
        for lease in &leases {
            let of_lease = group.iter().filter(|unit| unit.basis.lease.0 == *lease).flat_map(CommitUnit::lanes);
            unknown.extend(shared.attached.unknown(LeaseNo(*lease), of_lease));
        }
        Questions {
            begin,
            leases: leases.into_iter().collect(),
            orgs: orgs.into_iter().collect(),
            endpoints: columns(&endpoints.into_iter().collect::<Vec<_>>()),
            ids: chosen_ids(group),
            revisions: unknown_revisions(shared, group),
            lanes: columns(&unknown.into_iter().collect::<Vec<_>>()),
        }
    }
}

fn chosen_ids(group: &[CommitUnit]) -> (Vec<Uuid>, Vec<String>, Vec<i64>) {
    let mut ids = (Vec::new(), Vec::new(), Vec::new());
    for unit in group {
        for event in unit.events.iter().filter(|event| event.new.fingerprint.is_some()) {
            ids.0.push(unit.tenant.org);
            ids.1.push(event.new.event.id.as_str().to_owned());
            ids.2.push(event.new.event.accepted_at.0.saturating_sub(CHOSEN_ID_MS));
        }
    }
    ids
}

fn unknown_revisions(shared: &Shared, group: &[CommitUnit]) -> Vec<Vec<u8>> {
    let deliveries = group.iter().flat_map(|unit| &unit.events).flat_map(|event| &event.new.deliveries);
    let unknown: HashSet<RevisionId> =
        deliveries.map(|delivery| delivery.revision).filter(|id| !shared.revisions.is_known(*id)).collect();
    unknown.into_iter().map(|id| id.0.to_vec()).collect()
}
