-- step
-- What the operator is to be told as events. `due_at`: when it is published, or when whoever publishes it has lost it.
CREATE TABLE operational_events (
    org uuid NOT NULL,
    id uuid NOT NULL,
    endpoint uuid NOT NULL,
    kind text NOT NULL,
    counted bigint NOT NULL,
    reason text,
    delivery uuid,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL,
    due_at bigint NOT NULL,
    tries integer NOT NULL,
    PRIMARY KEY (org, id)
) WITH (fillfactor = 70);
CREATE INDEX operational_events_by_time ON operational_events (due_at);
-- What is gathered until somebody claims it.
CREATE UNIQUE INDEX operational_events_gathered ON operational_events (org, endpoint)
    WHERE kind = 'delivery.exhausted' AND tries = 0;
ALTER TABLE operational_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON operational_events TO postrider_engine USING (true);
CREATE POLICY tenant ON operational_events TO postrider_tenant
    USING (org = nullif(current_setting('postrider.organization', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON operational_events TO postrider_engine;
-- Steps against endpoints and changes of them bring some; whoever has published one forgets it.
GRANT SELECT, INSERT, UPDATE, DELETE ON operational_events TO postrider_tenant;
