-- step
-- What was counted of an endpoint in an hour (since 1970). `answers_0` and so on: how many answers took up to
-- 5, 10, 20, 40, 80, 150, 300, 600, 1200, 2500, 5000, 10500, 15500, 30500, 60500, 120500 milliseconds. The row of the hour that
-- runs is added to every few seconds: no index has what changes, and each page has room for the new version, so that no index is touched.
CREATE TABLE endpoint_hours (
    org uuid NOT NULL,
    endpoint uuid NOT NULL,
    hour integer NOT NULL,
    last_attempt_at bigint,
    attempts bigint NOT NULL,
    failed_attempts bigint NOT NULL,
    succeeded_deliveries bigint NOT NULL,
    failed_deliveries bigint NOT NULL,
    answers_0 bigint NOT NULL, answers_1 bigint NOT NULL, answers_2 bigint NOT NULL, answers_3 bigint NOT NULL,
    answers_4 bigint NOT NULL, answers_5 bigint NOT NULL, answers_6 bigint NOT NULL, answers_7 bigint NOT NULL,
    answers_8 bigint NOT NULL, answers_9 bigint NOT NULL, answers_10 bigint NOT NULL, answers_11 bigint NOT NULL,
    answers_12 bigint NOT NULL, answers_13 bigint NOT NULL, answers_14 bigint NOT NULL, answers_15 bigint NOT NULL,
    PRIMARY KEY (org, endpoint, hour)
) WITH (fillfactor = 70);
CREATE INDEX endpoint_hours_by_time ON endpoint_hours (hour);
ALTER TABLE endpoint_hours ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON endpoint_hours TO postrider_engine USING (true);
CREATE POLICY tenant ON endpoint_hours TO postrider_tenant
    USING (org = nullif(current_setting('postrider.organization', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON endpoint_hours TO postrider_engine;
GRANT SELECT ON endpoint_hours TO postrider_tenant;
-- step
-- When a node last said that it is there.
ALTER TABLE leases ADD COLUMN renewed_at timestamptz NOT NULL DEFAULT clock_timestamp();
