//! The texts of letters in each language.

use postrider_texts::{LANGUAGES, Texts, choose};

/// In the order of [`LANGUAGES`].
const SOURCES: [&str; 3] =
    [include_str!("../texts/en.ftl"), include_str!("../texts/pt-BR.ftl"), include_str!("../texts/es.ftl")];

/// The texts for an organisation's `locale`.
pub(crate) fn texts_of(locale: Option<&str>) -> Texts {
    let language = choose(locale);
    let source = LANGUAGES.iter().position(|known| *known == language).unwrap_or_default();
    Texts::new(language, &[SOURCES[source]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_message_without_a_mistake() {
        let all: Vec<_> = LANGUAGES.into_iter().zip(SOURCES.map(|source| vec![source])).collect();
        assert_eq!(postrider_texts::mistakes(&all), Vec::<String>::new());
        assert!(postrider_texts::names(&[SOURCES[0]]).len() > 20);
    }
}
