//! What a contract promises of a request's bytes, in the words of its file: for people, and for whoever writes a receiver.

use std::time::Duration;

use crate::contract::Contract;
use crate::secret::{Algorithm, Encoding, KeyText, Scheme};
use crate::signature::{SignatureRules, Which};
use crate::template::Reference;

/// How requests are signed. Templates refer to what differs between requests as `${name}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignaturePromise<'c> {
    /// The header that carries it.
    pub header: &'c str,
    /// The header's value, a template.
    pub value: String,
    /// What is signed, a template.
    pub signed: String,
    /// `hex` or `base64`.
    pub encoding: &'static str,
    /// How old a request may be, where what is signed tells when it was sent.
    pub tolerance: Option<Duration>,
    /// What stands between several signatures.
    pub separator: &'c str,
    /// Whose signatures stand in the header while a rotation overlaps, in order: `primary` or `secondary`.
    pub overlap: Vec<&'static str>,
    /// Statuses that have a request sent again at once with the other secret, while a rotation overlaps.
    pub swap_statuses: &'c [u16],
    /// The ways of signing, the one that is used unless a secret says otherwise first.
    pub schemes: Vec<SchemePromise<'c>>,
}

/// One way of signing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemePromise<'c> {
    /// What `${version}` stands for; empty where there is only one.
    pub version: &'c str,
    /// What its secrets begin with; empty where they may begin with anything.
    pub prefix: &'c str,
    /// `hmac-sha256` or `ed25519`.
    pub algorithm: &'static str,
    /// How the key is written behind the prefix: `hex` or `base64`; `text` where the whole secret, prefix included, is the key.
    pub key: &'static str,
    /// What its public keys begin with; empty where it has none, or they begin with nothing.
    pub public_prefix: &'c str,
}

impl Contract {
    /// The body's template, a JSON object.
    #[must_use]
    pub fn envelope(&self) -> &str {
        self.envelope.template()
    }

    /// The media type of bodies.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Its own headers, names and templates, in order; without the signature's.
    pub fn headers(&self) -> impl Iterator<Item = (&str, String)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.to_string()))
    }

    /// How requests are signed, where they are.
    #[must_use]
    pub fn signature(&self) -> Option<SignaturePromise<'_>> {
        self.signature.as_ref().map(SignaturePromise::new)
    }
}

impl<'c> SignaturePromise<'c> {
    fn new(rules: &'c SignatureRules) -> Self {
        let is_time = |reference| matches!(reference, Reference::AttemptUnix | Reference::AttemptTime);
        let which = |which: &Which| match which {
            Which::Primary => "primary",
            Which::Secondary => "secondary",
        };
        SignaturePromise {
            header: &rules.header,
            value: format!("{}{}", rules.lead, rules.part),
            signed: rules.signed.to_string(),
            encoding: name_of(rules.encoding),
            tolerance: rules.signed.references().any(is_time).then_some(rules.tolerance),
            separator: &rules.separator,
            overlap: rules.overlap.iter().map(which).collect(),
            swap_statuses: &rules.swap_statuses,
            schemes: rules.schemes.iter().map(SchemePromise::new).collect(),
        }
    }
}

impl<'c> SchemePromise<'c> {
    fn new(scheme: &'c Scheme) -> Self {
        let algorithm = match scheme.algorithm {
            Algorithm::HmacSha256 => "hmac-sha256",
            Algorithm::Ed25519 => "ed25519",
        };
        let key = match scheme.key {
            KeyText::Verbatim => "text",
            KeyText::Encoded(encoding) => name_of(encoding),
        };
        SchemePromise {
            version: &scheme.version,
            prefix: &scheme.prefix,
            algorithm,
            key,
            public_prefix: &scheme.public_prefix,
        }
    }
}

fn name_of(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Hex => "hex",
        Encoding::Base64 => "base64",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract(text: &str) -> Contract {
        let head = "name = \"own\"\ntitle = \"Own\"\n";
        let types = "[types.\"deal.won\"]\ndescription = \"d\"\nresource = \"deal\"\nschema = '{}'\nsample = '{}'";
        Contract::parse(&format!("{head}{text}\n{types}"), "own.toml").unwrap()
    }

    #[test]
    fn what_is_promised_is_what_the_file_says() {
        let contract = contract(
            "envelope = ' {\"a\":\"$data\"} '\n[headers]\nX-At = \"${attempt.unix}\"\n[signature]\nheader = \"X-Sig\"\nlead = \"t=${attempt.unix},\"\n\
             part = \"v=${signature}\"\nsigned = \"$$${attempt.unix}.${body}\"\nencoding = \"base64\"\ntolerance = \"90s\"\noverlap = [\"primary\", \"secondary\"]",
        );
        assert_eq!((contract.envelope(), contract.content_type()), ("{\"a\":\"$data\"}", "application/json"));
        assert_eq!(contract.headers().collect::<Vec<_>>(), [("X-At", "${attempt.unix}".to_owned())]);
        let signature = contract.signature().unwrap();
        assert_eq!((signature.header, signature.value.as_str()), ("X-Sig", "t=${attempt.unix},v=${signature}"));
        assert_eq!((signature.signed.as_str(), signature.encoding), ("$$${attempt.unix}.${body}", "base64"));
        assert_eq!(signature.tolerance, Some(Duration::from_secs(90)));
        assert_eq!(signature.overlap, ["primary", "secondary"]);
        assert_eq!((signature.schemes[0].algorithm, signature.schemes[0].key), ("hmac-sha256", "text"));
    }

    #[test]
    fn no_age_is_promised_where_no_time_is_signed() {
        let plain = contract("envelope = '{\"a\":\"$data\"}'\n[signature]\nheader = \"X-Sig\"");
        assert_eq!(plain.signature().unwrap().tolerance, None);
        assert!(contract("envelope = '{\"a\":\"$data\"}'").signature().is_none());
    }
}
