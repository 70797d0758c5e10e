//! The languages that people are spoken to in, and the messages of each (Project Fluent), with their arguments filled in. Whoever has something to say
//! brings its own texts; which languages there are, how one is chosen and how numbers are written stands here.

mod languages;
mod numbers;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

pub use fluent_bundle;
pub use languages::{LANGUAGES, choose, choose_of_header};
pub use numbers::{decimal, grouped};

/// One language's messages.
pub struct Texts {
    /// Its tag, one of [`LANGUAGES`].
    pub language: &'static str,
    bundle: FluentBundle<FluentResource>,
}

impl Texts {
    /// The messages of `sources` (Fluent files' contents) in a language. A message with a mistake is left out: whoever brings texts has a test that there is
    /// none ([`mistakes`]).
    #[must_use]
    pub fn new(language: &'static str, sources: &[&str]) -> Self {
        let id: LanguageIdentifier = language.parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![id]);
        // Marks of direction around arguments show as signs in some mail programs.
        bundle.set_use_isolating(false);
        bundle.set_formatter(Some(match language {
            "pt-BR" | "es" => with_points,
            _ => with_commas,
        }));
        for source in sources {
            let resource = FluentResource::try_new((*source).to_owned()).unwrap_or_else(|(resource, _)| resource);
            let _ = bundle.add_resource(resource);
        }
        Texts { language, bundle }
    }

    /// A message; its name where there is none, so that something is said.
    #[must_use]
    pub fn text(&self, name: &str, args: &FluentArgs<'_>) -> String {
        let Some(pattern) = self.bundle.get_message(name).and_then(|message| message.value()) else {
            return name.to_owned();
        };
        self.bundle.format_pattern(pattern, Some(args), &mut Vec::new()).into_owned()
    }

    /// Whether there is such a message.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.bundle.has_message(name)
    }
}

impl std::fmt::Debug for Texts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Texts").field("language", &self.language).finish_non_exhaustive()
    }
}

fn with_points<M>(value: &FluentValue<'_>, _: &M) -> Option<String> {
    number(value, "es")
}

fn with_commas<M>(value: &FluentValue<'_>, _: &M) -> Option<String> {
    number(value, "en")
}

fn number(value: &FluentValue<'_>, language: &str) -> Option<String> {
    match value {
        FluentValue::Number(number) => Some(decimal(number.value, language)),
        _ => None,
    }
}

/// The names of the messages that Fluent files define, sorted; for tests that hold languages complete.
#[must_use]
pub fn names(sources: &[&str]) -> Vec<String> {
    let is_name = |line: &&str| line.contains(" =") && !line.starts_with([' ', '#', '[', '*', '}', '-']);
    let mut names: Vec<_> = sources
        .iter()
        .flat_map(|source| source.lines())
        .filter(is_name)
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

/// What is wrong with the texts of several languages beside the first one's: mistakes in their syntax, messages that are missing, superfluous or there twice,
/// messages that use other arguments.
#[must_use]
pub fn mistakes(languages: &[(&str, Vec<&str>)]) -> Vec<String> {
    let mut found = Vec::new();
    let Some((_, first_sources)) = languages.first() else { return found };
    let first = names(first_sources);
    for (language, sources) in languages {
        let own = names(sources);
        found.extend(
            own.windows(2)
                .filter(|pair| pair[0] == pair[1])
                .map(|pair| format!("{language}: {} is there twice", pair[0])),
        );
        found.extend(
            first.iter().filter(|name| !own.contains(name)).map(|name| format!("{language}: {name} is missing")),
        );
        found.extend(
            own.iter().filter(|name| !first.contains(name)).map(|name| format!("{language}: {name} is superfluous")),
        );
        for source in sources {
            if let Err((_, errors)) = FluentResource::try_new((*source).to_owned()) {
                found.extend(errors.iter().map(|error| format!("{language}: {error}")));
            }
        }
        for name in &first {
            let (expected, is) = (arguments(first_sources, name), arguments(sources, name));
            if own.contains(name) && expected != is {
                found.push(format!("{language}: {name} uses {is:?} and not {expected:?}"));
            }
        }
    }
    found
}

/// The arguments that a message uses.
fn arguments<'s>(sources: &[&'s str], name: &str) -> Vec<&'s str> {
    let begins = &format!("{name} =");
    let lines = sources.iter().flat_map(|source| {
        let mut inside = false;
        source.lines().filter(move |line| {
            inside =
                line.starts_with(begins.as_str()) || (inside && (line.is_empty() || line.starts_with([' ', '}', '['])));
            inside
        })
    });
    let mut used: Vec<_> = lines
        .flat_map(|line| line.split('$').skip(1))
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').next().unwrap_or_default())
        .collect();
    used.sort_unstable();
    used.dedup();
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(name: &'static str, value: impl Into<FluentValue<'static>>) -> FluentArgs<'static> {
        let mut args = FluentArgs::new();
        args.set(name, value.into());
        args
    }

    #[test]
    fn numbers_in_messages_are_written_as_the_language_does_and_choose_its_plural() {
        let source = "rows = { $count ->\n    [one] { $count } row\n   *[other] { $count } rows\n }\n";
        let rows = |language, count: u32| Texts::new(language, &[source]).text("rows", &args("count", count));
        assert_eq!(rows("en", 1), "1 row");
        assert_eq!(rows("en", 12_345), "12,345 rows");
        assert_eq!(rows("pt-BR", 12_345), "12.345 rows");
        assert_eq!(rows("es", 2), "2 rows");
    }

    #[test]
    fn a_message_that_is_missing_says_its_name() {
        let texts = Texts::new("en", &["here = Here\n"]);
        assert_eq!(texts.text("here", &FluentArgs::new()), "Here");
        assert_eq!(texts.text("gone", &FluentArgs::new()), "gone");
        assert!(texts.has("here") && !texts.has("gone"));
    }

    #[test]
    fn what_is_wrong_between_languages_is_found() {
        let one = "a = A { $n }\nb = B\n";
        assert_eq!(mistakes(&[("en", vec![one]), ("es", vec![one])]), Vec::<String>::new());
        let found = mistakes(&[("en", vec![one]), ("es", vec!["a = A { $m }\nc = C\nc = C\n"])]);
        for expected in
            ["es: b is missing", "es: c is superfluous", "es: c is there twice", "es: a uses [\"m\"] and not [\"n\"]"]
        {
            assert!(found.iter().any(|said| said == expected), "{expected}: {found:?}");
        }
        assert!(!mistakes(&[("en", vec!["a = {\n"])]).is_empty());
    }
}
