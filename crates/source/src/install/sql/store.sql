REVOKE ALL ON SCHEMA {{schema}} FROM PUBLIC;
CREATE TABLE IF NOT EXISTS {{schema}}.installation (
  id uuid PRIMARY KEY,
  installed_at timestamptz NOT NULL,
  version int NOT NULL,
  mapping jsonb NOT NULL
);
CREATE TABLE IF NOT EXISTS {{schema}}.backfills (
  id uuid PRIMARY KEY,
  "table" text NOT NULL,
  since timestamptz,
  rate int,
  after_key text,
  done bigint NOT NULL,
  total bigint,
  created_at timestamptz NOT NULL,
  ended_at timestamptz,
  error text
);
