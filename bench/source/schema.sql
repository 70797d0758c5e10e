-- A CRM's deals, for what a row's write costs with the trigger and without (docs/performance.md).
CREATE TABLE deals (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  organization_id uuid NOT NULL DEFAULT gen_random_uuid(),
  title text NOT NULL,
  stage int NOT NULL DEFAULT 0,
  amount numeric(12, 2),
  owner_id bigint,
  notes text,
  details jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO deals (title, amount, owner_id, notes, details)
  SELECT 'Deal ' || n, n * 1.5, n % 10, repeat('note ', 20), '{"source": "web", "tags": ["a", "b"]}' FROM generate_series(1, 100000) AS n;
VACUUM ANALYZE deals;
