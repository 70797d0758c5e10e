//! Somebody in front of an organisation's dashboard.

use postrider_tests::browser::{Browser, Person};
use postrider_tests::program::{OPERATOR_KEY, Setup};
use postrider_tests::receiver::{Receiver, Reply};
use postrider_tests::world::{Organization, Store, World, text};
use serde_json::json;

/// The languages that the dashboard speaks.
pub(super) const LANGUAGES: [&str; 3] = ["en", "pt-BR", "es"];

/// Where it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On a page of its own.
    Own,
    /// In a frame of a page on another site, the CRM's.
    Frame,
}

/// Everything that a walk needs.
pub(super) struct Desk {
    pub(super) browser: Browser,
    pub(super) world: World,
    pub(super) organization: Organization,
    /// The CRM's own site; another one than the dashboard's, which is on `localhost`.
    pub(super) crm: Receiver,
    language: &'static str,
    place: Place,
}

impl Desk {
    /// In front of nothing yet.
    pub(super) async fn unopened(person: Person, place: Place) -> Self {
        Self::unopened_on(Store::Sqlite, person, place).await
    }

    /// The same on a store of this kind.
    pub(super) async fn unopened_on(store: Store, person: Person, place: Place) -> Self {
        Self::unopened_with(store, person, place, |setup| setup).await
    }

    /// The same with changed settings.
    pub(super) async fn unopened_with(
        store: Store,
        person: Person,
        place: Place,
        change: impl FnOnce(Setup) -> Setup,
    ) -> Self {
        // The log says everything, so that what must not be in it would be.
        let world = World::with_on(store, |setup| change(setup.env("POSTRIDER_LOG", "trace"))).await;
        let organization = world.organization("standard").await;
        let (crm, browser) = (Receiver::start().await, Browser::start(person).await);
        let origins = json!({"frame_ancestors": [crm.url("")]});
        world.api.patch(&organization.path(""), &origins).await.expect(200);
        Desk { browser, world, organization, crm, language: person.language, place }
    }

    /// In front of the first screen, as somebody with this role.
    pub(super) async fn open(person: Person, place: Place, role: &str) -> Self {
        Self::unopened(person, place).await.opened(role).await
    }

    /// The same of a desk in front of which there was nothing yet.
    pub(super) async fn opened(self, role: &str) -> Self {
        self.follow(&self.portal_link(role).await).await;
        self.screen("/webhooks").await;
        self
    }

    /// Signs in as the operator.
    pub(super) async fn sign_in_as_operator(&self) {
        self.browser.open(&self.url("/sign-in")).await;
        self.browser.fill("#token", OPERATOR_KEY).await;
        self.browser.click("form[action=\"/session\"] button").await;
        self.browser.see("nav.operator-menu").await;
    }

    /// Goes to one of the organisation's screens, by its address or, in a frame, as a link there does.
    pub(super) async fn go_to(&self, rest: &str) {
        let path = self.path(rest);
        match self.place {
            Place::Own => self.browser.open(&self.url(&path)).await,
            Place::Frame => {
                let script = "window.htmx.ajax('GET', arguments[0], {target: 'body', swap: 'innerHTML show:top'})";
                self.browser.run(script, &[json!(path)]).await;
            }
        }
        self.screen(rest).await;
    }

    /// A URL of the dashboard.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.world.program.address.port())
    }

    /// A path of the organisation's screens.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/o/{}{rest}", self.organization.id)
    }

    /// A new portal link.
    pub(super) async fn portal_link(&self, role: &str) -> String {
        let made =
            self.world.api.post(&self.organization.path("/portal-links"), &json!({"role": role})).await.expect(201);
        let url = text(&made["url"]);
        let rest = url.find("/portal/").map_or("", |at| &url[at..]);
        self.url(rest)
    }

    /// Opens a portal link where the dashboard is shown.
    pub(super) async fn follow(&self, link: &str) {
        match self.place {
            Place::Own => self.browser.open(link).await,
            Place::Frame => {
                let page = format!(
                    "<!doctype html><title>CRM</title><iframe id=webhooks width=1100 height=800 src=\"{link}\"></iframe>"
                );
                self.crm.always("/settings", page_of(&page));
                self.browser.open(&self.crm.url("/settings")).await;
                self.browser.enter_frame("#webhooks").await;
            }
        }
    }

    /// Waits until one of the organisation's screens is there, in the language that it should be in.
    pub(super) async fn screen(&self, rest: &str) {
        let (path, language) = (self.path(rest), self.language);
        self.browser.see(&format!("#main[data-path=\"{path}\"][data-language=\"{language}\"]")).await;
    }

    /// What was wrong in the browser's eyes, such as what the policy refused; what the server refused is not, nor is it that a page that has the focus somewhere does not move it by
    /// itself while it loads.
    pub(super) async fn complaints(&self) -> Vec<String> {
        let mut entries = self.browser.console().await;
        entries.retain(|entry| !entry.contains("the server responded with a status of 4"));
        entries.retain(|entry| {
            !entry.contains("Blocked autofocusing") && !entry.contains("Autofocus processing was blocked")
        });
        entries
    }
}

/// An HTML page.
pub(super) fn page_of(html: &str) -> Reply {
    Reply::Status(
        200,
        vec![("content-type".to_owned(), "text/html; charset=utf-8".to_owned())],
        html.as_bytes().to_vec(),
    )
}
