//! What was wrong with a form, in the viewer's language, beside the fields that it is about.

use crate::api::{ApiError, Mistake};
use crate::mistake::say_mistake;
use crate::say::Say;

/// A mistake in words.
pub(crate) struct Told {
    /// The field's name; none when it is about the form as a whole.
    pub(crate) field: Option<String>,
    pub(crate) text: String,
    /// There is no translation: the text is the API's own.
    pub(crate) is_english: bool,
}

/// All of a form's mistakes.
#[derive(Default)]
pub(crate) struct Mistakes(Vec<Told>);

impl Mistakes {
    /// What the API found wrong, where it was the form: everything else is no mistake of the viewer's and stays an error. `fields` are the form's own.
    pub(crate) fn of(say: Say, error: ApiError, fields: &[&str]) -> Result<Self, ApiError> {
        let ApiError::Problem { status, problem } = &error else { return Err(error) };
        if !matches!(status.as_u16(), 400 | 409 | 422) {
            return Err(error);
        }
        let told = |mistake: &Mistake| {
            let field = mistake.pointer.split('/').nth(1).filter(|name| fields.contains(name)).map(str::to_owned);
            let (text, is_english) = in_words(say, mistake);
            Told { field, text, is_english }
        };
        if problem.errors.is_empty() {
            return Ok(Mistakes(vec![Told { field: None, text: problem.detail.clone(), is_english: true }]));
        }
        Ok(Mistakes(problem.errors.iter().map(told).collect()))
    }

    /// One that was found here.
    pub(crate) fn one(field: &str, text: String) -> Self {
        Mistakes(vec![Told { field: Some(field.to_owned()), text, is_english: false }])
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn all(&self) -> &[Told] {
        &self.0
    }

    /// The first about a field.
    pub(crate) fn at(&self, field: &str) -> Option<&Told> {
        self.0.iter().find(|told| told.field.as_deref() == Some(field))
    }
}

/// In the viewer's language where there are words for it, else in the API's own.
fn in_words(say: Say, mistake: &Mistake) -> (String, bool) {
    let text = say_mistake(say, mistake).text;
    let is_english = text.is_none();
    (text.unwrap_or_else(|| mistake.detail.clone()), is_english)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::{Value, json};

    use super::*;

    fn refused(status: StatusCode, errors: &Value) -> ApiError {
        let problem = json!({"type": "/docs/problems#invalid-fields", "detail": "wrong", "errors": errors});
        ApiError::Problem { status, problem: serde_json::from_value(problem).unwrap() }
    }

    #[test]
    fn each_mistake_stands_at_its_field_and_what_is_about_none_at_the_form() {
        let errors = json!([{"pointer": "/name", "detail": "is <b>", "code": "no.such"}, {"pointer": "/scopes/0", "detail": "b"},
            {"pointer": "/other", "detail": "c"}]);
        let error = refused(StatusCode::UNPROCESSABLE_ENTITY, &errors);
        let mistakes = Mistakes::of(Say::new("en"), error, &["name", "scopes"]).unwrap();
        assert_eq!(mistakes.at("name").map(|told| (told.text.as_str(), told.is_english)), Some(("is <b>", true)));
        assert!(mistakes.at("scopes").is_some() && mistakes.at("other").is_none());
        assert_eq!(mistakes.all().iter().filter(|told| told.field.is_none()).count(), 1);
    }

    #[test]
    fn what_is_no_mistake_of_the_viewer_stays_an_error() {
        for status in [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND, StatusCode::SERVICE_UNAVAILABLE] {
            assert!(Mistakes::of(Say::new("en"), refused(status, &json!([])), &[]).is_err(), "{status}");
        }
        let conflict = Mistakes::of(Say::new("en"), refused(StatusCode::CONFLICT, &json!([])), &[]).unwrap();
        assert_eq!(conflict.all()[0].text, "wrong");
    }
}
