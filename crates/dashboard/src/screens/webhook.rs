//! One webhook: a screen for each thing that people do with it, under one head.

pub(crate) mod charts;
mod code;
mod created;
mod delete;
mod deliveries;
mod diagnose;
mod filters;
mod finding;
mod form;
pub(crate) mod panels;
mod recover;
mod secret;
mod state;
mod test;
pub(crate) mod trouble;

use axum::Router;
use axum::routing::{get, post};

use crate::api::Endpoint;
use crate::app::App;
use crate::page::{Entry, Page, Place};
use crate::refusal::Refusal;
use crate::viewer::{Viewer, segment};
use crate::visible::{Piece, visible};
use trouble::{Trouble, Words, why_disabled};

/// The screens of one webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tab {
    Deliveries,
    Edit,
    Test,
    Secret,
    Recover,
    Diagnose,
    Code,
    Delete,
}

/// What stands above each of them.
pub(crate) struct Head {
    pub(crate) endpoint: Endpoint,
    name: Vec<Piece>,
    pub(crate) trouble: Trouble,
    /// Why the system stopped it.
    pub(crate) why: Option<Words>,
    tab: Tab,
}

impl Head {
    /// The page and the head of a webhook's screen.
    pub(crate) async fn read(
        viewer: &Viewer,
        organization: &str,
        endpoint: &str,
        tab: Tab,
    ) -> Result<(Page, Self), Refusal> {
        let page = viewer.enter(organization, Place::Webhooks, "menu-webhooks").await?;
        let endpoint: Endpoint = viewer.asker.get(&api_path(organization, endpoint)).await?;
        let page = page.titled(endpoint.name.clone());
        let why = why_disabled(viewer.say, &endpoint);
        Ok((page, Head { name: visible(&endpoint.name), trouble: Trouble::of(&endpoint), why, endpoint, tab }))
    }

    /// Where its screens begin: `/o/acme/webhooks/ep_…`.
    pub(crate) fn place(&self, page: &Page) -> String {
        format!("{}/webhooks/{}", page.base(), self.endpoint.id)
    }

    /// The way from one to another; people who only look have those that only show.
    pub(crate) fn tabs(&self, page: &Page) -> Vec<Entry> {
        let all = [
            (Tab::Deliveries, "webhook-deliveries", "", false),
            (Tab::Edit, "webhook-edit", "/edit", true),
            (Tab::Test, "test-tab", "/test", true),
            (Tab::Secret, "webhook-secret", "/secret", true),
            (Tab::Recover, "webhook-recover", "/recover", true),
            (Tab::Diagnose, "webhook-diagnose", "/diagnose", true),
            (Tab::Code, "webhook-code", "/code", false),
            (Tab::Delete, "webhook-delete", "/delete", true),
        ];
        let base = self.place(page);
        let shown = all.into_iter().filter(|(_, _, _, changes)| page.may_change() || !changes);
        shown
            .map(|(tab, text, path, _)| Entry {
                text: page.say.text(text),
                path: format!("{base}{path}"),
                is_here: tab == self.tab,
            })
            .collect()
    }
}

/// Where the API has a webhook.
fn api_path(organization: &str, endpoint: &str) -> String {
    format!("/v1/organizations/{}/endpoints/{}", segment(organization), segment(endpoint))
}

/// All of them.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/o/{organization}/webhooks/{endpoint}", get(deliveries::list))
        .route("/o/{organization}/webhooks/{endpoint}/live", get(deliveries::live))
        .route("/o/{organization}/webhooks/{endpoint}/pause", post(state::pause))
        .route("/o/{organization}/webhooks/{endpoint}/activate", post(state::activate))
        .merge(delete::routes())
        .merge(diagnose::routes())
        .merge(recover::routes())
        .merge(secret::routes())
        .merge(code::routes())
        .merge(form::routes())
        .merge(test::routes())
}
