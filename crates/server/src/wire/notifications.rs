//! Whom the server writes to when an endpoint is in trouble, and in what language.

use postrider_domain::Organization;
use serde::Serialize;
use utoipa::ToSchema;

use crate::fields::Fields;
use crate::wire::organization::{changed, email, locale};

/// Who is told when an endpoint is in trouble.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notifications)]
pub(crate) struct NotificationsBody {
    /// Who is told; nobody when `null`.
    #[schema(required = true, example = "owner@acme.example")]
    owner_email: Option<String>,
    /// The language of what they are told.
    #[schema(required = true, example = "pt-BR")]
    locale: Option<String>,
}

impl From<Organization> for NotificationsBody {
    fn from(organization: Organization) -> Self {
        NotificationsBody { owner_email: organization.owner_email, locale: organization.locale }
    }
}

/// What to change of it; what is left out stays, `null` empties.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says how the object looks; it is applied field by field")]
pub(crate) struct NotificationsChange {
    #[schema(max_length = 254)]
    owner_email: Option<String>,
    /// A language tag, e.g. `pt-BR`.
    #[schema(max_length = 35)]
    locale: Option<String>,
}

impl NotificationsChange {
    pub(crate) const FIELDS: &[&str] = &["owner_email", "locale"];

    pub(crate) fn apply(fields: &mut Fields<'_, '_>, organization: &mut Organization) {
        changed(fields, "owner_email", email).apply(&mut organization.owner_email);
        changed(fields, "locale", locale).apply(&mut organization.locale);
    }
}
