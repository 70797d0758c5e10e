//! Fills a database with more than anyone would post: deliveries due later, and history. The rows are like real ones in number, keys
//! and size; what is sealed in them is not, since nobody opens it within the hour.
//!
//! Each made event went to the ten endpoints of its organisation. A *pending* one has ten open deliveries with an attempt each that
//! failed, due again in one to twenty-four hours; an *ended* one has ten deliveries that succeeded at once. Their times are those of the
//! last hour, or of this day's part of it: history is partitioned by days.

use std::time::Duration;

use anyhow::Context as _;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use super::Bench;
use super::throughput::FANOUT;
use crate::database::Database;

/// Events of one statement.
const EVENTS_A_STATEMENT: i64 = 10_000;

/// `made` gives a UUIDv7 of that millisecond, always the same for the same number; `lane` holds the endpoints by number, those of one
/// organisation behind one another; `sample` says what a real row holds.
const BEGIN: &str = "
SET search_path = postrider;
SET synchronous_commit = off;
CREATE FUNCTION pg_temp.made(ms bigint, salt text, no bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT overlay(overlay(overlay(md5(salt || no) PLACING lpad(to_hex(ms), 12, '0') FROM 1 FOR 12)
        PLACING '7' FROM 13 FOR 1) PLACING '8' FROM 17 FOR 1)::uuid
$$;
CREATE TEMP TABLE lane AS SELECT row_number() OVER (ORDER BY o.no, e.id) - 1 AS lane, e.org, e.id AS endpoint
    FROM endpoints e JOIN organizations o USING (org) WHERE o.id LIKE 'later-%';
CREATE UNIQUE INDEX ON lane (lane);
CREATE TEMP TABLE sample AS SELECT d.event_type, d.revision, a.sealed AS attempt, e.sealed AS event,
    (extract(epoch FROM now()) * 1000)::bigint AS until_ms,
    (extract(epoch FROM greatest(now() - interval '1 hour', date_trunc('day', now(), 'UTC'))) * 1000)::bigint AS from_ms
    FROM deliveries d JOIN attempts a ON (a.org, a.delivery) = (d.org, d.id) JOIN events e ON (e.org, e.key) = (d.org, d.event_key)
    LIMIT 1;
ANALYZE lane;
ANALYZE sample;";

/// One row for each event from $1 to before $2, of $3 in all. $4: `pending` or `ended`, which keeps their ids apart.
const EVENTS: &str = "
INSERT INTO events (org, key, event_type, occurred_at, accepted_at, test, deliveries_count, deliveries, sealed)
SELECT l.org, pg_temp.made(ms, $4::text || 'event', no), s.event_type, ms, ms, false, 10,
    ARRAY(SELECT pg_temp.made(ms, $4::text || 'delivery', no * 10 + k) FROM generate_series(0, 9) k), s.event
FROM sample s, generate_series($1::bigint, $2::bigint - 1) no, (SELECT count(*) / 10 AS count FROM lane) orgs,
    LATERAL (SELECT s.from_ms + (s.until_ms - s.from_ms) * no / $3::bigint AS ms) at JOIN lane l ON true
WHERE l.lane = (no % orgs.count) * 10";

const DELIVERY: &str = "
FROM sample s, generate_series($1::bigint * 10, $2::bigint * 10 - 1) no, (SELECT count(*) / 10 AS count FROM lane) orgs,
    LATERAL (SELECT s.from_ms + (s.until_ms - s.from_ms) * (no / 10) / $3::bigint AS ms) at JOIN lane l ON true
WHERE l.lane = (no / 10 % orgs.count) * 10 + no % 10";

const OPEN: &str = "
INSERT INTO open_deliveries (org, endpoint, due_at, id, event_key, event_type, revision, test, created_at, attempts_count, slots_used,
    initial_failure_at, last_status_code)
SELECT l.org, l.endpoint, s.until_ms + 3600000 + (random() * 82800000)::bigint, pg_temp.made(ms, $4::text || 'delivery', no),
    pg_temp.made(ms, $4::text || 'event', no / 10), s.event_type, s.revision, false, ms, 1, 1, ms, 503";

const ENDED: &str = "
INSERT INTO deliveries (org, id, endpoint, event_key, event_type, revision, test, created_at, ended_at, fail_reason, attempts_count,
    slots_used, last_status_code)
SELECT l.org, pg_temp.made(ms, $4::text || 'delivery', no), l.endpoint, pg_temp.made(ms, $4::text || 'event', no / 10), s.event_type, s.revision,
    false, ms, ms + 5, 0, 1, 1, 200";

const ATTEMPTS: &str = "
INSERT INTO attempts (org, delivery, id, started_at, response_time_ms, by_hand, status_code, sealed)
SELECT l.org, pg_temp.made(ms, $4::text || 'delivery', no), pg_temp.made(ms + 2, $4::text || 'attempt', no), ms + 2, 3, false, 200, s.attempt";

/// Lanes that nobody holds, with the time of their first open delivery.
const LANES: &str = "
INSERT INTO lanes (org, endpoint, due_at)
SELECT org, endpoint, (SELECT o.due_at FROM open_deliveries o WHERE (o.org, o.endpoint) = (l.org, l.endpoint) ORDER BY o.due_at LIMIT 1)
FROM lane l
ON CONFLICT (org, endpoint) DO UPDATE SET due_at = excluded.due_at WHERE lanes.lease IS NULL";

/// What autovacuum would have done in the time in which so much comes together in life.
const SETTLE: &str = "VACUUM (ANALYZE) open_deliveries; VACUUM (ANALYZE) deliveries; VACUUM (ANALYZE) attempts; VACUUM (ANALYZE) events; \
    ANALYZE lanes; CHECKPOINT";

/// $1 deliveries of real events for each endpoint of the organisation $2, due at times that are spread over the $4 milliseconds from now + $3 on.
const DUE: &str = "
INSERT INTO postrider.open_deliveries (org, endpoint, due_at, id, event_key, event_type, revision, test, created_at)
SELECT d.org, d.endpoint, now_ms + $3::bigint + (random() * $4::bigint)::bigint, pg_temp.made(now_ms, 'due' || d.endpoint, no), d.event_key, d.event_type, d.revision, false, now_ms
FROM (SELECT (extract(epoch FROM now()) * 1000)::bigint AS now_ms) at, (
    SELECT d.*, row_number() OVER (PARTITION BY d.endpoint ORDER BY d.id) - 1 AS nth, count(*) OVER (PARTITION BY d.endpoint) AS all_of
    FROM postrider.deliveries d JOIN postrider.organizations o USING (org) WHERE o.id = $2
) d, LATERAL (SELECT d.nth + d.all_of * round AS no FROM generate_series(0, $1::bigint / d.all_of) round) again
WHERE again.no < $1";

const DUE_LANES: &str = "
INSERT INTO postrider.lanes (org, endpoint, due_at)
SELECT e.org, e.id, 0 FROM postrider.endpoints e JOIN postrider.organizations o USING (org) WHERE o.id = $1
ON CONFLICT (org, endpoint) DO UPDATE SET due_at = 0 WHERE lanes.lease IS NULL";

/// Makes about as many pending and ended deliveries, and an attempt for each, for the endpoints of the organisations `later-…`, which
/// have ten each. No server runs meanwhile.
pub(super) async fn fill(bench: &Bench<'_>, database: &Database, pending: u64, ended: u64) -> anyhow::Result<()> {
    let (one, other) = tokio::try_join!(connect(database), connect(database))?;
    tokio::try_join!(
        make(bench, &one, "pending", pending, [EVENTS, OPEN, ATTEMPTS]),
        make(bench, &other, "ended", ended, [EVENTS, ENDED, ATTEMPTS])
    )?;
    bench.progress.step("filling: lanes, statistics, checkpoint");
    one.batch_execute(LANES).await.context("the lanes")?;
    for statement in SETTLE.split(';') {
        one.batch_execute(statement).await.with_context(|| statement.trim().to_owned())?;
    }
    Ok(())
}

/// When deliveries are due: at times that are spread over `over`, from `after` on.
#[derive(Clone, Copy)]
pub(super) struct Due {
    pub(super) after: Duration,
    pub(super) over: Duration,
}

/// Makes deliveries of events that the organisation has, for each of its endpoints, beside the running server; says how many in all.
pub(super) async fn make_due(
    database: &Database,
    organization: &str,
    per_endpoint: u64,
    due: Due,
) -> anyhow::Result<u64> {
    let client = connect(database).await?;
    let (count, after_ms) = (i64::try_from(per_endpoint)?, i64::try_from(due.after.as_millis())?);
    let over_ms = i64::try_from(due.over.as_millis())?;
    let made = client.execute(DUE, &[&count, &organization, &after_ms, &over_ms]).await.context("due deliveries")?;
    client.execute(DUE_LANES, &[&organization]).await.context("their lanes")?;
    Ok(made)
}

async fn connect(database: &Database) -> anyhow::Result<Client> {
    let client = database.connect().await?;
    client.batch_execute(BEGIN).await.context("what filling needs; it takes a superuser of the server")?;
    Ok(client)
}

async fn make(
    bench: &Bench<'_>,
    client: &Client,
    kind: &str,
    deliveries: u64,
    tables: [&str; 3],
) -> anyhow::Result<()> {
    let [events, deliveries_of, attempts] = tables;
    let events = client.prepare(events).await.context("events")?;
    let deliveries_of = client.prepare(&format!("{deliveries_of}{DELIVERY}")).await.context("deliveries")?;
    let attempts = client.prepare(&format!("{attempts}{DELIVERY}")).await.context("attempts")?;
    let all = i64::try_from(deliveries.div_ceil(FANOUT as u64))?;
    let mut from = 0;
    while from < all {
        let to = (from + EVENTS_A_STATEMENT).min(all);
        let parameters: [&(dyn ToSql + Sync); 4] = [&from, &to, &all, &kind];
        for statement in [&events, &deliveries_of, &attempts] {
            client.execute(statement, &parameters).await.with_context(|| format!("{kind} deliveries"))?;
        }
        from = to;
        bench.progress.step(&format!("filling: {} of {deliveries} {kind} deliveries", from * 10));
    }
    Ok(())
}
