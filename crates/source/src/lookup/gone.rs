//! Rows that were deleted from tables which joins lead over. Changes that are handed over later ask for them, too: a transaction that deletes a record
//! with all that belongs to it may be larger than a batch.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::change::Change;
use crate::mapping::{Mapping, TableName};
use crate::row::Row;

/// Bytes of deleted rows that are remembered at most; the one that went first is forgotten first.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// What remembering a row takes beside what is in it, about, in bytes.
const BYTES_OF_A_ROW: usize = 256;

/// Deleted rows by the values that joins look for.
#[derive(Debug)]
pub(super) struct Gone {
    /// Tables that joins lead over, with the column that is looked in.
    joined: Vec<(TableName, String)>,
    /// By place in `joined`, and value.
    rows: HashMap<(usize, String), Arc<Row>>,
    /// In the order in which they went, with their bytes.
    order: VecDeque<(usize, String, usize)>,
    bytes: usize,
    bytes_max: usize,
}

impl Gone {
    pub(super) fn new(mapping: &Mapping) -> Self {
        let joined: BTreeSet<_> = mapping.joined().map(|(table, key)| (table.clone(), key.to_owned())).collect();
        Gone {
            joined: joined.into_iter().collect(),
            rows: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            bytes_max: BYTES_MAX,
        }
    }

    /// Remembers the deletions among these changes.
    pub(super) fn remember(&mut self, changes: &[Change]) {
        let deleted = changes.iter().filter(|change| change.after.is_none());
        for (change, before) in deleted.filter_map(|change| Some((change, change.before.as_ref()?))) {
            let mut row = None;
            for (place, (_, column)) in self.joined.iter().enumerate().filter(|(_, (table, _))| *table == change.table)
            {
                let Some(value) = before.text(column) else { continue };
                let row = row.get_or_insert_with(|| Arc::new(before.clone()));
                let bytes =
                    BYTES_OF_A_ROW + before.iter().map(|(name, value)| name.len() + value.get().len()).sum::<usize>();
                self.rows.insert((place, value.clone()), Arc::clone(row));
                self.order.push_back((place, value, bytes));
                self.bytes += bytes;
            }
        }
        while self.bytes > self.bytes_max {
            let Some((place, value, bytes)) = self.order.pop_front() else { break };
            self.rows.remove(&(place, value));
            self.bytes -= bytes;
        }
    }

    /// The row that was deleted with this value in this column.
    pub(super) fn row(&self, table: &TableName, column: &str, value: &str) -> Option<&Row> {
        let place = self.joined.iter().position(|(of, in_column)| of == table && in_column == column)?;
        self.rows.get(&(place, value.to_owned())).map(|row| &**row)
    }
}

#[cfg(test)]
mod tests {
    use postrider_domain::Millis;
    use uuid::Uuid;

    use super::*;

    const MAPPING: &str = "organization = \"acme\"\n[[tables]]\ntable = \"public.chats\"\nresource = \"chat\"\n\
        [[tables]]\ntable = \"public.messages\"\nresource = \"message\"\n\
        organization = { column = \"chat\", joins = [{ table = \"public.chats\", column = \"org\" }] }\n";

    fn deleted(table: &str, row: &str) -> Change {
        let before = serde_json::from_str(row).unwrap();
        Change { id: Uuid::nil(), table: table.parse().unwrap(), at: Millis(0), transaction: None, before, after: None }
    }

    fn org(gone: &Gone, id: &str) -> Option<String> {
        gone.row(&"public.chats".parse().unwrap(), "id", id)?.text("org")
    }

    #[test]
    fn what_a_deleted_row_led_to_is_known_after_the_batch_that_told_of_it() {
        let mut gone = Gone::new(&Mapping::parse(MAPPING, "source.toml").unwrap());
        gone.remember(&[
            deleted("public.chats", r#"{"id":7,"org":"a"}"#),
            deleted("public.messages", r#"{"id":8,"chat":7}"#),
        ]);
        gone.remember(&[]);
        assert_eq!((org(&gone, "7").as_deref(), org(&gone, "8")), (Some("a"), None));
        gone.remember(&[deleted("public.chats", r#"{"id":7,"org":"b"}"#)]);
        assert_eq!(org(&gone, "7").as_deref(), Some("b"));
    }

    #[test]
    fn those_that_went_first_are_forgotten_first() {
        let mut gone = Gone::new(&Mapping::parse(MAPPING, "source.toml").unwrap());
        gone.bytes_max = 3 * (BYTES_OF_A_ROW + 20);
        for id in 1..=4 {
            gone.remember(&[deleted("public.chats", &format!(r#"{{"id":{id},"org":"a"}}"#))]);
        }
        let known: Vec<_> = (1..=4).map(|id| org(&gone, &id.to_string()).is_some()).collect();
        assert_eq!(known, [false, true, true, true]);
        assert_eq!((gone.rows.len(), gone.order.len()), (3, 3));
    }
}
