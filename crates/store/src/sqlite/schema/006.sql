-- The order of deliveries about one record to one endpoint; `record`: a hash of what the event is about. A delivery waits, due at the end of time, until
-- no smaller turn is left about any of its records.
CREATE TABLE turns (
    endpoint_no INTEGER NOT NULL,
    record INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    delivery BLOB NOT NULL,
    PRIMARY KEY (endpoint_no, record, turn)
) STRICT, WITHOUT ROWID;
-- Of ordered endpoints alone. `records`: 8 bytes each.
ALTER TABLE open_deliveries ADD COLUMN turn INTEGER;
ALTER TABLE open_deliveries ADD COLUMN records BLOB;
