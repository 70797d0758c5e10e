//! A webhook's form while somebody fills it in.

use postrider_tests::browser::Person;
use serde_json::json;

use super::desk::{Desk, LANGUAGES, Place};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_is_judged_as_one_types_and_not_before_it_has_a_host() {
    for language in LANGUAGES {
        let desk = Desk::open(Person::speaking(language), Place::Own, "admin").await;
        let Desk { browser, world, .. } = &desk;
        desk.go_to("/webhooks/new").await;
        browser.fill("#url", "https://10.0.0.5/in").await;
        browser.see("#url-verdict .mistake").await;
        assert_eq!(browser.attribute("#url", "aria-invalid").await.as_deref(), Some("true"));
        let said = browser.text("#url-verdict").await;
        assert!(said.contains("10.0.0.5"), "{language}: {said}");
        assert_eq!(browser.count("#url-verdict [lang=en]").await, 0, "{language}: {said}");
        // Nothing can be wrong with what has only begun.
        browser.fill("#url", "https:").await;
        browser.unsee("#url-verdict .mistake").await;
        assert_eq!(browser.attribute("#url", "aria-invalid").await, None, "{language}");
        browser.fill("#url", &world.receiver.url("/in")).await;
        browser.see("#url-verdict .fine").await;
        assert_eq!(world.receiver.count(), 0, "nothing is sent to it");
        assert_eq!(desk.complaints().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_is_tried_on_recent_events_and_what_was_tried_goes_when_it_changes() {
    let desk = Desk::open(Person::speaking("en"), Place::Own, "admin").await;
    let Desk { browser, organization, .. } = &desk;
    for (id, amount) in [("1", 900), ("2", 1_200)] {
        let resource = json!({"type": "deal", "id": id});
        let data = json!({"id": id, "amount": amount});
        organization.publish(&json!({"type": "deal.won", "data": data, "resource": resource})).await;
    }
    desk.go_to("/webhooks/new").await;
    browser.click("#filter-own").await;
    browser.fill("#filter-text", "data.amount >").await;
    browser.see("#filter-verdict .mistake").await;
    browser.fill("#filter-text", "data.amount > 1000").await;
    browser.see("#filter-verdict .fine").await;
    browser.click("#preview").await;
    browser.see("#filter-preview ul").await;
    let shown = browser.text("#filter-preview").await;
    let (sent, held_back) = (shown.find("deal:2"), shown.find("deal:1"));
    assert!(sent.is_some() && sent < held_back, "{shown}");
    browser.fill("#filter-text", "data.amount > 5000").await;
    browser.unsee("#filter-preview ul").await;
    assert_eq!(desk.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_searched_and_all_that_are_found_chosen_at_once() {
    let desk = Desk::open(Person::speaking("en"), Place::Own, "admin").await;
    let Desk { browser, world, organization, .. } = &desk;
    desk.go_to("/webhooks/new").await;
    browser.fill("#name", "Deals").await;
    browser.fill("#url", &world.receiver.url("/in")).await;
    browser.fill("#events-search", "deal.").await;
    browser.unsee("input[name=events][value=\"contact.created\"]").await;
    browser.click("#events-all").await;
    browser.fill("#events-search", "no such event").await;
    browser.unsee("input[name=events][value=\"deal.won\"]").await;
    browser.click("#save").await;
    browser.see("#test-send").await;
    let made = organization.api.get(&organization.path("/endpoints")).await.expect(200);
    let events: Vec<_> =
        made["data"][0]["events"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(events.len() > 1 && events.iter().all(|name| name.starts_with("deal.")), "{events:?}");
}
