-- What the operator is to be told as events. `due_at`: when it is published, or when whoever publishes it has lost it.
CREATE TABLE operational_events (
    id BLOB PRIMARY KEY,
    org_no INTEGER NOT NULL,
    endpoint BLOB NOT NULL,
    kind TEXT NOT NULL,
    counted INTEGER NOT NULL,
    reason TEXT,
    delivery BLOB,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    tries INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX operational_events_by_time ON operational_events (due_at);
CREATE INDEX operational_events_by_org ON operational_events (org_no);
-- What is gathered until somebody claims it.
CREATE UNIQUE INDEX operational_events_gathered ON operational_events (org_no, endpoint)
    WHERE kind = 'delivery.exhausted' AND tries = 0;
