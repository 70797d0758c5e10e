\set id random(1, 100000)
UPDATE deals SET stage = stage + 1, updated_at = now() WHERE id = :id;
