//! A connection's stream: it breaks when its peer leaves what is written unread for too long, and it keeps to itself what the HTTP library says by
//! itself of a request that it cannot read, so that a problem can be said instead.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// How the answers begin that the library gives by itself; each ends with its head.
const AUTOMATIC: [&[u8]; 3] = [b"HTTP/1.1 400 ", b"HTTP/1.1 414 ", b"HTTP/1.1 431 "];
const EMPTY: &[u8] = b"\r\ncontent-length: 0\r\n";
const HEAD_END: &[u8] = b"\r\n\r\n";
/// The longest of them, in bytes: a status line and three headers.
const AUTOMATIC_BYTES_MAX: usize = 256;

/// The stream.
pub(super) struct Wire {
    stream: TcpStream,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    /// Something came in since something went out.
    is_unanswered: bool,
    /// A whole line was among it.
    has_line: bool,
    /// The library refused a request.
    is_refused: bool,
}

impl Wire {
    pub(super) fn new(stream: TcpStream, patience: Duration) -> Self {
        Wire { stream, patience, stalled: None, is_unanswered: false, has_line: false, is_refused: false }
    }

    /// Whether a request, or a part of one, waits for an answer that nobody gives any more.
    pub(super) fn is_owed_an_answer(&self) -> bool {
        self.is_refused || self.is_unanswered
    }

    /// Whether a whole line of it came in.
    pub(super) fn has_line(&self) -> bool {
        self.has_line
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Passes on what a write came to; one that waits is given so much time from its first waiting on.
    fn watch(&mut self, written: Poll<io::Result<usize>>, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            (self.is_unanswered, self.has_line) = (false, false);
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its answer")))
    }
}

/// Where in what is to be written an answer begins that the library gives by itself. It is the last of a connection. The routes' own answers with
/// these statuses have bodies.
fn automatic_at(bytes: &[u8]) -> Option<usize> {
    if !bytes.ends_with(HEAD_END) {
        return None;
    }
    let from = bytes.len().saturating_sub(AUTOMATIC_BYTES_MAX);
    let begins = |at: &usize| AUTOMATIC.iter().any(|begin| bytes[*at..].starts_with(begin));
    let at = (from..bytes.len()).rev().find(begins)?;
    bytes[at..].windows(EMPTY.len()).any(|window| window == EMPTY).then_some(at)
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(new) = buf.filled().get(before..)
            && !new.is_empty()
        {
            self.is_unanswered = true;
            self.has_line = self.has_line || new.contains(&b'\n');
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let before = match automatic_at(bytes) {
            Some(0) => {
                self.is_refused = true;
                return Poll::Ready(Ok(bytes.len()));
            }
            Some(at) => &bytes[..at],
            None => bytes,
        };
        let written = Pin::new(&mut self.stream).poll_write(cx, before);
        self.watch(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(part) = parts.iter().find(|part| automatic_at(part).is_some()) {
            // It is written alone, after what comes before it.
            let first = parts.iter().find(|part| !part.is_empty()).unwrap_or(part);
            return self.poll_write(cx, first);
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What is said instead is yet to come.
        if self.is_refused {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_that_the_library_gives_by_itself_is_kept_back() {
        let automatic = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        assert_eq!(automatic_at(automatic), Some(0));
        let ours = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        assert_eq!(automatic_at(ours), None);
        assert_eq!(automatic_at(&[&ours[..], &automatic[..]].concat()), Some(ours.len()));
        for other in [
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nx",
            "",
        ] {
            assert_eq!(automatic_at(other.as_bytes()), None, "{other}");
        }
    }
}
