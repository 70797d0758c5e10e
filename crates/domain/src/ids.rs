//! Ids that Postrider makes: a UUIDv7, shown as a prefix and 26 characters of base 32 that sort by time
//! (the form of the TypeID 0.3 specification: Crockford's alphabet in lower case, 130 bits, two leading zero bits).

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const SUFFIX_CHARS: usize = 26;

/// Why a text is not an id of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ followed by 26 characters")]
pub struct IdError {
    prefix: &'static str,
}

/// Shows a UUID as `prefix_` and 26 characters.
#[must_use]
pub fn encode_id(prefix: &str, id: Uuid) -> String {
    let mut text = String::with_capacity(prefix.len() + 1 + SUFFIX_CHARS);
    text.push_str(prefix);
    text.push('_');
    let number = id.as_u128();
    for position in (0..SUFFIX_CHARS).rev() {
        let digit = (number >> (position * 5)) & 31;
        text.push(char::from(ALPHABET[digit as usize]));
    }
    text
}

/// Reads what [`encode_id`] wrote.
///
/// # Errors
/// When the prefix differs, the length differs, a character is outside the alphabet, or the number needs more than 128 bits.
pub fn decode_id(prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    let error = IdError { prefix };
    let suffix = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or(error.clone())?;
    if suffix.len() != SUFFIX_CHARS || suffix.as_bytes()[0] > b'7' {
        return Err(error);
    }
    let mut number: u128 = 0;
    for byte in suffix.bytes() {
        let digit = ALPHABET.iter().position(|&c| c == byte).ok_or(error.clone())?;
        number = (number << 5) | digit as u128;
    }
    Ok(Uuid::from_u128(number))
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// What the text form begins with.
            pub const PREFIX: &'static str = $prefix;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&encode_id($prefix, self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&encode_id($prefix, self.0))
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                decode_id($prefix, text).map($name)
            }
        }
    };
}

prefixed_id!(
    /// An endpoint: `ep_…`.
    EndpointId, "ep"
);
prefixed_id!(
    /// A delivery: `dlv_…`. The same on every attempt; differs between endpoints.
    DeliveryId, "dlv"
);
prefixed_id!(
    /// An attempt: `att_…`.
    AttemptId, "att"
);
prefixed_id!(
    /// An organisation's API key: `key_…` (the id, not the secret).
    KeyId, "key"
);
prefixed_id!(
    /// An entry of the audit trail: `aud_…`.
    AuditId, "aud"
);
prefixed_id!(
    /// Something that an organisation's owner is to be told: `ntc_…`.
    NoticeId, "ntc"
);
prefixed_id!(
    /// An operation: `op_…`.
    OperationId, "op"
);
prefixed_id!(
    /// Something that the operator is to be told as an event: `ope_…`, which is also that event's id.
    OperationalEventId, "ope"
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_uuid_survives_its_text_form(number: u128) {
            let id = EndpointId(Uuid::from_u128(number));
            prop_assert_eq!(id.to_string().parse::<EndpointId>(), Ok(id));
        }

        #[test]
        fn text_order_is_number_order(a: u128, b: u128) {
            let (x, y) = (Uuid::from_u128(a), Uuid::from_u128(b));
            prop_assert_eq!(encode_id("evt", x).cmp(&encode_id("evt", y)), x.cmp(&y));
        }

        #[test]
        fn arbitrary_text_never_panics(text: String) {
            let _ = text.parse::<DeliveryId>();
        }
    }

    #[test]
    fn the_specifications_examples_hold() {
        // TypeID 0.3, valid.yml: "nil", "one", "max-valid".
        assert_eq!(encode_id("x", Uuid::nil()), "x_00000000000000000000000000");
        assert_eq!(encode_id("x", Uuid::from_u128(1)), "x_00000000000000000000000001");
        assert_eq!(encode_id("x", Uuid::max()), "x_7zzzzzzzzzzzzzzzzzzzzzzzzz");
        assert!(decode_id("x", "x_8zzzzzzzzzzzzzzzzzzzzzzzzz").is_err());
    }

    #[test]
    fn another_kinds_id_is_refused() {
        let endpoint = EndpointId(Uuid::from_u128(7)).to_string();
        assert!(endpoint.parse::<DeliveryId>().is_err());
    }
}
