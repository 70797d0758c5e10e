//! Who may do what: no credential 401, a missing scope 403, somebody else's object 404 like one that does not exist.

use postrider_tests::api::{Api, Call};
use postrider_tests::routes::{Needs, ROUTES, Route};
use postrider_tests::wait::until;
use postrider_tests::world::{Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(
    the_list_of_routes_is_the_programs_own,
    without_a_valid_credential_every_route_answers_401,
    a_key_without_the_scope_is_answered_403_and_with_it_not,
    somebody_elses_things_answer_like_things_that_do_not_exist,
    a_key_that_expired_or_was_deleted_is_refused,
    a_deleted_organisation_is_gone_with_everything_below_it,
);

const SCOPES: [&str; 5] = ["events:write", "endpoints:read", "endpoints:write", "deliveries:read", "deliveries:write"];

/// Ids of real things of one organisation, to put into paths.
struct Things {
    organization: Organization,
    ids: [(&'static str, String); 6],
}

impl Things {
    async fn make(world: &World) -> Self {
        let organization = world.organization("standard").await;
        let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
        let event = organization.publish(&json!({"type": "deal.won", "data": {}})).await;
        let delivery = organization.delivery_of(&event).await;
        organization.ended(&delivery, "succeeded").await;
        let key =
            organization.api.post(&organization.path("/keys"), &json!({"name": "K", "scopes": ["events:write"]})).await;
        let key = text(&key.expect(201)["id"]);
        let recover = organization.path(&format!("/endpoints/{}/recover", endpoint.id));
        let recovered = organization.api.post(&recover, &json!({"since": "2020-01-01T00:00:00Z"})).await;
        let operation = text(&recovered.expect(202)["operation"]);
        let ended = organization.path(&format!("/operations/{operation}"));
        until("the operation's end", async || {
            let found = organization.api.get(&ended).await.expect(200);
            (found["status"] == "succeeded").then_some(())
        })
        .await;
        let ids = [
            ("{ep}", endpoint.id),
            ("{evt}", event),
            ("{dlv}", delivery),
            ("{op}", operation),
            ("{key}", key),
            ("{name}", "standard".into()),
        ];
        Things { organization, ids }
    }

    fn path(&self, route: &Route) -> String {
        let path = route.path.replace("{org}", &self.organization.id);
        self.ids.iter().fold(path, |path, (parameter, id)| path.replace(parameter, id))
    }

    /// What its owner can see.
    async fn seen(&self) -> Vec<Value> {
        let mut seen = vec![];
        for path in ["", "/events", "/endpoints", "/deliveries", "/operations", "/keys"] {
            seen.push(self.organization.api.get(&self.organization.path(path)).await.expect(200));
        }
        seen
    }
}

async fn call(api: &Api, route: &Route, path: &str) -> postrider_tests::api::Answer {
    let call = Call::new(route.method, path);
    api.call(if route.has_body { call.json(&json!({})) } else { call }).await
}

async fn the_list_of_routes_is_the_programs_own(store: Store) {
    let world = World::start_on(store).await;
    let document = world.api.with(None).get("/openapi.json").await.expect(200);
    assert!(text(&document["openapi"]).starts_with("3.1"), "{}", document["openapi"]);
    let mut theirs = vec![];
    for (path, methods) in document["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/v1/")) {
        for method in methods.as_object().unwrap().keys().filter(|name| name.len() <= 6 && *name != "parameters") {
            theirs.push(format!("{} {}", method.to_uppercase(), without_names(path)));
        }
    }
    let mut ours: Vec<_> =
        ROUTES.iter().map(|route| format!("{} {}", route.method, without_names(route.path))).collect();
    theirs.sort();
    ours.sort();
    assert_eq!(ours, theirs);
}

/// `/a/{org}/b` and `/a/{organization}/b` are the same path.
fn without_names(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
}

async fn without_a_valid_credential_every_route_answers_401(store: Store) {
    let world = World::start_on(store).await;
    let things = Things::make(&world).await;
    let before = things.seen().await;
    let none = world.api.with(None);
    for route in &ROUTES {
        let path = things.path(route);
        let answer = call(&none, route, &path).await;
        answer.problem(401);
        assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")), "{route:?}");
        for credential in ["Bearer ", "Bearer wrong", "Basic b3BlcmF0b3I6eA==", "wrong", "Bearer \u{e9}"] {
            let call = Call::new(route.method, &path).header("authorization", credential);
            none.call(call).await.problem(401);
        }
    }
    assert_eq!(things.seen().await, before);
}

async fn a_key_without_the_scope_is_answered_403_and_with_it_not(store: Store) {
    let world = World::start_on(store).await;
    let things = Things::make(&world).await;
    let before = things.seen().await;
    for route in &ROUTES {
        let (others, needed): (Vec<_>, Vec<_>) = SCOPES.iter().partition(|scope| route.needs != Needs::Scope(scope));
        if route.needs == Needs::Any {
            continue;
        }
        let without = things.organization.with_scopes(&others).await;
        call(&without, route, &things.path(route)).await.problem(403);
        if route.method != "GET" || needed.is_empty() {
            continue;
        }
        let with = things.organization.with_scopes(&needed).await;
        call(&with, route, &things.path(route)).await.expect(200);
    }
    // The keys that this test made are there; nothing else changed.
    assert_eq!(things.seen().await[..4], before[..4]);
}

async fn somebody_elses_things_answer_like_things_that_do_not_exist(store: Store) {
    let world = World::start_on(store).await;
    let (ours, theirs) = (Things::make(&world).await, Things::make(&world).await);
    let before = theirs.seen().await;
    let key = ours.organization.with_scopes(&SCOPES).await;
    let made_up = Things {
        organization: Organization { api: world.api.clone(), id: "no-such-organization".into() },
        ids: theirs.ids.clone(),
    };
    for route in ROUTES.iter().filter(|route| route.path.contains("{org}")) {
        if route.needs == Needs::Operator {
            continue;
        }
        let foreign = call(&key, route, &theirs.path(route)).await;
        let missing = call(&key, route, &made_up.path(route)).await;
        assert_eq!(foreign.problem(404), missing.problem(404), "{route:?}: the answers tell them apart");
        // Their things below our own organisation.
        let mixed = Things { organization: ours.organization.clone(), ids: theirs.ids.clone() };
        if route.path.matches('{').count() > 1 {
            call(&key, route, &mixed.path(route)).await.problem(404);
            call(&world.api, route, &mixed.path(route)).await.problem(404);
        }
    }
    for filter in [format!("endpoint={}", theirs.ids[0].1), format!("event={}", theirs.ids[1].1)] {
        let found = key.get(&ours.organization.path(&format!("/deliveries?{filter}"))).await.expect(200);
        assert!(items(&found["data"]).is_empty(), "{found}");
    }
    assert_eq!(theirs.seen().await, before);
}

async fn a_key_that_expired_or_was_deleted_is_refused(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let body = json!({"name": "K", "scopes": ["endpoints:read"], "expires_at": "2999-01-01T00:00:00Z"});
    let made = organization.api.post(&organization.path("/keys"), &body).await.expect(201);
    let api = world.api.with(made["key"].as_str());
    api.get(&organization.path("/endpoints")).await.expect(200);
    world.api.delete(&organization.path(&format!("/keys/{}", text(&made["id"])))).await.expect(204);
    api.get(&organization.path("/endpoints")).await.problem(401);

    let now = world.api.get("/test-clock").await.expect(200)["now_ms"].as_i64().unwrap();
    let soon = jiff::Timestamp::from_millisecond(now + 3_600_000).unwrap().to_string();
    let body = json!({"name": "K", "scopes": ["endpoints:read"], "expires_at": soon});
    let made = organization.api.post(&organization.path("/keys"), &body).await.expect(201);
    let api = world.api.with(made["key"].as_str());
    api.get(&organization.path("/endpoints")).await.expect(200);
    world.advance_ms(3_600_001).await;
    api.get(&organization.path("/endpoints")).await.problem(401);
}

async fn a_deleted_organisation_is_gone_with_everything_below_it(store: Store) {
    let world = World::start_on(store).await;
    let things = Things::make(&world).await;
    let key = things.organization.with_scopes(&SCOPES).await;
    world.api.delete(&things.organization.path("")).await.expect(204);
    key.get(&things.organization.path("/endpoints")).await.problem(401);
    for route in ROUTES.iter().filter(|route| route.path.contains("{org}") && route.method == "GET") {
        call(&world.api, route, &things.path(route)).await.problem(404);
    }
    assert!(!world.api.get("/v1/organizations").await.text().contains(&things.organization.id));
}
