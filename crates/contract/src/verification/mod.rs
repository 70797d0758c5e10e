//! A receiver's code for a contract, in eight languages: what verifies a request, made from what the contract says.
//!
//! The code of a language is one template beside this file; a *plan* ([`plan`]) tells it what the contract signs, with what and where it is
//! shown. Whatever comes from a contract's file goes through [`escape`] into a literal of its language, and nothing else writes it.

mod escape;
mod plan;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use crate::contract::Contract;
use crate::secret::{Algorithm, Scheme};
use plan::Plan;

/// A language that receivers are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Node.js, with its standard library alone.
    Node,
    /// Python, with its standard library; `cryptography` for Ed25519.
    Python,
    /// Ruby, as a Rack application.
    Ruby,
    /// Go, with its standard library alone.
    Go,
    /// PHP, with its bundled extensions alone.
    Php,
    /// Java, with the JDK alone.
    Java,
    /// C# on ASP.NET Core; `NSec.Cryptography` for Ed25519.
    CSharp,
    /// Rust, with axum and ring.
    Rust,
}

/// What is the same for every contract.
struct Details {
    language: Language,
    name: &'static str,
    title: &'static str,
    file: &'static str,
    template: &'static str,
}

const fn details(
    language: Language,
    name: &'static str,
    title: &'static str,
    file: &'static str,
    template: &'static str,
) -> Details {
    Details { language, name, title, file, template }
}

/// In the order in which people are shown them, which is that of [`Language`].
const DETAILS: [Details; 8] = [
    details(Language::Node, "node", "Node.js", "verify.js", include_str!("templates/node.js.jinja")),
    details(Language::Python, "python", "Python", "verify.py", include_str!("templates/python.py.jinja")),
    details(Language::Ruby, "ruby", "Ruby", "verify.ru", include_str!("templates/ruby.ru.jinja")),
    details(Language::Go, "go", "Go", "verify.go", include_str!("templates/go.go.jinja")),
    details(Language::Php, "php", "PHP", "verify.php", include_str!("templates/php.php.jinja")),
    details(Language::Java, "java", "Java", "Verify.java", include_str!("templates/java.java.jinja")),
    details(Language::CSharp, "csharp", "C#", "Program.cs", include_str!("templates/csharp.cs.jinja")),
    details(Language::Rust, "rust", "Rust", "main.rs", include_str!("templates/rust.rs.jinja")),
];

impl Language {
    /// All of them, in the order in which people are shown them.
    pub fn all() -> impl Iterator<Item = Language> {
        DETAILS.iter().map(|details| details.language)
    }

    /// The one of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Language> {
        DETAILS.iter().find(|details| details.name == name).map(|details| details.language)
    }

    /// The name in the API and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.details().name
    }

    /// What people read.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.details().title
    }

    /// What the code's file is usually called.
    #[must_use]
    pub fn file(self) -> &'static str {
        self.details().file
    }

    fn details(self) -> &'static Details {
        &DETAILS[self as usize]
    }
}

/// One of a contract's kinds of secret.
#[derive(Clone, Copy, Debug)]
pub struct SecretKind<'c>(&'c Scheme);

/// A contract has no such kind of secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind:?} is none of the contract's kinds of secret, which are told by how they begin: {known}")]
pub struct SecretKindError {
    kind: String,
    known: String,
}

/// A template that cannot be filled in: a mistake of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the code for {language} cannot be made: {problem}")]
pub struct VerificationError {
    language: &'static str,
    problem: String,
}

impl<'c> SecretKind<'c> {
    /// What its secrets begin with; empty for a contract whose secrets begin with anything.
    #[must_use]
    pub fn prefix(self) -> &'c str {
        &self.0.prefix
    }

    /// Whether it is a key pair, of which receivers hold the public key alone.
    #[must_use]
    pub fn is_asymmetric(self) -> bool {
        self.0.algorithm == Algorithm::Ed25519
    }
}

impl Contract {
    /// The code of a receiver that verifies this contract's requests: a whole program, which reads the secret (for an asymmetric kind the
    /// public key) from its environment. It is for the first kind of secret of the contract's file when none is named.
    ///
    /// # Errors
    /// When a template is wrong.
    pub fn verification(&self, language: Language, kind: Option<SecretKind<'_>>) -> Result<String, VerificationError> {
        let failed =
            |error: minijinja::Error| VerificationError { language: language.name(), problem: error.to_string() };
        let plan = Plan::new(self, kind.map(|kind| kind.0));
        let environment = environment(language).map_err(failed)?;
        let template = environment.get_template(language.file()).map_err(failed)?;
        template.render(Serde(&plan)).map_err(failed)
    }

    /// The contract's kinds of secret, in the file's order; none where nothing is signed.
    pub fn secret_kinds(&self) -> impl Iterator<Item = SecretKind<'_>> {
        self.schemes().iter().map(SecretKind)
    }

    /// The kind whose secrets begin with exactly this, such as `whsk_`.
    ///
    /// # Errors
    /// When the contract has no such kind.
    pub fn secret_kind(&self, prefix: &str) -> Result<SecretKind<'_>, SecretKindError> {
        self.secret_kinds().find(|kind| kind.prefix() == prefix).ok_or_else(|| {
            let known: Vec<_> = self.secret_kinds().map(|kind| format!("{:?}", kind.prefix())).collect();
            let known = if known.is_empty() { "it signs nothing".to_owned() } else { known.join(", ") };
            SecretKindError { kind: prefix.chars().take(KIND_CHARS_SHOWN_MAX).collect(), known }
        })
    }
}

/// How much of a kind that does not exist its error shows, in characters.
const KIND_CHARS_SHOWN_MAX: usize = 32;

/// What fills in the template of a language: everything that is inserted is escaped for a literal, except what a filter made.
fn environment(language: Language) -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    environment.set_syntax(syntax.build()?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Custom("literal".into()));
    environment.set_formatter(move |out, _, value| match value.as_str() {
        Some(text) if !value.is_safe() => Ok(escape::write(language, text, out)?),
        _ => Ok(write!(out, "{value}")?),
    });
    // Patterns are made of what means the same in every language, and `safe`; only where they stand in a string is `\` doubled.
    environment.add_filter("pattern_in_string", |text: String| Value::from_safe_string(text.replace('\\', "\\\\")));
    environment.add_filter("cgi", |name: String| format!("HTTP_{}", name.to_ascii_uppercase().replace('-', "_")));
    environment.add_template(language.file(), language.details().template)?;
    Ok(environment)
}

#[cfg(test)]
mod tests;
