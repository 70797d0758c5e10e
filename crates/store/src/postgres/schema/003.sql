-- When a person last made it active again.
ALTER TABLE endpoints ADD COLUMN resumed_at bigint;

-- Failed attempts of an endpoint on end; no row until its first failure.
CREATE TABLE streaks (
    org uuid NOT NULL,
    endpoint uuid NOT NULL,
    failures integer NOT NULL,
    since bigint,
    warned_at bigint,
    PRIMARY KEY (org, endpoint)
) WITH (fillfactor = 70);

-- What owners are to be told. `due_at`: when it is sent, or when whoever sends it has lost it.
CREATE TABLE notices (
    org uuid NOT NULL,
    id uuid NOT NULL,
    endpoint uuid NOT NULL,
    kind text NOT NULL,
    failures integer NOT NULL,
    failures_max integer,
    failing_since bigint NOT NULL,
    last_failure text NOT NULL,
    last_status_code smallint,
    made_at bigint NOT NULL,
    due_at bigint NOT NULL,
    tries integer NOT NULL,
    PRIMARY KEY (org, id)
);
CREATE INDEX notices_by_time ON notices (due_at);
CREATE INDEX notices_by_endpoint ON notices (org, endpoint);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['streaks', 'notices'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY engine ON %I TO postrider_engine USING (true)', name);
        EXECUTE format(
            'CREATE POLICY tenant ON %I TO postrider_tenant '
            'USING (org = nullif(current_setting(''postrider.organization'', true), '''')::uuid)',
            name
        );
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO postrider_engine', name);
    END LOOP;
END
$$;
-- They are part of what changes of an endpoint do; only the engine makes a streak longer.
GRANT SELECT, UPDATE, DELETE ON streaks TO postrider_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON notices TO postrider_tenant;
