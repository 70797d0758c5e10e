-- Counts a change that could not be captured; says so in the server's log, the first time and then every thousandth.
CREATE OR REPLACE FUNCTION {{schema}}.missed("table" text, why text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $postrider$
DECLARE
  count int8;
BEGIN
  count := nextval('{{schema_text}}.missed'::regclass);
  IF count % 1000 = 1 THEN
    RAISE LOG 'postrider: a change of % could not be captured (%); % were missed so far', "table", why, count;
  END IF;
EXCEPTION WHEN OTHERS THEN
  RETURN;
END
$postrider$;

-- Waits for an outbox that somebody has locked, once in a transaction and never past half of what the CRM's statement has left; whether it is free now.
CREATE OR REPLACE FUNCTION {{schema}}.await_outbox() RETURNS bool
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = 0 AS $postrider$
DECLARE
  waits text := pg_current_xact_id()::text;
  wait_ms int8;
BEGIN
  IF current_setting('postrider_source.waited', true) = waits THEN
    RETURN false;
  END IF;
  PERFORM set_config('postrider_source.waited', waits, true);
  SELECT least({{lock_ms_max}}, CASE WHEN setting <> '0' THEN
      (setting::int8 - (1000 * date_part('epoch', clock_timestamp() - statement_timestamp()))::int8) / 2 END)
    INTO wait_ms FROM pg_settings WHERE name = 'statement_timeout';
  IF wait_ms < 1 THEN
    RETURN false;
  END IF;
  PERFORM set_config('lock_timeout', wait_ms::text, true);
  BEGIN
    LOCK TABLE {{schema}}.outbox IN ROW EXCLUSIVE MODE;
    RETURN true;
  EXCEPTION WHEN OTHERS THEN
    RETURN false;
  END;
END
$postrider$;

-- A row as JSON, without the columns that are gone or cannot be JSON.
CREATE OR REPLACE FUNCTION {{schema}}.by_column("row" anyelement, columns text[]) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $postrider$
DECLARE
  made jsonb := '{}';
  one jsonb;
  name text;
BEGIN
  -- Asked beforehand: of a column that is gone ("row").name could be a function's call.
  FOR name IN
    SELECT attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE reltype = pg_typeof("row") AND attnum > 0 AND NOT attisdropped AND attname = ANY (columns)
  LOOP
    BEGIN
      EXECUTE format('SELECT jsonb_build_object($2, ($1).%I)', name) INTO one USING "row", name;
      made := made || one;
    EXCEPTION WHEN OTHERS THEN
      -- Left out.
    END;
  END LOOP;
  RETURN made;
END
$postrider$;

-- Of one row's members those that another has too: what only one of them has is no change of its value.
CREATE OR REPLACE FUNCTION {{schema}}.members_of("row" jsonb, other jsonb) RETURNS jsonb
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $postrider$
  SELECT COALESCE(jsonb_object_agg(key, value), '{}') FROM jsonb_each("row")
  WHERE other ? key
$postrider$;

-- Whether two rows differ in a member that both of them have.
CREATE OR REPLACE FUNCTION {{schema}}.is_other("row" json, other json) RETURNS bool
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $postrider$
  SELECT EXISTS (SELECT FROM json_each("row") AS a JOIN json_each(other) AS b ON b.key = a.key WHERE b.value::text <> a.value::text)
$postrider$;

-- The key of a row that was made column by column; null when it has not all of its key.
CREATE OR REPLACE FUNCTION {{schema}}.key_of("row" jsonb, keys text[]) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $postrider$
  SELECT CASE WHEN "row" ?& keys THEN
    (SELECT jsonb_agg("row" -> name ORDER BY at) FROM ROWS FROM (unnest(keys)) WITH ORDINALITY AS k (name, at))::text
  END
$postrider$;

-- TRUNCATE tells no rows: that it happened is all that can be said.
CREATE OR REPLACE FUNCTION {{schema}}.capture_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = 0 AS $postrider$
DECLARE
  row_id int8;
BEGIN
  BEGIN
    LOCK TABLE {{schema}}.outbox IN ROW EXCLUSIVE MODE NOWAIT;
    INSERT INTO {{schema}}.outbox (id, transaction, "table", key, before, after, at, note)
      SELECT 0, '0'::xid8, '', '', NULL, NULL, clock_timestamp(), '' WHERE false
      ON CONFLICT (transaction, "table", left(key, 600)) DO UPDATE SET note = EXCLUDED.note;
    row_id := nextval('{{schema_text}}.outbox_id_seq'::regclass);
  EXCEPTION WHEN OTHERS THEN
    PERFORM {{schema}}.missed(TG_ARGV[0], SQLSTATE);
    RETURN NULL;
  END;
  INSERT INTO {{schema}}.outbox (id, transaction, "table", key, at, note)
    VALUES (row_id, pg_current_xact_id(), TG_ARGV[0], '', clock_timestamp(), 'truncated')
    ON CONFLICT (transaction, "table", left(key, 600)) DO UPDATE SET note = EXCLUDED.note;
  RETURN NULL;
END
$postrider$;
