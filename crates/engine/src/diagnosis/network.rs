//! Names, addresses, connections and certificates: what an examination found, as checks.

use std::net::SocketAddr;

use postrider_domain::{Advice, AttemptFailure, FailureKind, Finding, FindingKind, Millis, advice};
use postrider_egress::guard::{AddressRefusal, Scheme};
use postrider_egress::{AddressFound, AttemptError, CertificateFound, ConnectionFound, Examination, VettedUrl};

use super::Check;
use crate::exchange::{failure_of, whole_ms};

/// A certificate that ends sooner is worth a warning: by then most that are renewed by machine have been.
const CERTIFICATE_DAYS_MIN: i64 = 14;
const DAY_S: i64 = 86_400;

/// Adds the same checks where the URL itself is refused: nothing is looked up for it.
pub(super) fn skip(checks: &mut Vec<Check>) {
    let found = FindingKind::SkippedUrlRefused.says("the URL is refused");
    checks.extend(["dns", "tcp", "tls", "certificate"].map(|name| Check::skipped(name, found.clone())));
}

/// Adds the checks `dns`, `tcp`, `tls` and `certificate`; whether a request can arrive.
pub(super) fn check(url: &VettedUrl, found: &Examination, now: Millis, checks: &mut Vec<Check>) -> bool {
    let dns = dns(found);
    let has_addresses = dns.outcome != super::CheckOutcome::Failed;
    checks.push(dns);
    let connections: &[ConnectionFound] = if has_addresses { &found.connections } else { &[] };
    if connections.is_empty() {
        let why = FindingKind::SkippedNoAddress.says("there is no address to connect to");
        checks.extend(["tcp", "tls", "certificate"].map(|name| Check::skipped(name, why.clone())));
        return false;
    }
    let (tcp, connects) = tcp(connections);
    checks.push(tcp);
    if url.scheme() == Scheme::Http {
        let found = FindingKind::TlsNone.says("the URL begins with http://: nothing is encrypted");
        checks.push(Check::warning("tls", found, Advice::PlainHttp));
        checks.push(Check::skipped("certificate", FindingKind::SkippedNoHttps.says("there is none without https")));
        return connects;
    }
    if !connects {
        let why = FindingKind::SkippedNoConnection.says("there is no connection");
        checks.extend(["tls", "certificate"].map(|name| Check::skipped(name, why.clone())));
        return false;
    }
    let (tls, is_trusted) = tls(connections);
    checks.push(tls);
    checks.push(certificate(connections, now));
    is_trusted
}

fn dns(found: &Examination) -> Check {
    let name = "dns";
    let addresses = match &found.addresses {
        Err(error) => return Check::failed_as(name, &failure_of(error.clone())),
        Ok(addresses) => addresses,
    };
    let details = addresses.iter().map(judged).collect();
    let refused = addresses.iter().find_map(|found| found.verdict.as_ref().err());
    let host = found.name.as_deref();
    let check = match (refused, host) {
        // One is enough: which of them answers is not ours to choose at each attempt.
        (Some(refusal), _) => leads_to(host, refusal),
        (None, Some(host)) if addresses.is_empty() => {
            let message = format!("{host} has no address");
            let reason = Some("no_address".into());
            Check::failed_as(name, &AttemptFailure { kind: FailureKind::Dns, reason, message })
        }
        (None, Some(host)) => {
            let text = format!("{host} has {}", counted(addresses.len(), "address", "addresses"));
            let found = FindingKind::DnsFound.says(text).with("host", host).with("count", addresses.len());
            Check::passed(name, found)
        }
        (None, None) => {
            Check::passed(name, FindingKind::DnsLiteral.says("the URL holds an address; no name is looked up"))
        }
    };
    check.with(details)
}

fn judged(found: &AddressFound) -> Finding {
    let address = found.address.to_string();
    let told = match &found.verdict {
        Ok(()) => FindingKind::AddressAllowed.says(format!("{address}: may be called")),
        Err(refusal) => {
            let message = format!("{address}: refused, it is {}", refusal.what);
            Finding::failure(&address_refused(refusal, message))
        }
    };
    told.with("address", address)
}

fn leads_to(host: Option<&str>, refusal: &AddressRefusal) -> Check {
    Check::failed_as("dns", &address_refused(refusal, format!("{} leads to {refusal}", host.unwrap_or("the URL"))))
}

fn address_refused(refusal: &AddressRefusal, message: String) -> AttemptFailure {
    AttemptFailure { kind: FailureKind::AddressRefused, reason: Some(refusal.code.into()), message }
}

/// One of several addresses at which something failed.
fn failed_at(address: SocketAddr, error: &AttemptError) -> Finding {
    let failure = failure_of(error.clone());
    let failure = AttemptFailure { message: format!("{address}: {}", failure.message), ..failure };
    Finding::failure(&failure).with("address", address.to_string())
}

fn tcp(connections: &[ConnectionFound]) -> (Check, bool) {
    let name = "tcp";
    let details = connections.iter().map(|found| match &found.tcp {
        Ok(took) => {
            let (address, took) = (found.address.to_string(), whole_ms(*took));
            let made = FindingKind::ConnectionMade.says(format!("{address}: connected in {took} ms"));
            made.with("address", address).with("took_ms", took)
        }
        Err(error) => failed_at(found.address, error),
    });
    let details = details.collect();
    let failed: Vec<&AttemptError> = connections.iter().filter_map(|found| found.tcp.as_ref().err()).collect();
    let all = counted(connections.len(), "address", "addresses");
    let check = match failed.first() {
        None => {
            let found = FindingKind::TcpConnected.says(format!("{all} took the connection"));
            Check::passed(name, found.with("count", connections.len()))
        }
        Some(error) if failed.len() == connections.len() => Check::failed_as(name, &failure_of((*error).clone())),
        Some(error) => {
            let text = format!("{} of {all} did not take the connection", failed.len());
            let found = partly(FindingKind::TcpPartly, text, failed.len(), connections.len());
            Check::warning(name, found, advice(FailureKind::Connect, Some(error.reason), None))
        }
    };
    (check.with(details), failed.len() < connections.len())
}

fn partly(kind: FindingKind, text: String, failed: usize, count: usize) -> Finding {
    kind.says(text).with("failed", failed).with("count", count)
}

fn tls(connections: &[ConnectionFound]) -> (Check, bool) {
    let name = "tls";
    let tried: Vec<_> = connections.iter().filter_map(|found| Some((found.address, found.tls.as_ref()?))).collect();
    let details = tried.iter().map(|(address, tls)| match &tls.session {
        Ok(version) => {
            let made = FindingKind::SessionMade.says(format!("{address}: {version}"));
            made.with("address", address.to_string()).with("version", *version)
        }
        Err(error) => failed_at(*address, error),
    });
    let details = details.collect();
    let failed: Vec<&AttemptError> = tried.iter().filter_map(|(_, tls)| tls.session.as_ref().err()).collect();
    let versions = tried.iter().find_map(|(_, tls)| tls.session.as_ref().ok());
    let check = match (failed.first(), versions) {
        (None, version) => {
            let version = *version.unwrap_or(&"TLS");
            let found = FindingKind::TlsTrusted.says(format!("a trusted session with {version}"));
            Check::passed(name, found.with("version", version))
        }
        (Some(error), None) => Check::failed_as(name, &failure_of((*error).clone())),
        (Some(error), Some(_)) => {
            let all = counted(tried.len(), "address", "addresses");
            let text = format!("{} of {all} has no trusted session", failed.len());
            let found = partly(FindingKind::TlsPartly, text, failed.len(), tried.len());
            Check::warning(name, found, advice(FailureKind::Tls, Some(error.reason), None))
        }
    };
    (check.with(details), failed.len() < tried.len())
}

/// Of the address whose certificate was refused, else of the first.
fn certificate(connections: &[ConnectionFound], now: Millis) -> Check {
    let name = "certificate";
    let with_chain = || connections.iter().filter_map(|found| found.tls.as_ref()).filter(|tls| !tls.chain.is_empty());
    let refused = with_chain().find_map(|tls| Some((tls, tls.session.as_ref().err()?)));
    let Some(tls) = refused.map(|(tls, _)| tls).or_else(|| with_chain().next()) else {
        let why = "the server showed no certificate that can be read";
        return Check::skipped(name, FindingKind::SkippedNoCertificate.says(why));
    };
    let own = &tls.chain[0];
    let days = (own.not_after_unix_s - now.unix_seconds()).div_euclid(DAY_S);
    let found = validity(own, days);
    let check = match refused.map(|(_, error)| error) {
        Some(error) => Check::failed(name, found, advice(FailureKind::Tls, Some(error.reason), None)),
        None if days < CERTIFICATE_DAYS_MIN => Check::warning(name, found, Advice::CertificateEndsSoon),
        None => Check::passed(name, found),
    };
    check.with(tls.chain.iter().map(issued).collect())
}

fn issued(shown: &CertificateFound) -> Finding {
    let found = FindingKind::CertificateIssued.says(format!("{}, issued by {}", shown.subject, shown.issuer));
    found.with("subject", shown.subject.as_str()).with("issuer", shown.issuer.as_str())
}

fn names(certificate: &CertificateFound) -> String {
    if certificate.names.is_empty() { "no host".to_owned() } else { certificate.names.join(", ") }
}

fn validity(certificate: &CertificateFound, days: i64) -> Finding {
    let date = |seconds| {
        jiff::Timestamp::from_second(seconds)
            .map_or_else(|_| "a time far away".to_owned(), |at| at.strftime("%F").to_string())
    };
    let (from, until) = (date(certificate.not_before_unix_s), date(certificate.not_after_unix_s));
    let valid = format!("for {}; valid from {from} until {until}", names(certificate));
    let told = |kind: FindingKind, text| {
        kind.says(text)
            .with("names", certificate.names.join(", "))
            .with("from", from.as_str())
            .with("until", until.as_str())
    };
    match usize::try_from(days) {
        Ok(days) => {
            let text = format!("{valid}, {} more", counted(days, "day", "days"));
            told(FindingKind::CertificateCurrent, text).with("days", days)
        }
        Err(_) => told(FindingKind::CertificateOver, format!("{valid}, expired")),
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
