//! Organisations: made, replaced, changed, shown.

use postrider_contract::{Contract, Contracts};
use postrider_domain::{EventValidation, Millis, Organization, OrganizationId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::code::Code;
use crate::fields::{Change, Fields, Text, choices};
use crate::limits::{EMAIL_CHARS_MAX, LOCALE_CHARS_MAX, NAME_CHARS_MAX};
use crate::time::Moment;
use crate::wire::frame_ancestors;
use crate::wrong::Wrong;

const NAME: Text = Text::line(1, NAME_CHARS_MAX);
const WORD: Text = Text::line(1, NAME_CHARS_MAX);

/// An organisation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Organization)]
pub(crate) struct OrganizationBody {
    /// Its id, chosen by the caller or made (`org_…`).
    #[schema(example = "acme")]
    id: String,
    name: String,
    /// The contract that its events are checked against, and that its endpoints follow unless they name another.
    #[schema(example = "standard")]
    contract: String,
    /// One of the contract's plans, or none.
    #[schema(required = true)]
    plan: Option<String>,
    /// Who is told when an endpoint is in trouble.
    #[schema(required = true)]
    owner_email: Option<String>,
    /// The language of what the owner is told.
    #[schema(required = true, example = "pt-BR")]
    locale: Option<String>,
    /// Whether the `data` of events is checked against the catalogue's JSON Schema: `off`, `warn` or `enforce`.
    #[schema(value_type = Validation)]
    event_validation: &'static str,
    /// Origins of the pages that may show the dashboard of this organisation in a frame; when empty, none may.
    #[schema(example = json!(["https://crm.example.com"]))]
    frame_ancestors: Vec<String>,
    created_at: Moment,
    updated_at: Moment,
}

impl From<Organization> for OrganizationBody {
    fn from(organization: Organization) -> Self {
        OrganizationBody {
            id: organization.id.to_string(),
            name: organization.name,
            contract: organization.contract,
            plan: organization.plan,
            owner_email: organization.owner_email,
            locale: organization.locale,
            event_validation: organization.event_validation.as_str(),
            frame_ancestors: organization.frame_ancestors,
            created_at: Moment(organization.created_at),
            updated_at: Moment(organization.updated_at),
        }
    }
}

/// Whether the `data` of events is checked against the catalogue's JSON Schema.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "says which words there are; they are the domain's")]
pub(crate) enum Validation {
    /// Not checked.
    Off,
    /// Checked; what does not fit is accepted and logged.
    Warn,
    /// Checked; what does not fit is refused.
    Enforce,
}

/// An organisation to make, or to put in the place of what is there.
#[derive(Debug, ToSchema)]
pub(crate) struct NewOrganization {
    /// 1 to 64 letters, digits, or any of `_ - . :`, beginning with a letter or digit; made when left out.
    #[schema(value_type = Option<String>, example = "acme")]
    pub(crate) id: Option<OrganizationId>,
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// The name of a contract; the default one when left out.
    contract: Option<String>,
    /// One of the contract's plans; none when left out.
    plan: Option<String>,
    #[schema(max_length = 254)]
    owner_email: Option<String>,
    /// A language tag, e.g. `pt-BR`.
    #[schema(max_length = 35)]
    locale: Option<String>,
    /// `off` when left out.
    #[schema(value_type = Option<Validation>)]
    event_validation: Option<EventValidation>,
    /// Origins of the pages that may show the dashboard of this organisation in a frame: `https`, or `http` on this machine itself. None when left out.
    #[schema(value_type = Option<Vec<String>>, max_items = 20, example = json!(["https://crm.example.com"]))]
    frame_ancestors: Vec<String>,
}

impl NewOrganization {
    pub(crate) const FIELDS: &[&str] =
        &["id", "name", "contract", "plan", "owner_email", "locale", "event_validation", "frame_ancestors"];

    pub(crate) fn read(fields: &mut Fields<'_, '_>, contracts: &Contracts) -> Self {
        let read = NewOrganization {
            id: fields.parsed("id"),
            name: fields.required_text("name", NAME),
            contract: fields.text("contract", WORD),
            plan: fields.text("plan", WORD),
            owner_email: fields.chosen("owner_email", email),
            locale: fields.chosen("locale", locale),
            event_validation: fields.chosen("event_validation", validation),
            frame_ancestors: match frame_ancestors::read(fields) {
                Change::Set(origins) => origins,
                Change::Keep | Change::Clear => Vec::new(),
            },
        };
        let contract = known_contract(fields, contracts, read.contract.as_deref());
        check_plan(fields, contract, read.plan.as_deref());
        read
    }

    pub(crate) fn into_organization(self, id: OrganizationId, default_contract: &str, now: Millis) -> Organization {
        Organization {
            id,
            name: self.name,
            contract: self.contract.unwrap_or_else(|| default_contract.to_owned()),
            plan: self.plan,
            owner_email: self.owner_email,
            locale: self.locale,
            event_validation: self.event_validation.unwrap_or_default(),
            frame_ancestors: self.frame_ancestors,
            created_at: now,
            updated_at: now,
        }
    }
}

/// What to change of an organisation; what is left out stays, `null` empties what may be empty.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "says how the object looks; it is applied field by field")]
pub(crate) struct OrganizationChange {
    #[schema(min_length = 1, max_length = 200, nullable = false)]
    name: Option<String>,
    /// For its events, and for endpoints made from now on; those that exist keep theirs.
    #[schema(nullable = false)]
    contract: Option<String>,
    plan: Option<String>,
    owner_email: Option<String>,
    locale: Option<String>,
    #[schema(value_type = Option<Validation>, nullable = false)]
    event_validation: Option<EventValidation>,
    #[schema(max_items = 20)]
    frame_ancestors: Option<Vec<String>>,
}

impl OrganizationChange {
    pub(crate) const FIELDS: &[&str] =
        &["name", "contract", "plan", "owner_email", "locale", "event_validation", "frame_ancestors"];

    pub(crate) fn apply(fields: &mut Fields<'_, '_>, contracts: &Contracts, organization: &mut Organization) {
        if let Some(name) = fields.kept_text("name", NAME) {
            organization.name = name;
        }
        if let Some(contract) = fields.kept_text("contract", WORD) {
            organization.contract = contract;
        }
        fields.change_text("plan", WORD).apply(&mut organization.plan);
        changed(fields, "owner_email", email).apply(&mut organization.owner_email);
        changed(fields, "locale", locale).apply(&mut organization.locale);
        fields.refuse_null("event_validation");
        if let Some(validation) = fields.chosen("event_validation", validation) {
            organization.event_validation = validation;
        }
        match frame_ancestors::read(fields) {
            Change::Keep => {}
            Change::Clear => organization.frame_ancestors.clear(),
            Change::Set(origins) => organization.frame_ancestors = origins,
        }
        if fields.has("contract") || fields.has("plan") {
            let contract = known_contract(fields, contracts, Some(&organization.contract));
            check_plan(fields, contract, organization.plan.as_deref());
        }
    }
}

/// What a body says about a text that may be empty.
pub(crate) fn changed(
    fields: &mut Fields<'_, '_>,
    name: &'static str,
    read: impl FnOnce(&str) -> Result<String, Wrong>,
) -> Change<String> {
    match (fields.has(name), fields.chosen(name, read)) {
        (_, Some(text)) => Change::Set(text),
        (true, None) => Change::Clear,
        (false, None) => Change::Keep,
    }
}

/// The contract of that name, or the default one; notes a mistake when there is none.
pub(crate) fn known_contract<'c>(
    fields: &mut Fields<'_, '_>,
    contracts: &'c Contracts,
    name: Option<&str>,
) -> Option<&'c Contract> {
    let found = contracts.get(name.unwrap_or(contracts.default_name()));
    if found.is_none() {
        let known = choices(contracts.iter().map(|contract| contract.name()));
        let detail = format!("is not a contract of this server; known are {known}");
        fields.wrong("contract", Code::ContractUnknown.says(detail).with("known", known));
    }
    found.map(AsRef::as_ref)
}

fn check_plan(fields: &mut Fields<'_, '_>, contract: Option<&Contract>, plan: Option<&str>) {
    let (Some(contract), Some(plan)) = (contract, plan) else { return };
    if contract.limits().plan(plan).is_some() {
        return;
    }
    let known = choices(contract.limits().plans.iter().map(|plan| plan.name.as_str()));
    let name = contract.name();
    let wrong = match known.as_str() {
        "" => Code::PlanNone.says(format!("the contract {name:?} has no plans; leave it out")),
        _ => {
            let detail = format!("is not a plan of the contract {name:?}; its plans are {known}");
            Code::PlanUnknown.says(detail).with("known", known)
        }
    };
    fields.wrong("plan", wrong.with("contract", name));
}

pub(crate) fn email(text: &str) -> Result<String, Wrong> {
    Text::line(1, EMAIL_CHARS_MAX).check(text)?;
    let is_plausible = !text.contains(char::is_whitespace)
        && text.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    if is_plausible { Ok(text.to_owned()) } else { Err(Code::EmailInvalid.says("must be an e-mail address")) }
}

/// The common form of RFC 5646 language tags: subtags of letters and digits, the first of two or three letters.
pub(crate) fn locale(text: &str) -> Result<String, Wrong> {
    Text::line(1, LOCALE_CHARS_MAX).check(text)?;
    let mut parts = text.split('-');
    let is_language = |part: &str| matches!(part.len(), 2 | 3) && part.bytes().all(|b| b.is_ascii_alphabetic());
    let is_subtag = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    if parts.next().is_some_and(is_language) && parts.all(is_subtag) {
        return Ok(text.to_owned());
    }
    Err(Code::LocaleInvalid.says("must be a language tag such as en or pt-BR"))
}

fn validation(text: &str) -> Result<EventValidation, Wrong> {
    let words = ["off", "warn", "enforce"];
    EventValidation::parse(text).ok_or_else(|| Code::none_of(words, "must be off, warn or enforce"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_language_tags_are_plausible() {
        assert!(email("owner@acme.example").is_ok());
        for text in ["", "owner", "@acme", "owner@", "a b@c"] {
            assert!(email(text).is_err(), "{text}");
        }
        for text in ["en", "pt-BR", "zh-Hant-TW"] {
            assert!(locale(text).is_ok(), "{text}");
        }
        for text in ["", "e", "english", "pt_BR", "pt-", "12"] {
            assert!(locale(text).is_err(), "{text}");
        }
    }
}
