//! What failures usually mean, and what can be done about them: the one place for these texts, each with a code that does not change, by which it
//! can be said in another language. They stand beside every failed attempt and in every diagnosis (the documents' troubleshooting; contracts.md,
//! "troubleshooting").

use crate::attempt::FailureKind;

macro_rules! advice_table {
    ($($name:ident = $code:literal, $text:literal;)*) => {
        /// What an endpoint's owner can do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Advice {
            $(#[doc = $text] $name,)*
        }

        impl Advice {
            /// All there is.
            pub const ALL: &[Advice] = &[$(Advice::$name,)*];

            /// A word that does not change.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(Advice::$name => $code,)*
                }
            }

            /// In English, in a sentence or several.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self {
                    $(Advice::$name => $text,)*
                }
            }
        }
    };
}

advice_table! {
    UrlRefused = "url_refused",
        "The URL breaks a rule for outgoing requests. Change the endpoint's URL as the message says; nothing was sent.";
    AddressRefused = "address_refused",
        "The host's name leads to an address that is private or reserved, such as that of a machine inside a company. Give it a \
         public address; nothing was sent.";
    RequestInvalid = "request_invalid",
        "The request could not be written, usually because of a custom header or the secret. Correct the endpoint's headers, or \
         rotate its secret; nothing was sent.";
    Dns = "dns",
        "The host's name has no usable answer in DNS. Check the spelling of the URL and the domain's records; nothing was sent.";
    Connect = "connect",
        "Nobody accepts connections at that host and port. Check that the receiver runs and listens on that port, and that its \
         firewall lets the addresses in that deliveries come from.";
    Proxy = "proxy",
        "The proxy through which this server reaches the internet refused or failed. This is for the server's operator.";
    Tls = "tls",
        "No secure connection came about, often for an expired, incomplete or mismatched certificate. Install a valid certificate \
         chain for the host, with TLS 1.2 or newer; nothing was sent.";
    Timeout = "timeout",
        "The receiver took too long. Answer with a 2xx status first and do the work afterwards, from a queue; it may have acted \
         already, so expect the same delivery again and skip ids that were seen.";
    BadResponse = "bad_response",
        "What came back is not valid HTTP/1.1 or is too large. Check that the port speaks HTTP and what stands before the receiver; \
         it may have acted already.";
    ConnectionClosed = "connection_closed",
        "The receiver closed the connection without an answer, often a crash or a proxy's own limit. It may have acted already, so \
         expect the same delivery again.";
    CertificateExpired = "certificate_expired",
        "Renew the certificate of the host and have the server load it; most servers need a restart or reload for that. Nothing was \
         sent.";
    CertificateNotYetValid = "certificate_not_yet_valid",
        "The certificate begins to be valid later. Check the clock of the machine that made it, or install one that is valid now; \
         nothing was sent.";
    CertificateWrongHost = "certificate_wrong_host",
        "The certificate is for other names than the URL's host. Get one that names this host, or change the URL to a host that it \
         names; behind a shared address, check that the server picks the certificate by name (SNI). Nothing was sent.";
    CertificateUnknownIssuer = "certificate_unknown_issuer",
        "Install a certificate of a public authority and send its whole chain, the intermediate certificates included; browsers \
         often hide a missing one. A self-signed certificate is not trusted. Nothing was sent.";
    TlsTooOld = "tls_too_old",
        "Enable TLS 1.2 or 1.3 with a modern cipher (ECDHE with AES-GCM or ChaCha20) on the server; nothing was sent.";
    NotTls = "not_tls",
        "That port does not speak TLS. Check the port in the URL: https is usually 443; nothing was sent.";
    ClientCertificateRequired = "client_certificate_required",
        "The server wants a client certificate, and none is ever sent. Exempt the webhook's path from that; nothing was sent.";
    ConnectionRefused = "connection_refused",
        "The host answers, but nothing listens on that port. Start the receiver, or correct the port in the URL.";
    HostSilent = "host_silent",
        "The host does not answer on that port, which is what a firewall looks like. Let the addresses in that deliveries come from.";
    NetworkSlow = "network_slow",
        "The time ran out before anything was sent: the network or the server is very slow. Check the server's load, and what stands \
         between it and the internet.";
    Redirect = "redirect",
        "Redirects are not followed. Set the endpoint's URL to the address that the Location header shows.";
    NotLetIn = "not_let_in",
        "The receiver did not let the request in. Usually the signature did not verify: check that it verifies the raw body, with \
         the secret of this very endpoint (after a rotation: the new one), and that its clock is right. Else check the credentials \
         in the endpoint's custom headers, and whether a firewall in front wants something more.";
    PathUnknown = "path_unknown",
        "The receiver has no such path. Check the path in the endpoint's URL, and that the receiver is deployed there.";
    MethodRefused = "method_refused",
        "The receiver takes no POST at that path. Deliveries are always POST requests: add a handler for them, or correct the URL.";
    GatewayTimeout = "gateway_timeout",
        "What stands before the receiver gave up waiting for it. Answer with a 2xx status first and do the work afterwards.";
    ContentRefused = "content_refused",
        "The receiver understood the request but not its content. Its answer's body may say what it expected; the body is JSON, and \
         a signature that does not verify is sometimes answered like this.";
    Gone = "gone",
        "The receiver says that it is gone for good. Delete the endpoint, or repair the receiver and retry by hand.";
    TooLarge = "too_large",
        "The receiver, or what stands before it, accepts only smaller requests. Raise its limit.";
    TooManyRequests = "too_many_requests",
        "The receiver takes fewer requests than it gets. Raise its limit; a Retry-After that it sends is honoured, and the \
         endpoint's rate_limit spreads deliveries.";
    Unavailable = "unavailable",
        "What stands before the receiver could not reach it, or it is overloaded. Check that the receiver runs, and its load.";
    ReceiverFailed = "receiver_failed",
        "The receiver failed while it worked on the request. Its own log says why.";
    OtherSuccess = "other_success",
        "The receiver answered, but with a status that does not count as success under the endpoint's contract. Answer with 200.";
    OtherStatus = "other_status",
        "The receiver's answer does not count as success under the endpoint's contract. Answer with a 2xx status.";
    EndpointPaused = "endpoint_paused",
        "Make it active again with PATCH {\"enabled\": true}; what was missed can be recovered afterwards.";
    EndpointDisabled = "endpoint_disabled",
        "Mend what the checks below show, then make it active again with PATCH {\"enabled\": true}; what was missed can be recovered \
         afterwards.";
    PlainHttp = "plain_http",
        "Use https, so that nobody on the way reads or alters what is delivered.";
    CertificateEndsSoon = "certificate_ends_soon",
        "Renew the certificate soon: once it has expired, every delivery fails.";
    SlowAnswer = "slow_answer",
        "Answer with a 2xx status first and do the work afterwards, from a queue: what takes longer than the contract allows counts \
         as failed and is delivered again.";
    Unsigned = "unsigned",
        "Set a secret, and verify the signature in the receiver.";
}

/// What the endpoint's owner can do about a failure. `reason` is the finer word within the kind, where one is known; `status_code` that of
/// the answer, where one came.
#[must_use]
pub fn advice(kind: FailureKind, reason: Option<&str>, status_code: Option<u16>) -> Advice {
    let finer = reason.and_then(|reason| of_reason(kind, reason));
    finer.unwrap_or_else(|| match kind {
        FailureKind::Status => of_status(status_code.unwrap_or_default()),
        FailureKind::UrlRefused => Advice::UrlRefused,
        FailureKind::AddressRefused => Advice::AddressRefused,
        FailureKind::RequestInvalid => Advice::RequestInvalid,
        FailureKind::Dns => Advice::Dns,
        FailureKind::Connect => Advice::Connect,
        FailureKind::Proxy => Advice::Proxy,
        FailureKind::Tls => Advice::Tls,
        FailureKind::Timeout => Advice::Timeout,
        FailureKind::BadResponse => Advice::BadResponse,
        FailureKind::ConnectionClosed => Advice::ConnectionClosed,
    })
}

/// Where a finer word calls for something else than its kind.
fn of_reason(kind: FailureKind, reason: &str) -> Option<Advice> {
    let advice = match (kind, reason) {
        (FailureKind::Tls, "certificate_expired") => Advice::CertificateExpired,
        (FailureKind::Tls, "certificate_not_yet_valid") => Advice::CertificateNotYetValid,
        (FailureKind::Tls, "certificate_wrong_host") => Advice::CertificateWrongHost,
        (FailureKind::Tls, "certificate_unknown_issuer") => Advice::CertificateUnknownIssuer,
        (FailureKind::Tls, "protocol_version" | "no_shared_cipher") => Advice::TlsTooOld,
        (FailureKind::Tls, "not_tls") => Advice::NotTls,
        (FailureKind::Tls, "client_certificate_required") => Advice::ClientCertificateRequired,
        (FailureKind::Connect, "connection_refused") => Advice::ConnectionRefused,
        (FailureKind::Connect, "connect_timeout" | "unreachable") => Advice::HostSilent,
        (FailureKind::Timeout, "tls" | "connect" | "dns") => Advice::NetworkSlow,
        _ => return None,
    };
    Some(advice)
}

fn of_status(status_code: u16) -> Advice {
    match status_code {
        300..=399 => Advice::Redirect,
        401 | 403 => Advice::NotLetIn,
        404 => Advice::PathUnknown,
        405 => Advice::MethodRefused,
        408 | 504 => Advice::GatewayTimeout,
        400 | 415 | 422 => Advice::ContentRefused,
        410 => Advice::Gone,
        411 | 413 | 414 | 431 => Advice::TooLarge,
        429 => Advice::TooManyRequests,
        502 | 503 => Advice::Unavailable,
        500..=599 => Advice::ReceiverFailed,
        100..=299 => Advice::OtherSuccess,
        _ => Advice::OtherStatus,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_failure_has_advice_of_its_own() {
        let mut texts: Vec<_> = FailureKind::ALL.map(|kind| advice(kind, None, None).text()).to_vec();
        assert!(texts.iter().all(|text| text.ends_with('.')), "{texts:?}");
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), FailureKind::ALL.len());
    }

    #[test]
    fn every_code_is_a_word_of_its_own() {
        let mut codes: Vec<_> = Advice::ALL.iter().map(|advice| advice.code()).collect();
        let is_word = |code: &&str| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(codes.iter().all(is_word), "{codes:?}");
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Advice::ALL.len());
        assert!(Advice::ALL.iter().all(|advice| advice.text().ends_with('.')));
    }

    #[test]
    fn usual_status_codes_are_told_apart() {
        let of = |code| advice(FailureKind::Status, None, Some(code)).text();
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
