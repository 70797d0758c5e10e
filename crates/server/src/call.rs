//! One authenticated request under `/v1`, as its handler sees it.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use postrider_domain::{Action, AuditEntry, AuditId, Facts, OrganizationId, Scope};
use postrider_traces::{Context, Span};
use serde::Serialize;

use crate::auth::{Caller, Need, Shown};
use crate::code::Code;
use crate::fields::{Fields, check_body, read_body, read_optional_body};
use crate::idempotency;
use crate::origin::{Peer, RequestId};
use crate::problem::{Kind, Mistake, Problem};
use crate::state::Running;

/// The body, read by the gate.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestBody(pub(crate) Bytes);

/// Who asks for what.
pub(crate) struct Call {
    pub(crate) caller: Caller,
    pub(crate) shown: Shown,
    pub(crate) idempotency_key: Option<String>,
    request_id: Option<RequestId>,
    peer: Option<Peer>,
    path: Option<RawPathParams>,
    query: Option<String>,
    body: Bytes,
    /// `traceparent` and `tracestate`, as they came.
    trace: (Option<HeaderValue>, Option<HeaderValue>),
}

impl<S: Send + Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.remove::<Caller>();
        let caller = caller.ok_or_else(|| Problem::internal("a route is not behind the gate"))?;
        let shown = parts.extensions.remove().unwrap_or(Shown::Own);
        // The gate refused a wrong one where it means something.
        let idempotency_key = idempotency::key(&parts.headers).ok().flatten();
        let RequestBody(body) = parts.extensions.remove().unwrap_or_default();
        // What is not UTF-8 in a path names nothing.
        let path = RawPathParams::from_request_parts(parts, state).await.ok();
        let request_id = parts.extensions.get().cloned();
        let peer = parts.extensions.get().copied();
        let trace = (parts.headers.get("traceparent").cloned(), parts.headers.get("tracestate").cloned());
        let query = parts.uri.query().map(str::to_owned);
        Ok(Call { caller, shown, idempotency_key, request_id, peer, path, query, body, trace })
    }
}

impl Call {
    /// What the audit trail tells of what this call does to an object.
    pub(crate) fn audit(&self, app: &Running, action: Action, object: impl ToString) -> AuditEntry {
        let now = app.now();
        let id = AuditId(app.engine().ids().next(now));
        AuditEntry {
            request_id: self.request_id.as_ref().map(|id| id.0.to_string()),
            source: self.peer.map(|peer| peer.0),
            ..AuditEntry::new(id, now, self.caller.actor(), action, object)
        }
    }

    /// The same of something that is made: nothing was there before.
    pub(crate) fn audit_made(&self, app: &Running, action: Action, object: impl ToString, made: &Facts) -> AuditEntry {
        self.audit(app, action, object).telling(&Facts::default(), made)
    }

    /// Begins the span of this request, in its caller's trace where it names one; none when nothing is traced.
    pub(crate) fn begin_span(&self, app: &Running, name: &'static str, method: &str, route: &str) -> Option<Span> {
        let tracer = app.engine().tracer();
        if !tracer.is_on() {
            return None;
        }
        let (parent, state) = &self.trace;
        let read = |parent: &HeaderValue| Context::parse(parent.as_bytes(), state.as_ref().map(HeaderValue::as_bytes));
        let mut span = tracer.request(name, parent.as_ref().and_then(read).as_ref())?;
        span.set("http.request.method", method);
        span.set("http.route", route);
        Some(span)
    }

    /// Ends it with the answer.
    pub(crate) fn end_span(app: &Running, span: Option<Span>, answer: &Result<Response, Problem>) {
        let Some(mut span) = span else { return };
        let status = answer.as_ref().map_or_else(|problem| problem.kind.status(), Response::status);
        span.set("http.response.status_code", i64::from(status.as_u16()));
        if status.is_server_error() {
            span.fail(status.as_str());
        }
        app.engine().tracer().end(span);
    }

    fn part(&self, name: &str) -> &str {
        let parts = self.path.iter().flatten();
        parts.into_iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    /// The organisation in the path, if the caller may do this there.
    pub(crate) fn organization(&self, scope: Scope) -> Result<OrganizationId, Problem> {
        self.caller.enter(self.part("org"), Need::Scope(scope))
    }

    /// The organisation that the credential belongs to, if the caller may do this there: for routes that name none.
    pub(crate) fn own_organization(&self, scope: Scope) -> Result<OrganizationId, Problem> {
        let none = || Problem::new(Kind::Forbidden, "this needs a token or key of one organisation");
        let own = self.caller.organization().ok_or_else(none)?;
        self.caller.enter(own.as_str(), Need::Scope(scope))
    }

    /// The organisation in the path, for what its admins may do.
    pub(crate) fn organization_for_admin(&self) -> Result<OrganizationId, Problem> {
        self.caller.enter(self.part("org"), Need::Admin)
    }

    /// The organisation in the path, for what the operator alone may do.
    pub(crate) fn organization_for_operator(&self) -> Result<OrganizationId, Problem> {
        self.caller.enter(self.part("org"), Need::Operator)
    }

    /// An id in the path; one that cannot be read names nothing.
    pub(crate) fn id<I: FromStr>(&self, name: &str, what: &'static str) -> Result<I, Problem> {
        self.part(name).parse().map_err(|_| Problem::missing(what))
    }

    /// A name in the path, as it is.
    pub(crate) fn name(&self, name: &str) -> &str {
        self.part(name)
    }

    /// The query, not yet read.
    pub(crate) fn query(&self) -> &str {
        self.query.as_deref().unwrap_or_default()
    }

    /// Reads the body.
    pub(crate) fn read<'t, T>(
        &'t self,
        known: &'static [&'static str],
        read: impl FnOnce(&mut Fields<'t, '_>) -> T,
    ) -> Result<T, Problem> {
        self.no_query()?;
        read_body(&self.body, known, read)
    }

    /// Reads a body that may be left out.
    pub(crate) fn read_optional<'t, T>(
        &'t self,
        known: &'static [&'static str],
        read: impl FnOnce(&mut Fields<'t, '_>) -> T,
    ) -> Result<T, Problem> {
        self.no_query()?;
        read_optional_body(&self.body, known, read)
    }

    /// Reads a body, perhaps of a part of the fields, and gives what is wrong with those that there are beside what was read.
    pub(crate) fn check<'t, T>(
        &'t self,
        known: &'static [&'static str],
        read: impl FnOnce(&mut Fields<'t, '_>) -> T,
    ) -> Result<(T, Vec<Mistake>), Problem> {
        self.no_query()?;
        check_body(&self.body, known, read)
    }

    /// For routes that take neither body nor query.
    pub(crate) fn nothing_more(&self) -> Result<(), Problem> {
        self.no_query()?;
        if self.body.iter().all(u8::is_ascii_whitespace) || self.body.trim_ascii() == b"{}" {
            return Ok(());
        }
        let wrong = Code::BodyUnexpected.says("this request takes no body; leave it out");
        Err(Problem::field(Kind::InvalidFields, "", wrong))
    }

    /// The same call with another body and without a query: what it says in the words of another route.
    pub(crate) fn translated(mut self, body: Bytes) -> Self {
        self.query = None;
        self.body = body;
        self
    }

    /// Reads the body, and leaves the query to whoever asked.
    pub(crate) fn read_beside_query<'t, T>(
        &'t self,
        known: &'static [&'static str],
        read: impl FnOnce(&mut Fields<'t, '_>) -> T,
    ) -> Result<T, Problem> {
        read_body(&self.body, known, read)
    }

    fn no_query(&self) -> Result<(), Problem> {
        crate::paging::Query::read(self.query(), &[]).finish()
    }
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(body).map_err(Problem::internal)?;
    let mut response = Response::new(bytes.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// An answer without a body.
pub(crate) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
