//! Who is looking: portal links that let somebody in, and the sessions of those who are in.

use std::time::Duration;

use postrider_contract::parse_duration;
use postrider_domain::{EndpointId, Role};
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::Standing;
use crate::code::Code;
use crate::fields::Fields;
use crate::limits::{PORTAL_LINK_S_DEFAULT, PORTAL_LINK_S_MAX, PORTAL_LINK_S_MIN};
use crate::time::Moment;
use crate::wire::organization::locale;
use crate::wrong::Wrong;

/// What the bearer of a portal link may do.
#[derive(Debug, ToSchema)]
#[schema(as = PortalRole, rename_all = "snake_case")]
#[expect(dead_code, reason = "says which words there are; they are the domain's")]
pub(crate) enum RoleWord {
    /// Everything in the organisation that its own people may do.
    Admin,
    /// Reading.
    Viewer,
}

/// A portal link to make.
#[derive(Debug, ToSchema)]
pub(crate) struct NewPortalLink {
    #[schema(value_type = RoleWord, example = "admin")]
    pub(crate) role: Option<Role>,
    /// The language of what it opens, e.g. `pt-BR`; as the browser says when left out.
    #[schema(max_length = 35)]
    pub(crate) locale: Option<String>,
    /// How long it works: a number and `m` or `h`, from `1m` to `24h`; `1h` when left out.
    #[schema(value_type = Option<String>, example = "1h")]
    pub(crate) expires_in: Duration,
    /// The endpoint whose screen opens first; all of them when left out.
    #[schema(value_type = Option<String>)]
    pub(crate) endpoint: Option<EndpointId>,
}

impl NewPortalLink {
    pub(crate) const FIELDS: &[&str] = &["role", "locale", "expires_in", "endpoint"];

    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Self {
        fields.require("role");
        NewPortalLink {
            role: fields.chosen("role", role),
            locale: fields.chosen("locale", locale),
            expires_in: fields.chosen("expires_in", lasts).unwrap_or(Duration::from_secs(PORTAL_LINK_S_DEFAULT)),
            endpoint: fields.parsed("endpoint"),
        }
    }
}

fn role(text: &str) -> Result<Role, Wrong> {
    Role::parse(text).ok_or_else(|| Code::none_of(["admin", "viewer"], "must be admin or viewer"))
}

fn lasts(text: &str) -> Result<Duration, Wrong> {
    let accepted = Duration::from_secs(PORTAL_LINK_S_MIN)..=Duration::from_secs(PORTAL_LINK_S_MAX);
    let lasts = parse_duration(text).filter(|lasts| accepted.contains(lasts));
    lasts.ok_or_else(|| {
        let detail = "must be a number and m or h, such as 1h; at least 1m and at most 24h";
        Code::DurationInvalid.says(detail).with("min", "1m").with("max", "24h")
    })
}

/// A portal link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PortalLink)]
pub(crate) struct PortalLinkBody<'a> {
    /// For the browser of whoever it is for: here, and never again. What lets them in stands behind `#`, which browsers send to no server.
    #[schema(example = "https://webhooks.example.com/portal/acme#prt_…")]
    pub(crate) url: &'a str,
    /// When it ends, and with it all that was opened with it.
    pub(crate) expires_at: Moment,
}

/// A session to begin.
#[derive(Debug, ToSchema)]
pub(crate) struct NewSession {
    /// The language of whoever is looking, e.g. `pt-BR`; the credential's own when left out.
    #[schema(max_length = 35)]
    pub(crate) locale: Option<String>,
}

impl NewSession {
    pub(crate) const FIELDS: &[&str] = &["locale"];

    pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Self {
        NewSession { locale: fields.chosen("locale", locale) }
    }
}

/// What the bearer of a credential may do.
#[derive(Debug, ToSchema)]
#[schema(as = SessionRole, rename_all = "snake_case")]
#[expect(dead_code, reason = "says which words there are")]
pub(crate) enum StandingWord {
    /// Everything, in every organisation.
    Operator,
    /// Everything in one organisation that its own people may do.
    Admin,
    /// Reading in one organisation.
    Viewer,
}

/// Who is looking, and until when.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionBody<'a> {
    /// The session's credential: in the answer to its beginning, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false, example = "ses_…")]
    token: Option<&'a str>,
    #[schema(value_type = StandingWord)]
    role: &'static str,
    /// The one organisation; `null` for the operator, who has all.
    #[schema(required = true, example = "acme")]
    organization: Option<&'a str>,
    /// The language that was asked for.
    #[schema(required = true, example = "pt-BR")]
    locale: Option<&'a str>,
    /// The endpoint whose screen opens first.
    #[schema(required = true)]
    endpoint: Option<String>,
    /// From when it is refused; `null` for the operator key itself.
    #[schema(required = true)]
    expires_at: Option<Moment>,
}

impl<'a> SessionBody<'a> {
    pub(crate) fn new(standing: &'a Standing, token: Option<&'a str>) -> Self {
        let member = standing.token.as_deref();
        SessionBody {
            token,
            role: member.map_or("operator", |member| member.role.as_str()),
            organization: member.map(|member| member.organization.as_str()),
            locale: standing.locale.as_deref(),
            endpoint: standing.endpoint.map(|id| id.to_string()),
            expires_at: standing.expires_at.map(Moment),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_works_from_a_minute_to_a_day() {
        assert_eq!(lasts("1m"), Ok(Duration::from_secs(60)));
        assert_eq!(lasts("24h"), Ok(Duration::from_secs(86_400)));
        for text in ["59s", "0s", "24h1s", "2d", "60", "", "-1h"] {
            assert!(lasts(text).is_err(), "{text}");
        }
    }
}
