//! What goes out: prepared bytes and headers, and nothing that would change how they are framed.

use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Uri};

use crate::case::Cases;
use crate::connect::RequestBody;
use crate::error::{AttemptError, AttemptErrorKind};
use crate::guard::VettedUrl;

/// One request. `Host` and `Content-Length` are added; everything else is as given.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Where to; judged again under the client's rules.
    pub url: &'a VettedUrl,
    /// Usually POST.
    pub method: Method,
    /// Names and values in the order to send them, names written as they are here. None may be [reserved](is_reserved_header).
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body, sent as it is.
    pub body: Bytes,
    /// The time for everything: look-up, connection, TLS, sending, head and body.
    pub deadline: Duration,
    /// Bytes of the response body that are kept; what is longer is cut and its connection closed.
    pub response_bytes_max: usize,
}

/// Whether a header is set by this crate or would change how the message is framed or decoded, so that it cannot be given
/// (RFC 9110 sections 7.6.1, 8.6, 10.1.1, 12.5.3; RFC 9112 sections 6.1 and 7.4).
#[must_use]
pub fn is_reserved_header(name: &str) -> bool {
    const RESERVED: [&str; 13] = [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "proxy-authenticate",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "accept-encoding",
    ];
    RESERVED.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
}

pub(crate) fn prepare(request: &Request<'_>, cases: &Cases) -> Result<http::Request<RequestBody>, AttemptError> {
    let mut prepared = http::Request::new(RequestBody::new(request.body.clone()));
    *prepared.method_mut() = request.method.clone();
    *prepared.uri_mut() = Uri::from(request.url.path_and_query().clone());
    let headers = prepared.headers_mut();
    headers.reserve(request.headers.len() + 2);
    headers.insert(header::HOST, request.url.authority().clone());
    for (name, value) in request.headers {
        if is_reserved_header(name) {
            return Err(invalid(
                "reserved_header",
                format!("the header \"{name}\" is set by the sender and cannot be given"),
            ));
        }
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_bytes(value).ok());
        let Some((parsed_name, parsed_value)) = parsed else {
            // The value may be a secret, so only the name is shown.
            return Err(invalid("malformed_header", format!("the header {name:?} has a malformed name or value")));
        };
        headers.append(parsed_name, parsed_value);
    }
    // RFC 9110 section 8.6: also an empty body has a length, where the method expects one.
    let expects_body = matches!(request.method, Method::POST | Method::PUT | Method::PATCH);
    if expects_body || !request.body.is_empty() {
        headers.append(header::CONTENT_LENGTH, HeaderValue::from(request.body.len()));
    }
    *prepared.extensions_mut() = cases.case_of(request.headers);
    Ok(prepared)
}

fn invalid(reason: &'static str, message: String) -> AttemptError {
    AttemptError::new(AttemptErrorKind::RequestInvalid, reason, message)
}
