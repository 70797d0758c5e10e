//! Contract files into exact bytes and headers.
//!
//! A *contract* is what the receivers of one CRM's webhooks are promised: a catalogue of event types, an envelope around each
//! event's data, headers, a signature, a retry schedule, limits. It is read from a TOML file (docs/contracts.md lists every
//! key) by [`Contract::parse`]; after that nothing here does I/O, reads a clock or makes a random number, and nothing knows an
//! organisation, a store or a network. No code names a contract: what differs between them stands in their files.

mod catalogue;
mod changes;
mod contract;
mod derived;
mod envelope;
mod file;
mod filter;
mod headers;
mod json;
mod limits;
mod promise;
mod registry;
mod revision;
mod same;
mod secret;
mod signature;
mod template;
mod time;
mod verification;
mod verify;

pub use catalogue::{EventType, Misfit, Sample};
pub use changes::{ChangesError, changes_from_previous, check_changes};
pub use contract::{Contract, Header, SignError, SignInput};
pub use derived::Derived;
pub use envelope::{Envelope, EnvelopeError, RenderInput};
pub use file::{KEYS, references};
pub use filter::{Filter, FilterError, FilterEvent, Judgement};
pub use headers::{CustomHeaderRules, HeaderError};
pub use json::MemberName;
pub use limits::{DisableRule, Limits, Plan, ResponseRules, UrlRules};
pub use postrider_document::{Mistake, parse_duration};
pub use promise::{SchemePromise, SignaturePromise};
pub use registry::Contracts;
pub use revision::{Revision, RevisionError};
pub use same::is_same;
pub use secret::{SecretError, SecretRules};
pub use template::TemplateError;
pub use time::rfc3339;
pub use verification::{Language, SecretKind, SecretKindError, VerificationError};
pub use verify::{BodyChange, SecretReading, VerifyFailure};
