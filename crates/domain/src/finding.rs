//! What a diagnosis finds: a sentence in English, a code that does not change, and the sentence's facts, so that it can be said in another language. What
//! fails as an attempt would has the attempt's own code ([`AttemptFailure::message_code`]).

use std::borrow::Cow;

use crate::attempt::AttemptFailure;
use crate::param::{Param, Params};

macro_rules! findings {
    ($($name:ident = $code:literal, $meaning:literal;)*) => {
        /// What can be found, beside failures.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FindingKind {
            $(#[doc = $meaning] $name,)*
        }

        impl FindingKind {
            /// All there is, in the order in which it is explained.
            pub const ALL: &[FindingKind] = &[$(FindingKind::$name,)*];

            /// A word that does not change.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(FindingKind::$name => $code,)*
                }
            }

            /// What it means; the names in back-ticks are facts.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(FindingKind::$name => $meaning,)*
                }
            }
        }
    };
}

findings! {
    EndpointActive = "endpoint_status.active", "The endpoint is active.";
    EndpointPaused = "endpoint_status.paused", "The endpoint is paused: new events make no deliveries for it.";
    EndpointGone = "endpoint_status.gone", "The system disabled the endpoint: its receiver answered 410.";
    EndpointFailures = "endpoint_status.consecutive_failures",
        "The system disabled the endpoint after `count` failures on end, the latest of this `kind` and, where it was answered, `status_code`.";
    EndpointDisabled = "endpoint_status.disabled", "The system disabled the endpoint for another reason; the text says which.";
    UrlAllowed = "url.allowed", "The URL, of `origin`, keeps the rules.";
    DnsFound = "dns.found", "The name `host` has `count` addresses, and all of them may be called.";
    DnsLiteral = "dns.literal", "The URL holds an address, so that no name is looked up.";
    AddressAllowed = "address.allowed", "The address `address` may be called.";
    TcpConnected = "tcp.connected", "All of `count` addresses took the connection.";
    TcpPartly = "tcp.partly", "Of `count` addresses `failed` did not take the connection.";
    ConnectionMade = "connection.made", "`address` took the connection within `took_ms` milliseconds.";
    TlsTrusted = "tls.trusted", "A trusted session came about, of TLS's version `version`.";
    TlsPartly = "tls.partly", "Of `count` addresses `failed` have no trusted session.";
    TlsNone = "tls.none", "The URL begins with `http://`, so that nothing is encrypted.";
    SessionMade = "session.made", "At `address` there is a trusted session, of TLS's version `version`.";
    CertificateCurrent = "certificate.current",
        "The certificate is for `names` and valid from the day `from` until the day `until`, for `days` more.";
    CertificateOver = "certificate.over", "The certificate is for `names`; it was valid from the day `from` until the day `until`.";
    CertificateIssued = "certificate.issued", "A certificate of the chain: `issuer` vouches for `subject`.";
    ProbeAnswered = "probe.answered", "A test event was answered with `status_code`.";
    ProbeDelivered = "probe.delivered", "A test event was delivered.";
    ResponseTime = "response_time.taken", "The answer took `took_ms` milliseconds; the contract allows `allowed_ms`.";
    RedirectNone = "redirect.none", "The receiver answers itself.";
    RedirectTarget = "redirect.target", "The receiver redirects to `target`.";
    RedirectNowhere = "redirect.nowhere", "The receiver redirects and does not say where to.";
    SignatureRefused = "signature.refused",
        "The receiver answered `status_code`: it refused the signature, or wants a credential.";
    SignatureTaken = "signature.taken", "The receiver took the signed test event.";
    SignatureTakenSwapped = "signature.taken_swapped",
        "The receiver took the test event, signed with the other of the rotation's two secrets.";
    SignatureMissing = "signature.missing", "The endpoint has no secret, so that its deliveries are not signed.";
    SkippedUrlRefused = "skipped.url_refused", "The URL is refused.";
    SkippedNoAddress = "skipped.no_address", "There is no address to connect to.";
    SkippedNoConnection = "skipped.no_connection", "There is no connection.";
    SkippedNoHttps = "skipped.no_https", "There is no certificate without `https`.";
    SkippedNoCertificate = "skipped.no_certificate", "The server showed no certificate that can be read.";
    SkippedNotSent = "skipped.not_sent", "Nothing was sent, since it could not arrive.";
    SkippedNoAnswer = "skipped.no_answer", "There was no answer.";
    SkippedNotTold = "skipped.not_told", "The answer, `status_code`, does not tell.";
    SkippedUnsigned = "skipped.unsigned", "The contract signs nothing.";
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// That of a [`FindingKind`], of a failed attempt's message, or of a wrong field.
    pub code: Cow<'static, str>,
    /// In English, in a sentence without its full stop.
    pub text: String,
    /// The facts of the text.
    pub params: Params,
}

impl FindingKind {
    /// In words.
    #[must_use]
    pub fn says(self, text: impl Into<String>) -> Finding {
        Finding { code: self.code().into(), text: text.into(), params: Params::new() }
    }
}

impl Finding {
    /// What fails as an attempt would.
    #[must_use]
    pub fn failure(failure: &AttemptFailure) -> Self {
        Finding { code: failure.message_code(), text: failure.message.clone(), params: Params::new() }
    }

    /// The same with a fact more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Param>) -> Self {
        self.params.push((name, value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::FailureKind;

    #[test]
    fn every_code_is_a_word_of_its_own_and_none_is_that_of_a_failure() {
        let mut codes: Vec<_> = FindingKind::ALL.iter().map(|kind| kind.code().to_owned()).collect();
        codes.extend(FailureKind::message_codes());
        let is_word = |code: &String| code.bytes().all(|byte| byte.is_ascii_lowercase() || b"_.".contains(&byte));
        assert!(codes.iter().all(is_word), "{codes:?}");
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }

    #[test]
    fn what_fails_as_an_attempt_would_has_its_code_and_its_words() {
        let failure = AttemptFailure {
            kind: FailureKind::Tls,
            reason: Some("certificate_expired".into()),
            message: "expired".to_owned(),
        };
        let found = Finding::failure(&failure).with("address", "192.0.2.1:443");
        assert_eq!((found.code.as_ref(), found.text.as_str()), ("tls.certificate_expired", "expired"));
        assert_eq!(found.params, [("address", Param::Text("192.0.2.1:443".to_owned()))]);
    }
}
