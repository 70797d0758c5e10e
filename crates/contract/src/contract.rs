//! A contract: what its file says, ready to use.

use std::borrow::Cow;
use std::sync::Arc;

use postrider_document::Mistake;
use postrider_domain::{DeliveryId, EventId, Millis, Schedule, Secret, Subscription, Verdict};

use crate::catalogue::{Catalogue, EventType, Misfit, Sample};
use crate::derived::{self, Derived};
use crate::envelope::{Envelope, RenderInput};
use crate::filter::FilterEvent;
use crate::headers::{self, CustomHeaderRules, HeaderError};
use crate::limits::{DisableRule, Limits, ResponseRules, UrlRules};
use crate::revision::Revision;
use crate::secret::{self, Scheme, SecretError, SecretRules};
use crate::signature::SignatureRules;
use crate::template::{Facts, Template};

/// What receivers are promised. Made from a file's text by [`Contract::parse`]; immutable.
#[derive(Debug)]
pub struct Contract {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) text: Arc<str>,
    pub(crate) revision: Revision,
    pub(crate) is_default: bool,
    pub(crate) content_type: String,
    pub(crate) envelope: Envelope,
    pub(crate) headers: Vec<(String, Template)>,
    pub(crate) signature: Option<SignatureRules>,
    pub(crate) secret: SecretRules,
    pub(crate) response: ResponseRules,
    pub(crate) schedule: Schedule,
    pub(crate) disable: Option<DisableRule>,
    pub(crate) limits: Limits,
    pub(crate) url: UrlRules,
    pub(crate) custom_headers: CustomHeaderRules,
    pub(crate) catalogue: Catalogue,
    pub(crate) derived: Vec<Derived>,
}

/// What an attempt's headers are made of.
#[derive(Clone, Copy, Debug)]
pub struct SignInput<'a> {
    /// The secret that signs, or none where the contract allows that.
    pub primary: Option<&'a Secret>,
    /// The other one, during a rotation's overlap.
    pub secondary: Option<&'a Secret>,
    /// When the attempt is made.
    pub attempt_at: Millis,
    /// The type, in the receiver's name.
    pub event_type: &'a str,
    /// The event's id.
    pub event_id: &'a EventId,
    /// The delivery's id.
    pub delivery_id: DeliveryId,
    /// The body that is sent, as rendered.
    pub body: &'a [u8],
}

/// One header of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header<'c> {
    /// As the contract writes it.
    pub name: &'c str,
    /// A field value (RFC 9110, section 5.5).
    pub value: Cow<'c, str>,
}

/// Why a request cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The contract signs always, and the endpoint has no secret.
    #[error("this contract signs every request and the endpoint has no secret; rotate its secret to make one")]
    SecretMissing,
    /// The secret holds no key.
    #[error("the endpoint's secret cannot sign: {0}; rotate it")]
    Secret(#[from] SecretError),
    /// A value that cannot stand in a header.
    #[error("the value of {0} cannot stand in a header")]
    Value(String),
}

impl Contract {
    /// The longest file, in bytes.
    pub const FILE_BYTES_MAX: usize = 1024 * 1024;

    /// Reads a contract file's text; `file` is what its mistakes call it.
    ///
    /// # Errors
    /// Every mistake in the file, each with line, column and key.
    pub fn parse(text: &str, file: &str) -> Result<Self, Vec<Mistake>> {
        crate::file::parse(text, file)
    }

    /// The name in the API, settings and the store.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What people read.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What it is, in a sentence or two.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The file's text, from which [`Contract::parse`] makes the same contract again.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The text's content hash.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Whether its file says that it is the one for organisations that name none.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.is_default
    }

    /// The body of a delivery.
    #[must_use]
    pub fn render(&self, input: &RenderInput<'_>) -> String {
        self.envelope.render(input)
    }

    /// All headers that the contract gives a request, in order: content type, the contract's own, signature.
    ///
    /// # Errors
    /// When the contract needs a secret and there is none, or the secret holds no key.
    pub fn sign(&self, input: &SignInput<'_>) -> Result<Vec<Header<'_>>, SignError> {
        let facts = Facts {
            event_type: input.event_type,
            event_id: input.event_id,
            delivery_id: input.delivery_id,
            attempt_at: input.attempt_at,
        };
        let mut headers = Vec::with_capacity(self.headers.len() + 2);
        headers.push(Header { name: "Content-Type", value: Cow::Borrowed(&self.content_type) });
        for (name, template) in &self.headers {
            headers.push(own_header(name, template, &facts)?);
        }
        if let Some(rules) = &self.signature {
            match input.primary {
                Some(primary) => {
                    let value = Cow::Owned(rules.write(primary, input.secondary, &facts, input.body)?);
                    headers.push(Header { name: &rules.header, value });
                }
                None if self.secret.required => return Err(SignError::SecretMissing),
                None => {}
            }
        }
        Ok(headers)
    }

    /// What an answer's status means.
    #[must_use]
    pub fn judge(&self, status: u16) -> Verdict {
        self.response.judge(status)
    }

    /// How long attempts may take.
    #[must_use]
    pub fn response(&self) -> &ResponseRules {
        &self.response
    }

    /// When failed deliveries are tried again.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// When endpoints that keep failing are disabled; never when none.
    #[must_use]
    pub fn disable(&self) -> Option<DisableRule> {
        self.disable
    }

    /// Plans and limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What URLs are allowed.
    #[must_use]
    pub fn url(&self) -> UrlRules {
        self.url
    }

    /// What custom headers are allowed.
    #[must_use]
    pub fn custom_headers(&self) -> CustomHeaderRules {
        self.custom_headers
    }

    /// Whether requests are signed when there is a secret.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.signature.is_some()
    }

    /// Whether an answer with this status during an overlap means: send at once again with primary and secondary swapped
    /// (contracts.md, reading 6).
    #[must_use]
    pub fn swaps_on(&self, status: u16) -> bool {
        self.signature.as_ref().is_some_and(|s| s.swap_statuses.contains(&status))
    }

    pub(crate) fn schemes(&self) -> &[Scheme] {
        self.signature.as_ref().map_or(&[], |s| s.schemes.as_slice())
    }

    /// What secrets look like, who makes them, and how long a rotation overlaps.
    #[must_use]
    pub fn secret(&self) -> &SecretRules {
        &self.secret
    }

    /// Whether people may use this secret.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_secret(&self, secret: &str) -> Result<(), SecretError> {
        if !self.secret.chosen {
            return Err(SecretError::NotChosen);
        }
        self.secret.check(self.schemes(), secret)
    }

    /// Makes a secret of the contract's first scheme out of random bytes. A contract without a signature makes one that is never
    /// used.
    #[must_use]
    pub fn generate_secret(&self, random: &[u8; SecretRules::RANDOM_BYTES]) -> Secret {
        match self.schemes().first() {
            Some(scheme) => self.secret.generate(scheme, random),
            None => self.secret.generate(&Scheme::plain(), random),
        }
    }

    /// Makes a secret of the scheme whose prefix this is, e.g. one for Ed25519; none where there is no such scheme.
    #[must_use]
    pub fn generate_secret_of(&self, prefix: &str, random: &[u8; SecretRules::RANDOM_BYTES]) -> Option<Secret> {
        let scheme = self.schemes().iter().find(|s| s.prefix == prefix)?;
        Some(self.secret.generate(scheme, random))
    }

    /// Makes a secret of the same scheme as this one, so that a rotation leaves receivers with the kind of key that they know.
    #[must_use]
    pub fn generate_secret_like(&self, present: &Secret, random: &[u8; SecretRules::RANDOM_BYTES]) -> Secret {
        match secret::scheme_of(self.schemes(), present.reveal()) {
            Ok(scheme) => self.secret.generate(scheme, random),
            Err(_) => self.generate_secret(random),
        }
    }

    /// What receivers verify with instead of the secret; none where they need the secret itself.
    #[must_use]
    pub fn public_key(&self, secret: &Secret) -> Option<String> {
        secret::public_key(self.schemes(), secret.reveal())
    }

    /// Whether the catalogue passes on well-formed types that it does not know.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.catalogue.open
    }

    /// The catalogue, in the file's order.
    #[must_use]
    pub fn event_types(&self) -> &[EventType] {
        &self.catalogue.types
    }

    /// The type of that receiver's name, if the catalogue holds it.
    #[must_use]
    pub fn event_type(&self, name: &str) -> Option<&EventType> {
        self.catalogue.get(name)
    }

    /// Whether receivers can be sent this type: one of the catalogue or, where that is open, any well-formed name that is not
    /// mapped to another.
    #[must_use]
    pub fn knows_type(&self, name: &str) -> bool {
        self.catalogue.knows(name)
    }

    /// Whether a subscription can ever match.
    #[must_use]
    pub fn knows_subscription(&self, subscription: &Subscription) -> bool {
        self.catalogue.knows_subscription(subscription)
    }

    /// The receiver's name for a name that the CRM published (or for a receiver's name, which stands for itself); none when this
    /// contract's receivers know no such thing. Resolving twice changes nothing.
    #[must_use]
    pub fn resolve_type<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.catalogue.resolve(name)
    }

    /// Its derived types, in the file's order.
    #[must_use]
    pub fn derived(&self) -> &[Derived] {
        &self.derived
    }

    /// What an event that was published under this name also is, by the contract's derived types; nothing unless its file has some.
    pub fn derived_types<'c>(&'c self, published: &'c str, event: &FilterEvent<'_>) -> impl Iterator<Item = &'c str> {
        let event_type = if self.derived.is_empty() { None } else { self.resolve_type(published) };
        event_type.into_iter().flat_map(|event_type| derived::types_of(&self.derived, event_type, event))
    }

    /// What a test delivery of this type holds.
    #[must_use]
    pub fn sample(&self, event_type: &str) -> Sample<'_> {
        self.catalogue.sample(event_type)
    }

    /// The first type of the catalogue that one of these subscriptions matches, else the first that they name: what a test
    /// delivers where no type is chosen (contracts.md, reading 7).
    #[must_use]
    pub fn first_type<'a>(&'a self, subscriptions: &'a [Subscription]) -> Option<&'a str> {
        subscriptions.iter().find_map(|subscription| match subscription {
            Subscription::Type(name) => Some(name.as_str()),
            _ => self.catalogue.types.iter().map(|t| t.name.as_str()).find(|name| subscription.matches(name)),
        })
    }

    /// How this type's data does not fit the catalogue's schema; nothing for types that the catalogue does not hold.
    #[must_use]
    pub fn misfits(&self, event_type: &str, data: &str) -> Vec<Misfit> {
        self.catalogue.get(event_type).map_or_else(Vec::new, |found| found.misfits(data))
    }

    /// Whether the contract gives requests a header of this name, in any case, beside those of HTTP.
    #[must_use]
    pub fn owns_header(&self, name: &str) -> bool {
        let own = self.headers.iter().map(|(own, _)| own.as_str());
        own.chain(self.signature.iter().map(|s| s.header.as_str())).any(|own| own.eq_ignore_ascii_case(name))
    }

    /// Whether an endpoint may have this header.
    ///
    /// # Errors
    /// What is wrong with its name or value.
    pub fn check_custom_header(&self, name: &str, value: &str) -> Result<(), HeaderError> {
        if !self.custom_headers.allowed {
            return Err(HeaderError::NotAllowed);
        }
        headers::check(name, value, |other| self.owns_header(other))
    }

    /// Everything wrong with an endpoint's headers, each with the index of the header that it is about.
    #[must_use]
    pub fn check_custom_headers<'h>(
        &self,
        headers: impl Iterator<Item = (&'h str, &'h str)> + Clone,
    ) -> Vec<(usize, HeaderError)> {
        headers::check_all(self.custom_headers, headers, |name| self.owns_header(name))
    }
}

fn own_header<'c>(name: &'c str, template: &'c Template, facts: &Facts<'_>) -> Result<Header<'c>, SignError> {
    let value = match template.as_static() {
        Some(text) => Cow::Borrowed(text),
        None => {
            let mut text = String::with_capacity(64);
            template.write(&mut text, |reference| facts.value(reference));
            Cow::Owned(text)
        }
    };
    if headers::is_value(&value) { Ok(Header { name, value }) } else { Err(SignError::Value(name.to_owned())) }
}
