-- Work on many deliveries or events, which goes on after its request was answered. `sealed`: the record that is erased; none once it is.
-- `done` of an erasure: events removed. `lease`: which node works on it; another one takes it once that lease was revoked.
CREATE TABLE operations (
    org uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    endpoint uuid,
    since_at bigint,
    until_at bigint,
    sealed bytea,
    status text NOT NULL,
    fail_reason text,
    done bigint NOT NULL DEFAULT 0,
    total bigint,
    cursor uuid,
    deliveries_removed bigint NOT NULL DEFAULT 0,
    attempts_removed bigint NOT NULL DEFAULT 0,
    created_at bigint NOT NULL,
    ended_at bigint,
    lease bigint,
    PRIMARY KEY (org, id)
);
CREATE UNIQUE INDEX operations_recovering ON operations (org, endpoint) WHERE status = 'running' AND kind = 'recover';
CREATE INDEX operations_running ON operations (id) WHERE status = 'running';
CREATE INDEX operations_ended ON operations (ended_at) WHERE ended_at IS NOT NULL;
ALTER TABLE operations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON operations TO postrider_engine USING (true);
CREATE POLICY tenant ON operations TO postrider_tenant
    USING (org = nullif(current_setting('postrider.organization', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON operations TO postrider_engine;
GRANT SELECT, INSERT ON operations TO postrider_tenant;
