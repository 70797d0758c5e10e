//! A page that was read and is not told yet. With replication the log comes later than the rows: what was committed before they were read may still be
//! on its way, and is to be told before them; what was committed after that is to be told behind them.

use std::collections::{HashMap, HashSet};

use super::order::Order;
use crate::capture::Position;
use crate::change::Change;
use crate::events::Told;
use crate::mapping::TableName;
use crate::row::Row;

/// Which transactions were committed when rows were read, as `pg_current_snapshot` tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// All before this one had ended.
    oldest: u64,
    /// None from this one on had begun.
    next: u64,
    /// Those in between that had not ended.
    running: HashSet<u32>,
}

impl Snapshot {
    /// Reads `oldest:next:running,running`; nothing when it is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (oldest, next) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let running = parts.next()?.split(',').filter(|number| !number.is_empty());
        let running = running.map(|number| number.parse().ok().map(low)).collect::<Option<_>>()?;
        Some(Snapshot { oldest, next, running })
    }

    /// Whether rows were read as this transaction, which was committed, has left them. Its number has 32 bits, which begin again; of two numbers the
    /// one that fewer than 2^31 lie behind is the later.
    fn has(&self, transaction: u32) -> bool {
        let is_before = |number: u64| transaction.wrapping_sub(low(number)).cast_signed() < 0;
        is_before(self.oldest) || (is_before(self.next) && !self.running.contains(&transaction))
    }
}

/// The lower half of a transaction's whole number.
fn low(number: u64) -> u32 {
    (number & u64::from(u32::MAX)) as u32
}

/// When rows were read.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) snapshot: Snapshot,
    /// All that they show was committed before this position of the log.
    pub(super) through: Position,
}

/// The page.
pub(super) struct Held {
    pub(super) order: Order,
    pub(super) last_key: Option<String>,
    pub(super) count: i64,
    table: TableName,
    key: Vec<String>,
    seen: Option<Seen>,
    /// What is to be told of each row, in their order, unless it is told already.
    rows: Vec<Option<Vec<Told>>>,
    by_key: HashMap<String, usize>,
}

impl Held {
    /// `rows` are what there is to tell by key. Without `seen` nothing can be on its way.
    pub(super) fn new(
        order: Order,
        table: &TableName,
        key: &[String],
        seen: Option<Seen>,
        rows: Vec<(String, Vec<Told>)>,
    ) -> Self {
        let by_key = rows.iter().enumerate().map(|(at, (key, _))| (key.clone(), at)).collect();
        let rows = rows.into_iter().map(|(_, told)| Some(told)).collect();
        Held { order, last_key: None, count: 0, table: table.clone(), key: key.to_vec(), seen, rows, by_key }
    }

    /// Whether all that it shows has been told, when everything before this position is settled.
    pub(super) fn is_due(&self, settled: Option<Position>) -> bool {
        let is_settled = |seen: &Seen| settled.is_some_and(|settled| settled >= seen.through);
        self.rows.is_empty() || self.seen.as_ref().is_none_or(is_settled)
    }

    /// What is to be told before this change: the row as it was when the page was read, if the change was made later. A record that is created in what
    /// the page shows is told by that.
    pub(super) fn overtaken_by(&mut self, change: &Change) -> Vec<Told> {
        let (Some(seen), Some(transaction)) = (&self.seen, change.transaction) else { return Vec::new() };
        let row = change.after.as_ref().or(change.before.as_ref()).filter(|_| change.table == self.table);
        let Some(at) = row.and_then(|row| self.by_key.get(&key_of(row, &self.key)?)) else { return Vec::new() };
        let Some(held) = self.rows.get_mut(*at) else { return Vec::new() };
        match (seen.snapshot.has(transaction), &change.before) {
            (false, _) => held.take().unwrap_or_default(),
            (true, None) => {
                *held = None;
                Vec::new()
            }
            (true, Some(_)) => Vec::new(),
        }
    }

    /// What is not told yet.
    pub(super) fn rest(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.rows).into_iter().flatten().flatten().collect()
    }
}

/// As the page names its rows: by `jsonb_build_array` of the key.
fn key_of(row: &Row, key: &[String]) -> Option<String> {
    let values = key.iter().map(|column| row.get(column)).collect::<Option<Vec<_>>>()?;
    Some(format!("[{}]", values.join(", ")))
}

#[cfg(test)]
mod tests {
    use postrider_domain::Millis;
    use uuid::Uuid;

    use super::*;

    fn told(key: &str) -> Told {
        let event = postrider_engine::IncomingEvent {
            event_type: key.to_owned(),
            data: "{}".into(),
            id: None,
            occurred_at: None,
            resource: None,
            previous: None,
            changes: None,
        };
        Told { organization: "acme".parse().unwrap(), event }
    }

    fn held() -> Held {
        let seen = Seen { snapshot: Snapshot::read("90:100:95").unwrap(), through: Position(7) };
        let rows = ["[1, \"a\"]", "[2, \"b\"]"].map(|key| (key.to_owned(), vec![told(key)])).to_vec();
        Held::new(Order::default(), &"t".parse().unwrap(), &["id".to_owned(), "s".to_owned()], Some(seen), rows)
    }

    fn change(transaction: u32, before: Option<&str>, after: Option<&str>) -> Change {
        let row = |text: &str| serde_json::from_str(text).unwrap();
        let (before, after) = (before.map(row), after.map(row));
        let (id, table) = (Uuid::nil(), "t".parse().unwrap());
        Change { id, table, at: Millis(0), transaction: Some(transaction), before, after }
    }

    #[test]
    fn a_snapshot_has_what_was_committed_before_it() {
        let snapshot = Snapshot::read("90:100:95,97").unwrap();
        assert_eq!(
            [89, 90, 95, 96, 97, 99, 100, 101].map(|number| snapshot.has(number)),
            [true, true, false, true, false, true, false, false]
        );
        assert_eq!(Snapshot::read("90:90:").map(|snapshot| snapshot.running.len()), Some(0));
        assert_eq!([Snapshot::read(""), Snapshot::read("1:2"), Snapshot::read("1:2:x")], [None, None, None]);
    }

    #[test]
    fn numbers_begin_again_after_32_bits() {
        let whole = 1_u64 << 32;
        let snapshot = Snapshot::read(&format!("{}:{}:{}", whole - 2, whole + 3, whole + 1)).unwrap();
        assert_eq!(
            [u32::MAX - 5, u32::MAX, 0, 1, 2, 3, 9].map(|number| snapshot.has(number)),
            [true, true, true, false, true, false, false]
        );
    }

    #[test]
    fn a_row_is_told_before_what_was_changed_after_it_was_read() {
        let mut held = held();
        let row = Some(r#"{"s":"a","id":1,"n":3}"#);
        assert!(held.overtaken_by(&change(90, row, row)).is_empty(), "the row shows it");
        assert_eq!(held.overtaken_by(&change(95, row, row)), [told("[1, \"a\"]")]);
        assert!(held.overtaken_by(&change(100, row, None)).is_empty(), "it is told once");
        assert!(held.overtaken_by(&change(100, None, Some(r#"{"s":"c","id":1}"#))).is_empty(), "another record");
        assert_eq!(held.rest(), [told("[2, \"b\"]")]);
    }

    #[test]
    fn a_row_that_is_created_in_what_was_read_is_told_by_that() {
        let mut held = held();
        assert!(held.overtaken_by(&change(96, None, Some(r#"{"id":2,"s":"b"}"#))).is_empty());
        assert_eq!(held.rest(), [told("[1, \"a\"]")]);
    }

    #[test]
    fn the_rest_is_told_when_the_log_has_come_so_far() {
        let held = held();
        assert_eq!(
            [None, Some(Position(6)), Some(Position(7))].map(|settled| held.is_due(settled)),
            [false, false, true]
        );
    }
}
