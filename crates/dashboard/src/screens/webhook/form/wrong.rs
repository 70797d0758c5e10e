//! Mistakes beside the fields that they are about.

use crate::api::{ApiError, Mistake, Problem};
use crate::mistake::{Said, say_mistake};
use crate::say::Say;
use http::StatusCode;

/// The form's fields, as pointers name them and as ids in the page.
const FIELDS: [&str; 9] =
    ["name", "url", "description", "events", "filter", "secret", "headers", "rate_limit", "ordering"];

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Wrong {
    /// The field's id in the page; none when it is about the whole.
    pub(crate) field: Option<&'static str>,
    pub(crate) label: String,
    pub(crate) said: Said,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wrongs(pub(crate) Vec<Wrong>);

impl Wrongs {
    pub(crate) fn new(say: Say, mistakes: &[Mistake], events: &[String]) -> Self {
        let mut all: Vec<_> = mistakes.iter().map(|mistake| Wrong::new(say, mistake, events)).collect();
        all.sort_by_key(|wrong| FIELDS.iter().position(|field| Some(*field) == wrong.field));
        Wrongs(all)
    }

    /// What the API refused as wrong; anything else is no matter of fields.
    pub(crate) fn of_error(say: Say, error: ApiError, events: &[String]) -> Result<Self, ApiError> {
        match error {
            ApiError::Problem { status: StatusCode::UNPROCESSABLE_ENTITY, problem } => {
                Ok(Wrongs::of_problem(say, &problem, events))
            }
            other => Err(other),
        }
    }

    fn of_problem(say: Say, problem: &Problem, events: &[String]) -> Self {
        if problem.errors.is_empty() {
            let said = Said { text: None, detail: Some(problem.detail.clone()) };
            return Wrongs(vec![Wrong { field: None, label: String::new(), said }]);
        }
        Wrongs::new(say, &problem.errors, events)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of a field.
    pub(crate) fn of<'w>(&'w self, field: &'w str) -> impl Iterator<Item = &'w Wrong> {
        self.0.iter().filter(move |wrong| wrong.field == Some(field))
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.of(field).next().is_some()
    }
}

impl Wrong {
    fn new(say: Say, mistake: &Mistake, events: &[String]) -> Self {
        let mut parts = mistake.pointer.splitn(3, '/').skip(1);
        let first = parts.next().unwrap_or_default();
        let within = parts.next().map(|part| part.replace("~1", "/").replace("~0", "~"));
        let field = FIELDS.into_iter().find(|field| *field == first);
        let label = field.map(|field| say.text(label(field))).unwrap_or_default();
        let within = match (field, within) {
            (Some("events"), Some(place)) => place.parse().ok().and_then(|place: usize| events.get(place).cloned()),
            (_, within) => within.filter(|within| !within.is_empty()),
        };
        let label = within.map_or(label.clone(), |within| format!("{label} ({within})"));
        // "0 entries" is true and helps nobody.
        let is_none_chosen = field == Some("events") && events.is_empty();
        let said = if is_none_chosen {
            Said { text: Some(say.text("form-events-none")), detail: None }
        } else {
            say_mistake(say, mistake)
        };
        Wrong { field, label, said }
    }
}

fn label(field: &str) -> &'static str {
    match field {
        "name" => "form-name",
        "url" => "form-url",
        "description" => "form-description",
        "events" => "form-events",
        "filter" => "form-filter",
        "secret" => "form-secret",
        "headers" => "form-headers",
        "rate_limit" => "form-rate-limit",
        _ => "form-ordering",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wrongs(mistakes: &serde_json::Value, events: &[&str]) -> Wrongs {
        let mistakes: Vec<Mistake> = serde_json::from_value(mistakes.clone()).unwrap();
        let events: Vec<_> = events.iter().map(|name| (*name).to_owned()).collect();
        Wrongs::new(Say::new("en"), &mistakes, &events)
    }

    #[test]
    fn mistakes_stand_at_their_fields_in_the_order_of_the_form() {
        let told = json!([
            {"pointer": "/headers/a~1b", "detail": "d", "code": "headers.name", "params": {"max": 100}},
            {"pointer": "/events/1", "detail": "d", "code": "events.unknown", "params": {"contract": "own"}},
            {"pointer": "/url", "detail": "d", "code": "url.scheme"},
            {"pointer": "", "detail": "d", "code": "limit.reached", "params": {"max": 3, "limit": "endpoints per organization"}},
        ]);
        let all = wrongs(&told, &["deal.won", "no.such"]);
        let labels: Vec<_> = all.0.iter().map(|wrong| (wrong.field, wrong.label.as_str())).collect();
        let expected = [
            (None, ""),
            (Some("url"), "URL"),
            (Some("events"), "Events (no.such)"),
            (Some("headers"), "Custom headers (a/b)"),
        ];
        assert_eq!(labels, expected);
        assert!(all.has("url") && !all.has("name") && all.of("events").count() == 1);
    }

    #[test]
    fn choosing_no_event_is_said_as_that() {
        let told = json!([{"pointer": "/events", "detail": "d", "code": "list.size", "params": {"has": 0, "min": 1, "max": 100}}]);
        let text = wrongs(&told, &[]).0[0].said.text.clone().unwrap();
        assert_eq!(text, Say::new("en").text("form-events-none"));
    }
}
