//! What goes over the wire: what requests hold, and how answers look. None of it is a domain type; all of it is converted by hand.
//!
//! A request's type has its fields' names in `FIELDS` and reads itself out of [`crate::fields::Fields`].

pub(crate) mod audit;
pub(crate) mod compat;
pub(crate) mod contract;
pub(crate) mod delivery;
pub(crate) mod diagnosis;
pub(crate) mod endpoint;
pub(crate) mod endpoint_check;
pub(crate) mod event;
pub(crate) mod frame_ancestors;
pub(crate) mod key;
pub(crate) mod notifications;
pub(crate) mod operation;
pub(crate) mod organization;
pub(crate) mod preview;
pub(crate) mod resource;
pub(crate) mod routing;
pub(crate) mod secret;
pub(crate) mod session;
pub(crate) mod statistics;
pub(crate) mod status;
pub(crate) mod stream;
pub(crate) mod test;
pub(crate) mod verification;

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// Header names and values in order; names that come several times are shown once, their values joined with commas (RFC 9110, section
/// 5.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HeaderMap<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> HeaderMap<'a> {
    pub(crate) fn new(headers: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>) -> Self {
        let mut joined: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for (name, value) in headers {
            match joined.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                Some((_, values)) => {
                    values.to_mut().push_str(", ");
                    values.to_mut().push_str(&value);
                }
                None => joined.push((name, value)),
            }
        }
        HeaderMap(joined)
    }
}

impl Serialize for HeaderMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl utoipa::PartialSchema for HeaderMap<'_> {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, Type};
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .additional_properties(Some(ObjectBuilder::new().schema_type(Type::String)))
            .description(Some("Names and values. What came several times is joined with commas."))
            .into()
    }
}

impl utoipa::ToSchema for HeaderMap<'_> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Headers")
    }
}

/// Bytes as text in which what is not UTF-8 is replaced, and as base64 where that altered something.
pub(crate) fn as_text(bytes: &[u8]) -> (String, Option<String>) {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => (text.to_owned(), None),
        Cow::Owned(text) => (text, Some(data_encoding::BASE64.encode(bytes))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_headers_are_joined_and_their_order_is_kept() {
        let headers = [("X-B", "1"), ("x-a", "2"), ("x-b", "3")].map(|(n, v)| (Cow::Borrowed(n), Cow::Borrowed(v)));
        assert_eq!(serde_json::to_string(&HeaderMap::new(headers)).unwrap(), r#"{"X-B":"1, 3","x-a":"2"}"#);
    }

    #[test]
    fn base64_stands_beside_a_text_that_had_to_be_altered() {
        assert_eq!(as_text("é".as_bytes()), ("é".to_owned(), None));
        assert_eq!(as_text(b"a\xff"), ("a\u{fffd}".to_owned(), Some("Yf8=".to_owned())));
    }
}
