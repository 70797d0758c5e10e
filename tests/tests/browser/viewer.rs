//! People who may only look: they are shown no way to change anything, and what they send all the same is refused.

use postrider_tests::browser::Person;
use serde_json::{Value, json};

use super::desk::{Desk, Place};

/// What only reads: looking for something, and what belongs to the visit itself.
const HARMLESS: &str = ":not([method=get], [action=\"/language\"], [action=\"/session/end\"])";

async fn looks_and_changes_nothing(place: Place) {
    let desk = Desk::unopened(Person::speaking("en"), place).await;
    let Desk { browser, organization, world, .. } = &desk;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let published = organization.publish(&json!({"type": "deal.won", "data": {"id": "42"}})).await;
    let delivery = organization.delivery_of(&published).await;
    organization.ended(&delivery, "succeeded").await;
    desk.follow(&desk.portal_link("viewer").await).await;
    desk.screen("/webhooks").await;

    let webhook = format!("/webhooks/{}", endpoint.id);
    let steps = [
        ("#main".to_owned(), "/webhooks".to_owned()),
        (format!("#main a[href$=\"{webhook}\"]"), webhook.clone()),
        (format!("#open-{delivery}"), format!("/deliveries/{delivery}")),
        (".menu a[href$=\"/events\"]".to_owned(), "/events".to_owned()),
        (".menu a[href$=\"/failures\"]".to_owned(), "/failures".to_owned()),
    ];
    for (link, screen) in steps {
        browser.click(&link).await;
        desk.screen(&screen).await;
        assert_eq!(browser.count(&format!("form{HARMLESS}")).await, 0, "{screen}");
        for way in ["/new", "/edit", "/secret", "/recover", "/diagnose", "/delete", "/test", "/keys", "/audit"] {
            assert_eq!(browser.count(&format!("a[href$=\"{way}\"]")).await, 0, "{screen}: a way to {way}");
        }
    }
    assert_eq!(desk.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_sees_no_way_to_change_anything_on_the_own_page() {
    looks_and_changes_nothing(Place::Own).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_sees_no_way_to_change_anything_in_a_frame() {
    looks_and_changes_nothing(Place::Frame).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_viewer_sends_all_the_same_is_refused() {
    let desk = Desk::open(Person::speaking("en"), Place::Own, "viewer").await;
    let Desk { browser, organization, world, .. } = &desk;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let published = organization.publish(&json!({"type": "deal.won", "data": {"id": "42"}})).await;
    let delivery = organization.delivery_of(&published).await;
    organization.ended(&delivery, "succeeded").await;
    let before = organization.api.get(&organization.path("/endpoints")).await.expect(200);
    let webhook = format!("/webhooks/{}", endpoint.id);
    let ways = [
        "edit",
        "pause",
        "activate",
        "test",
        "secret",
        "secret/confirm",
        "secret/end",
        "recover",
        "delete",
        "diagnose",
    ];
    let mut paths: Vec<String> = ways.iter().map(|way| desk.path(&format!("{webhook}/{way}"))).collect();
    paths.extend([
        desk.path("/webhooks/new"),
        desk.path(&format!("/deliveries/{delivery}/retry")),
        desk.path("/keys"),
        desk.path("/notifications"),
    ]);
    // From a page of ours, with the viewer's own cookie, as a form would send it.
    let script = "const done = [];
        for (const path of arguments[0]) {
            const body = new URLSearchParams({name: 'changed', url: 'http://127.0.0.1:9/', events: '*', owner_email: 'a@b.example'});
            const request = new XMLHttpRequest();
            request.open('POST', path, false);
            request.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
            request.send(body.toString());
            done.push(request.status);
        }
        return done;";
    let statuses = browser.run(script, &[json!(paths)]).await;
    assert_eq!(statuses, Value::from(vec![403; paths.len()]), "{paths:?}");
    assert_eq!(organization.api.get(&organization.path("/endpoints")).await.expect(200), before);
    assert_eq!(organization.delivery(&delivery).await["attempts"].as_array().map(Vec::len), Some(1));
}
