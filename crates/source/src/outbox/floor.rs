//! From which id on the outbox has to be read: what is below it is gone for good, and its dead rows need not be passed over again.
//!
//! Whoever writes a row has an id of transaction before it draws the row's id, since it has changed a row of the CRM before. So when we have seen
//! the row `through`, and then draw an id of transaction `before`, every row up to `through` belongs to a transaction older than `before`. Once the
//! oldest transaction that is under way is not older than that, a read sees all of them that there will ever be; when what it has read
//! is deleted, nothing up to `through` can appear any more.

/// The floor of one session; another session begins from the beginning.
#[derive(Debug, Default)]
pub(super) struct Floor {
    floor: i64,
    mark: Option<Mark>,
}

/// Every row up to `through` belongs to a transaction older than `before`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    through: i64,
    before: u64,
}

/// What a read proves once its rows are deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Proof {
    through: Option<i64>,
}

impl Floor {
    /// Rows with greater ids are to be read.
    pub(super) fn id(&self) -> i64 {
        self.floor
    }

    /// A read begins; `oldest` was the oldest transaction under way at a moment before.
    pub(super) fn begin(&mut self, oldest: u64) -> Proof {
        Proof { through: self.mark.take_if(|mark| oldest >= mark.before).map(|mark| mark.through) }
    }

    /// All that a read returned is deleted; `last` is the last row it returned where there may be more behind it.
    pub(super) fn settled(&mut self, proof: Proof, last: Option<i64>) {
        if let Some(through) = proof.through {
            self.floor = self.floor.max(last.map_or(through, |last| through.min(last)));
        }
    }

    /// Whether something was marked and is not proven yet.
    pub(super) fn is_marked(&self) -> bool {
        self.mark.is_some()
    }

    /// The id `through` was seen, and after that the id of transaction `before` was drawn.
    pub(super) fn mark(&mut self, through: i64, before: u64) {
        if through > self.floor && self.mark.is_none() {
            self.mark = Some(Mark { through, before });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_rises_when_all_that_could_be_below_is_gone() {
        let mut floor = Floor::default();
        let nothing = floor.begin(50);
        floor.settled(nothing, None);
        assert_eq!(floor.id(), 0);
        floor.mark(7, 60);
        let too_early = floor.begin(59);
        floor.settled(too_early, None);
        assert_eq!(floor.id(), 0, "somebody older than the mark may still write a row below");
        let proof = floor.begin(60);
        assert_eq!(floor.id(), 0, "what it read is not deleted yet");
        floor.settled(proof, None);
        assert_eq!(floor.id(), 7);
    }

    #[test]
    fn behind_a_read_that_stopped_early_it_does_not_rise() {
        let mut floor = Floor::default();
        floor.mark(100, 60);
        let proof = floor.begin(70);
        floor.settled(proof, Some(40));
        assert_eq!(floor.id(), 40);
    }

    /// A database with writers that draw ids and commit whenever they like, or never.
    #[derive(Default)]
    struct Model {
        transactions: u64,
        ids: i64,
        open: BTreeMap<u64, Vec<i64>>,
        visible: BTreeSet<i64>,
    }

    impl Model {
        fn oldest(&self) -> u64 {
            self.open.keys().next().copied().unwrap_or(self.transactions + 1)
        }

        fn nth_open(&self, nth: usize) -> Option<u64> {
            self.open.keys().nth(nth % self.open.len().max(1)).copied()
        }

        fn act(&mut self, act: Act) {
            match act {
                Act::Begin => {
                    self.transactions += 1;
                    self.open.insert(self.transactions, Vec::new());
                }
                Act::Write(nth) => {
                    if let Some(open) = self.nth_open(nth) {
                        self.ids += 1;
                        self.open.entry(open).or_default().push(self.ids);
                    }
                }
                Act::End(nth, commits) => {
                    let rows = self.nth_open(nth).and_then(|open| self.open.remove(&open));
                    self.visible.extend(rows.filter(|_| commits).into_iter().flatten());
                }
                Act::Read(_) => {}
            }
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Act {
        Begin,
        Write(usize),
        End(usize, bool),
        Read(usize),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let act = prop_oneof![
            Just(Act::Begin),
            (0..4_usize).prop_map(Act::Write),
            (0..4_usize, any::<bool>()).prop_map(|(nth, commits)| Act::End(nth, commits)),
            (1..4_usize).prop_map(Act::Read),
        ];
        proptest::collection::vec(act, 1..120)
    }

    proptest! {
        #[test]
        fn nothing_ever_appears_below_it(acts in acts()) {
            let (mut model, mut floor) = (Model::default(), Floor::default());
            for act in acts {
                if let Act::Read(rows_max) = act {
                    let proof = floor.begin(model.oldest());
                    let read: Vec<i64> = model.visible.iter().copied().filter(|id| *id > floor.id()).take(rows_max).collect();
                    read.iter().for_each(|id| { model.visible.remove(id); });
                    floor.settled(proof, read.last().copied().filter(|_| read.len() == rows_max));
                    model.transactions += 1;
                    if let Some(last) = read.last() {
                        floor.mark(*last, model.transactions);
                    }
                } else {
                    model.act(act);
                }
                let below = model.visible.iter().chain(model.open.values().flatten()).find(|id| **id <= floor.id());
                prop_assert_eq!(below, None, "a row at {:?} lies below the floor at {}", below, floor.id());
            }
        }
    }
}
