//! Requests that another site made a browser send.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Method};

/// Whether a request that changes something, and that a browser adds its cookies to by itself, comes from a page of ours. `Sec-Fetch-Site` (W3C Fetch Metadata) says
/// so; browsers without it send `Origin`. A request with neither is refused: nothing but a browser has our cookie.
pub(crate) fn is_our_own(method: &Method, headers: &HeaderMap, public_origin: Option<&str>) -> bool {
    if method.is_safe() {
        return true;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = text(ORIGIN.as_str()) else { return false };
    let is_host = || {
        let authority = origin.split_once("://").map(|(_, authority)| authority);
        authority.is_some() && authority == text(HOST.as_str())
    };
    public_origin == Some(origin) || is_host()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn is_own(method: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let headers: HeaderMap = headers.iter().map(pair).collect();
        is_our_own(&method.parse().unwrap(), &headers, Some("https://hooks.crm.example"))
    }

    #[test]
    fn what_only_reads_may_come_from_anywhere() {
        assert!(is_own("GET", &[("sec-fetch-site", "cross-site")]));
        assert!(is_own("HEAD", &[]));
    }

    #[test]
    fn what_changes_something_must_come_from_a_page_of_ours() {
        for site in ["cross-site", "same-site", "", "Same-Origin"] {
            assert!(!is_own("POST", &[("sec-fetch-site", site), ("origin", "https://hooks.crm.example")]), "{site}");
        }
        assert!(is_own("POST", &[("sec-fetch-site", "same-origin")]));
        assert!(is_own("POST", &[("sec-fetch-site", "none")]));
        assert!(is_own("DELETE", &[("origin", "https://hooks.crm.example"), ("host", "10.0.0.1:8080")]));
        assert!(is_own("POST", &[("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")]));
        assert!(!is_own("POST", &[("origin", "http://127.0.0.1:9090"), ("host", "127.0.0.1:8080")]));
        assert!(!is_own("POST", &[("origin", "null"), ("host", "null")]));
        assert!(!is_own("POST", &[]));
    }
}
