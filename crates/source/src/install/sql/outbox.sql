CREATE SEQUENCE IF NOT EXISTS {{schema}}.outbox_id_seq CACHE 1;
CREATE SEQUENCE IF NOT EXISTS {{schema}}.missed;
DO $postrider$
BEGIN
  IF to_regclass('{{schema_text}}.handed') IS NULL THEN
    CREATE SEQUENCE {{schema}}.handed MINVALUE 0 START 0;
    PERFORM setval('{{schema_text}}.handed', 0);
  END IF;
END
$postrider$;
CREATE TABLE IF NOT EXISTS {{schema}}.outbox (
  id bigint PRIMARY KEY,
  transaction xid8 NOT NULL,
  "table" text NOT NULL,
  key text NOT NULL,
  before json,
  after json,
  at timestamptz NOT NULL,
  note text,
  depth int
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0, vacuum_truncate = off);
CREATE UNIQUE INDEX IF NOT EXISTS outbox_net ON {{schema}}.outbox (transaction, "table", left(key, 600));
