//! How requests under an `Idempotency-Key` ended, where the store could not be told: kept in memory until it can.
//!
//! An *end* is the answer, or that the key is free again. As long as one is here, the store takes the request for one in work.

use std::collections::HashMap;

use parking_lot::Mutex;
use postrider_domain::OrganizationId;
use postrider_store::StoredAnswer;

use crate::limits::UNKEPT_BYTES_MAX;

/// A key, and in whose hands it is; none for the operator's own requests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OwnedKey {
    pub(crate) organization: Option<OrganizationId>,
    pub(crate) key: String,
}

/// How a request ended.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// With an answer to give again.
    Answered(StoredAnswer),
    /// So that asking again does it again.
    LetGo,
}

/// About what an entry takes beside its texts.
const ENTRY_BYTES: usize = 256;

impl End {
    fn bytes(&self, id: &OwnedKey) -> usize {
        let body = match self {
            End::Answered(answer) => answer.body.len(),
            End::LetGo => 0,
        };
        ENTRY_BYTES + id.key.len() + body
    }
}

/// The ends that the store does not have.
#[derive(Default)]
pub(crate) struct Unkept(Mutex<Ends>);

#[derive(Default)]
struct Ends {
    by_key: HashMap<OwnedKey, End>,
    bytes: usize,
}

impl Ends {
    fn remove(&mut self, id: &OwnedKey) -> Option<End> {
        let end = self.by_key.remove(id)?;
        self.bytes = self.bytes.saturating_sub(end.bytes(id));
        Some(end)
    }
}

impl Unkept {
    /// Holds an end. Answers of requests that were in work when it became full are held too: they were done.
    pub(crate) fn hold(&self, id: OwnedKey, end: End) {
        let mut ends = self.0.lock();
        if end == End::LetGo && ends.bytes >= UNKEPT_BYTES_MAX {
            return;
        }
        ends.remove(&id);
        ends.bytes += end.bytes(&id);
        ends.by_key.insert(id, end);
    }

    /// Whether no further request under a key should be begun: its answer might have to be held.
    pub(crate) fn is_full(&self) -> bool {
        self.0.lock().bytes >= UNKEPT_BYTES_MAX
    }

    /// The answer, when it is here.
    pub(crate) fn answer(&self, id: &OwnedKey) -> Option<StoredAnswer> {
        match self.0.lock().by_key.get(id) {
            Some(End::Answered(answer)) => Some(answer.clone()),
            _ => None,
        }
    }

    /// Takes an end out, so that nobody else tells it to the store at the same time.
    pub(crate) fn take(&self, id: &OwnedKey) -> Option<End> {
        self.0.lock().remove(id)
    }

    /// Takes any end out.
    pub(crate) fn take_any(&self) -> Option<(OwnedKey, End)> {
        let mut ends = self.0.lock();
        let id = ends.by_key.keys().next().cloned()?;
        let end = ends.remove(&id)?;
        Some((id, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> OwnedKey {
        OwnedKey { organization: None, key: format!("{number:08}") }
    }

    fn answered(length: usize) -> End {
        End::Answered(StoredAnswer { status: 200, body: vec![b'x'; length] })
    }

    #[test]
    fn an_end_is_taken_once_and_gives_its_room_back() {
        let unkept = Unkept::default();
        unkept.hold(id(1), answered(10));
        unkept.hold(id(1), answered(20));
        unkept.hold(id(2), End::LetGo);
        assert!(unkept.answer(&id(1)).is_some_and(|answer| answer.body.len() == 20));
        assert!(unkept.answer(&id(2)).is_none());
        assert!(unkept.take(&id(2)) == Some(End::LetGo) && unkept.take(&id(2)).is_none());
        assert!(unkept.take_any() == Some((id(1), answered(20))) && unkept.take_any().is_none());
        assert_eq!(unkept.0.lock().bytes, 0);
    }

    #[test]
    fn what_is_held_has_a_bound_and_an_answer_of_something_done_is_never_dropped() {
        let unkept = Unkept::default();
        (0..UNKEPT_BYTES_MAX / ENTRY_BYTES).for_each(|number| unkept.hold(id(number), End::LetGo));
        assert!(unkept.is_full());
        let length = unkept.0.lock().by_key.len();
        assert!(unkept.0.lock().bytes < UNKEPT_BYTES_MAX + 2 * ENTRY_BYTES);
        unkept.hold(id(usize::MAX), End::LetGo);
        assert_eq!(unkept.0.lock().by_key.len(), length);
        let late = OwnedKey { organization: None, key: "late".to_owned() };
        unkept.hold(late.clone(), answered(1));
        assert!(unkept.answer(&late).is_some());
    }
}
