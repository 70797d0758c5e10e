//! A CRM's Postgres as a source: what is committed there arrives, each change once and in order, whatever ends in between.

mod commands;
pub(crate) mod crm;
mod difficult;
mod faults;
mod losses;
mod orders;
mod passwords;
mod watching;

use std::collections::BTreeMap;

use postrider_tests::postgres::Seat;
use postrider_tests::receiver::Request;
use postrider_tests::sign::standard_v1;
use postrider_tests::wait::until;
use postrider_tests::world::{Organization, Store, World};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crm::{By, Crm, by_each_way};

by_each_way!(
    on_each_store:
        an_update_arrives_signed_with_what_it_changed,
        transactions_that_commit_out_of_order_all_arrive,
        a_large_transaction_arrives_whole,
        deliveries_of_a_record_come_in_the_order_of_its_commits;
    on_one:
        what_cannot_be_placed_is_told_and_holds_up_nobody,
        what_went_with_its_company_is_still_its_organisations,
        what_went_after_its_company_in_a_large_transaction_is_its_organisations_through_a_kill,
        a_record_that_moves_is_deleted_here_and_created_there;
);

/// An organisation of this id, under this contract.
async fn organization(world: &World, id: &str, contract: &str) -> Organization {
    let mut body = json!({"id": id, "name": id, "contract": contract});
    if contract == "salessheet" {
        body["plan"] = json!("pro");
    }
    world.api.post("/v1/organizations", &body).await.expect(201);
    Organization { api: world.api.clone(), id: id.to_owned() }
}

async fn world_of(crm: &Crm, store: Store) -> World {
    World::with_on(store, |setup| crm.used_by(setup)).await
}

/// How often each event arrived, by its id.
fn by_event(requests: &[Request]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in requests {
        *counts.entry(request.header("webhook-id").expect("an id").to_owned()).or_default() += 1;
    }
    counts
}

fn of_type(requests: &[Request], event_type: &str) -> Vec<Value> {
    requests.iter().map(Request::json).filter(|body| body["type"] == event_type).collect()
}

async fn metric(world: &World, sample: &str) -> f64 {
    let text = world.api.get("/metrics").await.text();
    let line = text.lines().find_map(|line| line.strip_prefix(sample));
    line.unwrap_or_else(|| panic!("no {sample} in {text}")).trim().parse().expect("a number")
}

async fn an_update_arrives_signed_with_what_it_changed(store: Store, by: By) {
    let crm = Crm::by(by).await;
    let world = world_of(&crm, store).await;
    let acme = organization(&world, "acme", "standard").await;
    let endpoint = acme.endpoint(&world.receiver.url("/in"), json!({})).await;
    crm.run("INSERT INTO deals (id, company_id, title, amount) VALUES (7, 1, 'Coffee', 1234567890.10)");
    world.receiver.wait_for("/in", 1).await;
    crm.run("UPDATE deals SET stage = 'won', details = '{\"b\": 1, \"a\": [true]}' WHERE id = 7");
    let requests = world.receiver.wait_for("/in", 3).await;
    for request in &requests {
        let header = |name| request.header(name).expect("a header");
        let expected = standard_v1(&endpoint.secret, header("webhook-id"), header("webhook-timestamp"), &request.body);
        assert_eq!(header("webhook-signature"), expected);
    }
    let created = &of_type(&requests, "deal.created")[0];
    assert!(requests.iter().any(|request| request.text().contains("1234567890.10")), "numbers keep their digits");
    assert_eq!((&created["data"]["id"], &created["data"]["title"]), (&json!(7), &json!("Coffee")));
    let updated = &of_type(&requests, "deal.updated")[0];
    assert_eq!(updated["changes"]["stage"], json!({"previous": "new", "current": "won"}));
    assert_eq!(updated["changes"]["details"]["current"], json!({"a": [true], "b": 1}));
    assert_eq!(updated["changes"].as_object().expect("an object").len(), 2);
    let won = &of_type(&requests, "deal.won")[0];
    assert_eq!(won["changes"]["stage"], json!({"previous": "new", "current": "won"}));
    crm.handed_over().await;
}

async fn transactions_that_commit_out_of_order_all_arrive(store: Store, by: By) {
    let crm = Crm::by(by).await;
    let world = world_of(&crm, store).await;
    let acme = organization(&world, "acme", "standard").await;
    acme.endpoint(&world.receiver.url("/in"), json!({"events": ["deal.created"]})).await;
    let insert = |number: u32| format!("INSERT INTO deals (company_id, title, number) VALUES (1, 'Deal', {number})");
    let (mut early, mut rolled_back) = (crm.seat().await, crm.seat().await);
    early.run("BEGIN").await.unwrap();
    early.run(&insert(1)).await.unwrap();
    rolled_back.run("BEGIN").await.unwrap();
    rolled_back.run(&insert(99)).await.unwrap();
    for number in 2..=20 {
        crm.run(&insert(number));
    }
    world.receiver.wait_for("/in", 19).await;
    crm.handed_over().await;
    rolled_back.run("ROLLBACK").await.unwrap();
    early.run("COMMIT").await.unwrap();
    let requests = world.receiver.wait_for("/in", 20).await;
    crm.run(&insert(21));
    world.receiver.wait_for("/in", 21).await;
    let last = requests.last().expect("twenty").json();
    assert_eq!(last["data"]["number"], 1, "what drew the first id came last");
    crm.handed_over().await;
    assert!(by_event(&world.receiver.all()).values().all(|count| *count == 1));
}

async fn a_large_transaction_arrives_whole(store: Store, by: By) {
    // Once at full size; the other ways differ in where it goes, and not in how much it is.
    let rows: usize = if (store, by) == (Store::Sqlite, By::Triggers) { 100_000 } else { 20_000 };
    let crm = Crm::by(by).await;
    crm.deals(1, rows as u32);
    crm.discard();
    let world = world_of(&crm, store).await;
    let acme = organization(&world, "acme", "standard").await;
    crm.run("UPDATE deals SET number = id, title = repeat('x', (id % 50)::int)");
    let accepted = "postrider_source_events_total{result=\"accepted\"}";
    // Part by part, so that a slow machine has its time for each.
    for part in (rows / 20..=rows).step_by(rows / 20) {
        until("more of it is in the store", async || (metric(&world, accepted).await as usize >= part).then_some(()))
            .await;
    }
    crm.handed_over().await;
    assert_eq!(metric(&world, accepted).await as usize, rows);
    assert_eq!(metric(&world, "postrider_source_changes_total{result=\"events\"}").await as usize, rows);
    let events = acme.api.get(&acme.path("/events?limit=1")).await.expect(200);
    assert_eq!(events["data"][0]["type"], "deal.updated");
}

async fn deliveries_of_a_record_come_in_the_order_of_its_commits(store: Store, by: By) {
    const ROUNDS: u64 = 30;
    let crm = Crm::by(by).await;
    crm.deals(1, 5);
    let world = world_of(&crm, store).await;
    let acme = organization(&world, "acme", "standard").await;
    let fields = json!({"events": ["deal.updated"], "ordering": "resource"});
    acme.endpoint(&world.receiver.url("/in"), fields).await;
    let mut writers = JoinSet::new();
    for deal in 1..=5 {
        writers.spawn(count_up(crm.seat().await, deal, ROUNDS));
    }
    writers.join_all().await;
    let requests = world.receiver.wait_for("/in", 5 * ROUNDS as usize).await;
    let mut last: BTreeMap<u64, u64> = BTreeMap::new();
    for body in requests.iter().map(Request::json) {
        let number = |field: &str| body["data"][field].as_u64().expect("a number");
        let before = last.insert(number("id"), number("number")).unwrap_or_default();
        assert_eq!(number("number"), before + 1, "deal {}", number("id"));
        assert_eq!(body["changes"]["number"], json!({"previous": before, "current": before + 1}));
    }
}

async fn count_up(mut seat: Seat, deal: u64, rounds: u64) {
    for _ in 0..rounds {
        seat.run(&format!("UPDATE deals SET number = number + 1 WHERE id = {deal}")).await.unwrap();
    }
}

async fn what_cannot_be_placed_is_told_and_holds_up_nobody(by: By) {
    let crm = Crm::by(by).await;
    let world = world_of(&crm, Store::Sqlite).await;
    // Its catalogue is closed, and has deals but no companies.
    let acme = organization(&world, "acme", "salessheet").await;
    acme.endpoint(&world.receiver.url("/in"), json!({})).await;
    // Company 3 belongs to an organisation that nobody made.
    crm.run(
        "INSERT INTO deals (company_id, title) VALUES (3, 'Lost');
         INSERT INTO companies VALUES (9, 'not an id!', 'Odd');
         UPDATE companies SET name = 'Renamed' WHERE id = 1;
         INSERT INTO deals (company_id, title) VALUES (1, 'Found')",
    );
    world.receiver.wait_for("/in", 1).await;
    crm.handed_over().await;
    assert_eq!(metric(&world, "postrider_source_events_total{result=\"unknown_organization\"}").await as u64, 1);
    assert_eq!(metric(&world, "postrider_source_events_total{result=\"unknown_type\"}").await as u64, 1);
    assert_eq!(metric(&world, "postrider_source_changes_total{result=\"unplaced\"}").await as u64, 1);
    let log = world.stop().await.0.stderr;
    assert!(log.contains("there is no such organization") && log.contains("whose it is cannot be found"), "{log}");
    assert!(!log.contains("Odd") && !log.contains("Lost"), "no values in the log: {log}");
}

async fn what_went_with_its_company_is_still_its_organisations(by: By) {
    let crm = Crm::by(by).await;
    let world = world_of(&crm, Store::Sqlite).await;
    let acme = organization(&world, "acme", "standard").await;
    acme.endpoint(
        &world.receiver.url("/in"),
        json!({"events": ["deal.deleted", "deal.unassigned", "company.deleted"]}),
    )
    .await;
    crm.run("INSERT INTO deals (id, company_id, title) VALUES (7, 1, 'Coffee'); INSERT INTO owners VALUES (7, 'ann')");
    crm.handed_over().await;
    crm.run("DELETE FROM companies WHERE id = 1");
    let requests = world.receiver.wait_for("/in", 3).await;
    assert_eq!(of_type(&requests, "deal.deleted")[0]["data"]["title"], "Coffee");
    let unassigned = &of_type(&requests, "deal.unassigned")[0]["data"];
    assert_eq!((&unassigned["title"], &unassigned["owner"]["person"]), (&json!("Coffee"), &json!("ann")));
    assert_eq!(of_type(&requests, "company.deleted").len(), 1);
}

async fn what_went_after_its_company_in_a_large_transaction_is_its_organisations_through_a_kill(by: By) {
    const DEALS: u32 = 9_000;
    let crm = Crm::by(by).await;
    crm.run("ALTER TABLE deals DROP CONSTRAINT deals_company_id_fkey");
    crm.deals(1, DEALS);
    crm.discard();
    let world = world_of(&crm, Store::Sqlite).await;
    let acme = organization(&world, "acme", "standard").await;
    crm.run("DELETE FROM companies WHERE id = 1; DELETE FROM deals");
    let accepted = "postrider_source_events_total{result=\"accepted\"}";
    until("some of it is in the store", async || (metric(&world, accepted).await > 0.0).then_some(())).await;
    let world = world.killed_and_started().await;
    crm.handed_over().await;
    let count = async |event_type: &str| {
        let (mut count, mut page) = (0, acme.path(&format!("/events?limit=250&type={event_type}")));
        loop {
            let events = world.api.get(&page).await.expect(200);
            count += events["data"].as_array().expect("a page").len();
            let Some(cursor) = events["next_cursor"].as_str() else { return count };
            page = acme.path(&format!("/events?limit=250&type={event_type}&cursor={cursor}"));
        }
    };
    assert_eq!((count("company.deleted").await, count("deal.deleted").await), (1, DEALS as usize));
}

async fn a_record_that_moves_is_deleted_here_and_created_there(by: By) {
    let crm = Crm::by(by).await;
    let world = world_of(&crm, Store::Sqlite).await;
    for id in ["acme", "globex"] {
        organization(&world, id, "standard").await.endpoint(&world.receiver.url(&format!("/{id}")), json!({})).await;
    }
    crm.run("INSERT INTO deals (id, company_id, title, stage) VALUES (7, 1, 'Secret of acme', 'new')");
    world.receiver.wait_for("/acme", 1).await;
    crm.run("UPDATE deals SET company_id = 2, title = 'Of globex', stage = 'open' WHERE id = 7");
    let (acme, globex) = (world.receiver.wait_for("/acme", 2).await, world.receiver.wait_for("/globex", 1).await);
    assert_eq!(of_type(&acme, "deal.deleted").len(), 1);
    assert!(acme.iter().all(|request| !request.text().contains("Of globex")));
    assert_eq!(of_type(&globex, "deal.created")[0]["data"]["stage"], "open");
    assert!(globex.iter().all(|request| !request.text().contains("Secret of acme")));
}
