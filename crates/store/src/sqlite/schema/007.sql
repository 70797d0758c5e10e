-- Work on many deliveries or events, which goes on after its request was answered. `sealed`: the record that is erased; none once it is.
-- `done` of an erasure: events removed.
CREATE TABLE operations (
    no INTEGER PRIMARY KEY,
    org_no INTEGER NOT NULL,
    id BLOB NOT NULL,
    kind TEXT NOT NULL,
    endpoint BLOB,
    since_at INTEGER,
    until_at INTEGER,
    sealed BLOB,
    status TEXT NOT NULL,
    fail_reason TEXT,
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER,
    cursor BLOB,
    deliveries_removed INTEGER NOT NULL DEFAULT 0,
    attempts_removed INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
CREATE UNIQUE INDEX operations_by_org ON operations (org_no, id);
CREATE UNIQUE INDEX operations_recovering ON operations (endpoint) WHERE status = 'running' AND kind = 'recover';
CREATE INDEX operations_running ON operations (no) WHERE status = 'running';
CREATE INDEX operations_ended ON operations (ended_at) WHERE ended_at IS NOT NULL;
