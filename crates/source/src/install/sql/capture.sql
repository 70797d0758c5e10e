DECLARE
  was json;
  became json;
  known_was jsonb;
  known_became jsonb;
  key_was text;
  key_became text;
  row_id int8;
  trouble text;
  tries int4 := 0;
BEGIN
  LOOP
    tries := tries + 1;
    trouble := NULL;
    -- Whatever may fail is done in this block, which writes nothing: so its errors can be caught without a transaction id for each row.
    BEGIN
      IF tries = 1 THEN
        IF TG_OP <> 'INSERT' THEN
          was := {{was}};
          key_was := {{key_was}};
        END IF;
        IF TG_OP <> 'DELETE' THEN
          became := {{became}};
          key_became := {{key_became}};
        END IF;
        IF was::text = became::text THEN
          RETURN NULL;
        END IF;
        IF greatest(octet_length(was::text), octet_length(became::text)) > {{row_bytes_max}} THEN
          RAISE program_limit_exceeded;
        END IF;
      ELSE
        -- Some column has another type than it had, or is gone, or holds what no JSON can hold.
        IF TG_OP <> 'INSERT' THEN
          known_was := {{schema}}.by_column(OLD, {{columns}});
        END IF;
        IF TG_OP <> 'DELETE' THEN
          known_became := {{schema}}.by_column(NEW, {{columns}});
        END IF;
        IF TG_OP = 'UPDATE' THEN
          known_was := {{schema}}.members_of(known_was, known_became);
          known_became := {{schema}}.members_of(known_became, known_was);
        END IF;
        key_was := {{schema}}.key_of(known_was, {{keys}});
        key_became := {{schema}}.key_of(known_became, {{keys}});
        IF known_was = known_became THEN
          IF NOT (OLD *<> NEW) THEN
            RETURN NULL;
          END IF;
          trouble := 'what changed cannot be JSON';
          EXIT;
        END IF;
        was := known_was;
        became := known_became;
      END IF;
      -- Looked at once in a transaction: the lock then keeps the outbox as it is. A savepoint that gives the lock back takes the mark back, too.
      IF current_setting('postrider_source.looked_at', true) IS DISTINCT FROM pg_current_xact_id()::text || ' {{schema_text}}' THEN
        LOCK TABLE {{schema}}.outbox IN ROW EXCLUSIVE MODE NOWAIT;
        -- Finds an outbox that has not its columns, and writes nothing.
        INSERT INTO {{schema}}.outbox (id, transaction, "table", key, before, after, at, note, depth)
          SELECT 0, '0'::xid8, '', '', was, became, clock_timestamp(), '', 1 WHERE false
          ON CONFLICT (transaction, "table", left(key, 600)) DO UPDATE SET before = EXCLUDED.before, after = EXCLUDED.after;
        PERFORM set_config('postrider_source.looked_at', pg_current_xact_id()::text || ' {{schema_text}}', true);
      END IF;
      row_id := nextval('{{schema_text}}.outbox_id_seq'::regclass);
      IF row_id - pg_sequence_last_value('{{schema_text}}.handed'::regclass) > {{rows_max}} THEN
        trouble := 'full';
      END IF;
      EXIT;
    EXCEPTION WHEN OTHERS THEN
      trouble := SQLSTATE;
      -- 55P03: somebody has locked the outbox, and is waited for a little.
      IF trouble = '55P03' AND {{schema}}.await_outbox() THEN
        tries := tries - 1;
      ELSIF trouble = '55P03' OR tries >= 2 THEN
        EXIT;
      END IF;
    END;
  END LOOP;
  IF trouble IS NOT NULL OR COALESCE(key_became, key_was) IS NULL THEN
    PERFORM {{schema}}.missed({{table}}, COALESCE(trouble, 'no key'));
    RETURN NULL;
  END IF;
  IF key_was <> key_became THEN
    -- Another key is another record: the old one went, and a new one came.
    INSERT INTO {{schema}}.outbox (id, transaction, "table", key, before, at, depth)
      VALUES (row_id, pg_current_xact_id(), {{table}}, key_was, was, clock_timestamp(), pg_trigger_depth())
      -- Another record may have got the key before this one gave it up, where keys are swapped or all move on by one: that one is what is there after it.
      ON CONFLICT (transaction, "table", left(key, 600)) DO UPDATE SET (before, after, depth) = (
        SELECT CASE WHEN is_taken THEN EXCLUDED.before ELSE outbox.before END, CASE WHEN is_taken THEN outbox.after END, EXCLUDED.depth
        FROM (SELECT outbox.before IS NULL AND {{schema}}.is_other(outbox.after, EXCLUDED.before)) AS key (is_taken)
      )
      WHERE outbox.key = EXCLUDED.key;
    was := NULL;
    row_id := nextval('{{schema_text}}.outbox_id_seq'::regclass);
  END IF;
  INSERT INTO {{schema}}.outbox (id, transaction, "table", key, before, after, at, depth)
    VALUES (row_id, pg_current_xact_id(), {{table}}, COALESCE(key_became, key_was), was, became, clock_timestamp(), pg_trigger_depth())
    ON CONFLICT (transaction, "table", left(key, 600)) DO NOTHING;
  IF FOUND THEN
    RETURN NULL;
  END IF;
  -- The transaction has changed this record already. This change goes on from there, or it is an earlier one that comes late: where a trigger of the CRM's
  -- own changes the row once more, that change is told first, from a greater depth.
  INSERT INTO {{schema}}.outbox (id, transaction, "table", key, before, after, at, depth)
    VALUES (row_id, pg_current_xact_id(), {{table}}, COALESCE(key_became, key_was), was, became, clock_timestamp(), pg_trigger_depth())
    ON CONFLICT (transaction, "table", left(key, 600)) DO UPDATE SET (before, after, depth) = (
      SELECT CASE WHEN is_late AND is_first THEN EXCLUDED.before ELSE outbox.before END, CASE WHEN is_late THEN outbox.after ELSE EXCLUDED.after END, EXCLUDED.depth
      FROM (SELECT outbox.before::text IS NOT DISTINCT FROM EXCLUDED.after::text) AS first (is_first)
      CROSS JOIN LATERAL (SELECT outbox.depth > EXCLUDED.depth AND (is_first OR outbox.after::text IS DISTINCT FROM EXCLUDED.before::text)) AS late (is_late)
    )
    WHERE outbox.key = EXCLUDED.key;
  IF NOT FOUND THEN
    PERFORM {{schema}}.missed({{table}}, 'a key that begins as another');
  END IF;
  RETURN NULL;
END
