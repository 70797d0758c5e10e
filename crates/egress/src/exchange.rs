//! One HTTP/1.1 exchange on one link: the request goes out, the response comes back within its bounds.
//!
//! The connection is driven by the attempt itself. Its replies arrive through channels whose sender is polled right before, so
//! these channels are polled with a waker that does nothing; what wakes the attempt is the connection and the clock.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header;
use hyper::body::{Body, Incoming};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::connect::{Link, RequestBody};
use crate::error::{AttemptError, AttemptErrorKind};
use crate::limits::{Limits, ms_after};
use crate::response::{HttpVersion, Response, kept_headers};
use crate::stream::Excess;

/// What bounds one exchange.
pub(crate) struct Bounds<'a> {
    pub(crate) deadline: Instant,
    pub(crate) response_bytes_max: usize,
    pub(crate) limits: &'a Limits,
}

/// A response, and how long its connection may be kept idle, if at all.
pub(crate) struct Exchanged {
    pub(crate) response: Response,
    pub(crate) keep: Option<Duration>,
}

/// An exchange without a response head.
pub(crate) struct Broken {
    pub(crate) error: AttemptError,
    /// The connection ended before any byte of a response, or before the request was written: on a reused one, the peer was
    /// closing it as we sent.
    pub(crate) may_be_resent: bool,
}

pub(crate) async fn exchange(
    link: &mut Link,
    mut request: http::Request<RequestBody>,
    bounds: &Bounds<'_>,
) -> Result<Exchanged, Broken> {
    link.gauge.start();
    let gauge = std::sync::Arc::clone(&link.gauge);
    hyper::ext::on_informational(&mut request, move |_interim| gauge.count_interim_reply());
    let mut alarm = pin!(sleep_until(bounds.deadline));

    let head = match receive_head(link, request, bounds, alarm.as_mut()).await {
        Head::Arrived(head) => head,
        Head::Failed(error) => return Err(broken(link, &error, bounds.limits)),
        Head::Late { by_head_limit } => return Err(late(link, by_head_limit, bounds.limits)),
    };
    link.gauge.head_is_done();

    let (parts, incoming) = head.into_parts();
    alarm.as_mut().reset(bounds.deadline);
    let body = receive_body(link, incoming, bounds.response_bytes_max, alarm).await;
    let keep = if body.complete { keep_time(link, &parts, bounds.limits) } else { None };
    let (headers, headers_truncated) = kept_headers(&parts.headers, bounds.limits);
    let response = Response {
        status: parts.status.as_u16(),
        version: if parts.version == http::Version::HTTP_10 { HttpVersion::Http10 } else { HttpVersion::Http11 },
        headers,
        headers_truncated,
        body: body.bytes,
        body_truncated: body.truncated,
        body_error: body.error,
    };
    Ok(Exchanged { response, keep })
}

enum Head {
    Arrived(http::Response<Incoming>),
    Failed(Option<hyper::Error>),
    Late { by_head_limit: bool },
}

/// A receiver may think until the attempt's deadline; once it has begun to answer, the head has a limit of its own.
async fn receive_head(
    link: &mut Link,
    request: http::Request<RequestBody>,
    bounds: &Bounds<'_>,
    mut alarm: Pin<&mut Sleep>,
) -> Head {
    let Link { sender, connection, finished, gauge, .. } = link;
    let mut reply = pin!(sender.send_request(request));
    let mut has_begun = false;
    let mut by_head_limit = false;
    poll_fn(|cx| {
        let mut unheard = Context::from_waker(Waker::noop());
        let mut end = None;
        if !*finished && let Poll::Ready(ended) = Pin::new(&mut *connection).poll(cx) {
            *finished = true;
            end = ended.err();
        }
        match reply.as_mut().poll(&mut unheard) {
            Poll::Ready(Ok(head)) => return Poll::Ready(Head::Arrived(head)),
            Poll::Ready(Err(error)) => return Poll::Ready(Head::Failed(Some(error))),
            Poll::Pending if *finished => return Poll::Ready(Head::Failed(end)),
            Poll::Pending => {}
        }
        if !has_begun && gauge.head_bytes() > 0 {
            has_begun = true;
            let head_until = ms_after(Instant::now(), bounds.limits.response_head_ms_max);
            by_head_limit = head_until < bounds.deadline;
            alarm.as_mut().reset(head_until.min(bounds.deadline));
        }
        // Last and with the real waker: if this task's budget is used up (tokio's cooperative scheduling), the reply may be
        // there and yet pending, and it is the alarm that wakes the task again.
        alarm.as_mut().poll(cx).map(|()| Head::Late { by_head_limit })
    })
    .await
}

struct ReceivedBody {
    bytes: Bytes,
    truncated: bool,
    error: Option<String>,
    complete: bool,
}

/// Reads at most `bytes_max`; never fails, since the status is known and the caller judges by it.
async fn receive_body(
    link: &mut Link,
    mut incoming: Incoming,
    bytes_max: usize,
    mut alarm: Pin<&mut Sleep>,
) -> ReceivedBody {
    let mut kept = BytesMut::new();
    let mut received = ReceivedBody { bytes: Bytes::new(), truncated: false, error: None, complete: false };
    while !incoming.is_end_stream() {
        match next_chunk(link, &mut incoming, alarm.as_mut()).await {
            Chunk::Data(data) => {
                let room = bytes_max - kept.len();
                kept.extend_from_slice(data.get(..room).unwrap_or(&data));
                if data.len() > room {
                    received.truncated = true;
                    break;
                }
            }
            Chunk::Trailers => {}
            Chunk::End => break,
            Chunk::Failed(why) => {
                received.error = Some(why);
                break;
            }
        }
    }
    received.complete = !received.truncated && received.error.is_none();
    received.bytes = kept.freeze();
    received
}

enum Chunk {
    Data(Bytes),
    Trailers,
    End,
    Failed(String),
}

async fn next_chunk(link: &mut Link, incoming: &mut Incoming, mut alarm: Pin<&mut Sleep>) -> Chunk {
    poll_fn(|cx| {
        let mut unheard = Context::from_waker(Waker::noop());
        if let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(&mut unheard) {
            return Poll::Ready(chunk(frame));
        }
        if !link.finished {
            link.finished = Pin::new(&mut link.connection).poll(cx).is_ready();
        }
        match Pin::new(&mut *incoming).poll_frame(&mut unheard) {
            Poll::Ready(frame) => Poll::Ready(chunk(frame)),
            Poll::Pending if link.finished => {
                Poll::Ready(Chunk::Failed("the connection ended before the body was complete".to_owned()))
            }
            Poll::Pending => {
                let late =
                    || Chunk::Failed("the body was not complete when the time for this attempt ran out".to_owned());
                alarm.as_mut().poll(cx).map(|()| late())
            }
        }
    })
    .await
}

fn chunk(frame: Option<Result<hyper::body::Frame<Bytes>, hyper::Error>>) -> Chunk {
    match frame {
        None => Chunk::End,
        Some(Ok(frame)) => frame.into_data().map_or(Chunk::Trailers, Chunk::Data),
        Some(Err(error)) => Chunk::Failed(format!("the body broke off: {}", with_cause(&error))),
    }
}

/// How long the connection may be kept after a complete response: not at all unless everything about it was clean.
fn keep_time(link: &mut Link, head: &http::response::Parts, limits: &Limits) -> Option<Duration> {
    // RFC 9112 section 6.3: a message with both may be an attempt at smuggling.
    let ambiguous =
        head.headers.contains_key(header::TRANSFER_ENCODING) && head.headers.contains_key(header::CONTENT_LENGTH);
    let doubled = head.headers.get_all(header::CONTENT_LENGTH).iter().nth(1).is_some();
    if ambiguous || doubled || link.gauge.write_failed() {
        return None;
    }
    // Finishes the exchange on hyper's side, and finds bytes beyond the body or the peer's close.
    if !link.sender.is_ready() && !link.is_alive() {
        return None;
    }
    let keep = Duration::from_millis(limits.idle_ms_max);
    match hinted_idle(&head.headers) {
        // One second less, for the way there.
        Some(hint) => Some(keep.min(hint.saturating_sub(Duration::from_secs(1)))).filter(|keep| !keep.is_zero()),
        None => Some(keep),
    }
}

/// The `timeout` of `Keep-Alive` (RFC 2068 section 19.7.1), which many servers send.
fn hinted_idle(headers: &http::HeaderMap) -> Option<Duration> {
    let value = headers.get("keep-alive")?.to_str().ok()?;
    let seconds = value.split(',').find_map(|part| {
        let (name, seconds) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("timeout").then(|| seconds.trim().parse::<u32>().ok())?
    })?;
    Some(Duration::from_secs(seconds.into()))
}

fn broken(link: &Link, error: &Option<hyper::Error>, limits: &Limits) -> Broken {
    let head_bytes = link.gauge.head_bytes();
    if let Some(excess) = link.gauge.excess(limits) {
        return Broken { error: excessive(excess, limits), may_be_resent: false };
    }
    let cause = error.as_ref().map(with_cause);
    let bad = error.as_ref().is_some_and(hyper::Error::is_parse);
    let unasked = error.as_ref().is_some_and(hyper::Error::is_canceled) && head_bytes > 0;
    let error = if bad {
        let cause = cause.unwrap_or_default();
        AttemptError::new(
            AttemptErrorKind::BadResponse,
            "not_http",
            format!("the answer is not valid HTTP/1.1: {cause}"),
        )
    } else if unasked {
        let message = "the server spoke before it was asked; this port does not speak HTTP";
        AttemptError::new(AttemptErrorKind::BadResponse, "not_http", message)
    } else {
        closed(head_bytes, cause)
    };
    let unanswered = error.kind == AttemptErrorKind::ConnectionClosed && head_bytes == 0;
    Broken { may_be_resent: unanswered || unasked, error }
}

fn closed(head_bytes: usize, cause: Option<String>) -> AttemptError {
    let cause = cause.map(|cause| format!(" ({cause})")).unwrap_or_default();
    let (reason, message) = if head_bytes == 0 {
        ("no_answer", format!("the connection was closed without an answer{cause}"))
    } else {
        ("partial_head", format!("the connection was closed in the middle of the response head{cause}"))
    };
    AttemptError::new(AttemptErrorKind::ConnectionClosed, reason, message)
}

fn excessive(excess: Excess, limits: &Limits) -> AttemptError {
    let (reason, message) = match excess {
        Excess::HeadBytes => {
            ("head_too_large", format!("the response head is larger than {} bytes", limits.response_head_bytes_max))
        }
        Excess::InterimReplies => (
            "interim_replies",
            format!("more than {} interim (1xx) replies came before the final one", limits.interim_replies_max),
        ),
    };
    AttemptError::new(AttemptErrorKind::BadResponse, reason, message)
}

fn late(link: &Link, by_head_limit: bool, limits: &Limits) -> Broken {
    let error = if let Some(excess) = link.gauge.excess(limits) {
        excessive(excess, limits)
    } else if link.gauge.write_waits() {
        AttemptError::timeout("sending", "sending the request; the receiver did not read it")
    } else if by_head_limit {
        let message = format!("no complete response head within {} ms", limits.response_head_ms_max);
        AttemptError::new(AttemptErrorKind::Timeout, "response_head", message)
    } else {
        AttemptError::timeout("response_head", "waiting for the response head")
    };
    Broken { error, may_be_resent: false }
}

/// hyper's errors say the half of it; the other half is their cause.
fn with_cause(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
