//! Deliveries in order: of those about one record to one endpoint, one after another is due.
//!
//! A delivery of an ordered endpoint has a *turn* in the line of each record that its event is about: a number greater than those before it. It
//! *waits*, due at [`WAITING`], until no smaller turn is left in any of its lines. So what waits is never looked at by claims, however much it is: whoever
//! ends a delivery looks at the first one of each of its lines, and that is all.
//!
//! Who changes an endpoint's lines has them *locked* until the transaction ends: one that joins a line sees who has left it, and one that leaves sees who
//! has joined. Nothing of this is asked or written for other endpoints.

use std::collections::{BTreeSet, HashMap};

use postrider_domain::Millis;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};
use uuid::Uuid;

use super::attached::Lane;
use super::session::{Session, Values};
use crate::error::Result;
use crate::model::WAITING;

/// What tells these locks from others.
const LOCKS: i32 = 1_414_877_778;

/// In order, so that two who want several do not wait for each other. Two endpoints that share a number cost a moment's wait.
const LOCK: &str = "SELECT pg_advisory_xact_lock($1, number) FROM (
        SELECT DISTINCT hashtext(w.endpoint::text) AS number FROM unnest($2::uuid[]) AS w(endpoint) ORDER BY 1) AS numbers";
/// The last turn in each line that is not empty.
const LAST: &str = "SELECT w.org, w.endpoint, w.record, t.turn
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS w(org, endpoint, record)
    CROSS JOIN LATERAL (SELECT t.turn FROM turns t WHERE t.org = w.org AND t.endpoint = w.endpoint AND t.record = w.record
                        ORDER BY t.turn DESC LIMIT 1) t";
/// Of deliveries that are not open any more.
const LEAVE: &str = "DELETE FROM turns t USING unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::uuid[])
        AS w(org, endpoint, record, turn, delivery)
    WHERE t.org = w.org AND t.endpoint = w.endpoint AND t.record = w.record AND t.turn = w.turn AND t.delivery = w.delivery
    AND NOT EXISTS (SELECT FROM open_deliveries d WHERE d.org = w.org AND d.id = w.delivery)";
/// The first of each line is due now unless it waits for another line; what a person hastened meanwhile goes on now when that fails.
const CALL: &str = "UPDATE open_deliveries d SET due_at = CASE d.due_at WHEN $4 THEN $5 ELSE d.due_at END,
        resume_at = CASE d.resume_at WHEN $4 THEN $5 ELSE d.resume_at END
    FROM (SELECT DISTINCT w.org, first.delivery FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS w(org, endpoint, record)
          CROSS JOIN LATERAL (SELECT t.delivery FROM turns t WHERE t.org = w.org AND t.endpoint = w.endpoint AND t.record = w.record
                              ORDER BY t.turn LIMIT 1) first) AS called
    WHERE d.org = called.org AND d.id = called.delivery AND (d.due_at = $4 OR d.resume_at = $4)
    AND NOT EXISTS (SELECT FROM unnest(d.records) AS r(record)
                    JOIN turns o ON o.org = d.org AND o.endpoint = d.endpoint AND o.record = r.record AND o.turn < d.turn)";

/// Deliveries with their turns, once for each of their lines.
#[derive(Default)]
pub(super) struct Places {
    org: Vec<Uuid>,
    endpoint: Vec<Uuid>,
    record: Vec<i64>,
    turn: Vec<i64>,
    delivery: Vec<Uuid>,
}

impl Places {
    pub(super) fn add(&mut self, lane: Lane, records: &[i64], turn: i64, delivery: Uuid) {
        for record in records {
            self.org.push(lane.org);
            self.endpoint.push(lane.endpoint);
            self.record.push(*record);
            self.turn.push(turn);
            self.delivery.push(delivery);
        }
    }

    /// Reads rows of org, endpoint, delivery, turn and records.
    pub(super) fn read(rows: &[Row]) -> Self {
        let mut places = Places::default();
        for row in rows {
            let lane = Lane { org: row.get(0), endpoint: row.get(1) };
            places.add(lane, &row.get::<_, Vec<i64>>(4), row.get(3), row.get(2));
        }
        places
    }

    pub(super) fn is_empty(&self) -> bool {
        self.turn.is_empty()
    }

    /// Those of these that are open no more leave their lines, and who is first then is due at `now`.
    pub(super) async fn leave(&self, session: &Session, now: Millis) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        lock(session, &self.endpoint).await?;
        session.execute(LEAVE, &[&self.org, &self.endpoint, &self.record, &self.turn, &self.delivery]).await?;
        session.execute(CALL, &[&self.org, &self.endpoint, &self.record, &WAITING.0, &now.0]).await.map(|_| ())
    }
}

/// Locks the lines of these endpoints until the transaction ends.
pub(super) async fn lock(session: &Session, endpoints: &Vec<Uuid>) -> Result<()> {
    session.query(LOCK, &[&LOCKS, endpoints]).await.map(|_| ())
}

/// What is sent to have deliveries leave their lines; prepared before the transaction begins.
pub(super) struct Leaving {
    lock: Statement,
    leave: Statement,
    call: Statement,
}

impl Leaving {
    pub(super) async fn prepare(session: &Session) -> Result<Self, tokio_postgres::Error> {
        Ok(Leaving {
            lock: session.prepare_cached(LOCK).await?,
            leave: session.prepare_cached(LEAVE).await?,
            call: session.prepare_cached(CALL).await?,
        })
    }

    /// Sent at once, in this order: each sees what the one before it did.
    pub(super) async fn run(&self, client: &Client, places: &Places, now: Millis) -> Result<(), tokio_postgres::Error> {
        let p = places;
        let lock: Values<'_> = &[&LOCKS, &p.endpoint];
        let leave: Values<'_> = &[&p.org, &p.endpoint, &p.record, &p.turn, &p.delivery];
        let call: Values<'_> = &[&p.org, &p.endpoint, &p.record, &WAITING.0, &now.0];
        tokio::try_join!(
            biased;
            client.query(&self.lock, lock),
            client.execute(&self.leave, leave),
            client.execute(&self.call, call),
        )?;
        Ok(())
    }
}

/// A line of an endpoint.
pub(super) type Line = (Lane, i64);

/// The lines that new deliveries join, locked, with the last turn in each.
#[derive(Default)]
pub(super) struct Lines(HashMap<Line, i64>);

impl Lines {
    pub(super) async fn lock(session: &Session, wanted: &BTreeSet<Line>) -> Result<Self, tokio_postgres::Error> {
        let (mut org, mut endpoint, mut record) = (Vec::new(), Vec::new(), Vec::new());
        for (lane, of) in wanted {
            org.push(lane.org);
            endpoint.push(lane.endpoint);
            record.push(*of);
        }
        let (lock, last) = (session.prepare_cached(LOCK).await?, session.prepare_cached(LAST).await?);
        let client: &Client = session;
        let locked: Values<'_> = &[&LOCKS, &endpoint];
        let asked: Values<'_> = &[&org, &endpoint, &record];
        let (_, rows) = tokio::try_join!(biased; client.query(&lock, locked), client.query(&last, asked))?;
        let line = |row: &Row| ((Lane { org: row.get(0), endpoint: row.get(1) }, row.get(2)), row.get(3));
        Ok(Lines(rows.iter().map(line).collect()))
    }

    /// Gives a new delivery the next turn about these records, and says whether it has to wait for others.
    pub(super) fn join(&mut self, lane: Lane, records: &[i64]) -> (i64, bool) {
        let before = records.iter().filter_map(|record| self.0.get(&(lane, *record))).max().copied();
        let turn = before.unwrap_or(0) + 1;
        self.0.extend(records.iter().map(|record| ((lane, *record), turn)));
        (turn, before.is_some())
    }
}

/// New deliveries that have a turn.
#[derive(Default)]
pub(super) struct Ordered<'a> {
    pub(super) org: Vec<Uuid>,
    endpoint: Vec<Uuid>,
    due_at: Vec<i64>,
    id: Vec<Uuid>,
    event_key: Vec<Uuid>,
    event_type: Vec<&'a str>,
    revision: Vec<&'a [u8]>,
    test: Vec<bool>,
    created_at: Vec<i64>,
    turn: Vec<i64>,
    /// Where a delivery's records lie among those of all, both ends included, counted from 1.
    first: Vec<i32>,
    last: Vec<i32>,
    places: Places,
}

/// A new delivery without what follows from its turn.
pub(super) struct Joining<'a> {
    pub(super) lane: Lane,
    pub(super) due_at: Millis,
    pub(super) id: Uuid,
    pub(super) event_key: Uuid,
    pub(super) event_type: &'a str,
    pub(super) revision: &'a [u8],
    pub(super) test: bool,
    pub(super) created_at: Millis,
    pub(super) records: &'a [i64],
}

impl<'a> Ordered<'a> {
    /// In this order.
    pub(super) fn of(joining: &[Joining<'a>], lines: &mut Lines) -> Self {
        let mut ordered = Ordered::default();
        for new in joining {
            let (turn, waits) = lines.join(new.lane, new.records);
            ordered.org.push(new.lane.org);
            ordered.endpoint.push(new.lane.endpoint);
            ordered.due_at.push(if waits { WAITING.0 } else { new.due_at.0 });
            ordered.id.push(new.id);
            ordered.event_key.push(new.event_key);
            ordered.event_type.push(new.event_type);
            ordered.revision.push(new.revision);
            ordered.test.push(new.test);
            ordered.created_at.push(new.created_at.0);
            ordered.turn.push(turn);
            let place = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
            ordered.first.push(place(ordered.places.turn.len() + 1));
            ordered.places.add(new.lane, new.records, turn, new.id);
            ordered.last.push(place(ordered.places.turn.len()));
        }
        ordered
    }

    /// As [`INSERT`] numbers them.
    pub(super) fn values(&self) -> [&(dyn ToSql + Sync); 17] {
        let (o, p) = (self, &self.places);
        [
            &o.org,
            &o.endpoint,
            &o.due_at,
            &o.id,
            &o.event_key,
            &o.event_type,
            &o.revision,
            &o.test,
            &o.created_at,
            &o.turn,
            &o.first,
            &o.last,
            &p.record,
            &p.org,
            &p.endpoint,
            &p.turn,
            &p.delivery,
        ]
    }
}

pub(super) const INSERT: &str = "WITH lined AS (
        INSERT INTO turns (org, endpoint, record, turn, delivery)
        SELECT * FROM unnest($14::uuid[], $15::uuid[], $13::bigint[], $16::bigint[], $17::uuid[])
    )
    INSERT INTO open_deliveries (org, endpoint, due_at, id, event_key, event_type, revision, test, created_at, turn, records)
    SELECT w.org, w.endpoint, w.due_at, w.id, w.event_key, w.event_type, w.revision, w.test, w.created_at, w.turn,
        ($13::bigint[])[w.first:w.last]
    FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::uuid[], $5::uuid[], $6::text[], $7::bytea[], $8::boolean[], $9::bigint[],
        $10::bigint[], $11::integer[], $12::integer[])
        AS w(org, endpoint, due_at, id, event_key, event_type, revision, test, created_at, turn, first, last)";

/// The lines that these join.
pub(super) fn lines_of(joining: &[Joining<'_>]) -> BTreeSet<Line> {
    joining.iter().flat_map(|new| new.records.iter().map(|record| (new.lane, *record))).collect()
}
