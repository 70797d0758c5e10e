//! A webhook that was just made: its secret, shown once, with what to do next.

use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::code::{Signing, Snippets};
use super::test::Types;
use crate::api::{Contract, Endpoint};
use crate::edge::HoldsSecret;
use crate::page::{Page, html};
use crate::refusal::Refusal;
use crate::viewer::Viewer;

#[derive(Template)]
#[template(path = "webhook/created.html")]
struct Created {
    page: Page,
    endpoint: Endpoint,
    snippets: Snippets,
    types: Types,
}

impl Created {
    /// Where its screens begin.
    fn path(&self) -> String {
        format!("{}/webhooks/{}", self.page.base(), self.endpoint.id)
    }
}

/// The answer to its creation.
pub(super) async fn page(
    viewer: &Viewer,
    page: Page,
    contract: &Contract,
    endpoint: Endpoint,
) -> Result<Response, Refusal> {
    let page = page.titled(viewer.say.text("created-title"));
    let snippets = Snippets::read(viewer, contract, &endpoint).await?;
    let types = Types::new(contract, &endpoint, None);
    let mut response = html(StatusCode::CREATED, &Created { page, endpoint, snippets, types });
    response.extensions_mut().insert(HoldsSecret);
    Ok(response)
}
