//! Lists: pages that join up, filters, bounds.

use serde_json::{Value, json};

use super::world::World;

async fn all_pages(world: &World, path: &str) -> (Vec<Value>, usize) {
    let (mut rows, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = world.get(&format!("{path}{cursor}")).await.expect(200);
        rows.extend(page["data"].as_array().unwrap().clone());
        pages += 1;
        assert!(pages < 100, "pages without end");
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (rows, pages),
        }
    }
}

fn names(rows: &[Value], member: &str) -> Vec<String> {
    rows.iter().map(|row| row[member].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_join_up_without_gaps_or_repetitions() {
    let world = World::new().await;
    for id in ["c", "a", "e", "b", "d"] {
        world.organization(id).await;
    }
    let (rows, pages) = all_pages(&world, "/v1/organizations?limit=2").await;
    assert_eq!((names(&rows, "id"), pages), (["d", "b", "e", "a", "c"].map(str::to_owned).to_vec(), 3));

    for number in 0..5 {
        let body = json!({"name": format!("e{number}"), "url": "https://example.com", "events": ["*"]});
        world.post("/v1/organizations/a/endpoints", body).await.expect(201);
        let body = json!({"name": format!("k{number}"), "scopes": ["events:write"]});
        world.post("/v1/organizations/a/keys", body).await.expect(201);
        let body = json!({"type": "deal.won", "data": {}, "id": format!("v{number}")});
        world.post("/v1/organizations/a/events", body).await.expect(202);
    }
    for (path, member, first) in [("endpoints", "name", "e4"), ("keys", "name", "k4"), ("events", "id", "v4")] {
        let (rows, pages) = all_pages(&world, &format!("/v1/organizations/a/{path}?limit=2")).await;
        let names = names(&rows, member);
        assert_eq!((pages, names.len(), names[0].as_str()), (3, 5, first), "{path}: {names:?}");
    }
}

#[tokio::test]
async fn the_catalogue_and_the_contracts_are_lists_like_others() {
    let world = World::new().await;
    world.organization("acme").await;
    let (types, pages) = all_pages(&world, "/v1/organizations/acme/event-types?limit=3").await;
    assert!(pages > 1 && names(&types, "name").is_sorted(), "{types:?}");
    for event_type in &types {
        assert!(event_type["schema"].is_object() && event_type["sample"].is_object(), "{event_type}");
    }
    let (contracts, pages) = all_pages(&world, "/v1/contracts?limit=1").await;
    assert_eq!((contracts.len(), pages), (7, 7));
    for name in names(&contracts, "name") {
        let contract = world.get(&format!("/v1/contracts/{name}")).await.expect(200);
        assert_eq!(contract["name"], name.as_str());
        assert!(contract["retries"]["steps_ms"].is_array() && contract["event_types"].is_array(), "{contract}");
    }
    assert_eq!(contracts.iter().filter(|contract| contract["default"] == true).count(), 1);
}

#[tokio::test]
async fn the_operators_egress_addresses_are_shown_to_whoever_may_ask() {
    let world = World::new().await;
    let shown = world.get("/v1/egress-addresses").await.expect(200);
    assert_eq!(shown["data"], serde_json::json!(["203.0.113.10"]));
}

#[tokio::test]
async fn a_cursor_of_one_list_is_refused_by_another() {
    let world = World::new().await;
    for id in ["a", "b"] {
        world.organization(id).await;
    }
    let page = world.get("/v1/organizations?limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    for path in ["/v1/organizations/a/endpoints", "/v1/organizations/a/events", "/v1/contracts"] {
        assert_eq!(world.get(&format!("{path}?cursor={cursor}")).await.pointers(400), ["/cursor"], "{path}");
    }
}

#[tokio::test]
async fn lists_of_an_organisation_that_is_not_there_are_not_empty_but_missing() {
    let world = World::new().await;
    for list in ["endpoints", "events", "event-types", "deliveries", "keys"] {
        assert_eq!(world.get(&format!("/v1/organizations/nowhere/{list}")).await.problem(404), "not-found", "{list}");
    }
}
