//! The code with which receivers verify a webhook's requests.

use askama::Template;
use axum::Router;
use axum::extract::Path;
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;

use super::form::contract;
use super::{Head, Tab};
use crate::api::{ApiError, Contract, EgressAddresses, Endpoint, SecretKind, Verification, Verifications};
use crate::app::App;
use crate::page::{Page, html};
use crate::refusal::Refusal;
use crate::viewer::{Viewer, segment};

/// The variables that the code reads a key from.
const SECRET_VARIABLE: &str = "WEBHOOK_SECRET";
const PUBLIC_KEY_VARIABLE: &str = "WEBHOOK_PUBLIC_KEY";

#[derive(Template)]
#[template(path = "webhook/code.html")]
struct Code {
    page: Page,
    head: Head,
    snippets: Snippets,
    /// Whoever sets up a receiver sets up its firewall as well.
    egress: EgressAddresses,
}

/// Receivers in several languages, for one webhook.
pub(crate) struct Snippets {
    pub(crate) list: Vec<Verification>,
    pub(crate) signing: Signing,
}

/// What the code is given to verify with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signing {
    /// The contract signs nothing.
    Nothing,
    /// The webhook has no secret.
    NoSecret,
    /// A line that sets the variable to the key itself.
    Known(String),
    /// A line that somebody has to complete with the secret.
    Unknown(String),
}

impl Snippets {
    pub(crate) async fn read(viewer: &Viewer, contract: &Contract, endpoint: &Endpoint) -> Result<Self, ApiError> {
        let kind = kind(contract, endpoint);
        let query = kind.map(|kind| format!("?secret_kind={}", segment(&kind.prefix))).unwrap_or_default();
        let path = format!("/v1/contracts/{}/verification{query}", segment(&contract.name));
        let found: Verifications = viewer.asker.get(&path).await?;
        Ok(Snippets { list: found.data, signing: signing(contract, endpoint, kind) })
    }
}

/// The kind of an endpoint's secret: what the secret begins with tells, or that there is a public key.
fn kind<'c>(contract: &'c Contract, endpoint: &Endpoint) -> Option<&'c SecretKind> {
    let kinds = &contract.secret.kinds;
    let of_secret = endpoint.secret.as_deref().and_then(|secret| {
        kinds.iter().find(|kind| !kind.prefix.is_empty() && secret.starts_with(kind.prefix.as_str()))
    });
    of_secret.or_else(|| kinds.iter().find(|kind| kind.asymmetric == endpoint.public_key.is_some()))
}

fn signing(contract: &Contract, endpoint: &Endpoint, kind: Option<&SecretKind>) -> Signing {
    if !contract.signed {
        return Signing::Nothing;
    }
    if !endpoint.signed {
        return Signing::NoSecret;
    }
    if let Some(key) = &endpoint.public_key {
        return Signing::Known(format!("{PUBLIC_KEY_VARIABLE}={}", shell_word(key)));
    }
    match &endpoint.secret {
        Some(secret) => Signing::Known(format!("{SECRET_VARIABLE}={}", shell_word(secret))),
        None => Signing::Unknown(format!(
            "{SECRET_VARIABLE}={}…",
            kind.map(|kind| kind.prefix.as_str()).unwrap_or_default()
        )),
    }
}

/// A text as one word of a POSIX shell.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-+/=.,:@%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// All that is about it.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/o/{organization}/webhooks/{endpoint}/code", get(show))
}

/// `GET /o/{organization}/webhooks/{endpoint}/code`
async fn show(viewer: Viewer, Path((organization, endpoint)): Path<(String, String)>) -> Result<Response, Refusal> {
    let (page, head) = Head::read(&viewer, &organization, &endpoint, Tab::Code).await?;
    let contract = contract(&viewer, &head.endpoint.contract).await?;
    let snippets = Snippets::read(&viewer, &contract, &head.endpoint).await?;
    let egress = viewer.asker.get("/v1/egress-addresses").await?;
    Ok(html(StatusCode::OK, &Code { page, head, snippets, egress }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::contract_with;
    use serde_json::json;

    fn told(signed: bool, secret: Option<&str>, public_key: Option<&str>) -> (Contract, Endpoint) {
        let kinds = [json!({"prefix": "whsec_", "asymmetric": false}), json!({"prefix": "whsk_", "asymmetric": true})];
        let contract = contract_with(&json!({
            "signed": signed, "secret": {"required": true, "generated": true, "chosen": true, "overlap_ms": 0, "kinds": kinds},
        }));
        let endpoint = json!({
            "id": "ep_1", "name": "e", "url": "https://example.com", "events": ["*"], "contract": "own", "ordering": "none",
            "status": "active", "consecutive_failures": 0, "headers": {}, "updated_at": "2026-01-01T00:00:00Z",
            "signed": secret.is_some() || public_key.is_some(), "secret": secret, "public_key": public_key,
        });
        (contract, serde_json::from_value(endpoint).unwrap())
    }

    fn line(contract: &Contract, endpoint: &Endpoint) -> Signing {
        signing(contract, endpoint, kind(contract, endpoint))
    }

    #[test]
    fn a_key_that_is_known_stands_in_the_line_and_a_secret_that_is_not_is_left_to_fill_in() {
        let (contract, mut endpoint) = told(true, Some("whsec_abc+/="), None);
        assert_eq!(line(&contract, &endpoint), Signing::Known("WEBHOOK_SECRET=whsec_abc+/=".into()));
        endpoint.secret = None;
        assert_eq!(line(&contract, &endpoint), Signing::Unknown("WEBHOOK_SECRET=whsec_…".into()));
        let (contract, endpoint) = told(true, Some("whsk_abc"), Some("whpk_abc"));
        assert_eq!(line(&contract, &endpoint), Signing::Known("WEBHOOK_PUBLIC_KEY=whpk_abc".into()));
        assert!(kind(&contract, &endpoint).unwrap().asymmetric);
    }

    #[test]
    fn where_nothing_is_signed_there_is_no_line() {
        let (contract, endpoint) = told(true, None, None);
        assert_eq!(line(&contract, &endpoint), Signing::NoSecret);
        let (contract, endpoint) = told(false, None, None);
        assert_eq!(line(&contract, &endpoint), Signing::Nothing);
    }

    #[test]
    fn a_secret_of_ones_own_is_one_word_to_a_shell() {
        assert_eq!(shell_word("a b'c$(x)"), r"'a b'\''c$(x)'");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("whsec_AAAA="), "whsec_AAAA=");
    }
}
