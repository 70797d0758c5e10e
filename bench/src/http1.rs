//! The little of HTTP/1.1 that load and receiver need: heads, `Content-Length`, and whether the connection stays open.

use anyhow::{Context as _, bail, ensure};

/// Header fields of one head.
const HEADERS_MAX: usize = 64;
/// Bytes of one head and its body.
const EXCHANGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes a buffer begins with: an event of 1 KB with its head.
const BUFFER_BYTES: usize = 4 * 1024;

/// A request that has arrived in full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) body: &'a [u8],
    /// Bytes of head and body.
    pub(crate) bytes: usize,
    pub(crate) closes: bool,
}

/// A response that has arrived in full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
    /// Bytes of head and body.
    pub(crate) bytes: usize,
    pub(crate) closes: bool,
}

/// Bytes read from a connection and not yet used.
pub(crate) struct ReadBuffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl ReadBuffer {
    pub(crate) fn new() -> Self {
        ReadBuffer { bytes: vec![0; BUFFER_BYTES], filled: 0 }
    }

    /// Where to read into; say then how much it was with [`ReadBuffer::add`].
    pub(crate) fn space(&mut self) -> anyhow::Result<&mut [u8]> {
        if self.filled == self.bytes.len() {
            ensure!(self.filled < EXCHANGE_BYTES_MAX, "the peer sent more than {EXCHANGE_BYTES_MAX} bytes at once");
            self.bytes.resize(self.filled * 2, 0);
        }
        Ok(&mut self.bytes[self.filled..])
    }

    /// That many bytes were read; none means that the peer closed.
    pub(crate) fn add(&mut self, read: usize) -> anyhow::Result<()> {
        ensure!(read > 0, "the peer closed the connection");
        self.filled += read;
        Ok(())
    }

    /// Forgets the first bytes.
    pub(crate) fn consume(&mut self, used: usize) {
        self.bytes.copy_within(used..self.filled, 0);
        self.filled -= used;
    }

    /// The request at the front, once it is there in full.
    pub(crate) fn request(&self) -> anyhow::Result<Option<Request<'_>>> {
        request(&self.bytes[..self.filled])
    }

    /// The response at the front, once it is there in full.
    pub(crate) fn response(&self) -> anyhow::Result<Option<Response<'_>>> {
        response(&self.bytes[..self.filled])
    }
}

/// What the header fields say about the body and the connection.
struct Framing {
    content_length: Option<usize>,
    closes: bool,
}

fn framing(headers: &[httparse::Header<'_>]) -> anyhow::Result<Framing> {
    let mut framing = Framing { content_length: None, closes: false };
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value).context("a Content-Length is no text")?;
            framing.content_length = Some(text.trim().parse().context("a Content-Length is no number")?);
        } else if header.name.eq_ignore_ascii_case("connection") {
            framing.closes = header.value.eq_ignore_ascii_case(b"close");
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("the peer sent a Transfer-Encoding; the benchmark reads Content-Length alone");
        }
    }
    Ok(framing)
}

/// The body behind a head of that many bytes, once it is there in full.
fn body(received: &[u8], head_bytes: usize, content_length: usize) -> anyhow::Result<Option<&[u8]>> {
    ensure!(content_length <= EXCHANGE_BYTES_MAX, "the peer announced a body of {content_length} bytes");
    Ok(received.get(head_bytes..head_bytes + content_length))
}

fn request(received: &[u8]) -> anyhow::Result<Option<Request<'_>>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = head.parse(received).context("the request is no HTTP/1.1")? else {
        return Ok(None);
    };
    let framing = framing(head.headers)?;
    let length = framing.content_length.unwrap_or(0);
    let Some(body) = body(received, head_bytes, length)? else { return Ok(None) };
    Ok(Some(Request {
        method: head.method.unwrap_or_default(),
        path: head.path.unwrap_or_default(),
        body,
        bytes: head_bytes + length,
        closes: framing.closes,
    }))
}

fn response(received: &[u8]) -> anyhow::Result<Option<Response<'_>>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head_bytes) = head.parse(received).context("the response is no HTTP/1.1")? else {
        return Ok(None);
    };
    let status = head.code.unwrap_or_default();
    let framing = framing(head.headers)?;
    let length = match framing.content_length {
        Some(length) => length,
        // RFC 9112, section 6.3: these have no body whatever their fields say.
        None if matches!(status, 204 | 304) => 0,
        None => bail!("the response {status} has no Content-Length"),
    };
    let Some(body) = body(received, head_bytes, length)? else { return Ok(None) };
    Ok(Some(Response { status, body, bytes: head_bytes + length, closes: framing.closes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(bytes: &[u8]) -> ReadBuffer {
        let mut buffer = ReadBuffer::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let space = buffer.space().unwrap();
            let read = space.len().min(rest.len());
            space[..read].copy_from_slice(&rest[..read]);
            buffer.add(read).unwrap();
            rest = &rest[read..];
        }
        buffer
    }

    #[test]
    fn a_response_is_complete_with_its_last_body_byte_and_not_before() {
        let whole = b"HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\n\r\nabc";
        for end in 0..whole.len() {
            assert_eq!(filled(&whole[..end]).response().unwrap(), None, "{end}");
        }
        let buffer = filled(whole);
        let response = buffer.response().unwrap().unwrap();
        assert_eq!(response, Response { status: 202, body: b"abc", bytes: whole.len(), closes: false });
    }

    #[test]
    fn a_request_larger_than_the_first_buffer_is_read_whole() {
        let mut whole = b"POST /ok/7 HTTP/1.1\r\ncontent-length: 10000\r\nConnection: close\r\n\r\n".to_vec();
        whole.resize(whole.len() + 10_000, b'x');
        let buffer = filled(&whole);
        let request = buffer.request().unwrap().unwrap();
        assert_eq!((request.path, request.body.len(), request.closes), ("/ok/7", 10_000, true));
        assert_eq!(request.bytes, whole.len());
    }

    #[test]
    fn what_follows_a_request_is_kept() {
        let mut buffer = filled(b"GET / HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
        let first = buffer.request().unwrap().unwrap().bytes;
        buffer.consume(first);
        assert_eq!(buffer.request().unwrap().unwrap().path, "/2");
        buffer.consume(first + 1);
        assert_eq!(buffer.request().unwrap(), None);
    }

    #[test]
    fn a_body_whose_end_cannot_be_known_is_an_error() {
        assert!(filled(b"HTTP/1.1 200 OK\r\n\r\n").response().is_err());
        assert!(filled(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").response().is_err());
        assert_eq!(filled(b"HTTP/1.1 204 No Content\r\n\r\n").response().unwrap().unwrap().body, b"");
    }

    #[test]
    fn a_closed_connection_is_an_error() {
        assert!(ReadBuffer::new().add(0).is_err());
    }
}
