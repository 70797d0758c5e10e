CREATE SCHEMA postrider_source;
CREATE SEQUENCE postrider_source.handed;
CREATE SEQUENCE postrider_source.missed;
CREATE TABLE postrider_source.installation (id uuid PRIMARY KEY, installed_at timestamptz NOT NULL, version int NOT NULL, mapping jsonb NOT NULL);
INSERT INTO postrider_source.installation VALUES (gen_random_uuid(), now(), 1, '{}');
CREATE TABLE postrider_source.outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, transaction xid8 NOT NULL, "table" text NOT NULL, key text NOT NULL,
    before jsonb, after jsonb, at timestamptz NOT NULL, note text);
CREATE UNIQUE INDEX ON postrider_source.outbox (transaction, "table", left(key, 600));
CREATE TABLE postrider_source.backfills (id uuid PRIMARY KEY, "table" text NOT NULL, since timestamptz, rate int, after_key text, done bigint NOT NULL,
    total bigint, created_at timestamptz NOT NULL, ended_at timestamptz, error text);
CREATE FUNCTION postrider_source.capture() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    b jsonb; a jsonb; k text; columns text[] := TG_ARGV;
BEGIN
    IF TG_OP <> 'INSERT' THEN b := to_jsonb(OLD); END IF;
    IF TG_OP <> 'DELETE' THEN a := to_jsonb(NEW); END IF;
    k := (SELECT jsonb_agg(coalesce(a, b) -> c ORDER BY n)::text FROM unnest(columns) WITH ORDINALITY AS u(c, n));
    INSERT INTO postrider_source.outbox (transaction, "table", key, before, after, at)
    VALUES (pg_current_xact_id(), TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, k, b, a, clock_timestamp())
    ON CONFLICT (transaction, "table", left(key, 600)) DO UPDATE SET after = excluded.after;
    RETURN NULL;
END $$;
CREATE TRIGGER postrider_capture AFTER INSERT OR UPDATE OR DELETE ON companies FOR EACH ROW EXECUTE FUNCTION postrider_source.capture('id');
CREATE TRIGGER postrider_capture AFTER INSERT OR UPDATE OR DELETE ON deals FOR EACH ROW EXECUTE FUNCTION postrider_source.capture('id');
CREATE TRIGGER postrider_capture AFTER INSERT OR UPDATE OR DELETE ON owners FOR EACH ROW EXECUTE FUNCTION postrider_source.capture('deal_id', 'person');
