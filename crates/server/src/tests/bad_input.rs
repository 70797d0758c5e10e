//! Bad input to every route: the right answer, every wrong field, nothing stored.

use http::header::CONTENT_TYPE;
use http::{Method, Request};
use serde_json::{Value, json};

use super::world::{OPERATOR, World, request};
use crate::openapi::documented;

const EVENTS: &str = "/v1/organizations/acme/events";
const BATCH: &str = "/v1/organizations/acme/events/batch";
const ENDPOINTS: &str = "/v1/organizations/acme/endpoints";
const KEYS: &str = "/v1/organizations/acme/keys";

async fn acme() -> World {
    let world = World::new().await;
    world.organization("acme").await;
    world
}

/// The routes that take a body, in an organisation that there is.
fn with_body() -> Vec<(Method, String)> {
    [
        (Method::POST, "/v1/organizations"),
        (Method::PUT, "/v1/organizations/new"),
        (Method::PATCH, "/v1/organizations/acme"),
        (Method::POST, EVENTS),
        (Method::POST, BATCH),
        (Method::POST, ENDPOINTS),
        (Method::POST, KEYS),
    ]
    .map(|(method, path)| (method, path.to_owned()))
    .to_vec()
}

async fn assert_nothing_is_stored(world: &World) {
    for path in [EVENTS, ENDPOINTS, KEYS, "/v1/organizations/acme/deliveries"] {
        assert_eq!(world.get(path).await.expect(200)["data"], json!([]), "{path}");
    }
    assert_eq!(world.get("/v1/organizations").await.expect(200)["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_json_is_refused_by_every_route_with_its_place() {
    let world = acme().await;
    for (method, path) in with_body() {
        for body in ["{\"name\": \"a\",,}", "{", "", "nonsense", "{} {}", "{\"a\": 01}", "{\"a\": NaN}"] {
            let answer = world.ask(OPERATOR, method.clone(), &path, body).await;
            assert_eq!(answer.problem(400), "malformed-json", "{method} {path} {body:?}");
        }
        let answer = world.ask(OPERATOR, method.clone(), &path, b"{\"name\": \"\xff\xfe\"}".to_vec()).await;
        assert_eq!(answer.problem(400), "malformed-json", "{method} {path}");
        assert!(answer.text().contains("offset 10"), "{}", answer.text());
    }
    let answer = world.ask(OPERATOR, Method::POST, EVENTS, "{\"type\": \"deal.won\",\n \"data\": }").await;
    assert!(answer.text().contains("line 2 column 10"), "{}", answer.text());
    assert_nothing_is_stored(&world).await;
}

#[tokio::test]
async fn bodies_that_are_no_object_and_unknown_fields_are_named_by_every_route() {
    let world = acme().await;
    for (method, path) in with_body() {
        for body in ["[]", "7", "\"x\"", "null", "true"] {
            let answer = world.ask(OPERATOR, method.clone(), &path, body).await;
            assert_eq!(answer.pointers(422), [""], "{method} {path} {body}");
        }
        let answer = world.ask(OPERATOR, method.clone(), &path, "{\"no/such\": 1}").await;
        assert!(answer.pointers(422).contains(&"/no~1such".to_owned()), "{method} {path}: {}", answer.text());
    }
    assert_nothing_is_stored(&world).await;
}

#[tokio::test]
async fn bodies_of_ten_megabytes_are_refused_by_every_route() {
    let world = acme().await;
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(10 * 1024 * 1024));
    for (method, path) in with_body() {
        let answer = world.ask(OPERATOR, method.clone(), &path, large.clone()).await;
        assert_eq!(answer.problem(413), "too-large", "{method} {path}");
    }
    for (method, path) in documented().into_iter().filter(|(m, p)| *m != Method::GET && p.contains("{org}")) {
        let path = path.replace("{org}", "acme").replace(['{', '}'], "");
        assert_eq!(
            world.ask(OPERATOR, method.clone(), &path, large.clone()).await.problem(413),
            "too-large",
            "{method} {path}"
        );
    }
    assert_nothing_is_stored(&world).await;
}

#[tokio::test]
async fn other_media_types_are_refused() {
    let world = acme().await;
    for media in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/json; charset=utf-16")]
    {
        let mut asked = request(OPERATOR, Method::POST, EVENTS, r#"{"type":"deal.won","data":{}}"#);
        asked.headers_mut().remove(CONTENT_TYPE);
        if let Some(media) = media {
            asked.headers_mut().insert(CONTENT_TYPE, media.parse().unwrap());
        }
        assert_eq!(world.send(asked).await.problem(415), "media-type", "{media:?}");
    }
    assert_nothing_is_stored(&world).await;
}

#[tokio::test]
async fn every_wrong_field_of_an_event_is_pointed_to_at_once() {
    let world = acme().await;
    let cases: &[(Value, &[&str])] = &[
        (json!({}), &["/data", "/type"]),
        (json!({"type": null, "data": null}), &["/data", "/type"]),
        (
            json!({"type": 7, "data": "x", "id": "a b", "occurred_at": "yesterday"}),
            &["/data", "/id", "/occurred_at", "/type"],
        ),
        (json!({"type": "a b", "data": {}}), &["/type"]),
        (json!({"type": "deal.won", "data": {}, "resource": 7}), &["/resource"]),
        (json!({"type": "deal.won", "data": {}, "resource": {}}), &["/resource/id", "/resource/type"]),
        (
            json!({"type": "deal.won", "data": {}, "resource": {"type": "a:b", "id": "1", "ids": ["2"], "x": 1}}),
            &["/resource/ids", "/resource/type", "/resource/x"],
        ),
        (
            json!({"type": "deal.won", "data": {}, "resource": {"type": "a", "ids": ["1", {}, 1.5]}}),
            &["/resource/ids/1", "/resource/ids/2"],
        ),
        (json!({"type": "deal.won", "data": {}, "resource": {"type": "a", "ids": []}}), &["/resource/ids"]),
        (json!({"type": "deal.won", "data": {}, "previous": [], "changes": 1}), &["/changes", "/previous"]),
        (json!({"type": "deal.won", "data": {}, "previous": {}, "changes": {}}), &["/previous"]),
        (json!({"type": "x".repeat(200), "data": {}}), &["/type"]),
    ];
    for (event, pointers) in cases {
        assert_eq!(world.post(EVENTS, event.clone()).await.pointers(422), *pointers, "{event}");
        let expected: Vec<_> = pointers.iter().map(|pointer| format!("/events/1{pointer}")).collect();
        let batch = json!({"events": [{"type": "deal.won", "data": {}}, event]});
        assert_eq!(world.post(BATCH, batch).await.pointers(422), expected, "{event}");
    }
    assert_nothing_is_stored(&world).await;
}

#[tokio::test]
async fn members_given_twice_are_refused_but_not_within_data() {
    let world = acme().await;
    let twice = r#"{"type":"deal.won","data":{},"type":"deal.lost"}"#;
    assert_eq!(world.ask(OPERATOR, Method::POST, EVENTS, twice).await.pointers(422), ["/type"]);
    let within = r#"{"type":"deal.won","data":{"a":1,"a":2}}"#;
    world.ask(OPERATOR, Method::POST, EVENTS, within).await.expect(202);
}

#[tokio::test]
async fn deep_json_is_refused_and_huge_numbers_are_kept_as_they_are() {
    let world = acme().await;
    let nested = |depth: usize| {
        format!(r#"{{"type":"deal.won","data":{}{}}}"#, "{\"a\":".repeat(depth), "1".to_owned() + &"}".repeat(depth))
    };
    assert_eq!(world.ask(OPERATOR, Method::POST, EVENTS, nested(65)).await.pointers(422), ["/data"]);
    assert_eq!(world.ask(OPERATOR, Method::POST, EVENTS, nested(20_000)).await.pointers(422), ["/data"]);
    world.ask(OPERATOR, Method::POST, EVENTS, nested(64)).await.expect(202);

    let data = r#"{ "n":1e400 , "big":123456789012345678901234567890.10,"z":-0.0, "a":[1.0,  2] }"#;
    let body = format!(r#"{{"type":"deal.won","data":{data},"id":"exact"}}"#);
    world.ask(OPERATOR, Method::POST, EVENTS, body).await.expect(202);
    let shown = world.get(&format!("{EVENTS}/exact")).await.text();
    assert!(shown.contains(data), "{shown}");
}

#[tokio::test]
async fn events_beyond_the_size_limit_are_refused_alone_and_in_a_batch() {
    let world = acme().await;
    let event = |bytes: usize| json!({"type": "deal.won", "data": {"text": "x".repeat(bytes)}});
    world.post(EVENTS, event(255 * 1024)).await.expect(202);
    assert_eq!(world.post(EVENTS, event(256 * 1024)).await.problem(413), "too-large");
    let batch = json!({"events": [event(10), event(256 * 1024)]});
    assert_eq!(world.post(BATCH, batch).await.pointers(413), ["/events/1"]);
    let many: Vec<_> = (0..1_001).map(|_| event(1)).collect();
    assert_eq!(world.post(BATCH, json!({"events": many})).await.pointers(422), ["/events"]);
    for events in [json!([]), json!({}), json!(null), json!("x")] {
        assert_eq!(world.post(BATCH, json!({"events": events})).await.pointers(422), ["/events"], "{events}");
    }
    assert_eq!(world.post(BATCH, json!({"events": [7]})).await.pointers(422), ["/events/0"]);
}

#[tokio::test]
async fn every_wrong_field_of_an_endpoint_is_pointed_to_at_once() {
    let world = acme().await;
    let cases: &[(Value, &[&str])] = &[
        (json!({}), &["/events", "/name", "/url"]),
        (json!({"name": "", "url": 7, "events": "x", "enabled": "yes"}), &["/enabled", "/events", "/name", "/url"]),
        (json!({"name": "n", "url": "https://example.com", "events": ["a b", 1, "*"]}), &["/events/0", "/events/1"]),
        (json!({"name": "n", "url": "ftp://example.com", "events": []}), &["/events", "/url"]),
        (json!({"name": "n", "url": "https://10.0.0.1/", "events": ["*"]}), &["/url"]),
        (json!({"name": "n", "url": "https://user:pw@example.com/", "events": ["*"]}), &["/url"]),
        (
            json!({"name": "n", "url": "https://example.com", "events": ["*"], "headers": {"Host": "x", "A/b": "1", "C": 1}}),
            &["/headers/A~1b", "/headers/C", "/headers/Host"],
        ),
        (json!({"name": "n", "url": "https://example.com", "events": ["*"], "headers": []}), &["/headers"]),
        (json!({"name": "n", "url": "https://example.com", "events": ["*"], "secret": "short"}), &["/secret"]),
        (
            json!({"name": "n", "url": "https://example.com", "events": ["*"], "contract": "none", "system": 1}),
            &["/contract", "/system"],
        ),
        (
            json!({"name": "n", "url": "https://example.com", "events": ["*"], "filter": {}, "rate_limit": 0, "ordering": "x"}),
            &["/filter", "/ordering", "/rate_limit"],
        ),
        (
            json!({"name": "n\u{0}", "url": "https://example.com", "events": ["*"], "description": "x".repeat(2_001)}),
            &["/description", "/name"],
        ),
    ];
    for (endpoint, pointers) in cases {
        assert_eq!(world.post(ENDPOINTS, endpoint.clone()).await.pointers(422), *pointers, "{endpoint}");
    }
    assert_nothing_is_stored(&world).await;
}

#[tokio::test]
async fn every_wrong_field_of_an_organisation_or_key_is_pointed_to_at_once() {
    let world = acme().await;
    let organization = json!({
        "id": "a b", "name": 1, "contract": "none", "plan": 7, "owner_email": "nobody", "locale": "english", "event_validation": "maybe",
        "frame_ancestors": ["https://crm.example", "http://crm.example"],
    });
    let pointers =
        ["/contract", "/event_validation", "/frame_ancestors/1", "/id", "/locale", "/name", "/owner_email", "/plan"];
    assert_eq!(world.post("/v1/organizations", organization).await.pointers(422), pointers);
    let unplanned = json!({"name": "x", "plan": "gold"});
    assert_eq!(world.post("/v1/organizations", unplanned).await.pointers(422), ["/plan"]);
    assert_eq!(world.put("/v1/organizations/other", json!({"id": "else", "name": "x"})).await.pointers(422), ["/id"]);
    let nulls = json!({"name": null, "contract": null, "event_validation": null, "id": "x"});
    assert_eq!(
        world.patch("/v1/organizations/acme", nulls).await.pointers(422),
        ["/contract", "/event_validation", "/id", "/name"]
    );
    let key = json!({"name": "", "scopes": ["events:write", "all"], "expires_at": "2001-01-01T00:00:00Z"});
    assert_eq!(world.post(KEYS, key).await.pointers(422), ["/expires_at", "/name", "/scopes/1"]);
    assert_nothing_is_stored(&world).await;
}

#[tokio::test]
async fn unknown_and_wrong_query_parameters_are_named_by_every_list() {
    let world = acme().await;
    for (method, path) in
        documented().into_iter().filter(|(method, path)| *method == Method::GET && path.starts_with("/v1/"))
    {
        let path = path.replace("{org}", "acme").replace("{name}", "standard").replace(['{', '}'], "");
        let answer = world.ask(OPERATOR, method, &format!("{path}?no_such=1"), "").await;
        if answer.status != 404 {
            assert_eq!(answer.pointers(400), ["/no_such"], "{path}");
        }
    }
    let query = "status=done&endpoint=ep_1&since=now&limit=0&test=maybe&resource=deal&cursor=x";
    let answer = world.get(&format!("/v1/organizations/acme/deliveries?{query}")).await;
    assert_eq!(answer.pointers(400), ["/cursor", "/endpoint", "/limit", "/resource", "/since", "/status", "/test"]);
    assert_eq!(answer.json()["errors"][0]["in"], "query");
    let answer = world.post(&format!("{EVENTS}?dry_run=true"), json!({"type": "deal.won", "data": {}})).await;
    assert_eq!(answer.pointers(400), ["/dry_run"]);
}

#[tokio::test]
async fn ids_and_paths_that_cannot_be_read_name_nothing() {
    let world = acme().await;
    for path in [
        "/v1/organizations/%FF/events",
        "/v1/organizations/a%20b",
        "/v1/organizations/acme/endpoints/nonsense",
        "/v1/organizations/acme/deliveries/ep_00000000000000000000000001",
        "/v1/organizations/acme/events/%00",
        "/v1/contracts/none",
        "/v1/nothing",
        "/v1",
        "/",
    ] {
        assert_eq!(world.get(path).await.problem(404), "not-found", "{path}");
    }
    world.delete(&format!("{KEYS}/nonsense")).await.problem(404);
    let strange = Request::builder().method("BREW").uri(EVENTS).body(String::new().into()).unwrap();
    let answer = world.send(strange).await;
    assert_eq!(answer.problem(405), "method-not-allowed");
    let allowed: Vec<_> = answer.header("allow").unwrap().split(',').collect();
    assert!(allowed.contains(&"GET") && allowed.contains(&"POST") && !allowed.contains(&"PUT"), "{allowed:?}");
}

#[tokio::test]
async fn requests_that_take_no_body_refuse_one() {
    let world = acme().await;
    let answer = world.ask(OPERATOR, Method::DELETE, "/v1/organizations/acme", "{\"really\": true}").await;
    assert_eq!(answer.pointers(422), [""]);
    world.get("/v1/organizations/acme").await.expect(200);
    world.ask(OPERATOR, Method::DELETE, "/v1/organizations/acme", "{}").await.expect(204);
}
