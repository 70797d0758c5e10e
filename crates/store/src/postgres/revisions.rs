//! Which contract revisions were saved: none ever goes, so what was seen once is known for good.

use std::collections::HashSet;

use parking_lot::RwLock;

use crate::limits::NUMBERS_CACHED;
use crate::model::RevisionId;

/// Those that were seen.
#[derive(Default)]
pub(super) struct Revisions(RwLock<HashSet<RevisionId>>);

impl Revisions {
    pub(super) fn is_known(&self, id: RevisionId) -> bool {
        self.0.read().contains(&id)
    }

    pub(super) fn learn(&self, id: RevisionId) {
        let mut known = self.0.write();
        if known.len() >= NUMBERS_CACHED {
            known.clear();
        }
        known.insert(id);
    }
}
