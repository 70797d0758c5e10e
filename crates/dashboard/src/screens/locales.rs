//! Languages to choose from.

use postrider_texts::LANGUAGES;

/// A language that may be chosen.
pub(crate) struct Choice {
    pub(crate) tag: String,
    /// What its own speakers call it; the tag where that is not known here.
    pub(crate) name: String,
    pub(crate) is_chosen: bool,
}

fn name_of(tag: &str) -> &str {
    match tag {
        "en" => "English",
        "pt-BR" => "Português (Brasil)",
        "es" => "Español",
        other => other,
    }
}

/// Those that there are texts in, and the one that is chosen where it is another: a program may have set it.
pub(crate) fn choices(chosen: Option<&str>) -> Vec<Choice> {
    let other = chosen.filter(|tag| !LANGUAGES.contains(tag));
    let tags = LANGUAGES.into_iter().chain(other);
    tags.map(|tag| Choice { tag: tag.to_owned(), name: name_of(tag).to_owned(), is_chosen: chosen == Some(tag) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_that_is_set_can_be_kept() {
        let tags = |chosen| choices(chosen).into_iter().map(|choice| choice.tag).collect::<Vec<_>>();
        assert_eq!(tags(Some("de")), ["en", "pt-BR", "es", "de"]);
        assert_eq!(tags(Some("es")), ["en", "pt-BR", "es"]);
        assert!(choices(None).iter().all(|choice| !choice.is_chosen));
    }
}
