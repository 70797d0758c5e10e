//! Erasure: one person's data goes from events, logs and what is pending, and nothing of it is found afterwards, decrypted or not.

use postrider_tests::api::Call;
use postrider_tests::files;
use postrider_tests::receiver::{Gate, Reply};
use postrider_tests::wait::until;
use postrider_tests::world::{Data, Organization, Store, World, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(nothing_of_an_erased_person_is_left_and_nothing_is_sent);

/// What is the person's: in the record's id, its address, the data, the changes and what receivers answered.
const PERSONAL: [&str; 5] =
    ["ada-lovelace-1815", "crm.example.com/people/ada", "ada@analytical.example", "Countess-5d1f", "thanks-to-ada-77"];

fn about_ada(number: u64) -> Value {
    json!({
        "type": "contact.updated",
        "resource": {"type": "contact", "id": PERSONAL[0], "uri": format!("https://{}", PERSONAL[1])},
        "data": {"email": PERSONAL[2], "number": number},
        "changes": {"title": {"previous": PERSONAL[3], "current": null}},
    })
}

async fn erased(organization: &Organization, operation: &str) -> Value {
    until("the erasure's end", async || {
        let path = organization.path(&format!("/operations/{operation}"));
        Some(organization.api.get(&path).await.expect(200)).filter(|found| found["status"] != "running")
    })
    .await
}

/// Everything that the API shows.
async fn all_that_is_shown(organization: &Organization) -> String {
    let mut all = String::new();
    for list in ["/events", "/deliveries", "/operations"] {
        let found = organization.api.get(&organization.path(&format!("{list}?limit=250"))).await.expect(200);
        for row in found["data"].as_array().unwrap() {
            let path = organization.path(&format!("{list}/{}", text(&row["id"])));
            all.push_str(&organization.api.get(&path).await.expect(200).to_string());
        }
        all.push_str(&found.to_string());
    }
    all
}

fn assert_stored_without(data: &Data, personal: &[&str]) {
    let stored = match &data.database {
        None => files::below(data.setup.data()).iter().map(|file| files::text_of(file)).collect(),
        Some(database) => database.dump(),
    };
    for text in personal {
        assert!(!stored.contains(text), "{text:?} is still stored");
    }
}

async fn nothing_of_an_erased_person_is_left_and_nothing_is_sent(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let answer = Reply::Status(200, vec![("x-for".to_owned(), PERSONAL[4].to_owned())], PERSONAL[4].into());
    world.receiver.script("/quick", vec![answer; 5]);
    let gate = Gate::default();
    world.receiver.always("/stuck", Reply::Gated(gate.clone()));
    organization.endpoint(&world.receiver.url("/quick"), json!({})).await;
    organization.endpoint(&world.receiver.url("/stuck"), json!({})).await;

    // Five are delivered at one endpoint; at the other one is under way and the others wait in the lane.
    for number in 0..5 {
        organization.publish(&about_ada(number)).await;
    }
    world.receiver.wait_for("/quick", 5).await;
    world.receiver.wait_for("/stuck", 1).await;
    let of_ada = format!("resource=contact:{}", PERSONAL[0]);
    until("the quick ones recorded", async || {
        (organization.deliveries(&format!("status=succeeded&{of_ada}")).await.len() == 5).then_some(())
    })
    .await;
    let both =
        json!({"type": "contact.updated", "resource": {"type": "contact", "ids": ["7", PERSONAL[0]]}, "data": {}});
    organization.publish(&both).await;
    let grace =
        json!({"type": "contact.updated", "resource": {"type": "contact", "id": "7"}, "data": {"name": "Grace"}});
    let grace = organization.publish(&grace).await;
    // An answer that is kept for a repeated request, and names the person.
    let delivery = text(&organization.deliveries(&format!("status=succeeded&{of_ada}")).await[0]["id"]);
    let retry =
        Call::new("POST", &organization.path(&format!("/deliveries/{delivery}/retry"))).header("Idempotency-Key", "k");
    let answer = organization.api.call(retry.json(&json!({}))).await.expect(202);
    assert!(answer["resource"].to_string().contains(PERSONAL[0]), "{answer}");
    world.receiver.wait_for("/quick", 8).await;
    let sent_before = world.receiver.count_at("/stuck");
    assert!(all_that_is_shown(&organization).await.contains(PERSONAL[2]), "there is something to erase");

    let path = organization.path("/erasures");
    for wrong in [json!({}), json!({"resource": "contact"}), json!({"resource": ":42"})] {
        organization.api.post(&path, &wrong).await.problem(422);
    }
    let body = json!({"resource": format!("contact:{}", PERSONAL[0])});
    let operation = text(&organization.api.post(&path, &body).await.expect(202)["operation"]);
    let found = erased(&organization, &operation).await;
    assert_eq!((&found["status"], &found["kind"]), (&json!("succeeded"), &json!("erasure")));
    assert_eq!((&found["done"], &found["total"], &found["removed"]["events"]), (&json!(6), &json!(6), &json!(6)));
    assert!(found["removed"]["deliveries"].as_u64().unwrap() >= 5, "{found}");
    assert!(found["removed"]["attempts"].as_u64().unwrap() >= 6, "{found}");

    // What was under way may end; of what waited nothing is sent.
    gate.open();
    world.receiver.wait_until("Grace", || world.receiver.at("/stuck").iter().any(|r| r.text().contains("Grace"))).await;
    organization.drained().await;
    let of_ada_sent = world.receiver.at("/stuck").iter().filter(|request| request.text().contains(PERSONAL[2])).count();
    assert!(of_ada_sent <= sent_before, "{of_ada_sent} were sent, {sent_before} of them before the erasure");
    let failed = organization.deliveries("status=failed").await;
    assert!(!failed.is_empty() && failed.iter().all(|delivery| delivery["fail_reason"] == "erased"), "{failed:?}");
    let retried = organization.path(&format!("/deliveries/{delivery}/retry"));
    let gone = organization.api.post(&retried, &json!({})).await.problem(409);
    assert!(text(&gone["detail"]).contains("not kept any more"), "{gone}");
    assert_eq!(
        organization.api.get(&organization.path(&format!("/events/{grace}"))).await.expect(200)["data"]["name"],
        "Grace"
    );

    let shown = all_that_is_shown(&organization).await;
    for text in PERSONAL {
        assert!(!shown.contains(text), "{text:?} is still shown: {shown}");
    }
    // The embedded store's log of writes goes with the erasure, not only at the end.
    assert_stored_without(&world.data, &PERSONAL);
    let (ended, _, data) = world.stop().await;
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_stored_without(&data, &PERSONAL);
    for text in PERSONAL {
        assert!(!ended.stderr.contains(text) && !ended.stdout.contains(text), "{text:?} was printed");
    }
}
