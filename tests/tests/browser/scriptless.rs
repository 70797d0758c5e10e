//! With scripts off, on its own page: everything is read, lists are paged, forms are sent.

use postrider_tests::browser::Person;
use postrider_tests::receiver::Reply;
use serde_json::json;

use super::desk::{Desk, Place};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_is_read_a_list_is_paged_and_a_form_is_sent() {
    let desk = Desk::unopened(Person::speaking("pt-BR").without_scripts(), Place::Own).await;
    let Desk { browser, organization, world, .. } = &desk;
    world.receiver.always("/in", Reply::Status(500, vec![], b"out of <b>paper</b>".to_vec()));
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await.id;
    let oldest = organization.publish(&json!({"type": "deal.lost", "data": {"id": "first"}})).await;
    let oldest = organization.delivery_of(&oldest).await;
    organization.attempted(&oldest, 1).await;
    let events = vec![json!({"type": "deal.won", "data": {"id": "42"}}); 60];
    organization.api.post(&organization.path("/events/batch"), &json!({"events": events})).await.expect(202);
    let link = desk.portal_link("admin").await;
    browser.open(&link).await;
    browser.fill("noscript #token, #token", &link).await;
    browser.click("form[action=\"/session\"] button").await;
    desk.screen("/webhooks").await;
    browser.click(&format!("#main a[href$=\"/webhooks/{endpoint}\"]")).await;
    desk.screen(&format!("/webhooks/{endpoint}")).await;

    // The oldest is on the second page.
    assert_eq!(browser.count(&format!("#open-{oldest}")).await, 0);
    browser.click("a[rel=next]").await;
    browser.click(&format!("#open-{oldest}")).await;
    desk.screen(&format!("/deliveries/{oldest}")).await;
    let shown = browser.text("#main").await;
    for part in ["500", "out of <b>paper</b>", "\"first\""] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    browser.see("#what-to-do").await;
    // Times are in UTC, and say so.
    assert!(browser.text("#main time").await.ends_with("UTC"));

    world.receiver.always("/in", Reply::status(200));
    browser.click("#retry").await;
    organization.ended(&oldest, "succeeded").await;
    browser.open(&desk.url(&desk.path(&format!("/deliveries/{oldest}")))).await;
    browser.see("#delivery-status[data-status=succeeded]").await;

    browser.open(&desk.url(&desk.path(&format!("/webhooks/{endpoint}/edit")))).await;
    browser.fill("#name", "Sem scripts").await;
    browser.click("#save").await;
    desk.browser.see("#main h1").await;
    let saved = organization.api.get(&organization.path(&format!("/endpoints/{endpoint}"))).await.expect(200);
    assert_eq!(saved["name"], "Sem scripts");
    assert_eq!(browser.count("html.scripted").await, 0, "no script has run");
}
