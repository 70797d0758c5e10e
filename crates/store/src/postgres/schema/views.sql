-- step
-- What people see who look with SQL. The views run with the rights of whoever asks, so that row-level security shows each organisation its own.

-- The other form of an id: `ep_`, `dlv_` or `att_` and 26 characters of base 32.
CREATE FUNCTION shown_id(prefix text, id uuid) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN prefix || '_' || (
    SELECT string_agg(
        substr('0123456789abcdefghjkmnpqrstvwxyz', substring(bits FROM 1 + 5 * digit FOR 5)::integer + 1, 1), '' ORDER BY digit)
    FROM (SELECT B'00' || ('x' || replace(id::text, '-', ''))::bit(128) AS bits) AS number, generate_series(0, 25) AS digit
);
COMMENT ON FUNCTION shown_id IS 'An id as the API shows it: shown_id(''dlv'', delivery_uuid).';

CREATE FUNCTION uuid_of(shown text) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT encode(string_agg(
        set_byte('\x00', 0, substring(bits FROM 3 + 8 * octet FOR 8)::integer), '' ORDER BY octet), 'hex')::uuid
    FROM (
        SELECT string_agg(
            (strpos('0123456789abcdefghjkmnpqrstvwxyz', substr(right(shown, 26), digit, 1)) - 1)::bit(5)::text, '' ORDER BY digit)::bit(130) AS bits
        FROM generate_series(1, 26) AS digit
    ) AS number, generate_series(0, 15) AS octet
);
COMMENT ON FUNCTION uuid_of IS 'The UUID behind an id that the API shows: uuid_of(''dlv_01h455vb4pex5vsknk084sn02q'').';

CREATE FUNCTION first_uuid_at(moment timestamptz) RETURNS uuid
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN (lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
COMMENT ON FUNCTION first_uuid_at IS
    'The smallest UUIDv7 of a moment. delivery_uuid >= first_uuid_at(now() - interval ''1 hour'') reads the days that it needs and no more.';

CREATE FUNCTION moment_of(ms bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN timestamptz 'epoch' + ms * interval '1 ms';
COMMENT ON FUNCTION moment_of IS 'A time as the tables keep it, milliseconds since 1970, as a timestamp.';

CREATE VIEW webhook_configurations WITH (security_invoker = true) AS
SELECT
    shown_id('ep', e.id) AS id,
    e.id AS uuid,
    o.id AS organization_id,
    e.name,
    e.description,
    string_to_array(e.events, ' ') AS events,
    e.contract,
    e.system,
    e.status = 'active' AS is_active,
    e.status,
    e.disabled_reason,
    (SELECT count(*) FROM open_deliveries AS d WHERE d.org = e.org AND d.endpoint = e.id) AS pending_count,
    (SELECT count(*) FROM deliveries AS d
     WHERE d.org = e.org AND d.endpoint = e.id AND d.id >= first_uuid_at(now() - interval '24 hours') AND d.fail_reason = 0
    ) AS success_count,
    (SELECT count(*) FROM deliveries AS d
     WHERE d.org = e.org AND d.endpoint = e.id AND d.id >= first_uuid_at(now() - interval '24 hours') AND d.fail_reason <> 0
    ) AS failure_count,
    moment_of(e.created_at) AS created_at,
    moment_of(e.updated_at) AS updated_at
FROM endpoints AS e
JOIN organizations AS o ON o.org = e.org AND NOT o.deleted
WHERE NOT e.deleted;

COMMENT ON VIEW webhook_configurations IS
    'Webhooks (endpoints) as they are set up. URL, secret and custom headers are encrypted in the tables and shown by the API alone.';
COMMENT ON COLUMN webhook_configurations.id IS 'The id in the API, ep_…';
COMMENT ON COLUMN webhook_configurations.uuid IS 'The same id as a UUID: filter by this one, it has an index.';
COMMENT ON COLUMN webhook_configurations.organization_id IS 'The organisation''s id in the API.';
COMMENT ON COLUMN webhook_configurations.name IS 'What people call it.';
COMMENT ON COLUMN webhook_configurations.description IS 'What it is for.';
COMMENT ON COLUMN webhook_configurations.events IS 'What it receives, in its contract''s names; * and contact.* stand for several.';
COMMENT ON COLUMN webhook_configurations.contract IS 'The contract that says what is sent and how.';
COMMENT ON COLUMN webhook_configurations.system IS 'Which system registered it.';
COMMENT ON COLUMN webhook_configurations.is_active IS 'Whether it receives new events.';
COMMENT ON COLUMN webhook_configurations.status IS 'active, paused (by its owner) or disabled (by the server).';
COMMENT ON COLUMN webhook_configurations.disabled_reason IS 'Why the server disabled it.';
COMMENT ON COLUMN webhook_configurations.pending_count IS 'Deliveries to it that are not over. Counted when asked for.';
COMMENT ON COLUMN webhook_configurations.success_count IS
    'Deliveries made in the last 24 hours that succeeded. Counted when asked for.';
COMMENT ON COLUMN webhook_configurations.failure_count IS
    'Deliveries made in the last 24 hours that failed for good. Counted when asked for.';
COMMENT ON COLUMN webhook_configurations.created_at IS 'When it was created.';
COMMENT ON COLUMN webhook_configurations.updated_at IS 'When it was last changed.';

CREATE VIEW webhook_logs WITH (security_invoker = true) AS
SELECT
    shown_id('att', a.id) AS id,
    o.id AS organization_id,
    shown_id('ep', e.id) AS webhook_id,
    e.id AS webhook_uuid,
    e.name AS webhook_name,
    shown_id('dlv', a.delivery) AS delivery_id,
    a.delivery AS delivery_uuid,
    coalesce(d.event_type, p.event_type) AS event_type,
    CASE WHEN a.failure IS NULL THEN 'success' ELSE 'failed' END AS status,
    CASE WHEN d.id IS NULL THEN 'pending' WHEN d.fail_reason = 0 THEN 'succeeded' ELSE 'failed' END AS delivery_status,
    (SELECT count(*) FROM attempts AS b WHERE b.org = a.org AND b.delivery = a.delivery AND b.id <= a.id) AS attempt_number,
    a.status_code AS response_status,
    a.response_time_ms,
    a.failure AS error,
    a.by_hand AS is_retry_by_hand,
    coalesce(d.test, p.test) AS is_test,
    moment_of(a.started_at) AS created_at
FROM attempts AS a
JOIN organizations AS o ON o.org = a.org AND NOT o.deleted
LEFT JOIN deliveries AS d ON d.org = a.org AND d.id = a.delivery
LEFT JOIN open_deliveries AS p ON p.org = a.org AND p.id = a.delivery
JOIN endpoints AS e ON e.org = a.org AND e.id = coalesce(d.endpoint, p.endpoint) AND NOT e.deleted;

COMMENT ON VIEW webhook_logs IS
    'Attempts: every HTTP request that was made, one row each. URL, headers, bodies and the error''s own words are encrypted in the tables and shown by the API alone.';
COMMENT ON COLUMN webhook_logs.id IS 'The attempt''s id in the API, att_…';
COMMENT ON COLUMN webhook_logs.organization_id IS 'The organisation''s id in the API.';
COMMENT ON COLUMN webhook_logs.webhook_id IS 'The webhook''s (endpoint''s) id in the API, ep_…';
COMMENT ON COLUMN webhook_logs.webhook_uuid IS 'The same id as a UUID.';
COMMENT ON COLUMN webhook_logs.webhook_name IS 'What people call the webhook.';
COMMENT ON COLUMN webhook_logs.delivery_id IS 'The delivery''s id in the API, dlv_…; the same for all its attempts.';
COMMENT ON COLUMN webhook_logs.delivery_uuid IS
    'The same id as a UUID, which begins with the time at which the delivery was made: filter by this one, it has an index.';
COMMENT ON COLUMN webhook_logs.event_type IS 'The event''s type, in the webhook''s contract''s names.';
COMMENT ON COLUMN webhook_logs.status IS 'What became of this attempt: success or failed.';
COMMENT ON COLUMN webhook_logs.delivery_status IS 'Where its delivery stands: pending, succeeded or failed.';
COMMENT ON COLUMN webhook_logs.attempt_number IS 'Which attempt of its delivery it was, from 1 on.';
COMMENT ON COLUMN webhook_logs.response_status IS 'The HTTP status code of the answer; none when there was no answer.';
COMMENT ON COLUMN webhook_logs.response_time_ms IS 'How long it took, in milliseconds.';
COMMENT ON COLUMN webhook_logs.error IS 'Why it failed, as the API names it in failure.kind; none when it succeeded or was answered.';
COMMENT ON COLUMN webhook_logs.is_retry_by_hand IS 'Whether a person asked for it.';
COMMENT ON COLUMN webhook_logs.is_test IS 'Whether its delivery is a test.';
COMMENT ON COLUMN webhook_logs.created_at IS 'When the attempt began.';

GRANT SELECT ON webhook_configurations, webhook_logs TO postrider_engine, postrider_tenant;
