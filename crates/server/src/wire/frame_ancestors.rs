//! Origins of the pages that may show an organisation's dashboard in a frame.

use url::{Host, Url};

use crate::code::Code;
use crate::fields::{Change, Fields, Text};
use crate::limits::{FRAME_ANCESTORS_MAX, ORIGIN_CHARS_MAX};
use crate::wrong::Wrong;

const NAME: &str = "frame_ancestors";

/// What a body says about them; `null` and an empty array clear them.
pub(crate) fn read(fields: &mut Fields<'_, '_>) -> Change<Vec<String>> {
    if !fields.has(NAME) {
        return Change::Keep;
    }
    let is_empty = |text: &str| {
        let within = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        within.is_some_and(|within| within.trim().is_empty())
    };
    if fields.raw(NAME).is_none_or(is_empty) {
        return Change::Clear;
    }
    let Some(mut origins) = fields.list(NAME, FRAME_ANCESTORS_MAX, origin) else { return Change::Keep };
    let mut seen = std::collections::HashSet::new();
    origins.retain(|origin| seen.insert(origin.clone()));
    Change::Set(origins)
}

/// An origin as browsers write it (RFC 6454, section 6.2). It becomes part of a header, where `;`, `,`, a space and a quote mean something: a host that has
/// one is refused.
fn origin(text: &str) -> Result<String, Wrong> {
    Text::line(1, ORIGIN_CHARS_MAX).check(text)?;
    let refusal = || {
        Code::OriginInvalid
            .says("must be an origin such as https://crm.example.com, without a path; http only on this machine itself")
    };
    let url = Url::parse(text).map_err(|_| refusal())?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    let (is_plain, is_loopback) = match url.host() {
        Some(Host::Domain(name)) => (is_plain(name), name == "localhost" || name.ends_with(".localhost")),
        Some(Host::Ipv4(address)) => (true, address.is_loopback()),
        Some(Host::Ipv6(address)) => (true, address.is_loopback()),
        None => (false, false),
    };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    if is_bare && is_anonymous && is_plain && is_safe { Ok(url.origin().ascii_serialization()) } else { Err(refusal()) }
}

fn is_plain(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::read_body;

    const KNOWN: &[&str] = &[NAME];

    fn read_text(body: &str) -> Result<Change<Vec<String>>, usize> {
        read_body(body.as_bytes(), KNOWN, read).map_err(|problem| problem.mistakes.len())
    }

    #[test]
    fn origins_are_https_or_this_machines_and_are_kept_as_browsers_write_them() {
        for (text, kept) in [
            ("https://crm.example", "https://crm.example"),
            ("https://CRM.example:443/", "https://crm.example"),
            ("https://crm.example:8443", "https://crm.example:8443"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            assert_eq!(origin(text), Ok(kept.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_origin_or_would_say_more_in_a_header_is_refused() {
        for text in [
            "",
            "*",
            "'self'",
            "crm.example",
            "https:",
            "https://*.crm.example",
            "http://crm.example",
            "http://localhost.example",
            "http://10.0.0.1",
            "https://crm.example/page",
            "https://crm.example?x",
            "https://crm.example#x",
            "https://user@crm.example",
            "https://crm.example;script-src",
            "https://crm.example,https://other.example",
            "https://crm.example'unsafe-inline'",
            "https://crm.example https://other.example",
            "https://crm.example\n",
            "data:text/html,x",
            "ftp://crm.example",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn they_are_kept_set_or_cleared_and_each_mistake_is_told() {
        assert_eq!(read_text("{}"), Ok(Change::Keep));
        for cleared in ["null", "[]", "[ ]"] {
            assert_eq!(read_text(&format!(r#"{{"frame_ancestors": {cleared}}}"#)), Ok(Change::Clear), "{cleared}");
        }
        let twice = r#"{"frame_ancestors": ["https://b.example", "https://a.example", "https://b.example/"]}"#;
        let expected = ["https://b.example", "https://a.example"].map(str::to_owned).to_vec();
        assert_eq!(read_text(twice), Ok(Change::Set(expected)));
        assert_eq!(read_text(r#"{"frame_ancestors": ["a", 1, "https://b.example"]}"#), Err(2));
        assert_eq!(read_text(r#"{"frame_ancestors": "https://b.example"}"#), Err(1));
        let many = serde_json::json!({NAME: vec!["https://a.example"; FRAME_ANCESTORS_MAX + 1]}).to_string();
        assert_eq!(read_text(&many), Err(1));
    }
}
