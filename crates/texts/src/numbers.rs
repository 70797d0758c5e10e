//! Numbers as each language writes them (CLDR's decimal and grouping signs of `en`, `pt-BR` and `es`).

/// A whole number with its thousands apart.
#[must_use]
pub fn grouped(number: u64, language: &str) -> String {
    group(&number.to_string(), language)
}

/// A number with as many digits after the point as it has, three at most.
#[must_use]
pub fn decimal(number: f64, language: &str) -> String {
    let text = format!("{number:.3}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let (whole, fraction) = (group(digits, language), fraction.trim_end_matches('0'));
    match (fraction, language) {
        ("", _) => format!("{sign}{whole}"),
        (_, "en") => format!("{sign}{whole}.{fraction}"),
        _ => format!("{sign}{whole},{fraction}"),
    }
}

fn group(digits: &str, language: &str) -> String {
    let sign = if language == "en" { ',' } else { '.' };
    // CLDR, `es`: minimumGroupingDigits is 2, so four digits stand together.
    if language == "es" && digits.len() <= 4 {
        return digits.to_owned();
    }
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(sign);
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart_as_the_language_wants() {
        for (number, en, pt, es) in [
            (0, "0", "0", "0"),
            (999, "999", "999", "999"),
            (4_080, "4,080", "4.080", "4080"),
            (1_234_567, "1,234,567", "1.234.567", "1.234.567"),
        ] {
            assert_eq!((grouped(number, "en"), grouped(number, "pt-BR")), (en.to_owned(), pt.to_owned()));
            assert_eq!(grouped(number, "es"), es);
        }
    }

    #[test]
    fn fractions_have_the_languages_point_and_no_empty_digits() {
        assert_eq!(decimal(99.5, "en"), "99.5");
        assert_eq!(decimal(99.5, "pt-BR"), "99,5");
        assert_eq!(decimal(-12_345.0, "es"), "-12.345");
        assert_eq!(decimal(0.125, "es"), "0,125");
    }
}
