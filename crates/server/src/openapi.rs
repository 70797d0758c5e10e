//! The routes and the OpenAPI document that describes them: both come from the handlers, registered here once.

mod forms;

use http::Method;
use utoipa::openapi::path::{HttpMethod, Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, ResponseBuilder,
    SecurityRequirement,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::PROBLEM_JSON;
use crate::routes::{
    audit, compat, contracts, deliveries, diagnose, egress_addresses, endpoint_check, endpoints, events, filters, keys,
    notifications, operations, organizations, portal_links, recoveries, secrets, sessions, statistics, status, stream,
};
use crate::state::App;

const BEARER: &str = "bearer";
/// How the paths begin that are behind the gate.
const BEHIND_GATE: [&str; 2] = ["/v1/", "/compat/"];

/// The routes that are behind the gate.
pub(crate) fn v1() -> OpenApiRouter<App> {
    events_routes()
        .merge(endpoints_routes())
        .merge(deliveries_routes())
        .merge(operators_routes())
        .merge(dashboard_routes())
        .merge(compat_routes())
}

fn events_routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(events::publish, events::list))
        .routes(routes!(events::publish_batch))
        .routes(routes!(events::read))
        .routes(routes!(events::routing))
        .routes(routes!(events::event_types))
}

fn endpoints_routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(endpoints::create, endpoints::list))
        .routes(routes!(endpoints::read, endpoints::change, endpoints::delete))
        .routes(routes!(endpoint_check::check))
        .routes(routes!(endpoints::test))
        .routes(routes!(diagnose::diagnose))
        .routes(routes!(filters::preview))
        .routes(routes!(secrets::rotate))
        .routes(routes!(secrets::confirm))
}

/// The fifth document's own routes.
fn compat_routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(compat::create, compat::list))
        .routes(routes!(compat::events))
        .routes(routes!(compat::read, compat::change, compat::delete))
}

fn deliveries_routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(deliveries::list))
        .routes(routes!(deliveries::read))
        .routes(routes!(deliveries::retry))
        .routes(routes!(statistics::read))
        .routes(routes!(stream::read))
        .routes(routes!(recoveries::recover))
        .routes(routes!(recoveries::erase))
        .routes(routes!(recoveries::list))
        .routes(routes!(recoveries::read))
}

fn operators_routes() -> OpenApiRouter<App> {
    let organization =
        routes!(organizations::read, organizations::replace, organizations::change, organizations::delete);
    OpenApiRouter::default()
        .routes(routes!(organizations::create, organizations::list))
        .routes(organization)
        .routes(routes!(notifications::read, notifications::change))
        .routes(routes!(keys::create, keys::list))
        .routes(routes!(keys::delete))
        .routes(routes!(audit::list))
        .routes(routes!(audit::list_operators))
        .routes(routes!(contracts::list))
        .routes(routes!(contracts::read))
        .routes(routes!(contracts::verification))
        .routes(routes!(egress_addresses::list))
        .routes(routes!(status::read))
}

/// How whoever looks at the dashboard is let in.
fn dashboard_routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(portal_links::create))
        .routes(routes!(sessions::create))
        .routes(routes!(sessions::read))
}

/// The routes that need no credential.
pub(crate) fn open() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(operations::health))
        .routes(routes!(operations::ready))
        .routes(routes!(operations::metrics))
        .routes(routes!(operations::openapi))
        .routes(routes!(operations::docs_page))
        .routes(routes!(operations::problems_page))
        .routes(routes!(operations::docs_style))
}

/// The whole document.
pub(crate) fn document() -> OpenApi {
    let mut document = OpenApiBuilder::new().info(info()).tags(Some(tags())).build();
    document.merge(v1().into_openapi());
    document.merge(open().into_openapi());
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "The operator key; an organisation key (`prk_…`) with the scope that the operation needs; a token (JWT) that the CRM signed, with \
             `org`, `role` (`admin` or `viewer`) and `exp`; or the token of a portal link (`prt_…`) or a session (`ses_…`).",
        ))
        .build();
    document.components.get_or_insert_default().add_security_scheme(BEARER, SecurityScheme::Http(scheme));
    document.security = Some(vec![SecurityRequirement::new(BEARER, Vec::<String>::new())]);
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations_mut(item) {
            complete(path, &method, operation);
        }
    }
    forms::put(&mut document);
    document
}

/// The document as JSON text.
#[must_use]
pub fn openapi_json() -> String {
    // Strings, numbers and maps with string keys: writing them as JSON cannot fail.
    document().to_pretty_json().unwrap_or_default()
}

fn info() -> utoipa::openapi::Info {
    const DESCRIPTION: &str = "Takes in events, and gets them delivered to the endpoints that subscribed to them: signed, \
        retried, recorded. Every error is `application/problem+json` (RFC 9457); what can go wrong is listed under \
        `/docs/problems`. Lists take `limit` and `cursor` and answer `data` and `next_cursor`. Writing requests take an \
        `Idempotency-Key`.";
    InfoBuilder::new()
        .title("Postrider")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build()
}

fn tags() -> Vec<utoipa::openapi::Tag> {
    [
        ("Events", "What happened in the CRM, published once."),
        ("Endpoints", "Where events go: what a customer creates to receive them."),
        ("Deliveries", "Events on their way to endpoints, with every attempt."),
        ("Organisations", "The tenants: customers of the CRM."),
        ("Keys", "Credentials of one organisation, with scopes."),
        ("Dashboard", "Links that let the people of an organisation in, and sessions of whoever is looking."),
        ("Audit", "Who changed what, and when."),
        ("Contracts", "What receivers are promised: catalogue, format, signature, schedule, limits."),
        ("Compatibility", "Endpoints in the words of a documented CRM API, which programs may be written for already."),
        ("Operation", "For those who run the server. All but the status need no credential."),
    ]
    .map(|(name, description)| TagBuilder::new().name(name).description(Some(description)).build())
    .to_vec()
}

/// Each operation of a path with its method.
fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    [
        (HttpMethod::Get, item.get.as_mut()),
        (HttpMethod::Post, item.post.as_mut()),
        (HttpMethod::Put, item.put.as_mut()),
        (HttpMethod::Patch, item.patch.as_mut()),
        (HttpMethod::Delete, item.delete.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.map(|operation| (method, operation)))
}

/// Adds what all operations have in common.
fn complete(path: &str, method: &HttpMethod, operation: &mut Operation) {
    if !BEHIND_GATE.iter().any(|start| path.starts_with(start)) {
        return;
    }
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let problem = ResponseBuilder::new().description("A problem").content(PROBLEM_JSON, problem).build();
    operation.responses.responses.insert("default".to_owned(), problem.into());
    if *method == HttpMethod::Get {
        return;
    }
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some("The same request under the same key is done once, and answered alike for 24 hours."))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build();
    operation.parameters.get_or_insert_default().push(key.into());
}

/// Every method of every route, as the router matches it.
pub(crate) fn documented() -> Vec<(Method, String)> {
    let mut document = document();
    let mut routes = Vec::new();
    for (path, item) in &mut document.paths.paths {
        for (method, _) in operations_mut(item) {
            let method = match method {
                HttpMethod::Post => Method::POST,
                HttpMethod::Put => Method::PUT,
                HttpMethod::Patch => Method::PATCH,
                HttpMethod::Delete => Method::DELETE,
                _ => Method::GET,
            };
            routes.push((method, path.clone()));
        }
    }
    routes
}
