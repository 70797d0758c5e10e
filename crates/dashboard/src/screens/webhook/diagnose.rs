//! What keeps a webhook from receiving: looked at on demand, step by step; and where deliveries come from, for firewalls.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use http::{Method, StatusCode};
use serde_json::json;

use super::finding::Finding;
use super::{Head, Tab, api_path};
use crate::advice::Advice;
use crate::api::{Check, CheckDetail, Diagnosis, EgressAddresses};
use crate::app::App;
use crate::page::{Page, html};
use crate::refusal::Refusal;
use crate::say::Say;
use crate::viewer::Viewer;

pub(super) fn routes() -> Router<App> {
    Router::new().route("/o/{organization}/webhooks/{endpoint}/diagnose", get(show).post(run))
}

/// One check, in words.
struct Told {
    title: String,
    name: String,
    outcome: String,
    verdict: String,
    found: Finding,
    details: Vec<Finding>,
    advice: Option<Advice>,
    /// The screen on which something can be done about it.
    way: Option<Way>,
}

impl Told {
    /// What colours the verdict, of the words that the style sheet knows.
    fn mood(&self) -> &'static str {
        match self.outcome.as_str() {
            "passed" => "good",
            "warning" => "warn",
            "failed" => "bad",
            _ => "",
        }
    }
}

struct Way {
    text: String,
    path: String,
}

#[derive(Template)]
#[template(path = "webhook/diagnose.html")]
struct Diagnose {
    page: Page,
    head: Head,
    found: Option<Diagnosis>,
    checks: Vec<Told>,
    egress: EgressAddresses,
}

impl Diagnose {
    async fn read(viewer: &Viewer, organization: &str, endpoint: &str) -> Result<Self, Refusal> {
        viewer.may_change()?;
        let (page, head) = Head::read(viewer, organization, endpoint, Tab::Diagnose).await?;
        let egress = viewer.asker.get("/v1/egress-addresses").await?;
        Ok(Diagnose { page, head, found: None, checks: Vec::new(), egress })
    }
}

/// `GET …/diagnose`
async fn show(viewer: Viewer, Path((organization, endpoint)): Path<(String, String)>) -> Result<Response, Refusal> {
    Ok(html(StatusCode::OK, &Diagnose::read(&viewer, &organization, &endpoint).await?))
}

/// `POST …/diagnose`: the answer shows what was found; nothing of it is kept but the test event.
async fn run(viewer: Viewer, Path((organization, endpoint)): Path<(String, String)>) -> Result<Response, Refusal> {
    let screen = Diagnose::read(&viewer, &organization, &endpoint).await?;
    let path = format!("{}/diagnose", api_path(&organization, &endpoint));
    let found: Diagnosis = viewer.asker.send(Method::POST, &path, &json!({}), None).await?;
    let base = format!("{}/webhooks/{}", screen.page.base(), screen.head.endpoint.id);
    let checks = found.checks.iter().map(|check| told(viewer.say, check, &base)).collect();
    Ok(html(StatusCode::OK, &Diagnose { found: Some(found), checks, ..screen }))
}

fn told(say: Say, check: &Check, base: &str) -> Told {
    let name = check.name.replace('_', "-");
    let code = check.advice_code.as_deref().unwrap_or_default();
    let advice = check.advice.as_ref().map(|english| Advice::new(say, code, english));
    let is_wrong = matches!(check.outcome.as_str(), "warning" | "failed");
    Told {
        title: say.named("check-", &name),
        verdict: say.named("outcome-", &check.outcome),
        advice,
        way: way(say, &name, base).filter(|_| is_wrong),
        name: check.name.clone(),
        outcome: check.outcome.clone(),
        found: Finding::new(say, &check.found_code, &check.found_params, &check.found),
        details: details(check).map(|one| Finding::of_several(say, one)).collect(),
    }
}

/// What was found of each of several; nothing where it says the same of the only one.
fn details(check: &Check) -> impl Iterator<Item = &CheckDetail> {
    let is_told = |details: &[CheckDetail]| matches!(details, [only] if only.code == check.found_code);
    check.details.iter().filter(move |_| !is_told(&check.details))
}

fn way(say: Say, check: &str, base: &str) -> Option<Way> {
    let (text, path) = match check {
        "url" | "dns" | "redirect" => ("diagnose-to-edit", "/edit"),
        "signature" => ("diagnose-to-code", "/code"),
        _ => return None,
    };
    Some(Way { text: say.text(text), path: format!("{base}{path}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use postrider_texts::LANGUAGES;

    /// What the API's reference lists.
    const CHECKS: [&str; 10] = [
        "endpoint_status",
        "url",
        "dns",
        "tcp",
        "tls",
        "certificate",
        "probe",
        "response_time",
        "redirect",
        "signature",
    ];

    fn check(name: &str, outcome: &str, code: Option<&str>) -> Check {
        Check {
            name: name.to_owned(),
            outcome: outcome.to_owned(),
            found: "found".to_owned(),
            found_code: String::new(),
            found_params: serde_json::Map::new(),
            details: Vec::new(),
            advice: Some("do this".to_owned()),
            advice_code: code.map(str::to_owned),
        }
    }

    #[test]
    fn every_check_and_outcome_has_a_name_in_every_language() {
        for language in LANGUAGES {
            for name in CHECKS {
                for outcome in ["passed", "warning", "failed", "skipped"] {
                    let told = told(Say::new(language), &check(name, outcome, None), "/o/acme/webhooks/ep_1");
                    assert_ne!(told.title, name.replace('_', "-"), "{language}");
                    assert_ne!(told.verdict, outcome, "{language}");
                }
            }
        }
    }

    #[test]
    fn advice_without_a_text_stays_english_and_says_so() {
        let told = |language, code| told(Say::new(language), &check("tcp", "failed", code), "").advice.unwrap();
        let known = told("es", Some("connection_refused"));
        assert!(!known.is_english && known.text != "do this");
        let unknown = told("es", Some("no_such_code"));
        assert_eq!((unknown.text.as_str(), unknown.is_english), ("do this", true));
        assert!(!told("en", None).is_english);
    }

    #[test]
    fn what_is_found_of_the_only_address_is_not_told_twice() {
        let at = |address: &str| CheckDetail {
            text: "refused".to_owned(),
            code: "connect.connection_refused".to_owned(),
            params: [("address".to_owned(), json!(address))].into_iter().collect(),
        };
        let shown = |details: Vec<CheckDetail>| {
            let found_code = "connect.connection_refused".to_owned();
            told(Say::new("en"), &Check { found_code, details, ..check("tcp", "failed", None) }, "").details.len()
        };
        assert_eq!(shown(vec![at("192.0.2.1:443")]), 0);
        assert_eq!(shown(vec![at("192.0.2.1:443"), at("192.0.2.2:443")]), 2);
    }

    #[test]
    fn a_way_is_shown_where_something_is_wrong() {
        let told = |outcome| told(Say::new("en"), &check("url", outcome, None), "/o/acme/webhooks/ep_1").way;
        assert_eq!(told("failed").map(|way| way.path), Some("/o/acme/webhooks/ep_1/edit".to_owned()));
        assert!(told("passed").is_none());
    }
}
