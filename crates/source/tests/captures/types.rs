//! Values are what the database's own `to_jsonb` makes of them, by each way of capture.

use postrider_source::mapping::CaptureKind;

use crate::by_each_way;
use crate::crm::{Crm, name, table, told};

by_each_way!(
    every_type_is_told_as_to_jsonb_tells_it,
    a_generated_column_is_told,
    a_large_value_is_told_whether_it_changed_or_not,
    a_value_that_cannot_be_json_is_left_out_and_the_others_are_told,
);

const TYPES: &str = r#"
CREATE SCHEMA other;
CREATE TYPE other.stage AS ENUM ('new', 'it''s "won"');
CREATE TYPE other.address AS (street text, number int, "Odd name" numeric);
CREATE DOMAIN other.email AS text CHECK (VALUE LIKE '%@%');
CREATE DOMAIN other.cents AS numeric(12, 2);
CREATE TABLE everything (
  id bigint PRIMARY KEY,
  small smallint, large bigint, exact numeric, scaled numeric(10, 2), float8 float8, float4 real,
  flag boolean, uuid uuid, text text, varchar varchar(20), "char" "char", padded char(6), name name,
  date date, time time, timetz timetz, stamp timestamp, stamptz timestamptz, span interval,
  json json, jsonb jsonb, bytes bytea, bits bit(5), varbits bit varying,
  ints int[], texts text[], matrix int[][], stages other.stage[], stamps timestamptz[],
  stage other.stage, address other.address, addresses other.address[], email other.email, cents other.cents,
  range int4range, times tstzrange, inet inet, cidr cidr, mac macaddr, point point, money money,
  oid oid, class regclass, search tsvector, xml xml
);
"#;

/// Rows by their values; each is written over the one before.
const ROWS: [&str; 4] = [
    r#"1, -1, 9223372036854775807, 12345678901234567890.12345678901234567890, 1.50, 1e300, 0.1, true, '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
       E'tab\t "quoted" \\ \u0001 \u2028 ü 🐘', 'short', 'c', 'ab', 'a name', '2026-02-03', '04:05:06.7', '04:05:06+02', '2026-02-03 04:05:06.123456',
       '2026-02-03 04:05:06.7+02', '1 year 2 mons 3 days 04:05:06', '{"b": 1,   "a": [1.0, 2.50], "b": 2}', '{"b": 1, "a": [1.0, 2.50]}', '\x00ff', B'10101', B'1',
       '{1,NULL,3}', '{"a,b","c\"d",NULL,""}', '{{1,2},{3,4}}', '{new,"it''s \"won\""}', '{"2026-02-03 04:05:06+00",infinity}', 'new', '("Main ""Street""",7,1.10)',
       '{"(a,1,2)","(,,)"}', 'a@b', 1.5, '[1,5)', '["2026-02-03 04:05:06+00",)', '10.0.0.1/24', '10.0.0.0/24', '08:00:2b:01:02:03', '(1,2.5)', 12.34,
       26, 'everything', 'a fat cat', '<a>b</a>'"#,
    r#"1, 0, 0, 'NaN', 0, 'NaN', '-Infinity', false, NULL, '', '', '', '', '', 'infinity', '24:00', '00:00-15:59', '-infinity', 'infinity', '-1 mons',
       'null', 'null', '', B'00000', '', '{}', '{}', '{}', '{}', '{}', 'it''s "won"', '(,,)', '{}', '@', 0, 'empty', 'empty', '::1', '::/0', '00:00:00:00:00:00',
       '(Infinity,NaN)', -0.01, 0, '0', '', ''"#,
    r#"1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"#,
    r#"1, 1, 1, -0.000, 1, '-0', 1e-7, true, '00000000-0000-0000-0000-000000000000', 'x', 'x', 'x', 'x', 'x', '0044-03-15 BC', '00:00', '00:00+00',
       '12026-02-03 04:05:06', '0001-01-01 00:00:00+00 BC', '0', '"\ud83d\udc18"', '"x"', 'x', B'11111', '1', '[0:1]={1,2}', '{x}', '{}', NULL, NULL,
       NULL, '(,0,NaN)', NULL, 'x@y', 999.99, '(,5]', '(,)', '0.0.0.0', '0.0.0.0/0', 'ff:ff:ff:ff:ff:ff', '(0,0)', 0, 4294967295, 'pg_class', 'x:1A', 'x'"#,
];

async fn every_type_is_told_as_to_jsonb_tells_it(by: CaptureKind) {
    let mut crm = Crm::start(by, TYPES, &[table("everything", &["id"])]).await;
    let mut before = None;
    let mut expected = Vec::new();
    for values in ROWS {
        crm.run(&format!("SET search_path = public, other; DELETE FROM everything WHERE false; INSERT INTO everything VALUES ({values}) ON CONFLICT (id) DO UPDATE SET \
            (small, large, exact, scaled, float8, float4, flag, uuid, text, varchar, \"char\", padded, name, date, time, timetz, stamp, stamptz, span, json, jsonb, bytes, bits, varbits, \
             ints, texts, matrix, stages, stamps, stage, address, addresses, email, cents, range, times, inet, cidr, mac, point, money, oid, class, search, xml) = \
            (excluded.small, excluded.large, excluded.exact, excluded.scaled, excluded.float8, excluded.float4, excluded.flag, excluded.uuid, excluded.text, excluded.varchar, \
             excluded.\"char\", excluded.padded, excluded.name, excluded.date, excluded.time, excluded.timetz, excluded.stamp, excluded.stamptz, excluded.span, excluded.json, excluded.jsonb, \
             excluded.bytes, excluded.bits, excluded.varbits, excluded.ints, excluded.texts, excluded.matrix, excluded.stages, excluded.stamps, excluded.stage, excluded.address, \
             excluded.addresses, excluded.email, excluded.cents, excluded.range, excluded.times, excluded.inet, excluded.cidr, excluded.mac, excluded.point, excluded.money, excluded.oid, \
             excluded.class, excluded.search, excluded.xml); RESET search_path")).await;
        let after = Some(crm.row("everything", "true").await);
        expected.push((before, after.clone()));
        before = after;
    }
    crm.run("DELETE FROM everything").await;
    expected.push((before, None));
    let changes = crm.changes().await;
    assert_eq!(changes.len(), expected.len());
    for (change, (before, after)) in changes.iter().zip(&expected) {
        same(change.before.as_ref(), before.as_ref());
        same(change.after.as_ref(), after.as_ref());
    }
}

/// Column by column, so that a difference names its column.
fn same(found: Option<&postrider_source::row::Row>, expected: Option<&postrider_source::row::Row>) {
    assert_eq!(found.is_some(), expected.is_some());
    let (Some(found), Some(expected)) = (found, expected) else { return };
    for (column, json) in expected.iter().filter(|(column, _)| *column != "class") {
        assert_eq!(found.get(column), Some(json.get()), "{column}");
    }
    assert_eq!(found.iter().count(), expected.iter().count());
}

async fn a_large_value_is_told_whether_it_changed_or_not(by: CaptureKind) {
    let sql = "CREATE TABLE notes (id int PRIMARY KEY, body text, stage text); ALTER TABLE notes ALTER body SET STORAGE EXTERNAL";
    let mut crm = Crm::start(by, sql, &[table("notes", &["id"])]).await;
    let letters = |letter: &str| format!("\"{}\"", letter.repeat(100_000));
    let (a, b) = (letters("a"), letters("b"));
    crm.run("INSERT INTO notes VALUES (1, repeat('a', 100000), 'new')").await;
    crm.run("UPDATE notes SET stage = 'won'").await;
    crm.run("UPDATE notes SET body = repeat('b', 100000)").await;
    crm.run("BEGIN; UPDATE notes SET stage = 'x'; UPDATE notes SET stage = 'lost'; COMMIT").await;
    crm.run("DELETE FROM notes").await;
    let changes = crm.changes().await;
    let expected =
        [(None, Some(&*a)), (Some(&*a), Some(&*a)), (Some(&*a), Some(&*b)), (Some(&*b), Some(&*b)), (Some(&*b), None)];
    let found: Vec<_> = told(&changes, "body").into_iter().map(|(_, before, after)| (before, after)).collect();
    assert!(
        found == expected,
        "{:?}",
        found.iter().map(|(before, after)| (before.map(str::len), after.map(str::len))).collect::<Vec<_>>()
    );
    assert_eq!(told(&changes, "stage")[3], ("notes", Some(r#""won""#), Some(r#""lost""#)));
}

async fn a_generated_column_is_told(by: CaptureKind) {
    let sql = r#"CREATE TABLE lines (id int PRIMARY KEY, price numeric(10, 2), "the count" int, hidden text,
        total numeric(12, 1) GENERATED ALWAYS AS (price * "the count") STORED, tag text GENERATED ALWAYS AS (upper(hidden) || ' "x"') STORED)"#;
    let mut crm = Crm::start(by, sql, &[table("lines", &["id"]).without(&["hidden"])]).await;
    crm.run("INSERT INTO lines VALUES (1, 1.25, 3, 'a'), (2, NULL, 3, NULL)").await;
    crm.run("UPDATE lines SET hidden = 'b' WHERE id = 1").await;
    crm.run("UPDATE lines SET price = 7 WHERE id = 2").await;
    crm.run("DELETE FROM lines WHERE id = 1").await;
    let changes = crm.changes().await;
    let (first, second) = (Some(r#""A \"x\"""#), Some(r#""B \"x\"""#));
    let null = Some("null");
    let tags = [(None, first), (None, null), (first, second), (null, null), (second, None)];
    assert_eq!(told(&changes, "tag").into_iter().map(|(_, before, after)| (before, after)).collect::<Vec<_>>(), tags);
    let totals =
        [(None, Some("3.8")), (None, null), (Some("3.8"), Some("3.8")), (null, Some("21.0")), (Some("3.8"), None)];
    assert_eq!(
        told(&changes, "total").into_iter().map(|(_, before, after)| (before, after)).collect::<Vec<_>>(),
        totals
    );
}

async fn a_value_that_cannot_be_json_is_left_out_and_the_others_are_told(by: CaptureKind) {
    let sql = "CREATE TABLE payloads (id int PRIMARY KEY, body json, stage text)";
    let mut crm = Crm::start(by, sql, &[table("payloads", &["id"])]).await;
    crm.run(r#"INSERT INTO payloads VALUES (1, '"\u0000"', 'new'), (2, '{"a": 1}', 'new'), (3, '[]', 'new')"#).await;
    crm.run(r#"UPDATE payloads SET body = '1', stage = 'won' WHERE id = 1"#).await;
    let changes = crm.changes().await;
    let expected = [
        ("payloads", None, None),
        ("payloads", None, Some(r#"{"a": 1}"#)),
        ("payloads", None, Some("[]")),
        ("payloads", None, None),
    ];
    assert_eq!(told(&changes, "body"), expected, "of an update it is left out of both rows");
    assert_eq!(told(&changes, "stage")[3], ("payloads", Some(r#""new""#), Some(r#""won""#)));
    assert_eq!(changes[0].table, name("payloads"));
}
