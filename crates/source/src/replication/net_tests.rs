use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const ID: usize = 0;
const NOTE: usize = 1;

fn table() -> Arc<Table> {
    let column = |name: &str, identifies| Column { name: name.to_owned(), type_oid: 25, identifies };
    let columns = vec![column("id", true), column("note", false), column("secret", false)];
    let relation = Relation { oid: 7, schema: "public".to_owned(), name: "deals".to_owned(), columns };
    let captured = Captured {
        table: TableName { schema: "public".to_owned(), name: "deals".to_owned() },
        key: vec!["id".to_owned()],
        columns: vec!["id".to_owned(), "note".to_owned()],
        places: Vec::new(),
        generated: Vec::new(),
    };
    Arc::new(Table::new(Arc::new(captured), Arc::new(relation)).unwrap())
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned().into())
}

fn row(table: &Arc<Table>, id: u8, note: Value, secret: &str) -> RawRow {
    RawRow { table: Arc::clone(table), values: vec![text(&id.to_string()), note, text(secret)] }
}

fn key_of(table: &Arc<Table>, id: u8) -> RawRow {
    RawRow { table: Arc::clone(table), values: vec![text(&id.to_string()), Value::Untold, Value::Untold] }
}

/// Of each net the note before and after; nothing where there was no row.
fn told(nets: &mut Nets) -> Vec<(Option<Value>, Option<Value>)> {
    let note = |row: &Option<RawRow>| row.as_ref().map(|row| row.values[NOTE].clone());
    nets.take().map(|(_, net)| (note(&net.before), note(&net.after))).collect()
}

#[test]
fn a_record_that_came_and_went_is_not_told() {
    let (table, mut nets) = (table(), Nets::default());
    nets.insert(row(&table, 1, text("a"), ""), 1).unwrap();
    nets.delete(row(&table, 1, text("a"), ""), 1).unwrap();
    assert_eq!(told(&mut nets), []);
}

#[test]
fn a_change_of_columns_that_are_not_captured_is_not_told() {
    let (table, mut nets) = (table(), Nets::default());
    let (old, new) = (row(&table, 1, text("a"), "old"), row(&table, 1, text("a"), "new"));
    nets.update(Some(old), new, 1).unwrap();
    assert_eq!(told(&mut nets), []);
}

#[test]
fn a_large_value_that_did_not_change_is_taken_from_the_old_row() {
    let (table, mut nets) = (table(), Nets::default());
    let (old, new) = (row(&table, 1, text("large"), ""), row(&table, 1, Value::Untold, "changed"));
    nets.update(Some(old), new, 1).unwrap();
    assert_eq!(told(&mut nets), [], "it is known to be as it was");
}

#[test]
fn without_an_old_row_a_large_value_is_taken_from_what_the_same_transaction_wrote() {
    let (table, mut nets) = (table(), Nets::default());
    nets.insert(row(&table, 1, text("large"), ""), 1).unwrap();
    nets.update(None, row(&table, 1, Value::Untold, ""), 1).unwrap();
    assert_eq!(told(&mut nets), [(None, Some(text("large")))]);
}

#[test]
fn without_an_old_row_an_update_has_no_previous_values_and_is_no_creation() {
    let (table, mut nets) = (table(), Nets::default());
    nets.update(None, row(&table, 1, text("new"), ""), 1).unwrap();
    assert_eq!(told(&mut nets), [(Some(Value::Untold), Some(text("new")))]);
}

#[test]
fn a_key_that_changes_is_a_deletion_and_a_creation() {
    let (table, mut nets) = (table(), Nets::default());
    nets.update(Some(row(&table, 1, text("a"), "")), row(&table, 2, text("b"), ""), 1).unwrap();
    nets.update(Some(key_of(&table, 5)), row(&table, 6, text("c"), ""), 1).unwrap();
    let expected =
        [(Some(text("a")), None), (None, Some(text("b"))), (Some(Value::Untold), None), (None, Some(text("c")))];
    assert_eq!(told(&mut nets), expected);
}

#[test]
fn a_row_that_is_not_identified_is_not_guessed() {
    let (table, mut nets) = (table(), Nets::default());
    let mut nameless = row(&table, 1, text("a"), "");
    nameless.values[ID] = Value::Untold;
    assert_eq!(nets.delete(nameless, 1), Err(Unidentified));
    assert_eq!(told(&mut nets), []);
}

#[derive(Clone, Debug)]
enum Act {
    Write(u8, u8),
    Move(u8, u8),
    Delete(u8),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0..4_u8, 0..4_u8).prop_map(|(id, note)| Act::Write(id, note)),
        1 => (0..4_u8, 0..4_u8).prop_map(|(from, to)| Act::Move(from, to)),
        2 => (0..4_u8).prop_map(Act::Delete),
    ];
    proptest::collection::vec(act, 0..30)
}

/// Does to the rows what an act says, and tells it as the stream would.
fn act(rows: &mut BTreeMap<u8, u8>, nets: &mut Nets, table: &Arc<Table>, act: Act) {
    let full = |id: u8, note: u8| row(table, id, text(&note.to_string()), "");
    match act {
        Act::Write(id, note) => match rows.insert(id, note) {
            None => nets.insert(full(id, note), 1).unwrap(),
            Some(old) => nets.update(Some(full(id, old)), full(id, note), 1).unwrap(),
        },
        Act::Move(from, to) if !rows.contains_key(&to) => {
            if let Some(note) = rows.remove(&from) {
                rows.insert(to, note);
                nets.update(Some(full(from, note)), full(to, note), 1).unwrap();
            }
        }
        Act::Move(..) => {}
        Act::Delete(id) => {
            if let Some(note) = rows.remove(&id) {
                nets.delete(full(id, note), 1).unwrap();
            }
        }
    }
}

proptest! {
    #[test]
    fn nets_are_the_difference_between_before_and_after(start in proptest::collection::btree_map(0..4_u8, 0..4_u8, 0..4), acts in acts()) {
        let (table, mut nets, mut rows) = (table(), Nets::default(), start.clone());
        for step in acts {
            act(&mut rows, &mut nets, &table, step);
        }
        let note = |rows: &BTreeMap<u8, u8>, id: u8| rows.get(&id).map(|note| text(&note.to_string()));
        let mut expected: Vec<_> = (0..4_u8).map(|id| (note(&start, id), note(&rows, id))).filter(|(before, after)| before != after).collect();
        let mut found = told(&mut nets);
        let order = |pair: &(Option<Value>, Option<Value>)| format!("{pair:?}");
        expected.sort_by_key(order);
        found.sort_by_key(order);
        prop_assert_eq!(found, expected);
    }
}
