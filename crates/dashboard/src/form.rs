//! What a form sent.

use axum::extract::{FromRequest, Request};
use axum::response::Response;
use bytes::Bytes;

/// The most fields that are read; an event picker has one for each type of a catalogue.
const FIELDS_MAX: usize = 5_000;

/// Fields in the order in which the browser sent them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads `application/x-www-form-urlencoded` text, such as a query.
    pub(crate) fn read(text: &[u8]) -> Self {
        Form(
            form_urlencoded::parse(text)
                .take(FIELDS_MAX)
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    /// What a form holds before anything was entered; fields of which there is nothing are empty.
    pub(crate) fn of<'n>(fields: impl IntoIterator<Item = (&'n str, Option<String>)>) -> Self {
        Form(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }

    /// A field as it was entered; empty when it is left out.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// A field without the blanks around it; none when it is left out or empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// All of a field that can be there several times, without those that are empty.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = self.0.iter().filter(move |(known, _)| known == name);
        of_name.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// Whether a box is ticked.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.text(name).is_some()
    }
}

/// What tells a form that is sent twice from two forms; each page that makes something has one of its own.
pub(crate) fn fresh_key() -> String {
    uuid::Uuid::new_v4().to_string()
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        use axum::response::IntoResponse as _;
        let body = Bytes::from_request(request, state).await.map_err(|error| error.into_response())?;
        Ok(Form::read(&body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_order_without_blanks_and_empty_ones() {
        let form = Form::read(b"name=+Ana%20&events=deal.won&events=&events=contact.*&on=on&empty=");
        assert_eq!(form.text("name"), Some("Ana"));
        assert_eq!(form.all("events").collect::<Vec<_>>(), ["deal.won", "contact.*"]);
        assert!(form.is_on("on") && !form.is_on("empty") && !form.is_on("gone"));
    }
}
