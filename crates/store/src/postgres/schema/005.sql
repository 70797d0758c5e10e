-- step
-- The order of deliveries about one record to one endpoint; `record`: a hash of what the event is about. A delivery waits, due at the end of time, until
-- no smaller turn is left about any of its records.
CREATE TABLE turns (
    org uuid NOT NULL,
    endpoint uuid NOT NULL,
    record bigint NOT NULL,
    turn bigint NOT NULL,
    delivery uuid NOT NULL,
    PRIMARY KEY (org, endpoint, record, turn)
) WITH (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);
ALTER TABLE turns ENABLE ROW LEVEL SECURITY;
ALTER TABLE turns FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON turns TO postrider_engine USING (true);
CREATE POLICY tenant ON turns TO postrider_tenant
    USING (org = nullif(current_setting('postrider.organization', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON turns TO postrider_engine;
GRANT SELECT ON turns TO postrider_tenant;
-- Of ordered endpoints alone.
ALTER TABLE open_deliveries ADD COLUMN turn bigint;
ALTER TABLE open_deliveries ADD COLUMN records bigint[];
