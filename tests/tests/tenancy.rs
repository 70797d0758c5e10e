//! Two organisations, every route that the program's own document has, every id: what is another's is answered exactly like what does not exist.
//!
//! The routes, their parameters and their bodies come from the OpenAPI document, so a new route is asked by itself; a kind of id that this test
//! cannot make fails it.

use std::collections::BTreeMap;

use postrider_tests::api::{Answer, Api, Call};
use postrider_tests::tokens::{SECRET, claims, token};
use postrider_tests::world::{Store, World, text};
use serde_json::{Map, Value, json};

postrider_tests::on_each_store!(what_is_anothers_is_like_what_does_not_exist_on_every_route_with_every_credential);

const SCOPES: [&str; 5] = ["events:write", "endpoints:read", "endpoints:write", "deliveries:read", "deliveries:write"];
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// One operation of the document.
struct Route {
    method: String,
    path: String,
    queries: Vec<String>,
    body: Option<Value>,
}

async fn routes(world: &World) -> Vec<Route> {
    let document = world.api.with(None).get("/openapi.json").await.expect(200);
    let mut routes = vec![];
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS.iter().filter(|method| item.get(**method).is_some()) {
            let operation = &item[*method];
            let queries = operation["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "query");
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            routes.push(Route {
                method: method.to_uppercase(),
                path: path.clone(),
                queries: queries.map(|one| text(&one["name"])).collect(),
                body: (!schema.is_null()).then(|| sample(&document, schema)),
            });
        }
    }
    routes
}

/// The least that a schema asks for, with its own examples.
fn sample(document: &Value, schema: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return sample(document, &document.pointer(reference.trim_start_matches('#')).cloned().unwrap());
    }
    for name in ["oneOf", "anyOf", "allOf"] {
        let mut choices = schema[name].as_array().into_iter().flatten();
        if let Some(choice) = choices.rfind(|choice| choice["type"] != "null") {
            return sample(document, choice);
        }
    }
    for given in [&schema["example"], &schema["enum"][0]] {
        if !given.is_null() {
            return given.clone();
        }
    }
    let kinds = if schema["type"].is_array() { schema["type"][0].clone() } else { schema["type"].clone() };
    match kinds.as_str() {
        Some("array") => json!([sample(document, &schema["items"])]),
        Some("boolean") => json!(true),
        Some("integer" | "number") => json!(schema["minimum"].as_i64().unwrap_or(1)),
        Some("string") if schema["format"] == "date-time" => json!("2026-01-01T00:00:00Z"),
        Some("string") => json!("x"),
        _ => {
            let required = schema["required"].as_array().into_iter().flatten().map(text);
            let object = required.map(|name| (name.clone(), sample(document, &schema["properties"][&name])));
            Value::Object(object.collect::<Map<_, _>>())
        }
    }
}

/// Everything that an organisation owns one of, by the names that paths and queries have for it.
struct Things {
    organization: postrider_tests::world::Organization,
    ids: BTreeMap<&'static str, String>,
}

impl Things {
    async fn make(world: &World) -> Self {
        let organization = world.organization("suresend").await;
        let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await.id;
        let event = json!({"type": "peopleCreated", "data": {}, "resource": {"type": "people", "id": organization.id}});
        let event = organization.publish(&event).await;
        let delivery = organization.delivery_of(&event).await;
        organization.ended(&delivery, "succeeded").await;
        let key = json!({"name": "K", "scopes": ["events:write"]});
        let key = text(&organization.api.post(&organization.path("/keys"), &key).await.expect(201)["id"]);
        let resource = format!("people:{}", organization.id);
        let mut ids = BTreeMap::from([
            ("org", organization.id.clone()),
            ("webhook", endpoint.clone()),
            ("endpoint", endpoint.clone()),
            ("event", event),
            ("delivery", delivery),
            ("object", key.clone()),
            ("actor", key.clone()),
            ("key", key),
            ("resource", resource),
        ]);
        let since = json!({"since": "2020-01-01T00:00:00Z"});
        let recovered =
            organization.api.post(&organization.path(&format!("/endpoints/{endpoint}/recover")), &since).await;
        if recovered.status == 202 {
            ids.insert("operation", text(&recovered.json()["operation"]));
        }
        organization.drained().await;
        Things { organization, ids }
    }

    /// What its owner sees.
    async fn seen(&self) -> Vec<Value> {
        let mut seen = vec![];
        for path in ["", "/events", "/endpoints", "/deliveries", "/keys", "/audit"] {
            seen.push(self.organization.api.get(&self.organization.path(path)).await.expect(200));
        }
        seen
    }
}

/// An id of the same form that nobody has.
fn nobodys(name: &str) -> String {
    let of = |prefix: &str| format!("{prefix}_00000000000000000000000001");
    match name {
        "org" => "nobody".into(),
        "webhook" | "endpoint" => of("ep"),
        "event" => of("evt"),
        "delivery" => of("dlv"),
        "key" | "object" | "actor" => of("key"),
        "operation" => of("op"),
        "resource" => "people:nobody".into(),
        other => panic!("the document has an id {other:?} that this test cannot make: teach it"),
    }
}

/// A path with its parameters' values.
fn filled(path: &str, value: impl Fn(&str) -> String) -> String {
    let part = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some("contract" | "name") => "suresend".to_owned(),
        Some(name) => value(name),
        None => part.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

async fn ask(api: &Api, route: &Route, path: &str) -> Answer {
    let call = Call::new(&route.method, path);
    api.call(route.body.as_ref().map_or(call.clone(), |body| call.json(body))).await
}

/// All that an answer tells, but for what differs between any two requests.
fn told(answer: &Answer) -> (u16, String, String) {
    let mut headers = answer.headers.clone();
    for name in ["date", "x-request-id"] {
        headers.remove(name);
    }
    (answer.status, format!("{headers:?}"), answer.text())
}

async fn what_is_anothers_is_like_what_does_not_exist_on_every_route_with_every_credential(store: Store) {
    let world = World::with_on(store, |setup| setup.env("POSTRIDER_JWT_HS256_SECRET", SECRET)).await;
    let (ours, theirs) = (Things::make(&world).await, Things::make(&world).await);
    let before = theirs.seen().await;
    let us = &ours.organization;
    let credentials = [
        ("a key with every scope", us.with_scopes(&SCOPES).await),
        ("an admin's token", world.api.with(Some(&token(&claims(&us.id, "admin"))))),
        ("a viewer's token", world.api.with(Some(&token(&claims(&us.id, "viewer"))))),
    ];
    let mut asked = 0;
    for route in routes(&world).await {
        let parameters: Vec<&str> =
            route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        let is_of_organization = parameters.contains(&"org") || route.path.starts_with("/compat/");
        let has_id = parameters.iter().any(|name| !matches!(*name, "org" | "contract" | "name"));
        for (who, api) in &credentials {
            let what = format!("{} {} with {who}", route.method, route.path);
            if parameters.contains(&"org") {
                // Their organisation, with their ids in it.
                let found = filled(&route.path, |name| theirs.ids.get(name).cloned().unwrap_or_else(|| nobodys(name)));
                let missing = filled(&route.path, nobodys);
                let (found, missing) = (ask(api, &route, &found).await, ask(api, &route, &missing).await);
                assert_eq!(found.status, 404, "{what}: {}", found.text());
                assert_eq!(told(&found), told(&missing), "{what}");
                asked += 1;
            }
            let in_ours = |id: &dyn Fn(&str) -> String| {
                filled(&route.path, |name| if name == "org" { us.id.clone() } else { id(name) })
            };
            if is_of_organization && has_id {
                // Our organisation, with their ids in it.
                let of_theirs = |name: &str| theirs.ids.get(name).cloned().unwrap_or_else(|| nobodys(name));
                let found = ask(api, &route, &in_ours(&of_theirs)).await;
                let missing = ask(api, &route, &in_ours(&|name| nobodys(name))).await;
                assert!(matches!(found.status, 404 | 403), "{what}: {} {}", found.status, found.text());
                assert_eq!(told(&found), told(&missing), "{what}");
                asked += 1;
            }
            for name in route.queries.iter().filter(|name| theirs.ids.contains_key(name.as_str())) {
                let path = in_ours(&|name| ours.ids.get(name).cloned().unwrap_or_else(|| nobodys(name)));
                let with = |id: String| format!("{path}?{name}={id}");
                let found = ask(api, &route, &with(theirs.ids[name.as_str()].clone())).await;
                let missing = ask(api, &route, &with(nobodys(name))).await;
                assert_eq!(told(&found), told(&missing), "{what}, {name}");
                asked += 1;
            }
        }
    }
    assert!(asked > 80, "only {asked} questions came out of the document");
    assert_eq!(theirs.seen().await, before);
}
