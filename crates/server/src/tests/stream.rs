//! Streams: what a receiver missed, read instead of sent.

use postrider_domain::Secret;
use serde_json::{Value, json};

use super::world::{World, closed_url};

const EVENTS: &str = "/v1/organizations/acme/events";

async fn publish(world: &World, number: usize) {
    let event = json!({"type": "deal.won", "data": {"number": number}});
    world.post(EVENTS, event).await.expect(202);
}

fn numbers(page: &Value) -> Vec<u64> {
    let rows = page["data"].as_array().unwrap().iter();
    rows.map(|row| {
        let body: Value = serde_json::from_str(row["request"]["body"].as_str().unwrap()).unwrap();
        body["data"]["number"].as_u64().unwrap()
    })
    .collect()
}

#[tokio::test]
async fn what_was_missed_is_read_once_in_order_with_bodies_and_signatures_that_verify() {
    let world = World::new().await;
    world.organization("acme").await;
    let endpoint = json!({"name": "e", "url": closed_url(), "events": ["*"], "headers": {"X-Token": "t0ken"}});
    let made = world.post("/v1/organizations/acme/endpoints", endpoint).await.expect(201);
    let path = format!("/v1/organizations/acme/endpoints/{}/stream", made["id"].as_str().unwrap());
    for number in 0..7 {
        publish(&world, number).await;
    }
    let first = world.get(&format!("{path}?limit=5")).await.expect(200);
    assert_eq!(numbers(&first), [0, 1, 2, 3, 4]);
    let next = first["next_after"].as_str().unwrap();
    let second = world.get(&format!("{path}?after={next}")).await.expect(200);
    assert_eq!(numbers(&second), [5, 6]);
    let next = second["next_after"].as_str().unwrap();
    let nothing = world.get(&format!("{path}?after={next}")).await.expect(200);
    assert_eq!(nothing["data"], json!([]));
    let next = nothing["next_after"].as_str().unwrap();
    let waiting = format!("{path}?after={next}&wait=30");
    let (woken, ()) = tokio::join!(world.get(&waiting), publish(&world, 7));
    assert_eq!(numbers(&woken.expect(200)), [7]);
    let known = first["data"][4]["id"].as_str().unwrap();
    let behind = world.get(&format!("{path}?after={known}")).await.expect(200);
    assert_eq!(numbers(&behind), [5, 6, 7], "the ids are those of the deliveries");
    assert_eq!(world.get(&format!("{path}?after=now")).await.expect(200)["data"], json!([]));

    let row = &first["data"][0];
    let request = &row["request"];
    assert_eq!((&row["endpoint"], &request["url"]), (&made["id"], &made["url"]));
    assert!(!first.to_string().contains("t0ken"), "custom headers are secrets");
    let contracts = postrider_contract::Contracts::load(&[]).unwrap();
    let contract = contracts.get(made["contract"].as_str().unwrap()).unwrap();
    let shown = request["headers"].as_object().unwrap();
    let headers: Vec<_> = shown.iter().map(|(n, v)| (n.as_str(), v.as_str().unwrap())).collect();
    let secret = Secret::new(made["secret"].as_str().unwrap().to_owned());
    let read_at = world.engine.now();
    contract.verify(&secret, &headers, request["body"].as_str().unwrap().as_bytes(), read_at).unwrap();
}

#[tokio::test]
async fn wrong_places_in_a_stream_are_refused_by_name() {
    let world = World::new().await;
    world.organization("acme").await;
    let made = world.endpoint("acme", &closed_url()).await;
    let path = format!("/v1/organizations/acme/endpoints/{}/stream", made["id"].as_str().unwrap());
    for (query, pointer) in [
        ("after=x", "/after"),
        ("after=dlv_x", "/after"),
        ("wait=31", "/wait"),
        ("wait=-1", "/wait"),
        ("limit=0", "/limit"),
        ("limit=101", "/limit"),
        ("cursor=x", "/cursor"),
    ] {
        assert_eq!(world.get(&format!("{path}?{query}")).await.pointers(400), [pointer], "{query}");
    }
    let foreign = made["id"].as_str().unwrap().replace("ep_0", "ep_1");
    let missing = world.get(&format!("/v1/organizations/acme/endpoints/{foreign}/stream?wait=30")).await;
    assert_eq!(missing.problem(404), "not-found");
}
