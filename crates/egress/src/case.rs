//! Header names on the wire as they are written: `X-CRM-Signature`, not `x-crm-signature`.
//!
//! Names are case-insensitive (RFC 9110 section 5.1), but a contract's document shows them in one way, and receivers that compare
//! text exist. hyper keeps names in lower case and writes others only for a request that it has read itself: what a proxy
//! passes on. So a *specimen* with the wanted names is read by hyper once, and what it remembers of their case goes with each request.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::Extensions;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use parking_lot::{Mutex, RwLock};

/// Sets of names that are remembered; there are as many as contracts times sets of custom headers in use.
const SETS_MAX: usize = 1_024;
/// Reading a specimen takes two or three polls; more would be a fault of ours.
const POLLS_MAX: usize = 16;
/// Names of a request that are added by this crate.
const OWN_NAMES: [&str; 2] = ["Host", "Content-Length"];

/// The sets of names seen so far, by their hash.
#[derive(Default)]
pub(crate) struct Cases {
    hasher: RandomState,
    sets: RwLock<HashMap<u64, Set>>,
}

struct Set {
    names: Vec<Box<str>>,
    case: Extensions,
}

impl Set {
    fn is_of(&self, headers: &[(&str, &[u8])]) -> bool {
        self.names.len() == headers.len() && self.names.iter().zip(headers).all(|(a, (b, _))| a.as_ref() == *b)
    }
}

impl Cases {
    /// What makes hyper write these names as they are given.
    pub(crate) fn case_of(&self, headers: &[(&str, &[u8])]) -> Extensions {
        let mut hasher = self.hasher.build_hasher();
        headers.iter().for_each(|(name, _)| name.hash(&mut hasher));
        let hash = hasher.finish();
        if let Some(set) = self.sets.read().get(&hash).filter(|set| set.is_of(headers)) {
            return set.case.clone();
        }
        let names: Vec<Box<str>> = headers.iter().map(|(name, _)| (*name).into()).collect();
        let case = read_specimen(&names);
        let mut sets = self.sets.write();
        if sets.len() >= SETS_MAX {
            sets.clear();
        }
        sets.insert(hash, Set { names, case: case.clone() });
        case
    }
}

/// Lower case remains where hyper will not read the specimen, e.g. with more names than it takes.
fn read_specimen(names: &[Box<str>]) -> Extensions {
    let mut text = String::from("POST / HTTP/1.1\r\n");
    for name in OWN_NAMES.into_iter().chain(names.iter().map(AsRef::as_ref)) {
        text.push_str(name);
        text.push_str(": 0\r\n");
    }
    text.push_str("\r\n");
    let seen = Arc::new(Mutex::new(Extensions::new()));
    let keep = Arc::clone(&seen);
    let service = service_fn(move |request: http::Request<Incoming>| {
        *keep.lock() = request.into_parts().0.extensions;
        std::future::ready(Ok::<_, Infallible>(http::Response::new(Empty::<&[u8]>::new())))
    });
    let specimen = Specimen { text: text.into_bytes(), read: 0 };
    let mut reading = pin!(http1::Builder::new().preserve_header_case(true).serve_connection(specimen, service));
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS_MAX {
        if reading.as_mut().poll(&mut context).is_ready() {
            break;
        }
    }
    std::mem::take(&mut *seen.lock())
}

/// Bytes to be read; what is written is dropped.
struct Specimen {
    text: Vec<u8>,
    read: usize,
}

impl Read for Specimen {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, mut into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let count = into.remaining().min(self.text.len() - self.read);
        into.put_slice(&self.text[self.read..self.read + count]);
        self.read += count;
        Poll::Ready(Ok(()))
    }
}

impl Write for Specimen {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
