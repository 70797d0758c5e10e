//! The texts in each language: messages of `texts/*.ftl` (Project Fluent), with their arguments filled in.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};
use unic_langid::LanguageIdentifier;

/// The languages there are, the default first, each with the texts of its file.
pub(crate) const LANGUAGES: [(&str, &str); 3] = [
    ("en", include_str!("../texts/en.ftl")),
    ("pt-BR", include_str!("../texts/pt-BR.ftl")),
    ("es", include_str!("../texts/es.ftl")),
];

/// One language's messages.
pub(crate) struct Texts {
    pub(crate) language: &'static str,
    bundle: FluentBundle<FluentResource>,
}

impl Texts {
    /// The language that an organisation's `locale` asks for: exactly, else another region's, else the default.
    pub(crate) fn of(locale: Option<&str>) -> Self {
        let (language, source) = choose(locale);
        let id: LanguageIdentifier = language.parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![id]);
        // Marks of direction around arguments show as signs in some mail programs.
        bundle.set_use_isolating(false);
        // A message with a mistake is left out; a test holds that there is none.
        let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, _)| resource);
        let _ = bundle.add_resource(resource);
        Texts { language, bundle }
    }

    /// A message; its name where there is none, so that something is said.
    pub(crate) fn text(&self, name: &str, args: &FluentArgs<'_>) -> String {
        let Some(pattern) = self.bundle.get_message(name).and_then(|message| message.value()) else {
            return name.to_owned();
        };
        self.bundle.format_pattern(pattern, Some(args), &mut Vec::new()).into_owned()
    }
}

fn choose(locale: Option<&str>) -> (&'static str, &'static str) {
    let wanted: Option<LanguageIdentifier> = locale.and_then(|locale| locale.parse().ok());
    let is_of = |of: &str, exactly: bool| {
        let of: Option<LanguageIdentifier> = of.parse().ok();
        match (&wanted, &of) {
            (Some(wanted), Some(of)) if exactly => wanted == of,
            (Some(wanted), Some(of)) => wanted.language == of.language,
            _ => false,
        }
    };
    let exact = LANGUAGES.into_iter().find(|(language, _)| is_of(language, true));
    let near = || LANGUAGES.into_iter().find(|(language, _)| is_of(language, false));
    exact.or_else(near).unwrap_or(LANGUAGES[0])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_language_has_every_message_without_a_mistake() {
        let names = |source: &str| -> BTreeSet<String> {
            let is_name = |line: &&str| line.contains(" = ") && !line.starts_with([' ', '#', '[', '*']);
            source.lines().filter(is_name).filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
        };
        let first = names(LANGUAGES[0].1);
        assert!(first.len() > 20, "{first:?}");
        for (language, source) in LANGUAGES {
            assert_eq!(names(source), first, "{language}");
            assert!(FluentResource::try_new(source.to_owned()).is_ok(), "{language}");
            let texts = Texts::of(Some(language));
            for name in &first {
                assert_ne!(texts.text(name, &FluentArgs::new()), *name, "{language}");
            }
        }
    }

    #[test]
    fn another_region_gets_the_language_and_an_unknown_one_english() {
        for (locale, language) in [
            (Some("pt-BR"), "pt-BR"),
            (Some("pt-PT"), "pt-BR"),
            (Some("pt"), "pt-BR"),
            (Some("es-MX"), "es"),
            (Some("en-GB"), "en"),
            (Some("ja"), "en"),
            (Some("no language"), "en"),
            (None, "en"),
        ] {
            assert_eq!(Texts::of(locale).language, language, "{locale:?}");
        }
    }
}
