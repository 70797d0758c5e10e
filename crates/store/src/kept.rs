//! A bounded memory of what was read, for values that are looked up again and again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

/// Values by key. Two generations: what is used moves to the younger one, and the elder one is dropped when the younger is full.
pub(crate) struct Kept<K, V>(Mutex<Generations<K, V>>);

struct Generations<K, V> {
    young: HashMap<K, Arc<V>>,
    old: HashMap<K, Arc<V>>,
    /// Half of what is kept at most.
    values_max: usize,
    /// Counts what was forgotten, so that a value read before that is not kept after it.
    forgotten: u64,
}

/// What a look-up found.
pub(crate) enum Looked<V> {
    /// It is kept.
    Found(Arc<V>),
    /// It is to be read, and may be kept unless something was forgotten meanwhile.
    Missing(Moment),
}

/// When a value was looked up in vain.
#[derive(Clone, Copy)]
pub(crate) struct Moment(u64);

impl<K: Hash + Eq + Clone, V> Kept<K, V> {
    /// Keeps at most so many.
    pub(crate) fn new(values_max: usize) -> Self {
        let values_max = values_max.div_ceil(2);
        Kept(Mutex::new(Generations { young: HashMap::new(), old: HashMap::new(), values_max, forgotten: 0 }))
    }

    pub(crate) fn get(&self, key: &K) -> Looked<V> {
        let mut kept = self.0.lock();
        if let Some(value) = kept.young.get(key) {
            return Looked::Found(Arc::clone(value));
        }
        match kept.old.remove(key) {
            Some(value) => {
                kept.keep(key.clone(), Arc::clone(&value));
                Looked::Found(value)
            }
            None => Looked::Missing(Moment(kept.forgotten)),
        }
    }

    /// Keeps what was read since `moment`.
    pub(crate) fn keep(&self, moment: Moment, key: K, value: &Arc<V>) {
        let mut kept = self.0.lock();
        if kept.forgotten == moment.0 {
            kept.keep(key, Arc::clone(value));
        }
    }

    pub(crate) fn forget(&self, key: &K) {
        let mut kept = self.0.lock();
        kept.forgotten += 1;
        kept.young.remove(key);
        kept.old.remove(key);
    }
}

impl<K: Hash + Eq, V> Generations<K, V> {
    fn keep(&mut self, key: K, value: Arc<V>) {
        if self.young.len() >= self.values_max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kept: &Kept<u32, u32>, key: u32) -> bool {
        match kept.get(&key) {
            Looked::Found(value) => *value == key,
            Looked::Missing(moment) => {
                kept.keep(moment, key, &Arc::new(key));
                false
            }
        }
    }

    #[test]
    fn what_is_used_stays_and_all_of_it_is_bounded() {
        let kept = Kept::new(10);
        for key in 0..1_000 {
            read(&kept, key);
            assert!(key == 0 || read(&kept, 0), "what is used all the time is dropped");
            let generations = kept.0.lock();
            assert!(generations.young.len() + generations.old.len() <= 10);
        }
        assert!(!read(&kept, 1));
    }

    #[test]
    fn what_was_read_before_it_was_forgotten_is_not_kept_after() {
        let kept = Kept::new(10);
        let Looked::Missing(moment) = kept.get(&1) else { panic!("nothing was kept") };
        kept.forget(&1);
        kept.keep(moment, 1, &Arc::new(1));
        assert!(!read(&kept, 1));
        assert!(read(&kept, 1));
        kept.forget(&1);
        assert!(!read(&kept, 1));
    }
}
