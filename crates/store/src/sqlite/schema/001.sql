-- Small values about the database itself.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE organizations (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    contract TEXT NOT NULL,
    plan TEXT,
    owner_email TEXT,
    locale TEXT,
    event_validation TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX organizations_by_id ON organizations (id) WHERE deleted = 0;
CREATE INDEX organizations_by_contract ON organizations (contract) WHERE deleted = 0;

-- One an organisation, wrapped by the master key; number 0 is for what belongs to the operator.
CREATE TABLE data_keys (
    org_no INTEGER PRIMARY KEY,
    master_id BLOB NOT NULL,
    wrapped BLOB NOT NULL
) STRICT;

-- `sealed`: URL, secret and headers; none once the endpoint was deleted.
CREATE TABLE endpoints (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    org_no INTEGER NOT NULL,
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    events TEXT NOT NULL,
    contract TEXT NOT NULL,
    system TEXT,
    status TEXT NOT NULL,
    disabled_reason TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0,
    sealed BLOB
) STRICT;
CREATE UNIQUE INDEX endpoints_by_id ON endpoints (id);
CREATE INDEX endpoints_by_org ON endpoints (org_no, id) WHERE deleted = 0;
CREATE INDEX endpoints_by_contract ON endpoints (contract, org_no) WHERE deleted = 0;

CREATE TABLE api_keys (
    id BLOB PRIMARY KEY,
    org_no INTEGER NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    hint TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX api_keys_by_org ON api_keys (org_no, id);

CREATE TABLE contract_revisions (
    no INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;

-- Event types, each once.
CREATE TABLE words (
    no INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE
) STRICT;

-- `id` only where the caller chose it; `deliveries`: 16 bytes each; `sealed`: data and changes.
CREATE TABLE events (
    no INTEGER PRIMARY KEY,
    org_no INTEGER NOT NULL,
    key BLOB NOT NULL,
    id TEXT,
    type_no INTEGER NOT NULL,
    occurred_at INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    test INTEGER NOT NULL,
    deliveries_count INTEGER NOT NULL,
    resource BLOB,
    deliveries BLOB NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_org ON events (org_no, key);

-- Ids that callers chose, for 72 hours and as long as the event is kept.
CREATE TABLE event_ids (
    org_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    key BLOB NOT NULL,
    accepted_at INTEGER NOT NULL,
    fingerprint BLOB NOT NULL,
    deliveries_count INTEGER NOT NULL,
    PRIMARY KEY (org_no, id)
) STRICT, WITHOUT ROWID;

-- Chosen ids whose event was dropped before their 72 hours were over.
CREATE TABLE event_ids_late (
    no INTEGER PRIMARY KEY,
    org_no INTEGER NOT NULL,
    id TEXT NOT NULL,
    key BLOB NOT NULL,
    accepted_at INTEGER NOT NULL
) STRICT;

-- By a record's hash, the events about it; and those that wait to be merged into it.
CREATE TABLE event_resources (
    hash INTEGER NOT NULL,
    key BLOB NOT NULL,
    PRIMARY KEY (hash, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE fresh_resources (
    event_no INTEGER NOT NULL,
    hash INTEGER NOT NULL,
    key BLOB NOT NULL,
    PRIMARY KEY (event_no, hash)
) STRICT, WITHOUT ROWID;

-- `resume`: none when the schedule asked; else 0 until `resume_at`, 1 succeeded, 2 and more failed for the reason `resume - 1`.
CREATE TABLE open_deliveries (
    endpoint_no INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    id BLOB NOT NULL,
    org_no INTEGER NOT NULL,
    event_no INTEGER NOT NULL,
    type_no INTEGER NOT NULL,
    revision_no INTEGER NOT NULL,
    test INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    attempts_count INTEGER NOT NULL DEFAULT 0,
    slots_used INTEGER NOT NULL DEFAULT 0,
    initial_failure_at INTEGER,
    resume INTEGER,
    resume_at INTEGER,
    last_status_code INTEGER,
    last_attempt_no INTEGER,
    PRIMARY KEY (endpoint_no, due_at, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX open_deliveries_by_org ON open_deliveries (org_no, id);

-- `fail_reason`: 0 it succeeded, 1 exhausted, 2 gone, 3 expired.
CREATE TABLE deliveries (
    no INTEGER PRIMARY KEY,
    org_no INTEGER NOT NULL,
    endpoint_no INTEGER NOT NULL,
    id BLOB NOT NULL,
    event_key BLOB NOT NULL,
    event_id TEXT,
    type_no INTEGER NOT NULL,
    revision_no INTEGER NOT NULL,
    test INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    fail_reason INTEGER NOT NULL,
    attempts_count INTEGER NOT NULL,
    slots_used INTEGER NOT NULL,
    initial_failure_at INTEGER,
    last_status_code INTEGER,
    last_attempt_no INTEGER
) STRICT;
CREATE UNIQUE INDEX deliveries_by_org ON deliveries (org_no, id);
CREATE INDEX deliveries_by_endpoint ON deliveries (endpoint_no, id);

-- `prev_no`: the delivery's attempt before. `sealed`: URL, headers, answer and what the failure said.
CREATE TABLE attempts (
    no INTEGER PRIMARY KEY,
    prev_no INTEGER,
    org_no INTEGER NOT NULL,
    id BLOB NOT NULL,
    started_at INTEGER NOT NULL,
    response_time_ms INTEGER NOT NULL,
    by_hand INTEGER NOT NULL,
    status_code INTEGER,
    failure TEXT,
    sealed BLOB NOT NULL
) STRICT;

-- Answers to idempotent requests; `org_no` 0 for the operator's own.
CREATE TABLE answers (
    no INTEGER PRIMARY KEY,
    org_no INTEGER NOT NULL,
    key TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    status INTEGER NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX answers_by_key ON answers (org_no, key);

-- What deleted organisations and endpoints left, dropped in small steps. One of the two numbers is set. `after`: how far
-- an endpoint's history was looked through; `is_waiting`: only its history is left, which goes with time.
CREATE TABLE sweeps (
    no INTEGER PRIMARY KEY,
    org_no INTEGER,
    endpoint_no INTEGER,
    after BLOB NOT NULL DEFAULT x'',
    is_waiting INTEGER NOT NULL DEFAULT 0
) STRICT;
