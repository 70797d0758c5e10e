-- The audit trail; the nil UUID for the operator's own. `sealed`: when, by whom, before and after, and where it came from.
CREATE TABLE audit (
    org uuid NOT NULL,
    id uuid NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    sealed bytea NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE INDEX audit_by_time ON audit (id);
ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON audit TO postrider_engine USING (true);
CREATE POLICY tenant ON audit TO postrider_tenant
    USING (org = nullif(current_setting('postrider.organization', true), '')::uuid);
-- Nobody changes an entry: the tenant's role adds and reads, the engine's drops what is old.
GRANT SELECT, INSERT, DELETE, UPDATE ON audit TO postrider_engine;
GRANT SELECT, INSERT ON audit TO postrider_tenant;
