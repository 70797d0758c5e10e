-- When a person last made it active again.
ALTER TABLE endpoints ADD COLUMN resumed_at INTEGER;

-- Failed attempts of an endpoint on end; no row until its first failure.
CREATE TABLE streaks (
    endpoint_no INTEGER PRIMARY KEY,
    org_no INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    since INTEGER,
    warned_at INTEGER
) STRICT;
CREATE INDEX streaks_by_org ON streaks (org_no);

-- What owners are to be told. `due_at`: when it is sent, or when whoever sends it has lost it.
CREATE TABLE notices (
    id BLOB PRIMARY KEY,
    org_no INTEGER NOT NULL,
    endpoint_no INTEGER NOT NULL,
    kind TEXT NOT NULL,
    failures INTEGER NOT NULL,
    failures_max INTEGER,
    failing_since INTEGER NOT NULL,
    last_failure TEXT NOT NULL,
    last_status_code INTEGER,
    made_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    tries INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX notices_by_time ON notices (due_at);
CREATE INDEX notices_by_org ON notices (org_no);
CREATE INDEX notices_by_endpoint ON notices (endpoint_no);
