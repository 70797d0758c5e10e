//! Names, addresses, connections and certificates: what an examination found, as checks.

use postrider_domain::{Advice, AttemptFailure, FailureKind, Millis, advice};
use postrider_egress::guard::Scheme;
use postrider_egress::{AttemptError, CertificateFound, ConnectionFound, Examination, VettedUrl};

use super::Check;
use crate::exchange::failure_of;

/// A certificate that ends sooner is worth a warning: by then most that are renewed by machine have been.
const CERTIFICATE_DAYS_MIN: i64 = 14;
const DAY_S: i64 = 86_400;

/// Adds the same checks where the URL itself is refused: nothing is looked up for it.
pub(super) fn skip(checks: &mut Vec<Check>) {
    checks.extend(["dns", "tcp", "tls", "certificate"].map(|name| Check::skipped(name, "the URL is refused")));
}

/// Adds the checks `dns`, `tcp`, `tls` and `certificate`; whether a request can arrive.
pub(super) fn check(url: &VettedUrl, found: &Examination, now: Millis, checks: &mut Vec<Check>) -> bool {
    let dns = dns(found);
    let has_addresses = dns.outcome != super::CheckOutcome::Failed;
    checks.push(dns);
    let connections: &[ConnectionFound] = if has_addresses { &found.connections } else { &[] };
    if connections.is_empty() {
        let why = "there is no address to connect to";
        checks.extend(["tcp", "tls", "certificate"].map(|name| Check::skipped(name, why)));
        return false;
    }
    let (tcp, connects) = tcp(connections);
    checks.push(tcp);
    if url.scheme() == Scheme::Http {
        let found = "the URL begins with http://: nothing is encrypted";
        checks.push(Check::warning("tls", found, Advice::PlainHttp));
        checks.push(Check::skipped("certificate", "there is none without https"));
        return connects;
    }
    if !connects {
        checks.extend(["tls", "certificate"].map(|name| Check::skipped(name, "there is no connection")));
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
        Err(error) => return Check::failed_as(name, &failure_of(error.clone()), None),
        Ok(addresses) => addresses,
    };
    let details = addresses.iter().map(|found| match &found.verdict {
        Ok(()) => format!("{}: may be called", found.address),
        Err(refusal) => format!("{}: refused, it is {}", found.address, refusal.what),
    });
    let details: Vec<_> = details.collect();
    let refused = addresses.iter().find_map(|found| found.verdict.as_ref().err());
    let host = found.name.as_deref();
    let check = match (refused, host) {
        (Some(refusal), _) => {
            // One is enough: which of them answers is not ours to choose at each attempt.
            let message = format!("{} leads to {refusal}", host.unwrap_or("the URL"));
            let reason = Some(refusal.code.into());
            Check::failed_as(name, &AttemptFailure { kind: FailureKind::AddressRefused, reason, message }, None)
        }
        (None, Some(host)) if addresses.is_empty() => {
            let failure =
                AttemptFailure { kind: FailureKind::Dns, reason: None, message: format!("{host} has no address") };
            Check::failed_as(name, &failure, None)
        }
        (None, Some(host)) => {
            Check::passed(name, format!("{host} has {}", counted(addresses.len(), "address", "addresses")))
        }
        (None, None) => Check::passed(name, "the URL holds an address; no name is looked up"),
    };
    check.with(details)
}

fn tcp(connections: &[ConnectionFound]) -> (Check, bool) {
    let name = "tcp";
    let details = connections.iter().map(|found| match &found.tcp {
        Ok(took) => format!("{}: connected in {} ms", found.address, took.as_millis()),
        Err(error) => format!("{}: {}", found.address, error.message),
    });
    let details = details.collect();
    let failed: Vec<&AttemptError> = connections.iter().filter_map(|found| found.tcp.as_ref().err()).collect();
    let all = counted(connections.len(), "address", "addresses");
    let check = match failed.first() {
        None => Check::passed(name, format!("{all} took the connection")),
        Some(error) if failed.len() == connections.len() => Check::failed_as(name, &failure_of((*error).clone()), None),
        Some(error) => Check::warning(
            name,
            format!("{} of {all} did not take the connection", failed.len()),
            advice(FailureKind::Connect, Some(error.reason), None),
        ),
    };
    (check.with(details), failed.len() < connections.len())
}

fn tls(connections: &[ConnectionFound]) -> (Check, bool) {
    let name = "tls";
    let tried: Vec<_> = connections.iter().filter_map(|found| Some((found.address, found.tls.as_ref()?))).collect();
    let details = tried.iter().map(|(address, tls)| match &tls.session {
        Ok(version) => format!("{address}: {version}"),
        Err(error) => format!("{address}: {}", error.message),
    });
    let details = details.collect();
    let failed: Vec<&AttemptError> = tried.iter().filter_map(|(_, tls)| tls.session.as_ref().err()).collect();
    let versions = tried.iter().find_map(|(_, tls)| tls.session.as_ref().ok());
    let check = match (failed.first(), versions) {
        (None, version) => Check::passed(name, format!("a trusted session with {}", version.unwrap_or(&"TLS"))),
        (Some(error), None) => Check::failed_as(name, &failure_of((*error).clone()), None),
        (Some(error), Some(_)) => Check::warning(
            name,
            format!("{} of {} has no trusted session", failed.len(), counted(tried.len(), "address", "addresses")),
            advice(FailureKind::Tls, Some(error.reason), None),
        ),
    };
    (check.with(details), failed.len() < tried.len())
}

/// Of the address whose certificate was refused, else of the first.
fn certificate(connections: &[ConnectionFound], now: Millis) -> Check {
    let name = "certificate";
    let with_chain = || connections.iter().filter_map(|found| found.tls.as_ref()).filter(|tls| !tls.chain.is_empty());
    let refused = with_chain().find_map(|tls| Some((tls, tls.session.as_ref().err()?)));
    let Some(tls) = refused.map(|(tls, _)| tls).or_else(|| with_chain().next()) else {
        return Check::skipped(name, "the server showed no certificate that can be read");
    };
    let own = &tls.chain[0];
    let days = (own.not_after_unix_s - now.unix_seconds()).div_euclid(DAY_S);
    let found = format!("for {}; {}", names(own), validity(own, days));
    let check = match refused.map(|(_, error)| error) {
        Some(error) => Check::failed(name, found, advice(FailureKind::Tls, Some(error.reason), None)),
        None if days < CERTIFICATE_DAYS_MIN => Check::warning(name, found, Advice::CertificateEndsSoon),
        None => Check::passed(name, found),
    };
    check.with(tls.chain.iter().map(|shown| format!("{}, issued by {}", shown.subject, shown.issuer)).collect())
}

fn names(certificate: &CertificateFound) -> String {
    if certificate.names.is_empty() { "no host".to_owned() } else { certificate.names.join(", ") }
}

fn validity(certificate: &CertificateFound, days: i64) -> String {
    let date = |seconds| {
        jiff::Timestamp::from_second(seconds)
            .map_or_else(|_| "a time far away".to_owned(), |at| at.strftime("%F").to_string())
    };
    let (from, until) = (date(certificate.not_before_unix_s), date(certificate.not_after_unix_s));
    match days {
        0.. => format!(
            "valid from {from} until {until}, {} more",
            counted(usize::try_from(days).unwrap_or(0), "day", "days")
        ),
        _ => format!("valid from {from} until {until}, expired"),
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
