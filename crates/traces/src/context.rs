//! Which trace a span is of, and below which span: what callers send as `traceparent`, and what is derived from an event.

use ring::digest::{SHA256, digest};
use uuid::Uuid;

/// The longest `tracestate` that is kept with a span, in bytes (W3C Trace Context, section 3.3.1.5).
const STATE_BYTES_MAX: usize = 512;
/// Keeps what is derived here apart from other hashes of the same id.
const DOMAIN: &[u8] = b"postrider trace of an event\0";

/// A span as others refer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub(crate) trace: [u8; 16],
    pub(crate) span: [u8; 8],
    pub(crate) is_sampled: bool,
    pub(crate) state: String,
}

impl Context {
    /// Reads `traceparent` and `tracestate` (W3C Trace Context, sections 3.2 and 3.3); none when the former is not of its form, which makes the
    /// request the first of its trace.
    #[must_use]
    pub fn parse(parent: &[u8], state: Option<&[u8]>) -> Option<Self> {
        let mut parts = parent.trim_ascii().split(|byte| *byte == b'-');
        let [version] = hex(parts.next()?)?;
        let (trace, span) = (hex(parts.next()?)?, hex(parts.next()?)?);
        let [flags] = hex(parts.next()?)?;
        let is_whole = version != 0xff && (version != 0 || parts.next().is_none());
        if !is_whole || trace == [0; 16] || span == [0; 8] {
            return None;
        }
        let state = state.filter(|text| text.len() <= STATE_BYTES_MAX && text.is_ascii());
        let state = state.and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default().to_owned();
        Some(Context { trace, span, is_sampled: flags & 1 == 1, state })
    }

    /// The trace of an event, by the UUID that every event has: the same on every node, after a restart, days later. Nothing of it is stored.
    pub(crate) fn of_event(key: Uuid, sampling: Sampling) -> Self {
        let mut text = DOMAIN.to_vec();
        text.extend_from_slice(key.as_bytes());
        let hash = digest(&SHA256, &text);
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        trace.copy_from_slice(&hash.as_ref()[..16]);
        span.copy_from_slice(&hash.as_ref()[16..24]);
        Context { trace, span, is_sampled: sampling.takes(trace), state: String::new() }
    }
}

/// Lower-case hex digits of exactly so many bytes.
fn hex<const BYTES: usize>(text: &[u8]) -> Option<[u8; BYTES]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * BYTES {
        return None;
    }
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Which traces are kept: a share of all, decided by the trace's id alone, so that every node decides the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    threshold: u64,
}

/// How many bits of a trace id decide: those that are random by W3C Trace Context level 2.
const RANDOM_BITS: u32 = 56;

impl Sampling {
    /// `ratio` of all traces, from 0 to 1.
    #[must_use]
    pub fn of(ratio: f64) -> Self {
        let all = 1_u64 << RANDOM_BITS;
        Sampling { threshold: (ratio.clamp(0.0, 1.0) * all as f64) as u64 }
    }

    pub(crate) fn takes(self, trace: [u8; 16]) -> bool {
        let low = trace[9..].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        low < self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PARENT: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_standards_example_is_read() {
        let context = Context::parse(PARENT, Some(b"rojo=00f067aa0ba902b7")).unwrap();
        assert_eq!(context.trace[..4], [0x4b, 0xf9, 0x2f, 0x35]);
        assert_eq!(context.span, [0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]);
        assert!(context.is_sampled && context.state == "rojo=00f067aa0ba902b7");
        assert!(!Context::parse(&[&PARENT[..53], b"00"].concat(), None).unwrap().is_sampled);
        assert!(Context::parse(&[b"01", &PARENT[2..], b"-more"].concat(), None).is_some(), "of a later version");
    }

    #[test]
    fn what_is_not_of_the_form_begins_a_new_trace() {
        let zeros = b"00-00000000000000000000000000000000-00f067aa0ba902b7-01".as_slice();
        let upper = PARENT.to_ascii_uppercase();
        let longer = [PARENT, b"-x"].concat();
        let forbidden = [b"ff", &PARENT[2..]].concat();
        for wrong in [b"".as_slice(), b"00", zeros, &upper, &longer, &forbidden, &PARENT[..54]] {
            assert_eq!(Context::parse(wrong, None), None, "{}", String::from_utf8_lossy(wrong));
        }
        assert_eq!(Context::parse(PARENT, Some(&[b'a'; 600])).unwrap().state, "");
    }

    #[test]
    fn about_the_asked_share_of_traces_is_kept_and_each_node_keeps_the_same() {
        let keys: Vec<_> = (0..4_000).map(|n: u128| Uuid::from_u128(n << 80 | 0x7000_8000_0000_0000_0000)).collect();
        let kept = |ratio| {
            let of = |key| Context::of_event(key, Sampling::of(ratio));
            keys.iter().filter(|key| of(**key).is_sampled).count()
        };
        assert_eq!((kept(0.0), kept(1.0)), (0, keys.len()));
        assert!((800..1_200).contains(&kept(0.25)), "{}", kept(0.25));
        let key = keys[7];
        assert_eq!(Context::of_event(key, Sampling::of(0.5)), Context::of_event(key, Sampling::of(0.5)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(parent: Vec<u8>, state: Option<Vec<u8>>) {
            let _ = Context::parse(&parent, state.as_deref());
        }
    }
}
