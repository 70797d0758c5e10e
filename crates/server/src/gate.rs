//! The gate before every route under `/v1`: who asks, how much may be in work, the body, the deadline.
//!
//! A request that writes is *seen through*: once its handler has begun it goes on to its end, though its client has gone away or its
//! time is up. Half of a change is never left behind.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{MatchedPath, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, Method};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::auth::{Caller, Shown, authenticate, sha256};
use crate::body;
use crate::call::RequestBody;
use crate::idempotency::{self, Idempotent};
use crate::limits::ServerLimits;
use crate::problem::{Kind, Problem};
use crate::state::{App, Share};
use crate::unkept::OwnedKey;

/// How the paths under which events are published end.
const EVENTS: &str = "/events";
const BATCH: &str = "/events/batch";

/// What a request holds while it is in work.
struct InWork {
    _permit: OwnedSemaphorePermit,
    _share: Option<Share>,
    idempotent: Option<Idempotent>,
}

/// Lets a request through to its handler, or answers it.
pub(crate) async fn gate(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let in_work = match enter(&app, &mut request).await {
        Ok(in_work) => in_work,
        Err(problem) => return problem.into_response(),
    };
    let patience = Duration::from_millis(app.limits().request_ms_max);
    let answered = if is_writing(request.method()) {
        tokio::time::timeout(patience, SeenThrough::new(work(app, request, next, in_work))).await
    } else {
        tokio::time::timeout(patience, work(app, request, next, in_work)).await
    };
    answered.unwrap_or_else(|_| {
        let detail = "the request took too long; what it asked for may still be done, so look before asking again";
        Problem::new(Kind::Unavailable, detail).into_response()
    })
}

async fn work(app: App, request: Request, next: Next, mut in_work: InWork) -> Response {
    match in_work.idempotent.take() {
        None => next.run(request).await,
        Some(idempotent) => idempotency::answer_once(&app, idempotent, || next.run(request)).await,
    }
}

fn is_writing(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

async fn enter(app: &App, request: &mut Request) -> Result<InWork, Problem> {
    let body = std::mem::take(request.body_mut());
    let (caller, shown) = match admit(app, request.headers()).await {
        Ok(admitted) => admitted,
        Err(problem) => {
            body::discard(app, request.headers(), body).await;
            return Err(problem);
        }
    };
    let (mut share, mut idempotent) = (None, None);
    if is_writing(request.method()) {
        let bytes_max = body_bytes_max(app.limits(), request);
        let (bytes, held) = body::read(app, request.headers(), body, bytes_max).await?;
        idempotent = idempotent_of(&caller, &shown, request, &bytes).await?;
        request.extensions_mut().insert(RequestBody(bytes));
        share = Some(held);
    }
    let permit = permit(&app.in_work)?;
    request.extensions_mut().insert(caller);
    request.extensions_mut().insert(shown);
    Ok(InWork { _permit: permit, _share: share, idempotent })
}

/// Before anything of the body is read.
async fn admit(app: &App, headers: &HeaderMap) -> Result<(Caller, Shown), Problem> {
    if app.in_work.available_permits() == 0 {
        return Err(overloaded());
    }
    authenticate(app, headers).await
}

fn permit(in_work: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(in_work).try_acquire_owned().map_err(|_| overloaded())
}

fn overloaded() -> Problem {
    Problem::new(Kind::Overloaded, "the server has as many requests in work as it takes at once")
}

fn matched(request: &Request) -> &str {
    request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str)
}

/// Whether the request publishes events. Under a key, that may be repeated at will: see [`crate::event_ids`].
fn is_publishing(request: &Request) -> bool {
    *request.method() == Method::POST && [EVENTS, BATCH].iter().any(|path| matched(request).ends_with(path))
}

fn body_bytes_max(limits: &ServerLimits, request: &Request) -> usize {
    match matched(request) {
        path if path.ends_with(EVENTS) => limits.event_bytes_max,
        path if path.ends_with(BATCH) => limits.batch_bytes_max,
        _ => limits.request_bytes_max,
    }
}

async fn idempotent_of(
    caller: &Caller,
    shown: &Shown,
    request: &mut Request,
    body: &Bytes,
) -> Result<Option<Idempotent>, Problem> {
    let Some(key) = idempotency::key(request.headers())? else { return Ok(None) };
    let uri = request.uri();
    let parts =
        [request.method().as_str().as_bytes(), uri.path().as_bytes(), uri.query().unwrap_or_default().as_bytes()];
    let mut hashed = caller.identity().to_vec();
    // An answer may be a session, which does not outlive the pass that it was given for.
    hashed.extend(shown.pass().map(|(_, mark)| mark).into_iter().flatten());
    for part in parts {
        hashed.extend_from_slice(&part.len().to_be_bytes());
        hashed.extend_from_slice(part);
    }
    hashed.extend_from_slice(body);
    let organization = match caller.organization() {
        Some(organization) => Some(organization.clone()),
        None => within_organization(request).await,
    };
    let id = OwnedKey { organization, key };
    Ok(Some(Idempotent { id, request_hash: sha256(&hashed), is_publishing: is_publishing(request) }))
}

/// The organisation whose data key seals the answer: the one within which the operator does something. The organisation itself may
/// not exist before, or any more after.
async fn within_organization(request: &mut Request) -> Option<postrider_domain::OrganizationId> {
    use axum::RequestExt as _;
    if !matched(request).starts_with("/v1/organizations/{org}/") {
        return None;
    }
    let path = request.extract_parts::<RawPathParams>().await.ok()?;
    let (_, named) = path.iter().find(|(name, _)| *name == "org")?;
    named.parse().ok()
}

/// A future that goes on by itself when nobody waits for it any more.
struct SeenThrough<F: Future<Output = Response> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output = Response> + Send + 'static> SeenThrough<F> {
    fn new(future: F) -> Self {
        SeenThrough(Some(Box::pin(future)))
    }
}

impl<F: Future<Output = Response> + Send + 'static> Future for SeenThrough<F> {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        // Taken out while it is polled, so that one that panicked is not taken up again.
        let Some(mut future) = self.0.take() else { return Poll::Pending };
        let polled = future.as_mut().poll(context);
        if polled.is_pending() {
            self.0 = Some(future);
        }
        polled
    }
}

impl<F: Future<Output = Response> + Send + 'static> Drop for SeenThrough<F> {
    fn drop(&mut self) {
        if let (Some(future), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(future);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn what_writes_goes_on_when_its_client_has_gone_away() {
        let (go, wait) = oneshot::channel::<()>();
        let (done, seen) = oneshot::channel::<()>();
        let work = SeenThrough::new(async move {
            wait.await.unwrap();
            done.send(()).unwrap();
            Response::default()
        });
        assert!(tokio::time::timeout(Duration::ZERO, work).await.is_err());
        go.send(()).unwrap();
        seen.await.unwrap();
    }
}
