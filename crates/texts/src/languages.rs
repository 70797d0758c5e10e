//! Which languages there are, and which one somebody gets.

use unic_langid::LanguageIdentifier;

/// The languages there are, the default first.
pub const LANGUAGES: [&str; 3] = ["en", "pt-BR", "es"];

/// How many languages of an `Accept-Language` header are looked at.
const HEADER_ENTRIES_MAX: usize = 20;

/// The language that a tag asks for: exactly, else another region's, else none.
fn find(wanted: &str) -> Option<&'static str> {
    let wanted: LanguageIdentifier = wanted.trim().parse().ok()?;
    let known = || LANGUAGES.into_iter().filter_map(|tag| Some((tag, tag.parse::<LanguageIdentifier>().ok()?)));
    let exact = known().find(|(_, known)| *known == wanted);
    exact.or_else(|| known().find(|(_, known)| known.language == wanted.language)).map(|(tag, _)| tag)
}

/// The language for somebody who wishes `wanted` (a language tag): that one, else another region's, else the default.
#[must_use]
pub fn choose(wanted: Option<&str>) -> &'static str {
    wanted.and_then(find).unwrap_or(LANGUAGES[0])
}

/// The language for a browser, by its `Accept-Language` header (RFC 9110, section 12.5.4): the most wished of those there are; none when none is.
#[must_use]
pub fn choose_of_header(accept_language: &str) -> Option<&'static str> {
    let entry = |text: &str| {
        let (tag, quality) = text.split_once(';').unwrap_or((text, ""));
        let quality = quality.trim().strip_prefix("q=").and_then(|text| text.parse().ok()).unwrap_or(1.0_f32);
        (quality > 0.0).then(|| find(tag).map(|language| (language, quality))).flatten()
    };
    let mut best: Option<(&'static str, f32)> = None;
    for (language, quality) in accept_language.split(',').take(HEADER_ENTRIES_MAX).filter_map(entry) {
        if best.is_none_or(|(_, highest)| quality > highest) {
            best = Some((language, quality));
        }
    }
    best.map(|(language, _)| language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_region_gets_the_language_and_an_unknown_one_english() {
        for (wanted, language) in [
            (Some("pt-BR"), "pt-BR"),
            (Some("pt-PT"), "pt-BR"),
            (Some("pt"), "pt-BR"),
            (Some("es-MX"), "es"),
            (Some("en-GB"), "en"),
            (Some("ja"), "en"),
            (Some("no language"), "en"),
            (None, "en"),
        ] {
            assert_eq!(choose(wanted), language, "{wanted:?}");
        }
    }

    #[test]
    fn a_browser_gets_what_it_wishes_most_of_what_there_is() {
        for (header, language) in [
            ("pt-BR,pt;q=0.9,en;q=0.8", Some("pt-BR")),
            ("ja, es-AR;q=0.5, en;q=0.4", Some("es")),
            ("en;q=0.1, es;q=0.2", Some("es")),
            ("es;q=0, en", Some("en")),
            ("ja", None),
            ("*", None),
            ("", None),
            (";;;,,q=", None),
        ] {
            assert_eq!(choose_of_header(header), language, "{header}");
        }
    }
}
