//! Every route under `/v1`, and what it asks of who calls it; a test holds this list against the program's own OpenAPI document.

/// What a credential must be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The operator key.
    Operator,
    /// Any credential that is valid.
    Any,
    /// A key of the organisation with this scope.
    Scope(&'static str),
}

/// One route.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path with its parameters in braces.
    pub path: &'static str,
    /// Who may call it.
    pub needs: Needs,
    /// Whether it takes a body.
    pub has_body: bool,
    /// Whether it answers with a list in pages.
    pub is_list: bool,
}

const fn route(method: &'static str, path: &'static str, needs: Needs) -> Route {
    Route { method, path, needs, has_body: false, is_list: false }
}

impl Route {
    const fn body(self) -> Self {
        Route { has_body: true, ..self }
    }

    const fn list(self) -> Self {
        Route { is_list: true, ..self }
    }
}

const EVENTS_WRITE: Needs = Needs::Scope("events:write");
const ENDPOINTS_READ: Needs = Needs::Scope("endpoints:read");
const ENDPOINTS_WRITE: Needs = Needs::Scope("endpoints:write");
const DELIVERIES_READ: Needs = Needs::Scope("deliveries:read");
const DELIVERIES_WRITE: Needs = Needs::Scope("deliveries:write");

/// All of them.
pub const ROUTES: [Route; 47] = [
    route("POST", "/v1/organizations", Needs::Operator).body(),
    route("GET", "/v1/organizations", Needs::Operator).list(),
    route("GET", "/v1/organizations/{org}", ENDPOINTS_READ),
    route("PUT", "/v1/organizations/{org}", Needs::Operator).body(),
    route("PATCH", "/v1/organizations/{org}", Needs::Operator).body(),
    route("DELETE", "/v1/organizations/{org}", Needs::Operator),
    route("POST", "/v1/organizations/{org}/events", EVENTS_WRITE).body(),
    route("POST", "/v1/organizations/{org}/events/batch", EVENTS_WRITE).body(),
    route("GET", "/v1/organizations/{org}/events", DELIVERIES_READ).list(),
    route("GET", "/v1/organizations/{org}/events/{evt}", DELIVERIES_READ),
    route("GET", "/v1/organizations/{org}/events/{evt}/routing", DELIVERIES_READ).list(),
    route("GET", "/v1/organizations/{org}/event-types", ENDPOINTS_READ),
    route("POST", "/v1/organizations/{org}/filters/preview", DELIVERIES_READ).body(),
    route("POST", "/v1/organizations/{org}/endpoints", ENDPOINTS_WRITE).body(),
    route("GET", "/v1/organizations/{org}/endpoints", ENDPOINTS_READ).list(),
    route("GET", "/v1/organizations/{org}/endpoints/{ep}", ENDPOINTS_READ),
    route("PATCH", "/v1/organizations/{org}/endpoints/{ep}", ENDPOINTS_WRITE).body(),
    route("DELETE", "/v1/organizations/{org}/endpoints/{ep}", ENDPOINTS_WRITE),
    route("POST", "/v1/organizations/{org}/endpoints/check", ENDPOINTS_WRITE).body(),
    route("POST", "/v1/organizations/{org}/endpoints/{ep}/test", ENDPOINTS_WRITE).body(),
    route("POST", "/v1/organizations/{org}/endpoints/{ep}/diagnose", ENDPOINTS_WRITE).body(),
    route("POST", "/v1/organizations/{org}/endpoints/{ep}/secret/rotate", ENDPOINTS_WRITE).body(),
    route("POST", "/v1/organizations/{org}/endpoints/{ep}/secret/confirm", ENDPOINTS_WRITE).body(),
    route("GET", "/v1/organizations/{org}/deliveries", DELIVERIES_READ).list(),
    route("GET", "/v1/organizations/{org}/deliveries/{dlv}", DELIVERIES_READ),
    route("POST", "/v1/organizations/{org}/deliveries/{dlv}/retry", DELIVERIES_WRITE),
    route("GET", "/v1/organizations/{org}/endpoints/{ep}/stream", DELIVERIES_READ),
    route("POST", "/v1/organizations/{org}/endpoints/{ep}/recover", DELIVERIES_WRITE).body(),
    route("POST", "/v1/organizations/{org}/erasures", DELIVERIES_WRITE).body(),
    route("GET", "/v1/organizations/{org}/operations", DELIVERIES_READ).list(),
    route("GET", "/v1/organizations/{org}/operations/{op}", DELIVERIES_READ),
    route("GET", "/v1/organizations/{org}/statistics", DELIVERIES_READ).list(),
    route("GET", "/v1/organizations/{org}/notifications", ENDPOINTS_READ),
    route("PATCH", "/v1/organizations/{org}/notifications", Needs::Operator).body(),
    route("POST", "/v1/organizations/{org}/keys", Needs::Operator).body(),
    route("GET", "/v1/organizations/{org}/keys", Needs::Operator).list(),
    route("DELETE", "/v1/organizations/{org}/keys/{key}", Needs::Operator),
    route("GET", "/v1/organizations/{org}/audit", Needs::Operator).list(),
    route("GET", "/v1/audit", Needs::Operator).list(),
    route("POST", "/v1/organizations/{org}/portal-links", Needs::Operator).body(),
    route("POST", "/v1/sessions", Needs::Operator).body(),
    route("GET", "/v1/session", Needs::Operator),
    route("GET", "/v1/status", Needs::Operator),
    route("GET", "/v1/egress-addresses", Needs::Any),
    route("GET", "/v1/contracts", Needs::Any),
    route("GET", "/v1/contracts/{name}", Needs::Any),
    route("GET", "/v1/contracts/{name}/verification", Needs::Any),
];
