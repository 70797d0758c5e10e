//! Headers that customers add to their deliveries: which names and values are allowed (contracts.md, reading 11).

/// What a contract allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CustomHeaderRules {
    /// Whether endpoints may have headers of their own.
    pub allowed: bool,
    /// How many one endpoint may have.
    pub count_max: usize,
    /// How long all of one endpoint's names and values together may be, in bytes.
    pub bytes_max: usize,
}

impl CustomHeaderRules {
    /// The longest name, in bytes.
    pub const NAME_BYTES_MAX: usize = 128;
    /// The longest value, in bytes.
    pub const VALUE_BYTES_MAX: usize = 4096;
}

/// Why a custom header is refused. No message holds any of its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The contract allows none.
    #[error("this contract allows no custom headers")]
    NotAllowed,
    /// More than the contract allows.
    #[error("an endpoint has at most {max} custom headers")]
    Count {
        /// Most.
        max: usize,
    },
    /// Longer than the contract allows, all together.
    #[error("an endpoint's custom headers have at most {max} bytes together; these have {has}")]
    Bytes {
        /// Most.
        max: usize,
        /// As given.
        has: usize,
    },
    /// Not a token (RFC 9110, section 5.6.2).
    #[error("a header's name is 1 to {max} letters, digits, or any of !#$%&'*+-.^_`|~", max = CustomHeaderRules::NAME_BYTES_MAX)]
    Name,
    /// Not a field value (RFC 9110, section 5.5).
    #[error(
        "a header's value is at most {max} bytes of visible ASCII characters, with spaces and tabs only between them",
        max = CustomHeaderRules::VALUE_BYTES_MAX
    )]
    Value,
    /// A name that somebody else owns.
    #[error("{name} is set by {owner}; choose another name")]
    Owned {
        /// The name, as it was given.
        name: String,
        /// Whose it is.
        owner: &'static str,
    },
    /// The same name twice.
    #[error("{name} is given twice; give it once")]
    Twice {
        /// The name, as it was given.
        name: String,
    },
}

/// Names that describe the connection or the body, or that the sender sets itself (RFC 9110, sections 6.6, 7, 8 and 10; RFC
/// 9112, sections 6 and 9).
const OWNED_BY_HTTP: [&str; 20] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "content-range",
];

pub(crate) fn is_owned_by_http(name: &str) -> bool {
    OWNED_BY_HTTP.iter().any(|owned| owned.eq_ignore_ascii_case(name))
}

/// Whether a text can be a header's name: a token (RFC 9110, section 5.6.2).
pub(crate) fn is_name(name: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.len() <= CustomHeaderRules::NAME_BYTES_MAX && name.bytes().all(token)
}

/// Whether a text can be a header's value as it is: a field value (RFC 9110, section 5.5) without its obsolete bytes, which
/// receivers read in different character sets.
pub(crate) fn is_value(value: &str) -> bool {
    let inside = |b: u8| b.is_ascii_graphic() || b == b' ' || b == b'\t';
    value.bytes().all(inside) && value.trim_matches([' ', '\t']) == value
}

pub(crate) fn check(name: &str, value: &str, is_contracts: impl Fn(&str) -> bool) -> Result<(), HeaderError> {
    if !is_name(name) {
        return Err(HeaderError::Name);
    }
    if is_contracts(name) {
        return Err(HeaderError::Owned { name: name.to_owned(), owner: "the contract" });
    }
    if is_owned_by_http(name) {
        return Err(HeaderError::Owned { name: name.to_owned(), owner: "HTTP" });
    }
    if value.len() > CustomHeaderRules::VALUE_BYTES_MAX || !is_value(value) {
        return Err(HeaderError::Value);
    }
    Ok(())
}

/// Checks all of an endpoint's headers together; each mistake with the index of the header it is about.
pub(crate) fn check_all<'h>(
    rules: CustomHeaderRules,
    headers: impl Iterator<Item = (&'h str, &'h str)> + Clone,
    is_contracts: impl Fn(&str) -> bool,
) -> Vec<(usize, HeaderError)> {
    let mut mistakes = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    let mut has = 0;
    for (index, (name, value)) in headers.enumerate() {
        if !rules.allowed {
            return vec![(index, HeaderError::NotAllowed)];
        }
        if index >= rules.count_max {
            mistakes.push((index, HeaderError::Count { max: rules.count_max }));
            return mistakes;
        }
        if let Err(error) = check(name, value, &is_contracts) {
            mistakes.push((index, error));
        } else if names.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            mistakes.push((index, HeaderError::Twice { name: name.to_owned() }));
        }
        names.push(name);
        has += name.len() + value.len();
        if has > rules.bytes_max {
            mistakes.push((index, HeaderError::Bytes { max: rules.bytes_max, has }));
            return mistakes;
        }
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: CustomHeaderRules = CustomHeaderRules { allowed: true, count_max: 2, bytes_max: 40 };

    fn own(name: &str) -> bool {
        name.eq_ignore_ascii_case("X-Signature")
    }

    #[test]
    fn names_that_http_or_the_contract_owns_cannot_be_taken_in_any_case() {
        for name in ["Host", "CONTENT-LENGTH", "content-type", "x-signature", "User-Agent", "TE"] {
            assert!(matches!(check(name, "x", own), Err(HeaderError::Owned { .. })), "{name}");
        }
        assert_eq!(check("Authorization", "Bearer a.b-c", own), Ok(()));
    }

    #[test]
    fn nothing_can_be_smuggled_through_a_name_or_value() {
        for name in ["", "a b", "a:", "a\r\nHost", "é", &"x".repeat(129)] {
            assert_eq!(check(name, "x", own), Err(HeaderError::Name), "{name:?}");
        }
        for value in ["a\r\nX: y", "a\0", " a", "a ", "é", "\u{7f}", &"x".repeat(4097)] {
            assert_eq!(check("X-A", value, own), Err(HeaderError::Value), "{value:?}");
        }
        assert_eq!(check("X-A", "", own), Ok(()));
        assert_eq!(check("X-A", "a \t b", own), Ok(()));
    }

    #[test]
    fn all_headers_of_an_endpoint_are_checked_together() {
        let checked = |headers: &[(&'static str, &'static str)]| check_all(RULES, headers.iter().copied(), own);
        assert_eq!(checked(&[("A", "1"), ("B", "2")]), []);
        assert_eq!(checked(&[("A", "1"), ("a", "2")]), [(1, HeaderError::Twice { name: "a".into() })]);
        assert_eq!(checked(&[("A", "1"), ("B", "2"), ("C", "3")]), [(2, HeaderError::Count { max: 2 })]);
        let long = "12345678901234567890";
        assert_eq!(checked(&[("A", long), ("B", long)]), [(1, HeaderError::Bytes { max: 40, has: 42 })]);
        let none = CustomHeaderRules { allowed: false, ..RULES };
        assert_eq!(check_all(none, [("A", "1")].into_iter(), own), [(0, HeaderError::NotAllowed)]);
    }
}
