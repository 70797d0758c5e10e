//! What is wrong with one field: its code, its words and its facts. Typed errors of the floors below become it here.

use postrider_contract::{CustomHeaderRules, FilterError, HeaderError, SecretError};
use postrider_domain::{EventIdError, IdError, OrganizationIdError, Param, Params, Scope, ScopeError};
use postrider_egress::{UrlRefusal, UrlRefusalCode};
use postrider_engine::EventMistakeKind;

use crate::code::Code;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) code: Code,
    pub(crate) detail: String,
    pub(crate) params: Params,
}

impl Code {
    /// In words for whoever sent it.
    pub(crate) fn says(self, detail: impl Into<String>) -> Wrong {
        Wrong { code: self, detail: detail.into(), params: Params::new() }
    }

    /// None of the words that are accepted.
    pub(crate) fn none_of<'w>(words: impl IntoIterator<Item = &'w str> + Clone, detail: impl Into<String>) -> Wrong {
        Code::ChoiceUnknown.says(detail).with("choices", words.into_iter().collect::<Vec<_>>().join(", "))
    }
}

impl Wrong {
    /// The same with a fact more.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Param>) -> Self {
        self.params.push((name, value.into()));
        self
    }

    /// JSON of another type than is expected.
    pub(crate) fn json_type(expected: &'static str, found: &'static str) -> Self {
        let bare = |words: &'static str| words.split_once(' ').map_or(words, |(_, word)| word);
        let detail = format!("must be {expected}, but is {found}");
        Code::FieldType.says(detail).with("expected", bare(expected)).with("found", bare(found))
    }
}

impl From<IdError> for Wrong {
    fn from(error: IdError) -> Self {
        Code::IdInvalid.says(error.to_string())
    }
}

impl From<EventIdError> for Wrong {
    fn from(error: EventIdError) -> Self {
        Code::IdInvalid.says(error.to_string())
    }
}

impl From<OrganizationIdError> for Wrong {
    fn from(error: OrganizationIdError) -> Self {
        Code::IdInvalid.says(error.to_string())
    }
}

impl From<ScopeError> for Wrong {
    fn from(error: ScopeError) -> Self {
        Code::none_of(Scope::ALL.map(Scope::as_str), error.to_string())
    }
}

impl From<FilterError> for Wrong {
    fn from(error: FilterError) -> Self {
        Code::FilterInvalid.says(error.to_string()).with("at", error.at)
    }
}

impl From<UrlRefusal> for Wrong {
    fn from(refusal: UrlRefusal) -> Self {
        let code = match refusal.code {
            UrlRefusalCode::TooLong => Code::UrlTooLong,
            UrlRefusalCode::Character => Code::UrlCharacter,
            UrlRefusalCode::Scheme => Code::UrlScheme,
            UrlRefusalCode::HttpNotAllowed => Code::UrlHttpNotAllowed,
            UrlRefusalCode::Slashes => Code::UrlSlashes,
            UrlRefusalCode::Backslash => Code::UrlBackslash,
            UrlRefusalCode::Fragment => Code::UrlFragment,
            UrlRefusalCode::UserInfo => Code::UrlUserInfo,
            UrlRefusalCode::Host => Code::UrlHost,
            UrlRefusalCode::HostEncoded => Code::UrlHostEncoded,
            UrlRefusalCode::PrivateName => Code::UrlPrivateName,
            UrlRefusalCode::ReservedName => Code::UrlReservedName,
            UrlRefusalCode::PortInvalid => Code::UrlPortInvalid,
            UrlRefusalCode::PortRefused => Code::UrlPortRefused,
            UrlRefusalCode::Address => Code::UrlPrivateAddress,
            UrlRefusalCode::Path => Code::UrlPath,
        };
        Wrong { code, detail: refusal.message, params: refusal.params }
    }
}

impl From<SecretError> for Wrong {
    fn from(error: SecretError) -> Self {
        let detail = error.to_string();
        match error {
            SecretError::NotChosen => Code::SecretGenerated.says(detail),
            SecretError::Chars { min, max, has } => {
                Code::SecretLength.says(detail).with("min", min).with("max", max).with("has", has)
            }
            SecretError::Characters => Code::SecretCharacters.says(detail),
            SecretError::Prefix { known } => Code::SecretPrefix.says(detail).with("known", known),
            SecretError::Encoding { prefix, encoding } => {
                Code::SecretEncoding.says(detail).with("prefix", prefix).with("encoding", encoding)
            }
            SecretError::KeyBytes { min, max, has } => {
                Code::SecretKeyLength.says(detail).with("min", min).with("max", max).with("has", has)
            }
            SecretError::Seed { has } => Code::SecretSeedLength.says(detail).with("has", has),
            SecretError::Pair => Code::SecretPair.says(detail),
        }
    }
}

impl From<HeaderError> for Wrong {
    fn from(error: HeaderError) -> Self {
        let detail = error.to_string();
        match error {
            HeaderError::NotAllowed => Code::HeadersNotAllowed.says(detail),
            HeaderError::Count { max } => Code::HeadersTooMany.says(detail).with("max", max),
            HeaderError::Bytes { max, has } => Code::HeadersTooManyBytes.says(detail).with("max", max).with("has", has),
            HeaderError::Name => Code::HeadersName.says(detail).with("max", CustomHeaderRules::NAME_BYTES_MAX),
            HeaderError::Value => Code::HeadersValue.says(detail).with("max", CustomHeaderRules::VALUE_BYTES_MAX),
            HeaderError::Owned { name, owner } => {
                Code::HeadersOwned.says(detail).with("name", name).with("owner", owner)
            }
            HeaderError::Twice { name } => Code::HeadersTwice.says(detail).with("name", name),
        }
    }
}

/// What is wrong with an event, by the rule that it breaks.
pub(crate) fn event_wrong(kind: EventMistakeKind, detail: String) -> Wrong {
    match kind {
        EventMistakeKind::TooDeep { max } => Code::EventTooDeep.says(detail).with("max", max),
        EventMistakeKind::UnknownType { contract } => Code::EventsUnknown.says(detail).with("contract", contract),
        EventMistakeKind::Data { event_type } => Code::EventData.says(detail).with("event_type", event_type),
        EventMistakeKind::PreviousAndChanges => Code::FieldConflict.says(detail).with("other", "changes"),
        EventMistakeKind::Changes => Code::EventChanges.says(detail),
    }
}
