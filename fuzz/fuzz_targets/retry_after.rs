//! Whatever a receiver answers as `Retry-After`: no panic, and no wait that is zero or beyond its limit.
//!
//! The input is one value a line. `cargo +nightly fuzz run retry_after fuzz/corpus/retry_after fuzz/seeds/retry_after -- -max_total_time=60`
#![no_main]

use libfuzzer_sys::fuzz_target;
use postrider_egress::retry_after::{RETRY_AFTER_MAX, parse};

/// Now, and clocks that are wrong.
const MOMENTS_MS: [i64; 4] = [1_795_212_000_000, 0, i64::MIN, i64::MAX];

fuzz_target!(|lines: &[u8]| {
    let values: Vec<_> = lines.split(|byte| *byte == b'\n').collect();
    for now_ms in MOMENTS_MS {
        assert!(values.len() == 1 || parse(&values, now_ms).is_none(), "several values are no wish");
        for value in &values {
            let wait = parse(&[value], now_ms);
            assert!(wait.is_none_or(|wait| !wait.is_zero() && wait <= RETRY_AFTER_MAX), "{wait:?}");
        }
    }
});
