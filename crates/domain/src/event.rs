//! Events: their ids and the records they concern.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::ids::{OperationalEventId, decode_id, encode_id};

const PREFIX: &str = "evt";

/// An event's id: `evt_…` when Postrider made it, any text of 1 to [`EventId::CHARS_MAX`] visible ASCII characters when the CRM chose it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(Box<str>);

/// Why a text cannot be an event's id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event id is 1 to {max} visible ASCII characters", max = EventId::CHARS_MAX)]
pub struct EventIdError;

impl EventId {
    /// The longest id a caller may choose, in characters.
    pub const CHARS_MAX: usize = 128;

    /// The id that Postrider shows for a UUID it made.
    #[must_use]
    pub fn made(id: Uuid) -> Self {
        EventId(encode_id(PREFIX, id).into_boxed_str())
    }

    /// The id under which an operational event is published.
    #[must_use]
    pub(crate) fn told(id: OperationalEventId) -> Self {
        EventId(id.to_string().into())
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of what this event also is, of another type: always the same for the same id and type. `evt_…~deal.won` says what it was
    /// derived from, and is listed beside it; where that is too long, it is the UUIDv5 of it (RFC 9562, section 5.5).
    #[must_use]
    pub fn derived(&self, event_type: &str) -> Self {
        let text = format!("{}~{event_type}", self.0);
        if text.len() <= Self::CHARS_MAX {
            return EventId(text.into());
        }
        EventId(Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()).to_string().into())
    }

    /// The id as a UUID, for contracts that show one (contracts.md, reading 4): the UUID inside an `evt_…` id, the UUID that a
    /// caller chose, or the UUIDv5 (RFC 9562, section 5.5) of any other text in the OID namespace.
    #[must_use]
    pub fn as_uuid(&self) -> Uuid {
        decode_id(PREFIX, &self.0)
            .ok()
            .or_else(|| Uuid::try_parse(&self.0).ok())
            .unwrap_or_else(|| Uuid::new_v5(&Uuid::NAMESPACE_OID, self.0.as_bytes()))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EventId {
    type Err = EventIdError;
    fn from_str(text: &str) -> Result<Self, EventIdError> {
        let visible = text.bytes().all(|b| b.is_ascii_graphic());
        if text.is_empty() || text.len() > Self::CHARS_MAX || !visible {
            return Err(EventIdError);
        }
        Ok(EventId(text.into()))
    }
}

/// The CRM record, or several records of one type, that an event is about (`deal:42`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The record's type in the CRM's words, e.g. `deal`.
    pub kind: String,
    /// Its ids; at least one, at most [`Resource::IDS_MAX`].
    pub ids: Vec<String>,
    /// Where the record can be read, when the CRM says so.
    pub uri: Option<String>,
}

impl Resource {
    /// The most records that one event may name.
    pub const IDS_MAX: usize = 100;
    /// The longest type or id, in bytes.
    pub const TEXT_BYTES_MAX: usize = 256;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_we_made_shows_the_uuid_inside() {
        let id = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
        assert_eq!(EventId::made(id).as_uuid(), id);
    }

    #[test]
    fn a_uuid_chosen_by_the_crm_is_shown_as_it_is() {
        let id: EventId = "7d444840-9dc0-11d1-b245-5ffdce74fad2".parse().unwrap();
        assert_eq!(id.as_uuid().to_string(), "7d444840-9dc0-11d1-b245-5ffdce74fad2");
    }

    #[test]
    fn any_other_text_becomes_the_same_v5_uuid_every_time() {
        let id: EventId = "crm-event-17".parse().unwrap();
        assert_eq!(id.as_uuid(), id.as_uuid());
        assert_eq!(id.as_uuid().get_version_num(), 5);
    }

    #[test]
    fn a_derived_id_follows_from_id_and_type_alone_and_is_an_id() {
        let short: EventId = "crm-17".parse().unwrap();
        assert_eq!(short.derived("deal.won").as_str(), "crm-17~deal.won");
        let long: EventId = "x".repeat(128).parse().unwrap();
        for id in [short, long] {
            let derived = id.derived("deal.won");
            assert_eq!(derived, id.derived("deal.won"));
            assert_ne!(derived, id.derived("deal.lost"));
            assert_eq!(derived.as_str().parse(), Ok(derived.clone()));
        }
    }

    #[test]
    fn spaces_control_characters_and_long_ids_are_refused() {
        for text in ["", "a b", "a\n", "é", &"x".repeat(129)] {
            assert!(text.parse::<EventId>().is_err(), "{text:?}");
        }
    }
}
