//! Bad input to every route: the right 4xx, a pointer to each wrong field, nothing stored, nothing leaked, and the program goes on.

use postrider_tests::api::{Answer, Api, Call};
use postrider_tests::routes::{ROUTES, Route};
use postrider_tests::world::{Organization, World, items, text};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// An organisation with one endpoint, and ids for paths.
struct Place {
    world: World,
    organization: Organization,
    endpoint: String,
    delivery: String,
}

impl Place {
    async fn make() -> Self {
        let world = World::start().await;
        let organization = world.organization("standard").await;
        let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await.id;
        let event = organization.publish(&json!({"type": "deal.won", "data": {}})).await;
        let delivery = organization.delivery_of(&event).await;
        organization.ended(&delivery, "succeeded").await;
        Place { world, organization, endpoint, delivery }
    }

    fn path(&self, route: &Route) -> String {
        let path = route.path.replace("{org}", &self.organization.id).replace("{ep}", &self.endpoint);
        path.replace("{dlv}", &self.delivery)
    }

    /// How many there are of everything.
    async fn counts(&self) -> Vec<usize> {
        let mut counts = vec![items(&self.world.api.get("/v1/organizations").await.expect(200)["data"]).len()];
        for path in ["/events", "/endpoints", "/deliveries", "/keys"] {
            let list = self.world.api.get(&self.organization.path(path)).await.expect(200);
            counts.push(items(&list["data"]).len());
        }
        counts
    }
}

async fn send(api: &Api, route: &Route, path: &str, body: impl Into<Vec<u8>>) -> Answer {
    api.call(Call::new(route.method, path).body(body.into())).await
}

fn routes_with_bodies() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| route.has_body)
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused_by_every_route() {
    let place = Place::make().await;
    let before = place.counts().await;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000)).into_bytes();
    let cases: [(&str, Vec<u8>); 12] = [
        ("nothing where JSON must be", b"nothing".to_vec()),
        ("cut short", b"{\"name\":\"x\"".to_vec()),
        ("two values", b"{} {}".to_vec()),
        ("invalid UTF-8", b"{\"name\":\"\xff\xfe\"}".to_vec()),
        ("half a surrogate pair", b"{\"name\":\"\\ud800\"}".to_vec()),
        ("a list", b"[]".to_vec()),
        ("a number", b"7".to_vec()),
        ("null", b"null".to_vec()),
        ("a text", b"\"x\"".to_vec()),
        ("deep lists", deep("[", "]")),
        ("deep objects", deep("{\"a\":", "}")),
        ("deep in a field", [b"{\"name\":".as_slice(), &deep("[", "]"), b"}"].concat()),
    ];
    let document = place.world.api.get("/openapi.json").await.expect(200);
    for route in routes_with_bodies() {
        // A body that may be left out may be `null`.
        let may_be_null = body_of(&document, route)["required"] != true;
        for (what, body) in cases.iter().filter(|(what, _)| !(may_be_null && *what == "null")) {
            let answer = send(&place.world.api, route, &place.path(route), body.clone()).await;
            if is_check(route) && answer.status == 200 {
                assert!(!answer.pointers_told().is_empty(), "{what}: {}", answer.text());
                continue;
            }
            let allowed = [400, 413, 422];
            assert!(
                allowed.contains(&answer.status),
                "{} {}: {what}: {} {}",
                route.method,
                route.path,
                answer.status,
                answer.text()
            );
            answer.problem(answer.status);
        }
    }
    assert_eq!(place.counts().await, before);
}

#[tokio::test]
async fn an_unknown_field_is_named_by_every_route() {
    let place = Place::make().await;
    let before = place.counts().await;
    for route in routes_with_bodies() {
        let answer = send(&place.world.api, route, &place.path(route), r#"{"no/such~field":1}"#).await;
        // RFC 6901: `~` is `~0`, `/` is `~1`.
        let pointers = pointers(route, &answer);
        assert!(pointers.contains(&"/no~1such~0field".to_owned()), "{} {}: {pointers:?}", route.method, route.path);
    }
    assert_eq!(place.counts().await, before);
}

/// Each route's fields as the OpenAPI document lists them, each given values of wrong types.
#[tokio::test]
async fn a_field_of_the_wrong_type_is_pointed_to_by_every_route() {
    let place = Place::make().await;
    let before = place.counts().await;
    let document = place.world.api.get("/openapi.json").await.expect(200);
    let mut tried = 0;
    for route in routes_with_bodies() {
        for (name, schema) in fields_of(&document, route) {
            for wrong in wrong_values(&schema) {
                let body = format!(r#"{{"{name}":{wrong}}}"#);
                let answer = send(&place.world.api, route, &place.path(route), body.clone()).await;
                let pointers = pointers(route, &answer);
                let points = pointers.iter().any(|pointer| pointer.starts_with(&format!("/{name}")));
                assert!(points, "{} {} {body}: {pointers:?}", route.method, route.path);
                tried += 1;
            }
        }
    }
    assert!(tried > 50, "{tried}");
    assert_eq!(place.counts().await, before);
}

/// Whether a route's very answer is what is wrong with its body.
fn is_check(route: &Route) -> bool {
    route.path.ends_with("/endpoints/check")
}

fn pointers(route: &Route, answer: &Answer) -> Vec<String> {
    if is_check(route) { answer.pointers_told() } else { answer.pointers(422) }
}

/// Fields that any JSON value suits.
const ANYTHING: [&str; 1] = ["data"];

fn fields_of(document: &Value, route: &Route) -> Vec<(String, Value)> {
    let schema = resolve(document, &body_of(document, route)["content"]["application/json"]["schema"]);
    let fields = schema["properties"].as_object().unwrap_or_else(|| panic!("no fields of {route:?}: {schema}"));
    let fields = fields.iter().filter(|(name, _)| !ANYTHING.contains(&name.as_str()));
    fields.map(|(name, schema)| (name.clone(), resolve(document, schema))).collect()
}

/// What the document says of a route's body.
fn body_of<'d>(document: &'d Value, route: &Route) -> &'d Value {
    let same = |path: &&String| path.split('/').count() == route.path.split('/').count() && alike(path, route.path);
    let path = document["paths"].as_object().unwrap().keys().find(same).unwrap();
    &document["paths"][path][route.method.to_lowercase()]["requestBody"]
}

fn alike(one: &str, other: &str) -> bool {
    one.split('/').zip(other.split('/')).all(|(a, b)| a == b || (a.starts_with('{') && b.starts_with('{')))
}

/// Follows references, and takes the first of several forms, e.g. of an object or null.
fn resolve(document: &Value, schema: &Value) -> Value {
    let schema = schema["oneOf"].as_array().and_then(|forms| forms.first()).unwrap_or(schema);
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference}")).clone(),
        None => schema.clone(),
    }
}

fn wrong_values(schema: &Value) -> Vec<&'static str> {
    let kinds = format!("{} {} {}", schema["type"], schema["oneOf"], schema["anyOf"]);
    let all = [
        ("boolean", "true"),
        ("number", "1e999999"),
        ("number", "123456789012345678901234567890"),
        ("array", "[[]]"),
        ("object", r#"{"x":{}}"#),
    ];
    let is_number = kinds.contains("integer") || kinds.contains("number");
    let fits = |kind: &str| kinds.contains(kind) || (kind == "number" && is_number);
    all.into_iter().filter(|(kind, _)| !fits(kind)).map(|(_, text)| text).collect()
}

#[tokio::test]
async fn every_wrong_field_is_listed_at_once() {
    let place = Place::make().await;
    let organization = &place.organization;
    let api = &place.world.api;
    let cases = [
        (
            "/events",
            json!({"type": 7, "occurred_at": "yesterday", "resource": {"type": "deal"}, "previous": [], "id": "two words", "x": 1}),
            vec!["/id", "/occurred_at", "/previous", "/resource/id", "/type", "/x", "/data"],
        ),
        ("/events/batch", json!({"events": [{"type": "a.b"}, 7]}), vec!["/events/0/data", "/events/1"]),
        ("/events/batch", json!({"events": []}), vec!["/events"]),
        (
            "/endpoints",
            json!({"name": "", "url": "ftp://x", "events": [], "headers": {"bad name": "v", "Host": "h", "X-Ok": "a\nb"}, "enabled": "yes"}),
            vec!["/enabled", "/events", "/headers/Host", "/headers/X-Ok", "/headers/bad name", "/name", "/url"],
        ),
        (
            "/keys",
            json!({"scopes": ["everything"], "expires_at": "2001-01-01T00:00:00Z"}),
            vec!["/name", "/scopes/0", "/expires_at"],
        ),
    ];
    for (path, body, mut wanted) in cases {
        wanted.sort_unstable();
        assert_eq!(api.post(&organization.path(path), &body).await.pointers(422), wanted, "{path} {body}");
    }
    let wrong = json!({"id": "a b", "contract": "no-such", "owner_email": "nobody", "plan": "gold"});
    let pointers = api.post("/v1/organizations", &wrong).await.pointers(422);
    for pointer in ["/contract", "/id", "/name", "/owner_email"] {
        assert!(pointers.contains(&pointer.to_owned()), "{pointers:?}");
    }
}

#[tokio::test]
async fn urls_that_the_guard_refuses_are_refused_at_creation_unless_the_operator_loosened_it() {
    let as_shipped =
        |setup: postrider_tests::program::Setup| setup.without("POSTRIDER_ALLOW_CIDRS").without("POSTRIDER_ALLOW_HTTP");
    let world = World::with(as_shipped).await;
    let organization = world.organization("standard").await;
    let receiver = world.receiver.url("/in");
    let urls = [
        receiver.as_str(),
        "http://example.com/",
        "https://127.0.0.1/",
        "https://0x7f.1/",
        "https://localhost/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://user:password@example.com/",
        "https://",
        "//example.com",
        "javascript:alert(1)",
    ];
    for url in urls {
        let body = json!({"name": "E", "url": url, "events": ["*"]});
        let answer = world.api.post(&organization.path("/endpoints"), &body).await;
        assert_eq!(answer.pointers(422), ["/url"], "{url}");
    }
    organization.endpoint("https://example.com/webhooks?a=b", json!({})).await;
    assert_eq!(world.receiver.count(), 0);
}

#[tokio::test]
async fn ten_megabytes_are_refused_by_every_route_and_more_than_an_event_may_hold_too() {
    let place = Place::make().await;
    let before = place.counts().await;
    let huge = format!(r#"{{"name":"{}"}}"#, "x".repeat(10 << 20));
    for route in routes_with_bodies() {
        send(&place.world.api, route, &place.path(route), huge.clone()).await.problem(413);
    }
    let event = json!({"type": "deal.won", "data": {"x": "y".repeat(256 << 10)}});
    place.organization.try_publish(&event).await.problem(413);
    let batch = json!({"events": vec![json!({"type": "deal.won", "data": {}}); 1_001]});
    let refused = place.world.api.post(&place.organization.path("/events/batch"), &batch).await;
    assert!([413, 422].contains(&refused.status), "{}", refused.text());
    assert_eq!(place.counts().await, before);
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_pointed_to_by_every_list() {
    let place = Place::make().await;
    for route in ROUTES.iter().filter(|route| route.is_list) {
        for (query, parameter) in [
            ("limit=0", "limit"),
            ("limit=251", "limit"),
            ("limit=x", "limit"),
            ("limit=-1", "limit"),
            ("cursor=nonsense", "cursor"),
            ("nosuch=1", "nosuch"),
        ] {
            let answer = place.world.api.get(&format!("{}?{query}", place.path(route))).await;
            assert_eq!(answer.pointers(400), [format!("/{parameter}")], "{} ?{query}", route.path);
        }
    }
    for query in
        ["status=done", "since=yesterday", "until=1", "resource=deal", "test=perhaps", "endpoint=x", "limit=1&limit=2"]
    {
        let answer = place.world.api.get(&place.organization.path(&format!("/deliveries?{query}"))).await;
        answer.problem(400);
    }
}

#[tokio::test]
async fn an_id_that_cannot_be_one_is_not_found() {
    let place = Place::make().await;
    let long = "x".repeat(5_000);
    for id in ["x", "..", "%2e%2e%2f", "%00", "%ff%fe", "ep_", "ep_00000000000000000000000000", "'%3B--", long.as_str()]
    {
        for parent in ["endpoints", "deliveries", "events"] {
            place.world.api.get(&place.organization.path(&format!("/{parent}/{id}"))).await.problem(404);
        }
        place.world.api.get(&format!("/v1/organizations/{id}")).await.problem(404);
        place.world.api.get(&format!("/v1/contracts/{id}")).await.problem(404);
    }
    place.world.api.get("/v1/nothing/here").await.problem(404);
    place.world.api.delete("/v1/contracts").await.problem(405);
    let text_body = Call::new("POST", &place.organization.path("/events")).body_of("text/plain", "{}");
    place.world.api.call(text_body).await.problem(415);
}

#[tokio::test]
async fn a_request_that_is_no_http_is_answered_or_closed_and_the_program_goes_on() {
    let place = Place::make().await;
    let requests: [&[u8]; 5] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"POST /v1/organizations HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/organizations HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ];
    for request in requests {
        let mut stream = tokio::net::TcpStream::connect(place.world.program.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = vec![];
        // A reset is an answer too.
        let _ = postrider_tests::wait::within("the connection's end", stream.read_to_end(&mut answer)).await;
        assert!(
            !answer.starts_with(b"HTTP/1.1 2") && !answer.starts_with(b"HTTP/1.1 5"),
            "{:?}",
            String::from_utf8_lossy(&answer)
        );
    }
    place.world.api.get("/healthz").await.expect(200);
    assert_eq!(text(&place.organization.deliveries("").await[0]["id"]), place.delivery);
}
