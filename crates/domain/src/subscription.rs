//! What an endpoint subscribes to: one event type, all types under a prefix, or all.

use std::fmt;
use std::str::FromStr;

/// One entry of an endpoint's `events`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subscription {
    /// `*`
    All,
    /// `contact.*`: every type that begins with `contact.`; holds the prefix with its dot.
    Prefix(String),
    /// `deal.won`
    Type(String),
}

/// Why a text is no subscription.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subscription is an event type, a prefix such as \"contact.*\", or \"*\"")]
pub struct SubscriptionError;

impl Subscription {
    /// The longest entry, in bytes.
    pub const BYTES_MAX: usize = 128;

    /// Whether an event of this type, as the endpoint's contract names it, is subscribed to.
    #[must_use]
    pub fn matches(&self, event_type: &str) -> bool {
        match self {
            Subscription::All => true,
            Subscription::Prefix(prefix) => event_type.starts_with(prefix.as_str()),
            Subscription::Type(name) => event_type == name,
        }
    }
}

impl fmt::Display for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subscription::All => f.write_str("*"),
            Subscription::Prefix(prefix) => write!(f, "{prefix}*"),
            Subscription::Type(name) => f.write_str(name),
        }
    }
}

impl FromStr for Subscription {
    type Err = SubscriptionError;
    fn from_str(text: &str) -> Result<Self, SubscriptionError> {
        if text == "*" {
            return Ok(Subscription::All);
        }
        let (name, is_prefix) = match text.strip_suffix(".*") {
            Some(name) => (name, true),
            None => (text, false),
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b':');
        if name.is_empty() || text.len() > Self::BYTES_MAX || !name.bytes().all(plain) {
            return Err(SubscriptionError);
        }
        Ok(if is_prefix { Subscription::Prefix(format!("{name}.")) } else { Subscription::Type(name.to_owned()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stops_at_its_dot() {
        let contacts: Subscription = "contact.*".parse().unwrap();
        assert!(contacts.matches("contact.created"));
        assert!(!contacts.matches("contacts.created"));
        assert!(!contacts.matches("contact"));
    }

    #[test]
    fn each_form_is_written_as_it_was_read() {
        for text in ["*", "contact.*", "deal.won", "peopleStageUpdated"] {
            assert_eq!(text.parse::<Subscription>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn stars_elsewhere_and_empty_texts_are_refused() {
        for text in ["", "*.created", "deal*", ".*", "a b"] {
            assert!(text.parse::<Subscription>().is_err(), "{text}");
        }
    }
}
