//! Receivers' code as JSON.

use postrider_contract::{Contract, Language, SecretKind, VerificationError};
use serde::Serialize;
use utoipa::ToSchema;

/// How receivers verify a contract's webhooks.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Verifications)]
pub(crate) struct VerificationsBody {
    data: Vec<VerificationBody>,
}

/// A receiver in one language.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Verification)]
pub(crate) struct VerificationBody {
    #[schema(example = "node")]
    language: &'static str,
    /// What people call the language.
    #[schema(example = "Node.js")]
    title: &'static str,
    /// What the file is usually called.
    #[schema(example = "verify.js")]
    file: &'static str,
    /// The whole program.
    code: String,
}

impl VerificationsBody {
    pub(crate) fn new(contract: &Contract, kind: Option<SecretKind<'_>>) -> Result<Self, VerificationError> {
        let in_language = |language: Language| {
            let code = contract.verification(language, kind)?;
            Ok(VerificationBody { language: language.name(), title: language.title(), file: language.file(), code })
        };
        Ok(VerificationsBody { data: Language::all().map(in_language).collect::<Result<_, _>>()? })
    }
}
