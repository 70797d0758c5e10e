-- What was counted of an endpoint in an hour (since 1970). `answers_0` and so on: how many answers took up to
-- 5, 10, 20, 40, 80, 150, 300, 600, 1200, 2500, 5000, 10500, 15500, 30500, 60500, 120500 milliseconds.
CREATE TABLE endpoint_hours (
    org_no INTEGER NOT NULL,
    endpoint_no INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    last_attempt_at INTEGER,
    attempts INTEGER NOT NULL,
    failed_attempts INTEGER NOT NULL,
    succeeded_deliveries INTEGER NOT NULL,
    failed_deliveries INTEGER NOT NULL,
    answers_0 INTEGER NOT NULL, answers_1 INTEGER NOT NULL, answers_2 INTEGER NOT NULL, answers_3 INTEGER NOT NULL,
    answers_4 INTEGER NOT NULL, answers_5 INTEGER NOT NULL, answers_6 INTEGER NOT NULL, answers_7 INTEGER NOT NULL,
    answers_8 INTEGER NOT NULL, answers_9 INTEGER NOT NULL, answers_10 INTEGER NOT NULL, answers_11 INTEGER NOT NULL,
    answers_12 INTEGER NOT NULL, answers_13 INTEGER NOT NULL, answers_14 INTEGER NOT NULL, answers_15 INTEGER NOT NULL,
    PRIMARY KEY (org_no, endpoint_no, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX endpoint_hours_by_time ON endpoint_hours (hour);
