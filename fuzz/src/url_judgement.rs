//! Whatever a customer writes as a URL: it is judged without a panic, and what is accepted leads where the judgement says.

use postrider_egress::guard::{Host, Scheme};
use postrider_egress::{UrlRules, judge_ip, judge_url};

/// The check.
///
/// # Panics
/// When something does not hold.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    let strict = UrlRules::default();
    let loose = UrlRules { allow_http: true, ..UrlRules::default() };
    for rules in [&strict, &loose] {
        let Ok(url) = judge_url(text, rules) else { continue };
        assert!(rules.allow_http || url.scheme() == Scheme::Https);
        assert!(url.judge_again(rules).is_ok());
        // Nothing is allowed by hand here, so that an address literal must be a public one.
        match url.host() {
            Host::Address(ip) => assert!(judge_ip(*ip, rules).is_ok(), "{ip}"),
            Host::Name(name) => assert!(!name.is_empty() && name.contains('.'), "{name}"),
            Host::Localhost(name) | Host::PrivateName(name) => panic!("{name} was accepted"),
        }
        // The normal form is a fixed point: it is accepted again and leads to the same place.
        let again = judge_url(url.as_str(), rules).expect("the normal form is accepted");
        assert_eq!(again.as_str(), url.as_str());
        assert_eq!(again.host(), url.host());
        assert_eq!(again.port(), url.port());
        assert_eq!(again.path_and_query(), url.path_and_query());
    }
}
