-- Everything lies in the schema `postrider`, which is the search path here. Times are milliseconds since 1970 unless they are about leases,
-- which the database's own clock decides. `org` is an organisation's own UUID, not its id: an id is free again after deletion.

-- Small values about the installation itself.
CREATE TABLE meta (
    name text PRIMARY KEY,
    value bytea NOT NULL
);

-- `no`: the order in which they are listed, here alone.
CREATE TABLE organizations (
    org uuid PRIMARY KEY,
    no bigint GENERATED ALWAYS AS IDENTITY,
    id text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    contract text NOT NULL,
    plan text,
    owner_email text,
    locale text,
    event_validation text NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    deleted boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX organizations_by_id ON organizations (id) WHERE NOT deleted;
CREATE UNIQUE INDEX organizations_by_no ON organizations (no);
CREATE INDEX organizations_by_contract ON organizations (contract) WHERE NOT deleted;

-- A known text that each master key which may have wrapped a data key has sealed; `id`: which key.
CREATE TABLE master_keys (
    id bytea PRIMARY KEY,
    canary bytea NOT NULL
);

-- One an organisation, wrapped by the master key; the nil UUID is for what belongs to the operator.
-- A master key that is forgotten wraps no more.
CREATE TABLE data_keys (
    org uuid PRIMARY KEY,
    master_id bytea NOT NULL REFERENCES master_keys (id),
    wrapped bytea NOT NULL
);

-- `sealed`: URL, secret and headers; none once the endpoint was deleted.
CREATE TABLE endpoints (
    org uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    description text,
    events text NOT NULL,
    contract text NOT NULL,
    system text,
    status text NOT NULL,
    disabled_reason text,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    sealed bytea,
    PRIMARY KEY (org, id)
);
CREATE INDEX endpoints_by_contract ON endpoints (contract, org) WHERE NOT deleted;

CREATE TABLE api_keys (
    org uuid NOT NULL,
    id uuid NOT NULL,
    hash bytea NOT NULL UNIQUE,
    name text NOT NULL,
    scopes text NOT NULL,
    hint text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    PRIMARY KEY (org, id)
);

-- Of no organisation: the operator's contract files, each text once.
CREATE TABLE contract_revisions (
    hash bytea PRIMARY KEY,
    name text NOT NULL,
    text text NOT NULL
);

-- Leases that were granted. `expires_at` is moved on at each renewal; a number that was revoked never comes back.
CREATE TABLE leases (
    no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node text NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    revoked boolean NOT NULL DEFAULT false
);

-- Endpoints that have or had open work. `lease`: who holds it. `due_at`, of free ones alone: when their first open work is due; none when there
-- is none.
CREATE TABLE lanes (
    org uuid NOT NULL,
    endpoint uuid NOT NULL,
    lease bigint,
    due_at bigint,
    PRIMARY KEY (org, endpoint)
) WITH (fillfactor = 70);
CREATE INDEX lanes_by_lease ON lanes (lease, endpoint) WHERE lease IS NOT NULL;
CREATE INDEX lanes_free ON lanes (due_at) WHERE lease IS NULL AND due_at IS NOT NULL;

-- Which organisations changed, for nodes that missed the hint; kept for an hour. `xid`: the transaction that wrote it, so that a reader
-- can go on exactly behind what it has seen, whatever committed in between.
CREATE TABLE changes (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    id text NOT NULL
);
CREATE INDEX changes_by_xid ON changes (xid);

-- `id` only where the caller chose it; `sealed`: data and changes. Partitioned by the day of `key`, as all history is by the UUIDv7 in its key.
CREATE TABLE events (
    org uuid NOT NULL,
    key uuid NOT NULL,
    id text,
    event_type text NOT NULL,
    occurred_at bigint NOT NULL,
    accepted_at bigint NOT NULL,
    test boolean NOT NULL,
    deliveries_count integer NOT NULL,
    resource bytea,
    deliveries uuid[] NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (org, key)
) PARTITION BY RANGE (key);
-- Encrypted bytes do not shrink: trying costs time.
ALTER TABLE events ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- Ids that callers chose, unique for 72 hours; kept as long as the event is.
CREATE TABLE event_ids (
    org uuid NOT NULL,
    id text NOT NULL,
    key uuid NOT NULL,
    accepted_at bigint NOT NULL,
    fingerprint bytea NOT NULL,
    deliveries_count integer NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE INDEX event_ids_by_time ON event_ids (accepted_at);

-- By a record's hash, the events about it.
CREATE TABLE event_resources (
    org uuid NOT NULL,
    hash bigint NOT NULL,
    key uuid NOT NULL,
    PRIMARY KEY (org, hash, key)
) PARTITION BY RANGE (key);

-- `resume`: none when the schedule asked; else 0 until `resume_at`, 1 succeeded, 2 and more failed for the reason `resume - 1`.
CREATE TABLE open_deliveries (
    org uuid NOT NULL,
    endpoint uuid NOT NULL,
    due_at bigint NOT NULL,
    id uuid NOT NULL,
    event_key uuid NOT NULL,
    event_type text NOT NULL,
    revision bytea NOT NULL,
    test boolean NOT NULL,
    created_at bigint NOT NULL,
    attempts_count integer NOT NULL DEFAULT 0,
    slots_used integer NOT NULL DEFAULT 0,
    initial_failure_at bigint,
    resume smallint,
    resume_at bigint,
    last_status_code smallint,
    PRIMARY KEY (org, endpoint, due_at, id)
) WITH (
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.1
);
CREATE UNIQUE INDEX open_deliveries_by_id ON open_deliveries (org, id);

-- What has ended. `fail_reason`: 0 it succeeded, 1 exhausted, 2 gone, 3 expired.
CREATE TABLE deliveries (
    org uuid NOT NULL,
    id uuid NOT NULL,
    endpoint uuid NOT NULL,
    event_key uuid NOT NULL,
    event_id text,
    event_type text NOT NULL,
    revision bytea NOT NULL,
    test boolean NOT NULL,
    created_at bigint NOT NULL,
    ended_at bigint NOT NULL,
    fail_reason smallint NOT NULL,
    attempts_count integer NOT NULL,
    slots_used integer NOT NULL,
    initial_failure_at bigint,
    last_status_code smallint,
    PRIMARY KEY (org, id)
) PARTITION BY RANGE (id);
CREATE INDEX deliveries_by_endpoint ON deliveries (org, endpoint, id);

-- Of open and ended deliveries. `sealed`: URL, headers, answer and what the failure said.
CREATE TABLE attempts (
    org uuid NOT NULL,
    delivery uuid NOT NULL,
    id uuid NOT NULL,
    started_at bigint NOT NULL,
    response_time_ms integer NOT NULL,
    by_hand boolean NOT NULL,
    status_code smallint,
    failure text,
    sealed bytea NOT NULL,
    PRIMARY KEY (org, delivery, id)
) PARTITION BY RANGE (delivery);
ALTER TABLE attempts ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- Answers to idempotent requests; the nil UUID for the operator's own. While the first is at it: the lease of its node, and no status.
CREATE TABLE answers (
    org uuid NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    created_at bigint NOT NULL,
    lease bigint,
    status smallint,
    sealed bytea,
    PRIMARY KEY (org, key)
);
CREATE INDEX answers_by_time ON answers (created_at);

-- What deleted organisations and endpoints left, dropped in small steps. `endpoint`: none for a whole organisation. `made_at`: a sweep goes on
-- for a while after it found nothing more, because of commits that were under way at the deletion.
CREATE TABLE sweeps (
    org uuid NOT NULL,
    no bigint GENERATED ALWAYS AS IDENTITY,
    endpoint uuid,
    after uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org, no)
);

-- Two locks on tenancy. Whoever owns the tables sees no row of an organisation either, unless it takes on a role.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'organizations', 'data_keys', 'endpoints', 'api_keys', 'lanes', 'events', 'event_ids', 'event_resources',
        'open_deliveries', 'deliveries', 'attempts', 'answers', 'sweeps'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY engine ON %I TO postrider_engine USING (true)', name);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO postrider_tenant '
            'USING (org = nullif(current_setting(''postrider.organization'', true), '''')::uuid)',
            name
        );
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO postrider_engine', name);
    END LOOP;
END
$$;
GRANT SELECT ON migrations TO postrider_engine;
GRANT SELECT, INSERT, UPDATE, DELETE ON meta, master_keys, contract_revisions, leases, changes TO postrider_engine;
-- Configuration and reading; what moves deliveries on is the engine's alone.
GRANT SELECT, UPDATE ON organizations TO postrider_tenant;
GRANT SELECT ON contract_revisions TO postrider_tenant;
-- Whether a request is still under way depends on its node's lease.
GRANT SELECT (no, revoked) ON leases TO postrider_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON endpoints, answers TO postrider_tenant;
GRANT SELECT, INSERT, DELETE ON api_keys TO postrider_tenant;
GRANT SELECT ON events, event_ids, event_resources, open_deliveries, deliveries, attempts TO postrider_tenant;
GRANT INSERT ON changes, sweeps TO postrider_tenant;
-- With its endpoint.
GRANT SELECT (org, endpoint), DELETE ON lanes TO postrider_tenant;
