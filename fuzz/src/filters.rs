//! Whatever an endpoint's filter and an event's data say: the filter is refused with a place in it, or it judges the event, always in the same way and
//! within its cost.
//!
//! The first line is the filter, the rest the data.

use postrider_contract::{Filter, FilterEvent};
use postrider_domain::{Millis, Resource};

/// The check.
///
/// # Panics
/// When something does not hold.
pub fn check(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let (text, data) = input.split_once('\n').unwrap_or((input, "{}"));
    let filter = match Filter::parse(text) {
        Ok(filter) => filter,
        Err(error) => {
            assert!(error.at >= 1 && error.at <= text.chars().count() + 1, "{error}: {text:?}");
            return;
        }
    };
    assert!(text.len() <= Filter::BYTES_MAX, "{text:?} is too long");
    let again = Filter::parse(filter.as_str()).unwrap_or_else(|error| panic!("{error}: {:?}", filter.as_str()));
    let resource = Resource { kind: "deal".to_owned(), ids: vec!["42".to_owned(), data.to_owned()], uri: None };
    for (changes, resource) in [(None, None), (Some(data), Some(&resource))] {
        let event = || FilterEvent::new(data, changes, resource, Millis(-1));
        let judged = filter.judge("deal.won", &event());
        assert_eq!(again.judge("deal.won", &event()), judged, "the same filter and event are judged alike");
        assert!(judged.passes || !judged.is_too_costly, "what cannot be judged passes");
    }
}
