//! Whatever a receiver answers as `Retry-After`: no panic, and no wait that is zero or beyond its limit.

use postrider_egress::retry_after::{RETRY_AFTER_MAX, parse};

/// Now, and clocks that are wrong.
const MOMENTS_MS: [i64; 4] = [1_795_212_000_000, 0, i64::MIN, i64::MAX];

/// The check.
///
/// # Panics
/// When something does not hold.
pub fn check(lines: &[u8]) {
    let values: Vec<_> = lines.split(|byte| *byte == b'\n').collect();
    for now_ms in MOMENTS_MS {
        assert!(values.len() == 1 || parse(&values, now_ms).is_none(), "several values are no wish");
        for value in &values {
            let wait = parse(&[value], now_ms);
            assert!(wait.is_none_or(|wait| !wait.is_zero() && wait <= RETRY_AFTER_MAX), "{wait:?}");
        }
    }
}
