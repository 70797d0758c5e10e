-- The audit trail; `org_no` 0 for the operator's own. `sealed`: when, by whom, before and after, and where it came from.
CREATE TABLE audit (
    org_no INTEGER NOT NULL,
    id BLOB NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (org_no, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_by_time ON audit (id);
