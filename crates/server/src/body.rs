//! Reading a request's body: within its size, its time, and what all bodies together may take.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt;

use crate::problem::{Kind, Problem};
use crate::state::{Running, Share};

/// Reads a body of at most `bytes_max` bytes; the share counts it for as long as it is held.
pub(crate) async fn read(
    app: &Running,
    headers: &HeaderMap,
    body: Body,
    bytes_max: usize,
) -> Result<(Bytes, Share), Problem> {
    let mut body = body;
    let patience = Duration::from_millis(app.limits().body_read_ms_max);
    let mut share = Share::new(&app.bodies);
    match tokio::time::timeout(patience, read_all(&mut body, &mut share, length(headers), bytes_max)).await {
        Ok(Ok(bytes)) => {
            check_media_type(headers, &bytes)?;
            Ok((bytes, share))
        }
        Ok(Err(Refusal::TooLarge)) => {
            discard(app, headers, body).await;
            let detail = format!("the body has more than {bytes_max} bytes, the most that this route accepts");
            Err(Problem::new(Kind::TooLarge, detail))
        }
        Ok(Err(Refusal::NoRoom)) => {
            drop(share);
            discard(app, headers, body).await;
            Err(Problem::new(Kind::Overloaded, "too many large requests at once"))
        }
        Ok(Err(Refusal::Broken)) => Err(Problem::new(Kind::Malformed, "the body ended before it was complete")),
        Err(_) => Err(Problem::new(Kind::BodyTimeout, format!("the body did not arrive within {patience:?}"))),
    }
}

/// Why a body was not read.
enum Refusal {
    TooLarge,
    NoRoom,
    Broken,
}

async fn read_all(
    body: &mut Body,
    share: &mut Share,
    length: Option<usize>,
    bytes_max: usize,
) -> Result<Bytes, Refusal> {
    if length.is_some_and(|bytes| bytes > bytes_max) {
        return Err(Refusal::TooLarge);
    }
    let mut whole = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(|_| Refusal::Broken)?.into_data() else { continue };
        if whole.len() + more.len() + chunk.len() > bytes_max {
            return Err(Refusal::TooLarge);
        }
        if !share.grow(chunk.len()) {
            return Err(Refusal::NoRoom);
        }
        // Most bodies arrive in one piece, which is kept as it is.
        if whole.is_empty() && more.is_empty() {
            whole = chunk;
            continue;
        }
        if more.is_empty() {
            more.reserve(length.unwrap_or(0).max(whole.len() + chunk.len()));
            more.extend_from_slice(&std::mem::take(&mut whole));
        }
        more.extend_from_slice(&chunk);
    }
    Ok(if more.is_empty() { whole } else { more.freeze() })
}

fn length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// RFC 8259, section 8.1: JSON is UTF-8; a `charset` that says otherwise is refused.
fn check_media_type(headers: &HeaderMap, bytes: &Bytes) -> Result<(), Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        if bytes.is_empty() {
            return Ok(());
        }
        return Err(Problem::new(Kind::MediaType, "the request has no Content-Type; send application/json"));
    };
    let text = value.to_str().unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
        !name.eq_ignore_ascii_case("charset") || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    if bytes.is_empty() || (is_json && is_utf8) {
        return Ok(());
    }
    let detail = format!("the Content-Type is {}; send application/json in UTF-8", crate::problem::quoted(text));
    Err(Problem::new(Kind::MediaType, detail))
}

/// Reads what is left of a body that is refused and throws it away, within bounds: a sender that is still sending sees the answer only
/// if the connection is not reset under it. One that waits for "100 Continue" sends nothing once it has the answer.
pub(crate) async fn discard(app: &Running, headers: &HeaderMap, mut body: Body) {
    if headers.contains_key(EXPECT) {
        return;
    }
    let mut left = app.limits().discard_bytes_max;
    if length(headers).is_some_and(|bytes| bytes > left) {
        return;
    }
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len);
            if bytes > left {
                return;
            }
            left -= bytes;
        }
    };
    // Whether it ran out of time or not, the answer follows.
    let _ = tokio::time::timeout(Duration::from_millis(app.limits().body_read_ms_max), read).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn accepts(media: Option<&'static str>, body: &'static str) -> bool {
        let value = media.map(|m| (CONTENT_TYPE, HeaderValue::from_static(m)));
        check_media_type(&HeaderMap::from_iter(value), &Bytes::from_static(body.as_bytes())).is_ok()
    }

    #[test]
    fn bodies_are_json_in_utf_8_and_nothing_else() {
        assert!(accepts(Some("application/json"), "{}"));
        assert!(accepts(Some("Application/JSON; charset=\"UTF-8\""), "{}"));
        assert!(accepts(None, ""));
        for media in
            [None, Some("text/plain"), Some("application/json; charset=latin1"), Some("application/jsonp"), Some("")]
        {
            assert!(!accepts(media, "{}"), "{media:?}");
        }
    }
}
