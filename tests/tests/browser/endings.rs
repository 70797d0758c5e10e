//! A visit that ends while somebody looks: it is said once, as a page, whatever was asked for when it was noticed.

use postrider_tests::browser::Person;
use serde_json::json;

use super::desk::{Desk, Place};

/// Longer than a portal link lets anybody stay.
const VISIT_MS: i64 = 9 * 3_600_000;

/// The notice is the whole page: no menu, no heading of a screen, nothing that asks again.
async fn is_told_once(desk: &Desk) {
    let browser = &desk.browser;
    browser.see("#main [role=alert]").await;
    assert_eq!(browser.count("main").await, 1);
    assert_eq!(browser.count("nav, header, [data-live], [data-held]").await, 0);
    let title = browser.run("return [document.title, document.querySelector('h1').textContent]", &[]).await;
    let (shown, heading) = (title[0].as_str().unwrap_or_default(), title[1].as_str().unwrap_or_default());
    assert!(!heading.is_empty() && shown.starts_with(heading), "{title}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_piece_gives_way_to_the_notice() {
    for place in [Place::Own, Place::Frame] {
        let desk = Desk::unopened(Person::speaking("en"), place).await;
        let endpoint = desk.organization.endpoint(&desk.world.receiver.url("/in"), json!({})).await;
        let desk = desk.opened("admin").await;
        desk.go_to(&format!("/webhooks/{}", endpoint.id)).await;
        desk.browser.see("#deliveries[data-live]").await;
        desk.world.advance_ms(VISIT_MS).await;
        is_told_once(&desk).await;
        assert_eq!(desk.browser.shows("#main a[href^=\"/sign-in\"]").await, place == Place::Own);
        assert_eq!(desk.complaints().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_belongs_in_a_part_gives_way_to_the_notice() {
    for place in [Place::Own, Place::Frame] {
        let desk = Desk::unopened(Person::speaking("es"), place).await;
        let endpoint = desk.organization.endpoint(&desk.world.receiver.url("/in"), json!({})).await;
        let desk = desk.opened("admin").await;
        desk.go_to(&format!("/webhooks/{}/test", endpoint.id)).await;
        desk.browser.see("#test-send").await;
        desk.world.advance_ms(VISIT_MS).await;
        desk.browser.click("#test-send").await;
        is_told_once(&desk).await;
        assert_eq!(desk.world.receiver.count(), 0);
    }
}
