use std::net::SocketAddr;

use proptest::prelude::*;

use super::{Host, UrlRefusalCode, UrlRules, judge_address, judge_ip, judge_url};

fn open_to(cidr: &str) -> UrlRules {
    UrlRules { allow_http: true, allow_cidrs: vec![cidr.parse().unwrap()], ..UrlRules::default() }
}

fn code(url: &str, rules: &UrlRules) -> UrlRefusalCode {
    judge_url(url, rules).unwrap_err().code
}

#[test]
fn the_normal_form_is_kept_so_that_what_is_shown_is_what_is_called() {
    let url = judge_url("HTTPS://EXAMPLE.com:443/Hook?a=B", &UrlRules::default()).unwrap();
    assert_eq!(url.as_str(), "https://example.com/Hook?a=B");
    assert_eq!(url.port(), 443);
    assert_eq!(url.path_and_query().as_str(), "/Hook?a=B");
    assert_eq!(url.authority(), "example.com");
    assert_eq!(&**url.origin(), "https://example.com:443");
    assert_eq!(judge_url("https://134744072/", &UrlRules::default()).unwrap().as_str(), "https://8.8.8.8/");
}

#[test]
fn an_explicit_port_goes_into_the_host_header() {
    let url = judge_url("https://[2606:4700:4700::1111]:8443/x", &UrlRules::default()).unwrap();
    assert_eq!(url.authority(), "[2606:4700:4700::1111]:8443");
}

#[test]
fn localhost_is_usable_once_the_operator_allows_loopback() {
    let rules = open_to("127.0.0.0/8");
    let url = judge_url("http://localhost:3000/", &rules).unwrap();
    assert!(matches!(url.host(), Host::Localhost(_)));
    assert!(judge_url("http://127.0.0.1:3000/", &rules).is_ok());
    assert!(judge_url("http://app.localhost:3000/", &rules).is_ok());
    assert_eq!(code("http://10.0.0.1/", &rules), UrlRefusalCode::Address);
    assert_eq!(code("http://localhost:3000/", &open_to("10.0.0.0/8")), UrlRefusalCode::PrivateName);
}

#[test]
fn private_names_need_addresses_allowed_by_hand_and_reserved_ones_never_work() {
    let rules = open_to("10.0.0.0/8");
    assert!(matches!(judge_url("http://receiver:3000/", &rules).unwrap().host(), Host::PrivateName(_)));
    assert!(judge_url("https://crm.internal/", &rules).is_ok());
    assert_eq!(code("https://x.onion/", &rules), UrlRefusalCode::ReservedName);
    assert_eq!(code("https://crm.internal/", &UrlRules::default()), UrlRefusalCode::PrivateName);
}

#[test]
fn the_servers_own_address_is_refused_even_where_its_network_is_allowed() {
    let own: SocketAddr = "127.0.0.1:8080".parse().unwrap();
    let rules = UrlRules { own_addresses: vec![own], ..open_to("127.0.0.0/8") };
    assert_eq!(code("http://127.0.0.1:8080/", &rules), UrlRefusalCode::Address);
    assert!(judge_url("http://127.0.0.1:8081/", &rules).is_ok());
    assert_eq!(code("http://localhost:8080/", &rules), UrlRefusalCode::Address);
    let wildcard = UrlRules { own_addresses: vec!["0.0.0.0:8080".parse().unwrap()], ..open_to("127.0.0.0/8") };
    assert_eq!(judge_address("127.0.0.9:8080".parse().unwrap(), &wildcard).unwrap_err().code, "own_address");
}

#[test]
fn nat64_answers_are_judged_by_the_embedded_address_only_with_the_switch() {
    let public = "64:ff9b::808:808".parse().unwrap();
    let metadata = "64:ff9b::a9fe:a9fe".parse().unwrap();
    assert!(judge_ip(public, &UrlRules::default()).is_err());
    let rules = UrlRules { allow_nat64: true, ..UrlRules::default() };
    assert!(judge_ip(public, &rules).is_ok());
    assert!(judge_ip(metadata, &rules).is_err());
    assert_eq!(code("https://[64:ff9b::808:808]/", &rules), UrlRefusalCode::Address);
}

#[test]
fn a_url_vetted_under_looser_rules_is_refused_under_stricter_ones() {
    let url = judge_url("http://127.0.0.1/", &open_to("127.0.0.0/8")).unwrap();
    let strict = UrlRules { allow_http: true, ..UrlRules::default() };
    assert_eq!(url.judge_again(&strict).unwrap_err().code, UrlRefusalCode::Address);
    assert_eq!(url.judge_again(&UrlRules::default()).unwrap_err().code, UrlRefusalCode::HttpNotAllowed);
}

#[test]
fn what_a_parser_would_repair_is_refused_with_its_own_code() {
    let rules = UrlRules::default();
    for (url, expected) in [
        (" https://example.com/", UrlRefusalCode::Character),
        ("https://example.com/a\tb", UrlRefusalCode::Character),
        ("https://exam\u{AD}ple.com/", UrlRefusalCode::Character),
        ("https://example.com/\u{202E}cod", UrlRefusalCode::Character),
        ("https:example.com", UrlRefusalCode::Slashes),
        ("https:///example.com", UrlRefusalCode::Host),
        ("https://example.com./", UrlRefusalCode::Host),
        ("https://example.com:/", UrlRefusalCode::PortInvalid),
        ("https://example.com:65536/", UrlRefusalCode::PortInvalid),
        ("https://example.com:+443/", UrlRefusalCode::PortInvalid),
        ("https://example.com:22/", UrlRefusalCode::PortRefused),
        ("https://user@example.com/", UrlRefusalCode::UserInfo),
        ("https://example.com/#", UrlRefusalCode::Fragment),
        ("https://a..example.com/", UrlRefusalCode::Host),
        ("https://-a.example.com/", UrlRefusalCode::Host),
        ("https://[fe80::1%25eth0]/", UrlRefusalCode::HostEncoded),
        ("example.com", UrlRefusalCode::Scheme),
        ("", UrlRefusalCode::Scheme),
    ] {
        assert_eq!(code(url, &rules), expected, "{url:?}");
    }
}

proptest! {
    #[test]
    fn judging_never_panics(raw in any::<String>()) {
        let _ = judge_url(&raw, &UrlRules::default());
        let _ = judge_url(&format!("https://{raw}"), &UrlRules::default());
    }

    #[test]
    fn an_accepted_url_never_holds_a_refused_address(host in "[0-9a-fx.:\\[\\]%１。]{1,24}", port in any::<u16>()) {
        let rules = UrlRules::default();
        if let Ok(url) = judge_url(&format!("https://{host}:{port}/"), &rules)
            && let Host::Address(ip) = url.host()
        {
            prop_assert!(judge_ip(*ip, &rules).is_ok());
        }
    }

    #[test]
    fn every_notation_of_an_ipv4_address_gets_the_same_answer(bits in any::<u32>()) {
        let rules = UrlRules::default();
        let ip = std::net::Ipv4Addr::from(bits);
        let accepted = judge_ip(ip.into(), &rules).is_ok();
        let [a, b, c, d] = ip.octets();
        for text in [
            format!("https://{ip}/"),
            format!("https://{bits}/"),
            format!("https://{bits:#x}/"),
            format!("https://0{bits:o}/"),
            format!("https://{a:#x}.0{b:o}.{c}.{d}/"),
            format!("https://{a}.{}/", u32::from(b) << 16 | u32::from(c) << 8 | u32::from(d)),
        ] {
            prop_assert_eq!(judge_url(&text, &rules).is_ok(), accepted, "{}", text);
        }
    }

    #[test]
    fn the_normal_form_of_an_accepted_url_is_accepted_and_stays(raw in "https://[a-z0-9.-]{1,30}(:[0-9]{1,5})?/[ -~]{0,40}") {
        if let Ok(url) = judge_url(&raw, &UrlRules::default()) {
            let again = judge_url(url.as_str(), &UrlRules::default()).unwrap();
            prop_assert_eq!(again.as_str(), url.as_str());
        }
    }
}
