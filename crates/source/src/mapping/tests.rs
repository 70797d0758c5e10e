use proptest::prelude::*;

use super::*;

/// The smallest mapping: everything else has its default.
const SMALLEST: &str = r#"
organization = "acme"

[[tables]]
table = "public.deals"
resource = "deal"
"#;

fn parsed(text: &str) -> Mapping {
    Mapping::parse(text, "source.toml").unwrap()
}

fn mistakes(text: &str) -> Vec<String> {
    Mapping::parse(text, "source.toml").map(|_| ()).unwrap_err().iter().map(ToString::to_string).collect()
}

/// The mistakes of the smallest mapping with something more said of its table.
fn mistakes_with(part: &str) -> Vec<String> {
    mistakes(&format!("{SMALLEST}{part}"))
}

fn known(table: &str, columns: &[&str]) -> KnownTable {
    let column = |name: &&str| KnownColumn { name: (*name).to_owned(), type_name: "text".to_owned() };
    KnownTable {
        table: table.parse().unwrap(),
        columns: columns.iter().map(column).collect(),
        primary_key: vec!["id".to_owned()],
    }
}

#[test]
fn three_lines_for_a_table_have_the_documented_defaults() {
    let mapping = parsed(SMALLEST);
    assert_eq!((mapping.schema.as_str(), mapping.capture), ("postrider_source", CaptureKind::Triggers));
    assert_eq!((mapping.outbox_rows_max, mapping.slot_bytes_max), (1_000_000, 10_737_418_240));
    let deals = &mapping.tables[0];
    assert_eq!(deals.organization, Placing::Fixed("acme".to_owned()));
    assert_eq!(deals.key, None);
    let said = [&deals.events.created, &deals.events.updated, &deals.events.deleted];
    assert_eq!(said.map(|event| event.as_deref().unwrap()), ["deal.created", "deal.updated", "deal.deleted"]);
}

#[test]
fn everything_that_can_be_said_is_read() {
    let mapping = parsed(
        r#"
schema = "crm_events"
capture = "replication"
outbox_rows_max = 5_000
slot_bytes_max = 107_374_182_400
[organization]
column = "company_id"
id = "crm-{}"
joins = [{ table = "companies", key = "uid", column = "tenant" }]
[[tables]]
table = "public.deals"
resource = "deal"
key = ["region", "number"]
omit = ["notes"]
include_sensitive = ["token_count"]
ignore = ["updated_at"]
soft_delete = "deleted_at"
created_at = "created_at"
uri = "https://crm.example/deals/{}"
rename = { amount_cents = "amount" }
labels.stage = { 1 = "new", 2 = "won" }
events = { created = "deal.added", updated = false }
[[tables.rules]]
event = "deal.won"
changed = "stage"
from = "new"
to = [2, "null"]
when = { archived = false, owner_id = ["not null"] }
instead = true
"#,
    );
    assert_eq!((mapping.schema.as_str(), mapping.capture), ("crm_events", CaptureKind::Replication));
    assert_eq!((mapping.outbox_rows_max, mapping.slot_bytes_max), (5_000, 107_374_182_400));
    let deals = &mapping.tables[0];
    let join = Join { table: "public.companies".parse().unwrap(), key: "uid".into(), column: "tenant".into() };
    assert_eq!(deals.organization, Placing::By { column: "company_id".into(), joins: vec![join], id: "crm-{}".into() });
    assert_eq!(deals.organization.organization("7").unwrap().as_str(), "crm-7");
    assert_eq!(deals.key.as_deref().unwrap(), ["region", "number"]);
    assert_eq!((deals.field("amount_cents"), deals.field("stage")), ("amount", "stage"));
    assert_eq!(deals.labels["stage"]["2"], "won");
    assert_eq!(deals.events.created.as_deref(), Some("deal.added"));
    assert_eq!((&deals.events.updated, deals.events.deleted.as_deref()), (&None, Some("deal.deleted")));
    let rule = &deals.rules[0];
    assert_eq!(
        (rule.from.as_slice(), rule.to.as_slice()),
        (&["new".to_owned()][..], &["2".to_owned(), "null".into()][..])
    );
    assert_eq!(
        (rule.when["archived"].as_slice(), rule.instead, rule.on_create),
        (&["false".to_owned()][..], true, false)
    );
}

#[test]
fn a_join_table_is_placed_by_way_of_its_record() {
    let mapping = parsed(
        r#"
organization = { column = "org_id" }
[[tables]]
table = "contacts"
resource = "contact"
[[tables]]
table = "contact_users"
via = { table = "contacts", column = "contact_id" }
events = { created = "contact.assigned" }
"#,
    );
    let users = &mapping.tables[1];
    assert_eq!(users.resource, "contact");
    assert_eq!(users.via.as_ref().unwrap().member, "contact_users");
    let join = Join { table: "public.contacts".parse().unwrap(), key: "id".into(), column: "org_id".into() };
    assert_eq!(users.organization, Placing::By { column: "contact_id".into(), joins: vec![join], id: "{}".into() });
    assert_eq!((&users.events.updated, &users.events.deleted), (&None, &None));
}

#[test]
fn every_mistake_is_told_at_once_with_file_line_column_and_key() {
    let told = mistakes(
        r#"
schema = "Public"
capture = "polling"
colour = 1
[[tables]]
table = "a.b.c"
[[tables]]
table = "public.deals"
resource = "the deal"
events = { created = "deal created" }
"#,
    );
    let places: Vec<_> =
        told.iter().map(|mistake| mistake.splitn(5, ':').take(4).collect::<Vec<_>>().join(":")).collect();
    assert_eq!(
        places,
        [
            "source.toml:2:10: schema",
            "source.toml:3:11: capture",
            "source.toml:4:1: colour",
            "source.toml:6:9: tables[0].table",
            "source.toml:7:1: tables[1].organization",
            "source.toml:9:12: tables[1].resource",
            "source.toml:10:22: tables[1].events.created",
        ],
        "{told:#?}"
    );
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (part, told) in [
        ("omit = [\"a\"]\ninclude_sensitive = [\"a\"]", "both omitted and included"),
        ("omit = [\"a\", \"a\"]", "listed twice"),
        ("omit = [\"id\"]\nkey = \"id\"", "cannot be told apart"),
        ("omit = [\"a\"]\nrename = { a = \"b\" }", "so has no name in data"),
        ("omit = [\"a\"]\nlabels.a = { 1 = \"b\" }", "so has no value in data"),
        ("omit = [\"a\"]\nsoft_delete = \"a\"", "deletions cannot be seen"),
        ("omit = [\"a\"]\norganization = { column = \"a\" }", "whose a row is cannot be found"),
        ("omit = [\"a\"]\nrules = [{ event = \"x\", changed = \"a\" }]", "a rule cannot see it"),
        ("omit = [\"a\"]\nrules = [{ event = \"x\", changed = \"b\", when = { a = 1 } }]", "a rule cannot see it"),
        ("rename = { a = \"c\", b = \"c\" }", "as \"a\" is"),
        ("soft_delete = \"gone\"\nrules = [{ event = \"x\", changed = \"gone\" }]", "its changes are deletions"),
        ("key = \"id\"\nrules = [{ event = \"x\", changed = \"id\" }]", "is the key and never changes"),
        ("rules = [{ event = \"x\", changed = \"a\", from = \"1\", to = 1 }]", "as from is"),
        ("rules = [{ event = \"x\", changed = \"a\", from = 1, on_create = true }]", "contradicts from"),
        (
            "labels.a = { 1 = \"won\" }\nrules = [{ event = \"x\", changed = \"a\", to = \"wonn\" }]",
            "neither a value nor a word",
        ),
        ("events = { created = false, updated = false, deleted = false }", "says nothing of any change"),
        ("via = { table = \"public.contacts\", column = \"a\" }", "is that of the table which via names"),
        ("[[tables]]\ntable = \"deals\"\nresource = \"x\"", "is public.deals once more"),
    ] {
        let mistakes = mistakes_with(part);
        assert!(mistakes.iter().any(|mistake| mistake.contains(told)), "{part}: {mistakes:#?}");
    }
}

#[test]
fn values_that_stand_for_nothing_are_refused() {
    for (part, told) in [
        ("organization = \"a b\"", "is no organisation's id"),
        ("organization = { column = \"a\", id = \"x\" }", "makes no organisation's id"),
        ("organization = { joins = [] }", "tables[0].organization.column: is missing"),
        ("organization = { column = \"a\", joins = [{},{},{},{},{}] }", "has 5 steps"),
        ("key = []", "has 0 columns"),
        ("uri = \"/deals/{}\"", "leads to no record"),
        ("rules = [{ event = \"*\", changed = \"a\" }]", "is no event type"),
        ("rules = [{ event = \"a\" }]", "changed: is missing"),
        ("rules = [{ event = \"a\", changed = \"b\", when = { c = [] } }]", "lists no value"),
        ("rename = { a = \"\" }", "is no field's name"),
        ("soft_delete = \"\"", "is no column's name"),
        (
            "[[tables]]\ntable = \"x\"\nvia = { table = \"deal\", column = \"a\" }\nevents.created = \"x\"",
            "did you mean public.deals?",
        ),
    ] {
        let mistakes = mistakes_with(part);
        assert!(mistakes.iter().any(|mistake| mistake.contains(told)), "{part}: {mistakes:#?}");
    }
}

#[test]
fn limits_are_kept() {
    let tables: String = (0..501).map(|n| format!("[[tables]]\ntable = \"t{n}\"\nresource = \"r\"\n")).collect();
    assert!(mistakes(&format!("organization = \"acme\"\n{tables}"))[0].contains("has 501 tables"));
    assert!(mistakes("")[0].contains("has 0 tables"));
    let rules = "{ event = \"x\", changed = \"a\" },".repeat(101);
    assert!(mistakes_with(&format!("rules = [{rules}]"))[0].contains("has 101 rules"));
    let long = format!("#{}", "x".repeat(Mapping::FILE_BYTES_MAX));
    assert!(mistakes(&long)[0].contains("has 1048577 bytes"));
}

#[test]
fn columns_that_look_like_secrets_must_be_omitted_or_named_on_purpose() {
    let columns = known("public.deals", &["id", "reset_token", "password_hash", "stage"]);
    let told = parsed(SMALLEST).check_columns(std::slice::from_ref(&columns), &[]);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(
        told[0].to_string(),
        "source.toml:4:1: tables[0]: captures \"reset_token\", which looks like a secret; write omit = [\"reset_token\"], or include_sensitive = [\"reset_token\"] if receivers may see it"
    );
    let named = format!("{SMALLEST}omit = [\"password_hash\"]\ninclude_sensitive = [\"reset_token\"]");
    assert_eq!(parsed(&named).check_columns(&[columns], &[]), []);
}

#[test]
fn columns_and_tables_that_do_not_exist_are_told_where_they_are_named_with_near_names() {
    let mapping = parsed(
        r#"
organization = { column = "companyid", joins = [{ table = "company", column = "org" }] }
[[tables]]
table = "public.deals"
resource = "deal"
ignore = ["updatedat"]
rename = { zzz = "y" }
"#,
    );
    let deals = known("public.deals", &["id", "company_id", "updated_at"]);
    let told: Vec<_> = mapping
        .check_columns(&[deals, known("public.companies", &["id"])], &[])
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "source.toml:2:27: organization.column: \"companyid\" is no column of public.deals; did you mean company_id?",
            "source.toml:2:59: organization.joins[0].table: public.company is no table of this database; did you mean public.companies?",
            "source.toml:6:11: tables[0].ignore[0]: \"updatedat\" is no column of public.deals; did you mean updated_at?",
            "source.toml:7:18: tables[0].rename.zzz: \"zzz\" is no column of public.deals; it has id, company_id, updated_at",
        ]
    );
}

#[test]
fn a_missing_tables_near_names_are_all_of_the_databases() {
    let others = ["crm.deals", "public.deal", "public.visits"].map(|name| name.parse::<TableName>().unwrap());
    let told = parsed(SMALLEST).check_columns(&[], &others);
    assert!(told[0].to_string().ends_with("did you mean public.deal or crm.deals?"), "{told:?}");
}

#[test]
fn a_soft_deletion_by_values_names_them() {
    let written = "soft_delete = { column = \"status\", is = [\"gone\", \"spam\"] }\nlabels.status = { 1 = \"open\", 9 = \"gone\", 8 = \"spam\" }";
    let mapping = parsed(&format!("{SMALLEST}{written}"));
    let soft_delete = mapping.tables[0].soft_delete.clone().unwrap();
    assert_eq!((soft_delete.column.as_str(), soft_delete.is), ("status", vec!["gone".to_owned(), "spam".to_owned()]));
    for (part, told) in [
        ("soft_delete = { column = \"status\" }", "soft_delete.is"),
        ("soft_delete = { is = \"false\" }", "soft_delete.column"),
        ("soft_delete = { column = \"a\", is = \"z\" }\nlabels.a = { 1 = \"b\" }", "neither a value nor a word"),
        ("soft_delete = { column = \"a\", is = \"z\" }\nomit = [\"a\"]", "deletions cannot be seen"),
    ] {
        let mistakes = mistakes_with(part);
        assert!(mistakes.iter().any(|mistake| mistake.contains(told)), "{part}: {mistakes:#?}");
    }
}

#[test]
fn two_columns_cannot_become_one_field() {
    let text = format!("{SMALLEST}rename = {{ title = \"name\" }}");
    let told = parsed(&text).check_columns(&[known("public.deals", &["id", "name", "title"])], &[]);
    assert!(told[0].to_string().contains("has two fields \"name\""), "{told:?}");
}

#[test]
fn a_join_tables_rows_do_not_hide_a_field_of_their_record() {
    let text = format!(
        "{SMALLEST}[[tables]]\ntable = \"deal_users\"\nevents.created = \"deal.assigned\"\n\
         via = {{ table = \"deals\", column = \"deal_id\", member = \"stage\" }}"
    );
    let known = [known("public.deals", &["id", "stage"]), known("public.deal_users", &["id", "deal_id"])];
    let told = parsed(&text).check_columns(&known, &[]);
    assert!(told[0].to_string().contains("is a field of public.deals already"), "{told:?}");
}

/// Pieces that mappings are made of, so that made-up files come far into the reader.
fn pieces() -> impl Strategy<Value = String> {
    let keys: Vec<&'static str> = KEYS.iter().flat_map(|(_, keys)| keys.iter().copied()).collect();
    let values = prop::sample::select(vec![
        "\"a\"",
        "\"public.deals\"",
        "[\"a\", \"b\"]",
        "{ column = \"a\" }",
        "{ a = 1 }",
        "{ a = { 1 = \"b\" } }",
        "1",
        "true",
        "[]",
        "{}",
        "[{ table = \"x\", column = \"y\" }]",
        "[{ event = \"x\", changed = \"a\", to = [1] }]",
        "\"é\"",
        "-1",
        "1.5",
        "1979-05-27",
    ]);
    let line = prop_oneof![
        (prop::sample::select(keys), values).prop_map(|(key, value)| format!("{key} = {value}")),
        prop::sample::select(vec![
            "[[tables]]",
            "[tables.events]",
            "[[tables.rules]]",
            "[tables.via]",
            "[organization]"
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(line, 0..20).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".*") {
        let _ = Mapping::parse(&text, "x.toml");
    }

    #[test]
    fn no_file_makes_it_panic_and_what_is_refused_says_where_and_what_to_do(text in pieces()) {
        match Mapping::parse(&text, "x.toml") {
            Ok(mapping) => {
                let _ = mapping.check_columns(&[known("public.deals", &["a", "token"])], &[]);
            }
            Err(mistakes) => {
                prop_assert!(!mistakes.is_empty());
                for mistake in mistakes {
                    prop_assert!(!mistake.problem.is_empty() && !mistake.advice.is_empty(), "{}", mistake);
                }
            }
        }
    }
}
