//! What is captured of plain and of difficult changes.

use serde_json::{Value, json};

use crate::crm::{ACME, Crm, MAPPING, mapping_of};

fn contact(values: &str) -> String {
    format!("INSERT INTO contacts (id, organization_id, {values}")
}

#[tokio::test]
async fn a_row_is_captured_before_and_after_with_the_mapped_columns_alone() {
    let crm = Crm::captured().await;
    let app = crm.app().await;
    let insert = contact("first_name, last_name, email, tags, address, custom, raw, api_token) VALUES (7, ");
    let values = "'Ann', 'Lee', 'ann@x.example', '{a,\"b c\"}', ROW('Road 1', 'Bern', NULL), '{\"vip\":true}', '{\"b\":1, \"a\":2}', 'hush')";
    app.batch_execute(&format!("{insert}'{ACME}', {values}")).await.unwrap();
    app.batch_execute("UPDATE contacts SET last_name = 'Kim' WHERE id = 7").await.unwrap();
    app.batch_execute("DELETE FROM contacts WHERE id = 7").await.unwrap();
    let [made, changed, gone] = crm.take().await.try_into().unwrap();
    assert_eq!((made.table.as_str(), made.key.as_str(), &made.before), ("public.contacts", "[7]", &None));
    let row = made.after.unwrap();
    assert_eq!((&row["full_name"], &row["tags"]), (&json!("Ann Lee"), &json!(["a", "b c"])));
    assert_eq!(row["address"], json!({"street": "Road 1", "city": "Bern", "zip": null}));
    assert_eq!((&row["custom"], &row["raw"]), (&json!({"vip": true}), &json!({"a": 2, "b": 1})));
    assert!(!row.to_string().contains("hush") && row.get("api_token").is_none(), "{row}");
    assert_eq!(changed.values("last_name"), (json!("Lee"), json!("Kim")));
    assert_eq!(changed.values("full_name"), (json!("Ann Lee"), json!("Ann Kim")));
    assert_eq!((changed.before.as_ref(), gone.before, gone.after), (Some(&row), changed.after, None));
}

#[tokio::test]
async fn values_are_written_in_one_form_whatever_the_session_is_set_to() {
    let crm = Crm::captured().await;
    let app = crm.app().await;
    let columns =
        "id, organization_id, title, amount, probability, expected, takes, contract, closes_on, created_at, updated_at";
    let values = format!(
        "'{ACME}', 'Big', 12.50, 'NaN', '[2026-01-02,2026-03-04)', '1 day 02:00', '\\x00ff', 'infinity', '2026-05-06 07:08:09+00', '-infinity'"
    );
    app.batch_execute(&format!("INSERT INTO deals ({columns}) VALUES (1, {values})")).await.unwrap();
    let odd = "SET TimeZone = 'Asia/Kathmandu'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard'; SET bytea_output = 'escape'; \
               SET extra_float_digits = -15";
    app.batch_execute(odd).await.unwrap();
    app.batch_execute("UPDATE deals SET title = 'Bigger'").await.unwrap();
    let [made, changed] = crm.take().await.try_into().unwrap();
    let row = made.after.unwrap();
    for (column, value) in [
        ("amount", json!(12.50)),
        ("probability", json!("NaN")),
        ("expected", json!("[2026-01-02,2026-03-04)")),
        ("takes", json!("P1DT2H")),
        ("contract", json!("\\x00ff")),
        ("closes_on", json!("infinity")),
        ("created_at", json!("2026-05-06T07:08:09+00:00")),
        ("updated_at", json!("-infinity")),
    ] {
        assert_eq!(row[column], value, "{column}");
    }
    assert_eq!(changed.before, Some(row.clone()));
    let mut after = row;
    after["title"] = json!("Bigger");
    assert_eq!(changed.after, Some(after));
}

#[tokio::test]
async fn what_changes_nothing_of_the_mapped_columns_writes_nothing() {
    let crm = Crm::captured().await;
    let app = crm.app().await;
    app.batch_execute(&(contact("first_name) VALUES (1, '") + ACME + "', 'Ann')")).await.unwrap();
    crm.take().await;
    app.batch_execute("UPDATE contacts SET api_token = 'other'; UPDATE contacts SET first_name = first_name")
        .await
        .unwrap();
    assert_eq!(crm.outbox().await, []);
    assert_eq!(crm.missed().await, 0);
}

#[tokio::test]
async fn changes_of_a_record_in_one_transaction_are_one_and_rolled_back_ones_are_none() {
    let crm = Crm::captured().await;
    let app = crm.app().await;
    app.batch_execute(&format!(
        "INSERT INTO deals (id, organization_id, title) VALUES (1, '{ACME}', 'a'), (2, '{ACME}', 'b')"
    ))
    .await
    .unwrap();
    crm.take().await;
    let sql = format!(
        "BEGIN; UPDATE deals SET stage = 'won' WHERE id = 1; UPDATE deals SET title = 'aa' WHERE id = 1;
         SAVEPOINT s; UPDATE deals SET title = 'lost' WHERE id = 1; DELETE FROM deals WHERE id = 2; ROLLBACK TO s;
         DELETE FROM deals WHERE id = 2; INSERT INTO deals (id, organization_id, title) VALUES (2, '{ACME}', 'again');
         INSERT INTO deals (id, organization_id, title) VALUES (3, '{ACME}', 'came'); DELETE FROM deals WHERE id = 3; COMMIT;
         BEGIN; UPDATE deals SET title = 'never'; ROLLBACK"
    );
    app.batch_execute(&sql).await.unwrap();
    let [first, second, nothing] = crm.take().await.try_into().unwrap();
    assert_eq!(
        (first.values("stage"), first.values("title")),
        ((json!("new"), json!("won")), (json!("a"), json!("aa")))
    );
    assert_eq!((second.key.as_str(), second.values("title")), ("[2]", (json!("b"), json!("again"))));
    assert_eq!((nothing.key.as_str(), nothing.before, nothing.after), ("[3]", None, None));
}

#[tokio::test]
async fn a_key_that_changes_is_one_record_that_goes_and_one_that_comes() {
    let crm = Crm::captured().await;
    let app = crm.app().await;
    app.batch_execute(&format!("INSERT INTO preferences VALUES ('{ACME}', 'colour', 'red')")).await.unwrap();
    app.batch_execute("UPDATE preferences SET name = 'color'").await.unwrap();
    let [_, went, came] = crm.take().await.try_into().unwrap();
    assert_eq!(
        (went.key.clone(), went.values("name")),
        (format!("[\"{ACME}\", \"colour\"]"), (json!("colour"), Value::Null))
    );
    assert_eq!(
        (came.key.clone(), came.values("name")),
        (format!("[\"{ACME}\", \"color\"]"), (Value::Null, json!("color")))
    );
}

#[tokio::test]
async fn partitions_tell_as_their_parent_also_later_ones_and_rows_that_move() {
    let crm = Crm::captured().await;
    crm.admin
        .batch_execute(
            "CREATE TABLE messages_2027 PARTITION OF messages FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')",
        )
        .await
        .unwrap();
    crm.admin.batch_execute(&format!("GRANT ALL ON messages_2027 TO {}", crm.app_role())).await.unwrap();
    let app = crm.app().await;
    for at in ["2025-06-01", "2026-06-01", "2027-06-01"] {
        app.batch_execute(&format!("INSERT INTO messages VALUES (1, '{at}', '{ACME}', 'hi')")).await.unwrap();
    }
    app.batch_execute("UPDATE messages_2026 SET body = 'hello'").await.unwrap();
    let changes = crm.take().await;
    assert_eq!(changes.len(), 4);
    assert!(changes.iter().all(|change| change.table == "public.messages"), "{changes:?}");
    assert_eq!(changes[3].values("body"), (json!("hi"), json!("hello")));
    app.batch_execute("UPDATE messages SET sent_at = '2027-07-01' WHERE sent_at = '2025-06-01'").await.unwrap();
    let moved = crm.take().await;
    let sent: Vec<_> = moved.iter().map(|change| (change.before.is_some(), change.after.is_some())).collect();
    assert_eq!(sent, [(true, false), (false, true)], "the key has the time in it: {moved:?}");
}

#[tokio::test]
async fn a_row_that_moves_to_another_partition_under_its_key_is_one_change() {
    let crm = Crm::captured_as(&mapping_of("public.messages", "key = [\"id\"]")).await;
    let app = crm.app().await;
    app.batch_execute(&format!("INSERT INTO messages VALUES (1, '2025-06-01', '{ACME}', 'hi')")).await.unwrap();
    crm.take().await;
    app.batch_execute("UPDATE messages SET sent_at = '2026-07-01'").await.unwrap();
    let [moved] = crm.take().await.try_into().unwrap();
    assert_eq!(moved.values("sent_at"), (json!("2025-06-01T00:00:00+00:00"), json!("2026-07-01T00:00:00+00:00")));
}

#[tokio::test]
async fn truncating_is_told_as_a_gap() {
    let crm = Crm::captured().await;
    let app = crm.app().await;
    app.batch_execute(&format!("INSERT INTO deals (organization_id, title) VALUES ('{ACME}', 'a'); ")).await.unwrap();
    crm.take().await;
    app.batch_execute("BEGIN; TRUNCATE deals; TRUNCATE deals, messages; COMMIT").await.unwrap();
    let gaps: Vec<_> = crm.take().await.into_iter().map(|gap| (gap.table, gap.note.unwrap())).collect();
    let gap = |table: &str| (format!("public.{table}"), "truncated".to_owned());
    assert_eq!(gaps, [gap("deals"), gap("messages")]);
}

#[tokio::test]
async fn strange_names_and_tables_of_many_columns_are_captured() {
    let strange = mapping_of(r#"Sales Data.Lead's "Table""#, "");
    let crm = Crm::captured_as(&strange).await;
    crm.app()
        .await
        .batch_execute(r#"INSERT INTO "Sales Data"."Lead's ""Table""" VALUES (1, NULL, 'x')"#)
        .await
        .unwrap();
    let [row] = crm.take().await.try_into().unwrap();
    assert_eq!(row.after, Some(json!({"Id": 1, "organization id": null, "select": "x"})));
    let columns: Vec<_> = (0..300).map(|at| format!("c{at} int DEFAULT {at}")).collect();
    crm.admin.batch_execute(&format!("CREATE TABLE wide (id int PRIMARY KEY, {})", columns.join(", "))).await.unwrap();
    let mut crm = crm;
    crm.mapping = crate::crm::mapping(&mapping_of("public.wide", ""));
    crm.install().await;
    crm.admin.batch_execute("INSERT INTO wide VALUES (1)").await.unwrap();
    let [row] = crm.take().await.try_into().unwrap();
    assert_eq!((row.values("c0").1, row.values("c299").1), (json!(0), json!(299)));
}

#[tokio::test]
async fn a_hundred_thousand_rows_in_one_statement_take_one_transaction_id() {
    let crm = Crm::captured().await;
    let app = crm.app().await;
    let insert = format!(
        "INSERT INTO deals (id, organization_id, title) SELECT n, '{ACME}', 'Deal ' || n FROM generate_series(1, 100000) AS n"
    );
    app.batch_execute(&insert).await.unwrap();
    crm.take().await;
    app.batch_execute("BEGIN; UPDATE deals SET stage = 'won'").await.unwrap();
    let ids = "SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND pid = pg_backend_pid()";
    let ids: i64 = app.query_one(ids, &[]).await.unwrap().get(0);
    app.batch_execute("COMMIT").await.unwrap();
    assert_eq!(ids, 1, "subtransactions with ids of their own would overflow every snapshot");
    assert_eq!(crm.number("SELECT count(*) FROM postrider_source.outbox WHERE after->>'stage' = 'won'").await, 100_000);
}

#[tokio::test]
async fn concurrent_transactions_that_commit_out_of_order_are_all_there() {
    let crm = Crm::captured_as(MAPPING).await;
    let (early, late) = (crm.app().await, crm.app().await);
    let insert = |id: i64| format!("INSERT INTO deals (id, organization_id, title) VALUES ({id}, '{ACME}', 'x')");
    early.batch_execute("BEGIN").await.unwrap();
    early.batch_execute(&insert(1)).await.unwrap();
    late.batch_execute(&insert(2)).await.unwrap();
    assert_eq!(crm.outbox().await.len(), 1, "the early one is not committed");
    early.batch_execute("COMMIT").await.unwrap();
    let keys: Vec<_> = crm.outbox().await.into_iter().map(|row| row.key).collect();
    assert_eq!(keys, ["[1]", "[2]"]);
}

#[tokio::test]
async fn a_trigger_of_the_crms_own_that_changes_the_row_again_is_told_first_and_put_behind() {
    let crm = Crm::captured().await;
    // Triggers run in the order of their names: this one's change of the row is told before the change that it comes from.
    let own = "CREATE FUNCTION number_deals() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN UPDATE deals SET notes = coalesce(notes, '') || '!' WHERE id = NEW.id; RETURN NULL; END $$;
        CREATE TRIGGER a_first AFTER INSERT OR UPDATE ON deals FOR EACH ROW WHEN (pg_trigger_depth() < 1) EXECUTE FUNCTION number_deals()";
    crm.admin.batch_execute(own).await.unwrap();
    let app = crm.app().await;
    app.batch_execute(&format!("INSERT INTO deals (id, organization_id, title) VALUES (1, '{ACME}', 'a')"))
        .await
        .unwrap();
    app.batch_execute("UPDATE deals SET title = 'b'").await.unwrap();
    app.batch_execute("BEGIN; UPDATE deals SET title = 'c'; UPDATE deals SET title = 'd'; COMMIT").await.unwrap();
    let changes = crm.take().await;
    let titles: Vec<_> = changes.iter().map(|change| change.values("title")).collect();
    let titled = |before: &str, after: &str| (json!(before), json!(after));
    assert_eq!(titles, [(Value::Null, json!("a")), titled("a", "b"), titled("b", "d")]);
    let notes: Vec<_> = changes.iter().map(|change| change.values("notes")).collect();
    assert_eq!(notes, [(Value::Null, json!("!")), titled("!", "!!"), titled("!!", "!!!!")]);
}

#[tokio::test]
async fn many_changes_of_a_record_in_one_transaction_and_its_savepoints_are_one() {
    let crm = Crm::captured().await;
    let app = crm.app().await;
    app.batch_execute(&format!("INSERT INTO deals (id, organization_id, title) VALUES (1, '{ACME}', 'a')"))
        .await
        .unwrap();
    crm.take().await;
    let sql = "BEGIN; SAVEPOINT s; UPDATE deals SET title = 'b'; ROLLBACK TO s; UPDATE deals SET title = 'c'; SAVEPOINT t; UPDATE deals SET title = 'd';
         ROLLBACK TO t; UPDATE deals SET title = 'e'; UPDATE deals SET title = 'a'; UPDATE deals SET stage = 'won'; COMMIT";
    app.batch_execute(sql).await.unwrap();
    let [changed] = crm.take().await.try_into().unwrap();
    assert_eq!(
        (changed.values("title"), changed.values("stage")),
        ((json!("a"), json!("a")), (json!("new"), json!("won")))
    );
}
