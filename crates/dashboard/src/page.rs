//! What surrounds every screen.

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

use crate::api::{Organization, Role, Session};
use crate::refusal::Refusal;
use crate::say::Say;
use crate::viewer::Viewer;

/// Which entry of the menu a screen belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Webhooks,
    Events,
    Failures,
    Keys,
    Audit,
    Notifications,
    Organizations,
    Contracts,
    System,
    OperatorAudit,
}

/// An entry of the menu.
pub(crate) struct Entry {
    pub(crate) text: String,
    pub(crate) path: String,
    pub(crate) is_here: bool,
}

/// What surrounds a screen.
pub(crate) struct Page {
    pub(crate) say: Say,
    pub(crate) title: String,
    pub(crate) session: Session,
    pub(crate) organization: Option<Organization>,
    /// Where it is, for coming back to it.
    pub(crate) path: String,
    place: Place,
}

impl Page {
    pub(crate) fn new(viewer: &Viewer, place: Place, title: String) -> Self {
        Page {
            say: viewer.say,
            title,
            session: viewer.session.clone(),
            organization: None,
            path: viewer.path.clone(),
            place,
        }
    }

    pub(crate) fn of(self, organization: Organization) -> Self {
        Page { organization: Some(organization), ..self }
    }

    /// The same page under another title, such as a webhook's name.
    pub(crate) fn titled(self, title: String) -> Self {
        Page { title, ..self }
    }

    /// Whether the viewer may change things.
    pub(crate) fn may_change(&self) -> bool {
        self.session.role.may_change()
    }

    pub(crate) fn is_operator(&self) -> bool {
        self.session.role == Role::Operator
    }

    /// Where this organisation's screens begin: `/o/acme`.
    pub(crate) fn base(&self) -> String {
        self.organization.as_ref().map(|organization| format!("/o/{}", organization.id)).unwrap_or_default()
    }

    /// The menu of the organisation; empty on the operator's own screens.
    pub(crate) fn menu(&self) -> Vec<Entry> {
        if self.organization.is_none() {
            return Vec::new();
        }
        let everybody = [
            (Place::Webhooks, "menu-webhooks", "webhooks"),
            (Place::Events, "menu-events", "events"),
            (Place::Failures, "menu-failures", "failures"),
        ];
        let changing = [
            (Place::Keys, "menu-keys", "keys"),
            (Place::Audit, "menu-audit", "audit"),
            (Place::Notifications, "menu-notifications", "notifications"),
        ];
        let shown = everybody.into_iter().chain(changing.into_iter().filter(|_| self.may_change()));
        let base = self.base();
        shown.map(|(place, text, path)| self.entry(place, text, format!("{base}/{path}"))).collect()
    }

    /// The operator's menu.
    pub(crate) fn operator_menu(&self) -> Vec<Entry> {
        if !self.is_operator() {
            return Vec::new();
        }
        let entries = [
            (Place::Organizations, "menu-organizations", "organizations"),
            (Place::Contracts, "menu-contracts", "contracts"),
            (Place::System, "menu-system", "system"),
            (Place::OperatorAudit, "menu-audit", "audit"),
        ];
        entries.into_iter().map(|(place, text, path)| self.entry(place, text, format!("/operator/{path}"))).collect()
    }

    fn entry(&self, place: Place, text: &str, path: String) -> Entry {
        Entry { text: self.say.text(text), path, is_here: place == self.place }
    }
}

/// A template as an answer.
pub(crate) fn html(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => {
            let kind = HeaderValue::from_static("text/html; charset=utf-8");
            (status, [(CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => Refusal::Unwritable(error.to_string()).into_response(),
    }
}
