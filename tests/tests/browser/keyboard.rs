//! Without a mouse.

use postrider_tests::browser::{Browser, Key, Person};
use serde_json::json;

use super::desk::{Desk, Place};

/// The most presses of Tab that anything on a screen is away.
const TABS_MAX: usize = 400;

/// Goes on with Tab until an element has the focus, and sees that the focus can be seen all the way.
async fn tab_to(browser: &Browser, css: &str) {
    browser.see(css).await;
    let script = "const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
        const isSeen = at === document.body || at.matches('.skip, #main') || style.outlineStyle !== 'none' || style.boxShadow !== 'none';
        return {isThere: at.matches(arguments[0]), isSeen, isSized: at === document.body || box.width > 0, what: at.outerHTML.slice(0, 200)}";
    for _ in 0..TABS_MAX {
        let now = browser.run(script, &[json!(css)]).await;
        assert!(now["isSeen"] == true && now["isSized"] == true, "the focus cannot be seen: {now}");
        if now["isThere"] == true {
            return;
        }
        browser.press(&[Key::Tab]).await;
    }
    panic!("{css} is not reached with Tab");
}

fn typed(text: &str) -> Vec<Key> {
    text.chars().map(Key::Char).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_created_tested_and_activated_by_keys_alone() {
    for place in [Place::Own, Place::Frame] {
        let desk = Desk::open(Person::speaking("en"), place, "admin").await;
        let Desk { browser, world, organization, .. } = &desk;
        if place == Place::Frame {
            // As somebody does who has tabbed into the frame.
            browser.run("document.getElementById('main').focus()", &[]).await;
        } else {
            browser.press(&[Key::Tab]).await;
            assert!(browser.shows(".skip:focus").await, "the first stop leads past the menu");
            browser.press(&[Key::Enter]).await;
            browser.see("#main:focus").await;
            browser.press(&[Key::Tab]).await;
        }
        tab_to(browser, "#create-webhook").await;
        browser.press(&[Key::Enter]).await;
        desk.screen("/webhooks/new").await;
        tab_to(browser, "#name").await;
        browser.press(&typed("Keys")).await;
        tab_to(browser, "#url").await;
        browser.press(&typed(&world.receiver.url("/in"))).await;
        tab_to(browser, "input[name=events][value=\"deal.won\"]").await;
        browser.press(&[Key::Space]).await;
        tab_to(browser, "#save").await;
        browser.press(&[Key::Enter]).await;
        tab_to(browser, "#test-send").await;
        browser.press(&[Key::Space]).await;
        browser.see("#test-result [data-outcome=succeeded]").await;
        tab_to(browser, "#activate").await;
        browser.press(&[Key::Enter]).await;
        browser.see("#pause-webhook").await;
        let made = organization.api.get(&organization.path("/endpoints")).await.expect(200);
        assert_eq!((&made["data"][0]["name"], &made["data"][0]["status"]), (&json!("Keys"), &json!("active")));
        assert_eq!(desk.complaints().await, Vec::<String>::new());
    }
}
