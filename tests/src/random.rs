//! Random numbers from a printed seed, so that a failure can be run again.

use crate::program::from_environment;

/// SplitMix64 (Steele, Lea, Flood, 2014): small, and good enough to pick instants.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// From this seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Random(seed)
    }

    /// From the seed in `TEST_SEED`, or a fresh one; printed under this name.
    ///
    /// # Panics
    /// When the variable holds something else than a number.
    #[must_use]
    pub fn from_environment(name: &str) -> Self {
        let given = from_environment("TEST_SEED").map(|text| text.parse().expect("a number"));
        let seed = given.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
        println!("{name}: TEST_SEED={seed}");
        Random::seeded(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to, and without, `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.bits() % end as u64).unwrap_or_default()
    }

    /// Text of this length that compresses badly.
    pub fn text(&mut self, chars: usize) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..chars).map(|_| char::from(ALPHABET[self.below(64)])).collect()
    }
}
