//! Every line of the address corpora, under the default rules: what must be refused and what must be accepted.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use postrider_egress::resolve::Answer;
use postrider_egress::{AttemptErrorKind, Client, ClientSettings, EgressProxy, Request, UrlRules, judge_ip, judge_url};

use crate::proxies::recording_connect_proxy;
use crate::support::*;

const REFUSE: &str = include_str!("../corpora/ssrf-refuse.tsv");
const ACCEPT: &str = include_str!("../corpora/ssrf-accept.tsv");

/// The first column of each line that `keep` keeps, with its reason.
fn lines(corpus: &'static str, keep: impl Fn(&str) -> bool) -> Vec<(&'static str, &'static str)> {
    let lines: Vec<_> =
        corpus.lines().filter(|line| !line.is_empty()).map(|line| line.split_once('\t').unwrap()).collect();
    assert!(lines.len() > 30);
    lines.into_iter().filter(|(case, _)| keep(case)).collect()
}

fn is_url(case: &str) -> bool {
    !case.starts_with("dns:") && !case.starts_with("redirect:") && !case.starts_with("env:")
}

/// A client with the default rules, whose name server gives these addresses, and which leaves through a recording proxy, so
/// that nothing is ever sent beyond loopback.
async fn guarded(name: &'static str, found: Answer) -> (Client, Arc<parking_lot::Mutex<Vec<String>>>) {
    let (proxy, asked) = recording_connect_proxy().await;
    let client = Client::new(ClientSettings {
        resolver: Some(Script::new([(name, vec![Ok(found)])])),
        proxy: EgressProxy::Connect { address: proxy.to_string(), auth: None },
        ..ClientSettings::default()
    });
    (client.unwrap(), asked)
}

#[tokio::test]
async fn every_url_of_the_refuse_corpus_is_refused() {
    for (url, reason) in lines(REFUSE, is_url) {
        let Err(refusal) = judge_url(url, &UrlRules::default()) else {
            assert_refused_by_its_address(url, reason).await;
            continue;
        };
        assert!(refusal.code.as_str().starts_with("url_") && !refusal.message.is_empty(), "{url}");
        assert!(!refusal.message.contains("user:pass"), "{url}: the message shows credentials");
    }
}

/// A public name is accepted as text; its line then says what it resolves to.
async fn assert_refused_by_its_address(url: &str, reason: &'static str) {
    let (_, address) = reason.split_once("resolves to ").unwrap_or_else(|| panic!("{url} is accepted: {reason}"));
    let address = address.split([';', ':', ' ']).next().unwrap().parse().unwrap();
    let name = judge_url(url, &UrlRules::default()).unwrap();
    let name: &'static str = name.authority().to_str().unwrap().to_owned().leak();
    let (client, asked) = guarded(name, Answer { addresses: vec![address], ttl: Duration::from_secs(60) }).await;
    assert_failed(&post(&client, url).await, AttemptErrorKind::AddressRefused, "not_public");
    assert!(asked.lock().is_empty());
}

#[tokio::test]
async fn every_url_of_the_accept_corpus_is_accepted_and_dialled_at_the_address_it_shows() {
    for (url, _) in lines(ACCEPT, is_url) {
        let vetted = judge_url(url, &UrlRules::default()).unwrap_or_else(|refusal| panic!("{url}: {refusal}"));
        let again = judge_url(vetted.as_str(), &UrlRules::default()).unwrap();
        assert_eq!(again.as_str(), vetted.as_str());
        let name: &'static str = vetted.authority().to_str().unwrap().split(':').next().unwrap().to_owned().leak();
        let address: IpAddr = "93.184.215.14".parse().unwrap();
        let (client, asked) = guarded(name, Answer { addresses: vec![address], ttl: Duration::from_secs(60) }).await;
        let attempt = post(&client, url).await;
        assert_failed(&attempt, AttemptErrorKind::Proxy, "proxy_refused");
        let dialled: SocketAddr = asked.lock()[0].parse().unwrap();
        assert_eq!(dialled.port(), vetted.port());
        match vetted.host() {
            postrider_egress::guard::Host::Address(literal) => assert_eq!(dialled.ip(), *literal, "{url}"),
            _ => assert_eq!(dialled.ip(), address, "{url}"),
        }
    }
}

/// `dns:NAME -> A x AAAA y`, or `None` where the line describes the answer in words.
fn scripted_answer(case: &'static str) -> Option<(&'static str, Vec<IpAddr>)> {
    let (name, answer) = case.strip_prefix("dns:")?.split_once(" -> ")?;
    let words: Vec<_> = answer.split(' ').collect();
    let addresses = words.chunks(2).map(|pair| match pair {
        ["A" | "AAAA", address] => address.parse().ok(),
        _ => None,
    });
    Some((name, addresses.collect::<Option<_>>()?))
}

#[tokio::test]
async fn every_dns_answer_of_the_corpora_is_judged() {
    let mut in_words = Vec::new();
    for (case, _) in lines(REFUSE, |case| case.starts_with("dns:")) {
        let Some((name, addresses)) = scripted_answer(case) else {
            in_words.push(case);
            continue;
        };
        let (client, asked) = guarded(name, Answer { addresses, ttl: Duration::from_secs(60) }).await;
        let attempt = post(&client, &format!("https://{name}/")).await;
        assert_failed(&attempt, AttemptErrorKind::AddressRefused, "not_public");
        assert!(asked.lock().is_empty() && attempt.addresses_tried.is_empty(), "{case}");
    }
    // These three have tests of their own in `dns`.
    let expected = ["dns:ttl0.example.com", "dns:many.example.com", "dns:self.example.com"];
    assert_eq!(in_words.len(), expected.len());
    assert!(in_words.iter().zip(expected).all(|(case, expected)| case.starts_with(expected)));

    for (case, _) in lines(ACCEPT, |case| case.starts_with("dns:")) {
        let (_, addresses) = scripted_answer(case).unwrap();
        assert!(addresses.len() == 2 && addresses.iter().all(|ip| judge_ip(*ip, &UrlRules::default()).is_ok()));
    }
}

#[tokio::test]
async fn every_redirect_of_the_corpus_is_shown_and_not_followed() {
    let cases = lines(REFUSE, |case| case.starts_with("redirect:"));
    assert_eq!(cases.len(), 2);
    for (case, _) in cases {
        let (_, answer) = case.split_once(" -> ").unwrap();
        let (status, location) = answer.split_once(' ').unwrap();
        let head = format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let receiver = answering(head, true).await;
        let attempt = post(&client(), &receiver.url()).await;
        assert_eq!(attempt.addresses_tried, [receiver.address]);
        let response = answered(attempt);
        assert_eq!(response.status.to_string(), status);
        assert_eq!(response.header_values("location").next(), Some(location.as_bytes()));
        assert_eq!((receiver.connections(), receiver.requests()), (1, 1));
    }
}

#[tokio::test]
async fn a_url_that_was_vetted_elsewhere_is_judged_again_by_the_client() {
    let receiver = answering(OK, true).await;
    let vetted = judge_url(&receiver.url(), &loopback_rules()).unwrap();
    let strict = Client::new(ClientSettings { resolver: Some(Script::empty()), ..ClientSettings::default() }).unwrap();
    let request = Request {
        url: &vetted,
        method: http::Method::POST,
        headers: &[],
        body: bytes::Bytes::new(),
        deadline: PATIENT,
        response_bytes_max: 0,
    };
    let attempt = bounded(strict.send(request)).await;
    assert_failed(&attempt, AttemptErrorKind::UrlRefused, "url_http_not_allowed");
    assert_eq!(receiver.connections(), 0);
}
