//! Host names: which are well formed, which are private, which are never a receiver.

/// What a well-formed host name is to the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKind {
    Public,
    /// `localhost` and names below it, which are loopback whatever a resolver says (RFC 6761 section 6.3).
    Localhost,
    /// Usable only with addresses that the operator allowed by hand.
    Private,
    /// Never a receiver: not DNS at all, or reserved to fail.
    Never,
}

/// RFC 1035 section 2.3.4.
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// RFC 6761, RFC 2606, RFC 7686 (`onion`), RFC 9476 (`alt`), and the infrastructure domain of RFC 3172 (`arpa`).
const NEVER_SUFFIXES: &[&str] = &["invalid", "example", "onion", "alt", "arpa"];

/// RFC 6761 (`test`), RFC 6762 (`local`, and Appendix G: `intranet` to `lan`), RFC 8375 (`home.arpa`), ICANN's reservation of
/// `internal` (2024) and of the collision names `home`, `corp` and `mail` (2018), and names that private resolvers invent.
const PRIVATE_SUFFIXES: &[&str] = &[
    "test",
    "local",
    "localdomain",
    "intranet",
    "internal",
    "private",
    "corp",
    "home",
    "lan",
    "mail",
    "home.arpa",
    "svc",
    "consul",
    "workgroup",
    "docker",
];

/// What is wrong with the form of a name, or what kind it is. `name` is as the WHATWG parser gives it: lower case, ASCII.
pub(super) fn classify(name: &str) -> Result<NameKind, &'static str> {
    check_form(name)?;
    if has_suffix(name, "localhost") {
        return Ok(NameKind::Localhost);
    }
    // `home.arpa` lies below `arpa`, so the private names are looked at first.
    if PRIVATE_SUFFIXES.iter().any(|suffix| has_suffix(name, suffix)) || !name.contains('.') {
        return Ok(NameKind::Private);
    }
    if NEVER_SUFFIXES.iter().any(|suffix| has_suffix(name, suffix)) {
        return Ok(NameKind::Never);
    }
    Ok(NameKind::Public)
}

fn check_form(name: &str) -> Result<(), &'static str> {
    if name.len() > NAME_BYTES_MAX {
        return Err("is longer than 253 bytes");
    }
    if name.ends_with('.') {
        return Err("ends in a dot; leave the dot out");
    }
    for label in name.split('.') {
        if label.is_empty() {
            return Err("has an empty label");
        }
        if label.len() > LABEL_BYTES_MAX {
            return Err("has a label longer than 63 bytes");
        }
        if !label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_') {
            return Err("has a character that no host name has");
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err("has a label that begins or ends with a hyphen");
        }
    }
    Ok(())
}

fn has_suffix(name: &str, suffix: &str) -> bool {
    name.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
