//! The rows of a group of commits, column by column.

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use super::attached::Lane;
use super::commit::{CommitUnit, SealedEvent};
use super::commit_group::Judged;
use super::facts::Facts;
use super::group::{Fault, and_commit};
use super::session::{Session, Values};
use super::turns::{self, Joining, Lines, Ordered};
use crate::error::Result;
use crate::limits::CHOSEN_ID_MS;
use crate::model::NewDelivery;

/// All rows of a group.
#[derive(Default)]
pub(super) struct Rows<'a> {
    events: Events<'a>,
    ids: Ids<'a>,
    records: Records,
    deliveries: Deliveries<'a>,
    joining: Vec<Joining<'a>>,
}

#[derive(Default)]
struct Events<'a> {
    org: Vec<Uuid>,
    key: Vec<Uuid>,
    id: Vec<Option<&'a str>>,
    event_type: Vec<&'a str>,
    occurred_at: Vec<i64>,
    accepted_at: Vec<i64>,
    test: Vec<bool>,
    deliveries_count: Vec<i32>,
    resource: Vec<Option<&'a [u8]>>,
    /// Where an event's deliveries lie among those of the group, both ends included, counted from 1.
    first: Vec<i32>,
    last: Vec<i32>,
    sealed: Vec<&'a [u8]>,
}

#[derive(Default)]
struct Ids<'a> {
    org: Vec<Uuid>,
    id: Vec<&'a str>,
    key: Vec<Uuid>,
    accepted_at: Vec<i64>,
    /// An earlier use up to this time is forgotten.
    forgotten_at: Vec<i64>,
    fingerprint: Vec<&'a [u8]>,
    deliveries_count: Vec<i32>,
}

#[derive(Default)]
struct Records {
    org: Vec<Uuid>,
    hash: Vec<i64>,
    key: Vec<Uuid>,
}

#[derive(Default)]
struct Deliveries<'a> {
    org: Vec<Uuid>,
    /// None of one that has a turn: it is inserted with that.
    endpoint: Vec<Option<Uuid>>,
    due_at: Vec<i64>,
    id: Vec<Uuid>,
    event_key: Vec<Uuid>,
    event_type: Vec<&'a str>,
    revision: Vec<&'a [u8]>,
    test: Vec<bool>,
    created_at: Vec<i64>,
}

/// What an id has that was chosen without a fingerprint.
const NO_FINGERPRINT: [u8; 32] = [0; 32];

impl<'a> Rows<'a> {
    /// Of what is new in units that are not refused.
    pub(super) fn of(facts: &Facts, group: &'a [CommitUnit], judged: &[Result<Vec<Judged>>]) -> Self {
        let mut rows = Rows::default();
        for (unit, judged) in group.iter().zip(judged) {
            let Ok(judged) = judged else { continue };
            for (event, judged) in unit.events.iter().zip(judged) {
                if matches!(judged, Judged::New) {
                    rows.add(facts, unit.tenant.org, event);
                }
            }
        }
        rows
    }

    fn add(&mut self, facts: &Facts, org: Uuid, sealed: &'a SealedEvent) {
        let SealedEvent { new, .. } = sealed;
        let event = &new.event;
        let first = self.deliveries.id.len() + 1;
        self.add_deliveries(facts, org, sealed);
        let deliveries_count = i32::try_from(new.deliveries.len()).unwrap_or(i32::MAX);
        let events = &mut self.events;
        events.org.push(org);
        events.key.push(event.key);
        events.id.push(sealed.chosen_id());
        events.event_type.push(&event.event_type);
        events.occurred_at.push(event.occurred_at.0);
        events.accepted_at.push(event.accepted_at.0);
        events.test.push(new.test);
        events.deliveries_count.push(deliveries_count);
        events.resource.push(sealed.resource.as_deref());
        events.first.push(i32::try_from(first).unwrap_or(i32::MAX));
        events.last.push(i32::try_from(self.deliveries.id.len()).unwrap_or(i32::MAX));
        events.sealed.push(&sealed.sealed);
        if let Some(id) = sealed.chosen_id() {
            // Without a fingerprint the newest event has the id, whatever was before.
            let forgotten_at = match new.fingerprint {
                Some(_) => event.accepted_at.0.saturating_sub(CHOSEN_ID_MS),
                None => i64::MAX,
            };
            let ids = &mut self.ids;
            ids.org.push(org);
            ids.id.push(id);
            ids.key.push(event.key);
            ids.accepted_at.push(event.accepted_at.0);
            ids.forgotten_at.push(forgotten_at);
            ids.fingerprint.push(new.fingerprint.as_ref().unwrap_or(&NO_FINGERPRINT));
            ids.deliveries_count.push(deliveries_count);
        }
        for hash in &sealed.record_hashes {
            self.records.org.push(org);
            self.records.hash.push(*hash);
            self.records.key.push(event.key);
        }
    }

    /// An endpoint that was deleted since it was matched gets none.
    fn add_deliveries(&mut self, facts: &Facts, org: Uuid, sealed: &'a SealedEvent) {
        let new = &sealed.new;
        for delivery in &new.deliveries {
            let lane = Lane { org, endpoint: delivery.endpoint.0 };
            if !facts.exists(lane) {
                continue;
            }
            let has_turn = delivery.in_order && !sealed.record_hashes.is_empty();
            if has_turn {
                self.joining.push(joining(lane, sealed, delivery));
            }
            let deliveries = &mut self.deliveries;
            deliveries.org.push(org);
            deliveries.endpoint.push((!has_turn).then_some(lane.endpoint));
            deliveries.due_at.push(delivery.due_at.0);
            deliveries.id.push(delivery.id.0);
            deliveries.event_key.push(new.event.key);
            deliveries.event_type.push(&delivery.event_type);
            deliveries.revision.push(&delivery.revision.0);
            deliveries.test.push(new.test);
            deliveries.created_at.push(new.event.accepted_at.0);
        }
    }

    /// Writes all and commits.
    pub(super) async fn write(&self, session: &Session) -> Result<(), Fault> {
        let ordered = self.ordered(session).await?;
        let needed = async |orgs: &[Uuid], sql| match orgs {
            [] => Ok(None),
            _ => session.prepare_cached(sql).await.map(Some),
        };
        let rows = needed(&self.events.org, ROWS).await?;
        let forget = needed(&self.ids.org, FORGET).await?;
        let ids = needed(&self.ids.org, IDS).await?;
        let in_order = needed(&ordered.org, turns::INSERT).await?;
        let (client, i): (&Client, _) = (session, &self.ids);
        let forget_values: Values<'_> = &[&i.org, &i.id, &i.forgotten_at];
        let id_values: Values<'_> = &[&i.org, &i.id, &i.key, &i.accepted_at, &i.fingerprint, &i.deliveries_count];
        let (row_values, ordered_values) = (self.values(), ordered.values());
        let writes = async {
            // They are sent in this order, at once.
            tokio::try_join!(
                biased;
                run(client, forget.as_ref(), forget_values),
                run(client, ids.as_ref(), id_values),
                run(client, rows.as_ref(), &row_values),
                run(client, in_order.as_ref(), &ordered_values),
            )
        };
        and_commit(client, writes).await?;
        Ok(())
    }

    /// Those that have a turn, with it; that is one round trip more. Nothing is asked where there are none.
    async fn ordered(&self, session: &Session) -> Result<Ordered<'a>, Fault> {
        if self.joining.is_empty() {
            return Ok(Ordered::default());
        }
        let mut lines = Lines::lock(session, &turns::lines_of(&self.joining)).await?;
        Ok(Ordered::of(&self.joining, &mut lines))
    }

    /// As [`ROWS`] numbers them.
    fn values(&self) -> [&(dyn ToSql + Sync); 24] {
        let Rows { events: e, records: r, deliveries: d, .. } = self;
        [
            &e.org,
            &e.key,
            &e.id,
            &e.event_type,
            &e.occurred_at,
            &e.accepted_at,
            &e.test,
            &e.deliveries_count,
            &e.resource,
            &e.first,
            &e.last,
            &e.sealed,
            &d.id,
            &r.org,
            &r.hash,
            &r.key,
            &d.org,
            &d.endpoint,
            &d.due_at,
            &d.event_key,
            &d.event_type,
            &d.revision,
            &d.test,
            &d.created_at,
        ]
    }
}

fn joining<'a>(
    lane: Lane,
    SealedEvent { new, record_hashes, .. }: &'a SealedEvent,
    delivery: &'a NewDelivery,
) -> Joining<'a> {
    Joining {
        lane,
        due_at: delivery.due_at,
        id: delivery.id.0,
        event_key: new.event.key,
        event_type: &delivery.event_type,
        revision: &delivery.revision.0,
        test: new.test,
        created_at: new.event.accepted_at,
        records: record_hashes,
    }
}

async fn run(client: &Client, statement: Option<&Statement>, values: Values<'_>) -> Result<u64, tokio_postgres::Error> {
    match statement {
        Some(statement) => client.execute(statement, values).await,
        None => Ok(0),
    }
}

/// In one statement, because each costs as much as a good many rows.
const ROWS: &str = "WITH stored AS (
        INSERT INTO events (org, key, id, event_type, occurred_at, accepted_at, test, deliveries_count, resource, deliveries, sealed)
        SELECT w.org, w.key, w.id, w.event_type, w.occurred_at, w.accepted_at, w.test, w.deliveries_count, w.resource,
            ($13::uuid[])[w.first:w.last], w.sealed
        FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::boolean[],
            $8::integer[], $9::bytea[], $10::integer[], $11::integer[], $12::bytea[])
            AS w(org, key, id, event_type, occurred_at, accepted_at, test, deliveries_count, resource, first, last, sealed)
    ), about AS (
        INSERT INTO event_resources (org, hash, key) SELECT * FROM unnest($14::uuid[], $15::bigint[], $16::uuid[])
    )
    INSERT INTO open_deliveries (org, endpoint, due_at, id, event_key, event_type, revision, test, created_at)
    SELECT * FROM unnest($17::uuid[], $18::uuid[], $19::bigint[], $13::uuid[], $20::uuid[], $21::text[], $22::bytea[],
        $23::boolean[], $24::bigint[])
        AS w(org, endpoint, due_at, id, event_key, event_type, revision, test, created_at)
    WHERE w.endpoint IS NOT NULL";
/// Ids whose 72 hours are over name the newer event from now on.
const FORGET: &str =
    "DELETE FROM event_ids i USING unnest($1::uuid[], $2::text[], $3::bigint[]) AS w(org, id, forgotten_at)
    WHERE i.org = w.org AND i.id = w.id AND i.accepted_at + 0 <= w.forgotten_at";
const IDS: &str = "INSERT INTO event_ids (org, id, key, accepted_at, fingerprint, deliveries_count)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::bytea[], $6::integer[])";
