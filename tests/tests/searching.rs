//! Searching deliveries: by ids, and by what their last attempt tells, a bounded number of rows at a time.

use postrider_tests::receiver::Reply;
use postrider_tests::world::{Organization, Store, World, items, text};
use serde_json::json;

postrider_tests::on_each_store!(
    deliveries_are_found_by_ids_and_by_what_their_last_attempt_tells,
    a_search_that_reached_its_bound_says_where_it_goes_on,
    endpoints_and_organizations_are_found_by_a_part_of_their_name,
);

/// The events of the deliveries that are found, newest first.
async fn found(organization: &Organization, query: &str) -> Vec<String> {
    organization.all_deliveries(query).await.iter().map(|row| text(&row["event"])).collect()
}

async fn publish(organization: &Organization, id: &str, event_type: &str) -> String {
    let event = organization.publish(&json!({"type": event_type, "id": id, "data": {}})).await;
    let delivery = organization.delivery_of(&event).await;
    organization.attempted(&delivery, 1).await;
    delivery
}

async fn deliveries_are_found_by_ids_and_by_what_their_last_attempt_tells(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let alpha = organization.endpoint(&world.receiver.url("/alpha"), json!({"events": ["deal.*"]})).await;
    organization.endpoint(&world.receiver.url("/beta"), json!({"events": ["contact.*"]})).await;
    world.receiver.script("/alpha", [Reply::status(200), Reply::status(503)]);
    let first = publish(&organization, "one", "deal.won").await;
    publish(&organization, "two", "deal.won").await;
    publish(&organization, "three", "contact.created").await;

    assert_eq!(found(&organization, "search=ALPHA").await, ["two", "one"]);
    assert_eq!(found(&organization, "search=beta").await, ["three"]);
    assert_eq!(found(&organization, &format!("search={first}")).await, ["one"]);
    assert_eq!(found(&organization, "search=three").await, ["three"]);
    assert_eq!(found(&organization, "search=503").await, ["two"]);
    assert_eq!(found(&organization, "status_code=503").await, ["two"]);
    assert_eq!(found(&organization, "status_code=200").await, ["three", "one"]);
    assert_eq!(found(&organization, "search=alpha&status_code=200").await, ["one"]);
    assert_eq!(found(&organization, &format!("search=127.0.0.1&endpoint={}", alpha.id)).await, ["two", "one"]);
    assert_eq!(found(&organization, &format!("search={first}&status_code=503")).await, [""; 0]);
    assert_eq!(found(&organization, "search=three&event=one").await, [""; 0]);
    assert_eq!(found(&organization, "search=nowhere").await, [""; 0]);
    let page = organization.api.get(&organization.path("/deliveries?search=alpha&limit=1")).await.expect(200);
    assert_eq!((&page["data"][0]["event"], page["next_cursor"].is_string()), (&json!("two"), true), "{page}");
    let failed = organization.api.get(&organization.path("/deliveries?search=503")).await.expect(200);
    let id = text(&failed["data"][0]["id"]);
    let message = organization.delivery(&id).await["attempts"][0]["error"]["message"].clone();
    let words = text(&message).split(' ').next().unwrap().to_owned();
    assert!(found(&organization, &format!("search={words}")).await.contains(&"two".to_owned()), "{message}");

    let other = world.organization("standard").await;
    assert_eq!(found(&other, "search=alpha").await, [""; 0]);
    assert_eq!(found(&other, &format!("search={first}")).await, [""; 0]);
    let long = "x".repeat(201);
    for query in ["search=", &format!("search={long}"), "status_code=99", "status_code=600", "status_code=x"] {
        organization.api.get(&organization.path(&format!("/deliveries?{query}"))).await.problem(400);
    }
}

async fn a_search_that_reached_its_bound_says_where_it_goes_on(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/before"), json!({})).await;
    publish(&organization, "oldest", "deal.won").await;
    let path = organization.path(&format!("/endpoints/{}", endpoint.id));
    organization.api.patch(&path, &json!({"url": world.receiver.url("/after")})).await.expect(200);
    for _ in 0..2 {
        let events = vec![json!({"type": "deal.won", "data": {}}); 600];
        organization.api.post(&organization.path("/events/batch"), &json!({"events": events})).await.expect(202);
    }
    organization.drained().await;
    let search = organization.path("/deliveries?search=/before");
    let page = organization.api.get(&search).await.expect(200);
    assert_eq!(page["data"], json!([]), "a thousand were looked at");
    let next = organization.api.get(&format!("{search}&cursor={}", text(&page["next_cursor"]))).await.expect(200);
    let events: Vec<_> = items(&next["data"]).iter().map(|row| text(&row["event"])).collect();
    assert_eq!((events.as_slice(), &next["next_cursor"]), (&["oldest".to_owned()][..], &json!(null)));
}

async fn endpoints_and_organizations_are_found_by_a_part_of_their_name(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let names = async |path: String, member: &str| {
        let page = organization.api.get(&path).await.expect(200);
        items(&page["data"]).iter().map(|row| text(&row[member])).collect::<Vec<_>>()
    };
    let mut made = vec![];
    for (name, path) in [("ERP São Paulo", "/a"), ("Mail", "/erp"), ("Chat", "/c")] {
        made.push(organization.endpoint(&world.receiver.url(path), json!({"name": name})).await.id);
    }
    let searched = |list: &str, text: &str| organization.path(&format!("/{list}?search={text}"));
    assert_eq!(names(searched("endpoints", "erp"), "name").await, ["Mail", "ERP São Paulo"]);
    assert_eq!(names(searched("endpoints", "S%C3%83O"), "id").await, [made[0].clone()]);
    assert_eq!(names(searched("endpoints", &made[2]), "name").await, ["Chat"]);
    // The charts of what is found come by the same words.
    assert_eq!(names(searched("statistics", "erp"), "endpoint").await, [made[1].clone(), made[0].clone()]);
    let page = organization.api.get(&searched("endpoints", "erp&limit=1")).await.expect(200);
    let cursor = text(&page["next_cursor"]);
    assert_eq!(names(searched("endpoints", &format!("erp&cursor={cursor}")), "name").await, ["ERP São Paulo"]);
    organization.api.get(&searched("endpoints", &format!("mail&cursor={cursor}"))).await.problem(400);
    let both = format!("erp&endpoint={}", made[0]);
    organization.api.get(&searched("statistics", &both)).await.problem(400);
    for query in ["search=", &format!("search={}", "x".repeat(201)), "search=%00"] {
        organization.api.get(&organization.path(&format!("/endpoints?{query}"))).await.problem(400);
        world.api.get(&format!("/v1/organizations?{query}")).await.problem(400);
    }

    for (id, name) in [("zebra", "Acme"), ("second", "Zebra GmbH"), ("third", "other")] {
        world.api.post("/v1/organizations", &json!({"id": id, "name": name})).await.expect(201);
    }
    assert_eq!(names("/v1/organizations?search=ZEBRA".to_owned(), "id").await, ["second", "zebra"]);
    let page = world.api.get("/v1/organizations?search=zebra&limit=1").await.expect(200);
    let next = format!("/v1/organizations?search=zebra&cursor={}", text(&page["next_cursor"]));
    assert_eq!((&page["data"][0]["id"], names(next, "id").await), (&json!("second"), vec!["zebra".to_owned()]));
}
