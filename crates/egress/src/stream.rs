//! The byte stream under HTTP: plain or TLS, with a gauge on it.
//!
//! The *gauge* counts what comes in before the final response head and cuts it off at a limit, and remembers whether writing
//! failed. A failed write is not reported upwards: a receiver may answer before it has read the body and then close, and its
//! answer must still be read; if there is none, reading fails soon after.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::limits::Limits;

/// What the exchange and the stream tell each other. All of it belongs to one task at a time, so ordering does not matter.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    head_bytes: AtomicUsize,
    head_done: AtomicBool,
    interim_replies: AtomicU32,
    write_failed: AtomicBool,
    write_waits: AtomicBool,
}

/// Which limit on the way to the final head was exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    HeadBytes,
    InterimReplies,
}

impl Gauge {
    pub(crate) fn start(&self) {
        self.head_bytes.store(0, Ordering::Relaxed);
        self.interim_replies.store(0, Ordering::Relaxed);
        self.head_done.store(false, Ordering::Relaxed);
    }

    pub(crate) fn head_is_done(&self) {
        self.head_done.store(true, Ordering::Relaxed);
    }

    /// Bytes received since [`Gauge::start`] and up to the final head.
    pub(crate) fn head_bytes(&self) -> usize {
        self.head_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn count_interim_reply(&self) {
        self.interim_replies.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn write_failed(&self) -> bool {
        self.write_failed.load(Ordering::Relaxed)
    }

    /// Whether the peer has left the request unread.
    pub(crate) fn write_waits(&self) -> bool {
        self.write_waits.load(Ordering::Relaxed)
    }

    pub(crate) fn excess(&self, limits: &Limits) -> Option<Excess> {
        if self.interim_replies.load(Ordering::Relaxed) > limits.interim_replies_max {
            Some(Excess::InterimReplies)
        } else if self.head_bytes() > limits.response_head_bytes_max {
            Some(Excess::HeadBytes)
        } else {
            None
        }
    }
}

/// Plain TCP or TLS.
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A wire with its gauge.
pub(crate) struct Gauged {
    wire: Wire,
    gauge: Arc<Gauge>,
    limits: Arc<Limits>,
}

impl Gauged {
    pub(crate) fn new(wire: Wire, limits: Arc<Limits>) -> (Self, Arc<Gauge>) {
        let gauge = Arc::new(Gauge::default());
        (Self { wire, gauge: Arc::clone(&gauge), limits }, gauge)
    }

    fn swallow(&self, written: Poll<io::Result<usize>>, claimed: usize) -> Poll<io::Result<usize>> {
        self.gauge.write_waits.store(written.is_pending(), Ordering::Relaxed);
        match written {
            Poll::Ready(Err(_)) => {
                self.gauge.write_failed.store(true, Ordering::Relaxed);
                Poll::Ready(Ok(claimed))
            }
            other => other,
        }
    }
}

impl AsyncRead for Gauged {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let head_done = this.gauge.head_done.load(Ordering::Relaxed);
        if !head_done && this.gauge.excess(&this.limits).is_some() {
            return Poll::Ready(Err(io::Error::other("too much before the response head")));
        }
        let before = buf.filled().len();
        let read = match &mut this.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Wire::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        };
        if !head_done {
            this.gauge.head_bytes.fetch_add(buf.filled().len() - before, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Gauged {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = match &mut this.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Wire::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
        };
        this.swallow(written, buf.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = match &mut this.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Wire::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
        };
        this.swallow(written, bufs.iter().map(|buf| buf.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = match &mut this.wire {
            Wire::Plain(_) => return Poll::Ready(Ok(())),
            Wire::Tls(tls) => Pin::new(tls).poll_flush(cx),
        };
        this.swallow(flushed.map_ok(|()| 0), 0).map_ok(|_| ())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match &mut this.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Wire::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
