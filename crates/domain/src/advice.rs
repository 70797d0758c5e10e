//! What failures usually mean, and what can be done about them: the one place for these texts. They stand beside every failed attempt
//! and in every diagnosis (the documents' troubleshooting; contracts.md, "troubleshooting").

use crate::attempt::FailureKind;

/// What the endpoint's owner can do about a failure. `reason` is the finer word within the kind, where one is known; `status_code` that of
/// the answer, where one came.
#[must_use]
pub fn advice(kind: FailureKind, reason: Option<&str>, status_code: Option<u16>) -> &'static str {
    let finer = reason.and_then(|reason| of_reason(kind, reason));
    finer.unwrap_or_else(|| match kind {
        FailureKind::Status => of_status(status_code.unwrap_or_default()),
        other => of_kind(other),
    })
}

fn of_kind(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::UrlRefused => {
            "The URL breaks a rule for outgoing requests. Change the endpoint's URL as the message says; nothing was sent."
        }
        FailureKind::AddressRefused => {
            "The host's name leads to an address that is private or reserved, such as that of a machine inside a company. Give it a \
             public address; nothing was sent."
        }
        FailureKind::RequestInvalid => {
            "The request could not be written, usually because of a custom header or the secret. Correct the endpoint's headers, or \
             rotate its secret; nothing was sent."
        }
        FailureKind::Dns => {
            "The host's name has no usable answer in DNS. Check the spelling of the URL and the domain's records; nothing was sent."
        }
        FailureKind::Connect => {
            "Nobody accepts connections at that host and port. Check that the receiver runs and listens on that port, and that its \
             firewall lets the addresses in that deliveries come from."
        }
        FailureKind::Proxy => {
            "The proxy through which this server reaches the internet refused or failed. This is for the server's operator."
        }
        FailureKind::Tls => {
            "No secure connection came about, often for an expired, incomplete or mismatched certificate. Install a valid certificate \
             chain for the host, with TLS 1.2 or newer; nothing was sent."
        }
        FailureKind::Timeout => {
            "The receiver took too long. Answer with a 2xx status first and do the work afterwards, from a queue; it may have acted \
             already, so expect the same delivery again and skip ids that were seen."
        }
        FailureKind::BadResponse => {
            "What came back is not valid HTTP/1.1 or is too large. Check that the port speaks HTTP and what stands before the \
             receiver; it may have acted already."
        }
        FailureKind::ConnectionClosed => {
            "The receiver closed the connection without an answer, often a crash or a proxy's own limit. It may have acted \
             already, so expect the same delivery again."
        }
        FailureKind::Status => of_status(0),
    }
}

/// Where a finer word calls for something else than its kind.
fn of_reason(kind: FailureKind, reason: &str) -> Option<&'static str> {
    let text = match (kind, reason) {
        (FailureKind::Tls, "certificate_expired") => {
            "Renew the certificate of the host and have the server load it; most servers need a restart or reload for that. Nothing was sent."
        }
        (FailureKind::Tls, "certificate_not_yet_valid") => {
            "The certificate begins to be valid later. Check the clock of the machine that made it, or install one that is valid now; \
             nothing was sent."
        }
        (FailureKind::Tls, "certificate_wrong_host") => {
            "The certificate is for other names than the URL's host. Get one that names this host, or change the URL to a host that it \
             names; behind a shared address, check that the server picks the certificate by name (SNI). Nothing was sent."
        }
        (FailureKind::Tls, "certificate_unknown_issuer") => {
            "Install a certificate of a public authority and send its whole chain, the intermediate certificates included; browsers often hide a \
             missing one. A self-signed certificate is not trusted. Nothing was sent."
        }
        (FailureKind::Tls, "protocol_version" | "no_shared_cipher") => {
            "Enable TLS 1.2 or 1.3 with a modern cipher (ECDHE with AES-GCM or ChaCha20) on the server; nothing was sent."
        }
        (FailureKind::Tls, "not_tls") => {
            "That port does not speak TLS. Check the port in the URL: https is usually 443; nothing was sent."
        }
        (FailureKind::Tls, "client_certificate_required") => {
            "The server wants a client certificate, and none is ever sent. Exempt the webhook's path from that; nothing was sent."
        }
        (FailureKind::Connect, "connection_refused") => {
            "The host answers, but nothing listens on that port. Start the receiver, or correct the port in the URL."
        }
        (FailureKind::Connect, "connect_timeout" | "unreachable") => {
            "The host does not answer on that port, which is what a firewall looks like. Let the addresses in that deliveries come from."
        }
        (FailureKind::Timeout, "tls" | "connect" | "dns") => {
            "The time ran out before anything was sent: the network or the server is very slow. Check the server's load, and what stands \
             between it and the internet."
        }
        _ => return None,
    };
    Some(text)
}

fn of_status(status_code: u16) -> &'static str {
    match status_code {
        300..=399 => {
            "Redirects are not followed. Set the endpoint's URL to the address that the Location header shows."
        }
        401 | 403 => {
            "The receiver did not let the request in. Usually the signature did not verify: check that it verifies the raw body, with the \
             secret of this very endpoint (after a rotation: the new one), and that its clock is right. Else check the credentials in \
             the endpoint's custom headers, and whether a firewall in front wants something more."
        }
        404 => {
            "The receiver has no such path. Check the path in the endpoint's URL, and that the receiver is deployed there."
        }
        405 => {
            "The receiver takes no POST at that path. Deliveries are always POST requests: add a handler for them, or correct the URL."
        }
        408 | 504 => {
            "What stands before the receiver gave up waiting for it. Answer with a 2xx status first and do the work afterwards."
        }
        400 | 415 | 422 => {
            "The receiver understood the request but not its content. Its answer's body may say what it expected; the body is JSON, and a \
             signature that does not verify is sometimes answered like this."
        }
        410 => {
            "The receiver says that it is gone for good. Delete the endpoint, or repair the receiver and retry by hand."
        }
        411 | 413 | 414 | 431 => {
            "The receiver, or what stands before it, accepts only smaller requests. Raise its limit."
        }
        429 => {
            "The receiver takes fewer requests than it gets. Raise its limit; a Retry-After that it sends is honoured, and the endpoint's \
             rate_limit spreads deliveries."
        }
        502 | 503 => {
            "What stands before the receiver could not reach it, or it is overloaded. Check that the receiver runs, and its load."
        }
        500..=599 => "The receiver failed while it worked on the request. Its own log says why.",
        100..=299 => {
            "The receiver answered, but with a status that does not count as success under the endpoint's contract. Answer with 200."
        }
        _ => "The receiver's answer does not count as success under the endpoint's contract. Answer with a 2xx status.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_failure_has_advice_of_its_own() {
        let mut texts: Vec<_> = FailureKind::ALL.map(|kind| advice(kind, None, None)).to_vec();
        assert!(texts.iter().all(|text| text.ends_with('.')), "{texts:?}");
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), FailureKind::ALL.len());
    }

    #[test]
    fn usual_status_codes_are_told_apart() {
        let of = |code| advice(FailureKind::Status, None, Some(code));
        let mut texts = [301, 400, 401, 404, 405, 410, 413, 429, 500, 503, 504, 204, 999].map(of).to_vec();
        assert!(texts.iter().all(|text| text.ends_with('.')), "{texts:?}");
        assert_eq!(of(401), of(403));
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), 13);
    }

    #[test]
    fn a_finer_reason_is_heard_within_its_kind_alone() {
        let tls = |reason| advice(FailureKind::Tls, reason, None);
        assert_ne!(tls(Some("certificate_expired")), tls(None));
        assert_eq!(tls(Some("something new")), tls(None));
        let dns = advice(FailureKind::Dns, Some("certificate_expired"), None);
        assert_eq!(dns, advice(FailureKind::Dns, None, None));
    }
}
