//! Custom headers in the form. Their values go in and never come out: those that are set are shown by name, and stay unless they are replaced or removed.

use serde_json::{Map, Value, json};

use crate::api::{Endpoint, Mistake};
use crate::form::Form;

/// Rows for new headers that are shown at least.
const ROWS_MIN: usize = 2;
/// Rows that are read: more than an endpoint may have headers.
const ROWS_MAX: usize = 100;

/// A header that is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) name: String,
    /// A new value, as typed; empty to keep the present one.
    pub(crate) value: String,
    pub(crate) is_removed: bool,
}

/// A header that somebody types.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Typed {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Headers {
    pub(crate) kept: Vec<Kept>,
    pub(crate) typed: Vec<Typed>,
}

impl Headers {
    /// Those of an endpoint, as nobody has changed them yet.
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        let kept = endpoint.headers.keys().map(|name| Kept { name: name.clone(), ..Kept::default() });
        Headers { kept: kept.collect(), typed: vec![Typed::default(); ROWS_MIN] }
    }

    /// None yet.
    pub(crate) fn none() -> Self {
        Headers { kept: Vec::new(), typed: vec![Typed::default(); ROWS_MIN] }
    }

    /// As a form has them, beside those that are set.
    pub(crate) fn read(form: &Form, endpoint: Option<&Endpoint>) -> Self {
        let text = |name: String| form.text(&name).unwrap_or_default().to_owned();
        let kept = |(row, name): (usize, &String)| Kept {
            name: name.clone(),
            value: text(format!("kept_value_{row}")),
            is_removed: form.all("kept_removed").any(|removed| removed == name),
        };
        let names = endpoint.map(|endpoint| endpoint.headers.keys()).into_iter().flatten();
        let rows = (0..ROWS_MAX)
            .map(|row| Typed { name: text(format!("header_name_{row}")), value: text(format!("header_value_{row}")) });
        let mut typed: Vec<_> = rows.filter(|row| *row != Typed::default()).collect();
        typed.resize(typed.len().max(ROWS_MIN), Typed::default());
        Headers { kept: names.enumerate().map(kept).collect(), typed }
    }

    fn filled(&self) -> impl Iterator<Item = &Typed> {
        self.typed.iter().filter(|row| **row != Typed::default())
    }

    /// What the API is asked to set and remove; none when nothing is to change.
    pub(crate) fn change(&self) -> Option<Value> {
        let mut change = Map::new();
        for kept in &self.kept {
            if kept.is_removed {
                change.insert(kept.name.clone(), Value::Null);
            } else if !kept.value.is_empty() {
                change.insert(kept.name.clone(), json!(kept.value));
            }
        }
        for typed in self.filled() {
            change.insert(typed.name.clone(), json!(typed.value));
        }
        (!change.is_empty()).then_some(Value::Object(change))
    }

    /// Names that stand in two rows, which JSON cannot say.
    pub(crate) fn mistakes(&self) -> Vec<Mistake> {
        let filled: Vec<_> = self.filled().collect();
        let is_again = |row: usize| filled[..row].iter().any(|other| other.name == filled[row].name);
        let twice = (0..filled.len()).filter(|row| is_again(*row)).map(|row| &filled[row].name);
        let params = |name: &String| Map::from_iter([("name".to_owned(), json!(name))]);
        twice
            .map(|name| Mistake {
                pointer: format!("/headers/{name}"),
                detail: format!("the header {name} is given twice"),
                code: "headers.twice".into(),
                params: params(name),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        let told = json!({
            "id": "ep_1", "name": "e", "url": "https://example.com", "events": ["*"], "contract": "standard", "ordering": "none",
            "status": "active", "consecutive_failures": 0, "headers": {"Authorization": "********", "X-A": "********"},
            "signed": true, "updated_at": "2026-01-01T00:00:00Z",
        });
        serde_json::from_value(told).unwrap()
    }

    #[test]
    fn what_is_set_stays_unless_it_is_replaced_or_removed() {
        let read = |form: &[u8]| Headers::read(&Form::read(form), Some(&endpoint()));
        assert_eq!(read(b"kept_value_0=&kept_value_1=+").change(), None);
        assert_eq!(Headers::of(&endpoint()).change(), None);
        let changed =
            read(b"kept_value_0=Bearer+x&kept_removed=X-A&header_name_0=X-B&header_value_0=1&header_name_7=X-C");
        let expected = json!({"Authorization": "Bearer x", "X-A": null, "X-B": "1", "X-C": ""});
        assert_eq!(changed.change(), Some(expected));
        assert_eq!(changed.typed.len(), 2);
    }

    #[test]
    fn a_name_in_two_rows_is_a_mistake() {
        let form = Form::read(b"header_name_0=X-B&header_value_0=1&header_name_1=X-B&header_value_1=2");
        let mistakes = Headers::read(&form, None).mistakes();
        assert_eq!(mistakes.len(), 1);
        assert_eq!((mistakes[0].pointer.as_str(), mistakes[0].code.as_str()), ("/headers/X-B", "headers.twice"));
        assert!(Headers::none().mistakes().is_empty());
    }
}
