//! The fifth document (004, "Create a webhook"), read from top to bottom.

use postrider_tests::api::Api;
use postrider_tests::cluster::Cluster;
use postrider_tests::foreign::Foreign;
use postrider_tests::tokens::{SECRET, claims, token};
use postrider_tests::world::{Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(
    the_page_from_top_to_bottom,
    both_shapes_of_the_body_and_both_names_of_the_url_are_accepted,
    two_webhooks_an_event_and_system_and_no_more,
    webhooks_are_endpoints_and_nobody_elses,
);

const WEBHOOKS: &str = "/compat/suresend/webhooks";

async fn world_on(store: Store) -> (World, Organization) {
    let world = World::with_on(store, |setup| setup.env("POSTRIDER_JWT_HS256_SECRET", SECRET)).await;
    let organization = world.organization("suresend").await;
    (world, organization)
}

/// "Credentials: Bearer, JWT".
fn bearer(world: &World, organization: &Organization, system: Option<&str>) -> Api {
    let mut claims = claims(&organization.id, "admin");
    if let Some(system) = system {
        claims["system"] = json!(system);
    }
    world.api.with(Some(&token(&claims)))
}

async fn the_page_from_top_to_bottom(store: Store) {
    let (world, organization) = world_on(store).await;
    let api = bearer(&world, &organization, Some("partner-7"));
    let mut ruby = Foreign::ruby().await;

    // "See the /webhooks/events endpoint for the complete list of available events."
    let events = api.get(&format!("{WEBHOOKS}/events")).await.expect(200)["events"].clone();
    for event in ["peopleCreated", "peopleUpdated", "peopleStageUpdated"] {
        assert!(items(&events).contains(&json!(event)), "{events}");
    }

    // "Register a new webhook", as in the example.
    let url = format!("{}/suresend", ruby.url);
    let example = json!({"webhook": {
        "name": "Contact Sync Webhook",
        "url": url,
        "events": ["peopleCreated", "peopleUpdated", "peopleStageUpdated"],
    }});
    let created = api.post(WEBHOOKS, &example).await.expect(201)["webhook"].clone();
    let mut members: Vec<_> = created.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["created_at", "events", "id", "name", "secret_key", "status", "system", "url"]);
    for member in ["name", "url", "events"] {
        assert_eq!(created[member], example["webhook"][member]);
    }
    // "System identifier (defaults to API token's system)".
    assert_eq!((&created["system"], &created["status"]), (&json!("partner-7"), &json!("active")));

    // "The secret key is only returned once during creation".
    let (id, secret) = (text(&created["id"]), text(&created["secret_key"]));
    let one = format!("{WEBHOOKS}/{id}");
    for answer in [
        api.get(&one).await,
        api.get(WEBHOOKS).await,
        api.put(&one, &json!({"webhook": {"name": "Contact Sync"}})).await,
        world.api.get(&organization.path(&format!("/endpoints/{id}"))).await,
    ] {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!answer.text().contains(&secret) && !answer.text().contains("secret_key"), "{}", answer.text());
    }

    // "Each webhook delivery includes an X-Webhook-Signature header"; the receiver checks it with the page's own two lines of Ruby.
    ruby.trust("/suresend", &secret).await;
    let person = json!({"type": "peopleCreated", "data": {"firstName": "Dana"},
        "resource": {"type": "people", "id": "person-uuid", "uri": "https://api.suresendcrm.com/api/partner/people/person-uuid"}});
    let delivery = organization.delivery_of(&organization.publish(&person).await).await;
    let delivery = organization.ended(&delivery, "succeeded").await;

    // "All webhooks receive payloads in this format".
    let body: Value = serde_json::from_str(&text(&delivery["request"]["body"])).unwrap();
    let members: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["eventId", "eventCreated", "event", "resourceIds", "uri", "data"]);
    assert_eq!((&body["event"], &body["resourceIds"]), (&json!("peopleCreated"), &json!(["person-uuid"])));

    api.delete(&one).await.expect(204);
    api.get(&one).await.problem(404);
    assert_eq!(api.get(WEBHOOKS).await.expect(200), json!({"webhooks": []}));
}

async fn both_shapes_of_the_body_and_both_names_of_the_url_are_accepted(store: Store) {
    let (world, organization) = world_on(store).await;
    let api = bearer(&world, &organization, None);
    let url = world.receiver.url("/in");
    for (event, body) in [
        ("peopleCreated", json!({"webhook": {"name": "W", "url": url, "events": ["peopleCreated"]}})),
        ("peopleUpdated", json!({"webhook": {"name": "W", "uri": url, "events": ["peopleUpdated"]}})),
        ("peopleStageUpdated", json!({"name": "W", "url": url, "events": ["peopleStageUpdated"]})),
        ("peopleUpdated", json!({"name": "W", "uri": url, "events": ["peopleUpdated"]})),
    ] {
        let made = api.post(WEBHOOKS, &body).await.expect(201)["webhook"].clone();
        assert_eq!((&made["url"], &made["events"], &made["system"]), (&json!(url), &json!([event]), &Value::Null));
    }
    for (body, pointers) in [
        (json!({}), vec!["/events", "/name", "/url"]),
        (json!({"webhook": {}}), vec!["/webhook/events", "/webhook/name", "/webhook/url"]),
        (json!({"webhook": {"name": "W", "uri": "ftp://x", "events": []}}), vec!["/webhook/events", "/webhook/uri"]),
        (json!({"name": "W", "url": url, "uri": url, "events": ["peopleCreated"]}), vec!["/uri"]),
        (json!({"webhook": {"name": "W"}, "url": url}), vec!["/webhook"]),
        (json!({"webhook": [], }), vec!["/webhook"]),
        (json!({"name": "W", "url": url, "events": ["peopleCreated"], "secret": "mine"}), vec!["/secret"]),
    ] {
        let answer = api.post(WEBHOOKS, &body).await;
        let found = answer.pointers(422);
        assert_eq!(found, pointers, "{body}: {}", answer.text());
    }
}

async fn two_webhooks_an_event_and_system_and_no_more(store: Store) {
    let (world, organization) = world_on(store).await;
    let api = bearer(&world, &organization, Some("one"));
    let body = |events: &[&str]| json!({"webhook": {"name": "W", "url": world.receiver.url("/in"), "events": events}});
    // Twenty at once.
    let at_once = (0..20).map(|_| {
        let (api, body) = (api.clone(), body(&["peopleCreated", "peopleUpdated"]));
        tokio::spawn(async move { api.post(WEBHOOKS, &body).await })
    });
    let mut made = vec![];
    for asked in at_once.collect::<Vec<_>>() {
        let answer = asked.await.unwrap();
        if answer.status == 201 {
            made.push(text(&answer.json()["webhook"]["id"]));
        } else {
            let problem = answer.problem(422);
            assert!(text(&problem["detail"]).contains("peopleCreated"), "{problem}");
            assert!(text(&problem["type"]).ends_with("#limit-reached"), "{problem}");
        }
    }
    assert_eq!(made.len(), 2);
    // Paused ones count, another event and another system do not.
    api.put(&format!("{WEBHOOKS}/{}", made[0]), &json!({"status": "paused"})).await.expect(200);
    let refused = api.post(WEBHOOKS, &body(&["peopleStageUpdated", "peopleUpdated"])).await.problem(422);
    assert!(text(&refused["detail"]).contains("peopleUpdated"), "{refused}");
    api.post(WEBHOOKS, &body(&["peopleStageUpdated"])).await.expect(201);
    let other = api.post(&format!("{WEBHOOKS}?system=two"), &body(&["peopleCreated"])).await.expect(201);
    assert_eq!(other["webhook"]["system"], "two");
    let listed = |answer: Value| items(&answer["webhooks"]).len();
    assert_eq!(listed(api.get(WEBHOOKS).await.expect(200)), 3);
    assert_eq!(listed(api.get(&format!("{WEBHOOKS}?system=two")).await.expect(200)), 1);
    // "All events" counts for each; the same event in the endpoints' own words, too.
    api.post(WEBHOOKS, &body(&["*"])).await.problem(422);
    let own = json!({"name": "E", "url": world.receiver.url("/in"), "events": ["peopleCreated"], "system": "one"});
    world.api.post(&organization.path("/endpoints"), &own).await.problem(422);
    // One that goes makes room.
    api.delete(&format!("{WEBHOOKS}/{}", made[0])).await.expect(204);
    api.post(WEBHOOKS, &body(&["peopleCreated"])).await.expect(201);
}

async fn webhooks_are_endpoints_and_nobody_elses(store: Store) {
    let (world, organization) = world_on(store).await;
    let api = bearer(&world, &organization, Some("one"));
    let body = json!({"name": "W", "uri": world.receiver.url("/in"), "events": ["peopleCreated"]});
    let id = text(&api.post(WEBHOOKS, &body).await.expect(201)["webhook"]["id"]);
    let endpoint = world.api.get(&organization.path(&format!("/endpoints/{id}"))).await.expect(200);
    assert_eq!((&endpoint["contract"], &endpoint["system"]), (&json!("suresend"), &json!("one")));
    let other = world.organization("suresend").await;
    let theirs = bearer(&world, &other, Some("one"));
    let one = format!("{WEBHOOKS}/{id}");
    let nobodys = format!("{WEBHOOKS}/ep_00000000000000000000000001");
    for (method, body) in [("GET", None), ("PUT", Some(json!({"name": "Mine"}))), ("DELETE", None)] {
        let call = |path: &str| {
            let call = postrider_tests::api::Call::new(method, path);
            body.as_ref().map_or(call.clone(), |body| call.json(body))
        };
        let (found, missing) = (theirs.call(call(&one)).await, theirs.call(call(&nobodys)).await);
        assert_eq!((found.problem(404), found.body), (missing.problem(404), missing.body), "{method}");
    }
    for path in
        [format!("{one}?system=two"), format!("/compat/salessheet/webhooks/{id}"), "/compat/nobody/webhooks".into()]
    {
        api.get(&path).await.problem(404);
    }
    api.get(&format!("{one}?system=one")).await.expect(200);
    // A viewer reads; a key does what its scopes say; the operator belongs to no organisation.
    let viewer = world.api.with(Some(&token(&claims(&organization.id, "viewer"))));
    viewer.get(&one).await.expect(200);
    viewer.delete(&one).await.problem(403);
    organization.with_scopes(&["endpoints:read"]).await.get(WEBHOOKS).await.expect(200);
    world.api.get(WEBHOOKS).await.problem(403);
    world.api.with(None).get(WEBHOOKS).await.problem(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_at_once_on_two_nodes_make_no_more_than_two() {
    let cluster = Cluster::start(2).await;
    let made = json!({"name": "S", "contract": "suresend"});
    let organization = text(&cluster.api(0).post("/v1/organizations", &made).await.expect(201)["id"]);
    let path = format!("/v1/organizations/{organization}/endpoints");
    let body = json!({"name": "W", "url": cluster.receiver.url("/in"), "events": ["peopleCreated"], "system": "one"});
    let at_once = (0..20).map(|turn| {
        let (api, path, body) = (cluster.api(turn % 2), path.clone(), body.clone());
        tokio::spawn(async move { api.post(&path, &body).await.status })
    });
    let mut statuses = vec![];
    for asked in at_once.collect::<Vec<_>>() {
        statuses.push(asked.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![201; 2], vec![422; 18]].concat());
    assert_eq!(items(&cluster.api(1).get(&path).await.expect(200)["data"]).len(), 2);
}
