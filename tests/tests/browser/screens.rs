//! What every screen must be: within reach of everybody (WCAG 2.2 AA), narrow enough for a small telephone, and light to load.

use postrider_tests::browser::{Looks, Person, Scheme};
use serde_json::json;

use super::desk::{Desk, Place};

/// In CSS pixels: a desk's window, a telephone's, and the narrowest that must do (WCAG 2.2, 1.4.10).
const WIDTHS: [u32; 3] = [1280, 360, 320];

impl Desk {
    /// Judges the screen that is there in both schemes and all widths, and keeps pictures of it.
    async fn judge(&self, name: &str) {
        for scheme in [Scheme::Light, Scheme::Dark] {
            for width in WIDTHS {
                self.browser.look(Looks { width, scheme }).await;
                let at = format!("{name}, {} at {width}", scheme.name());
                let violations = self.browser.violations().await;
                assert!(violations.is_empty(), "{at}: {violations:#?}");
                assert!(self.browser.overflow().await <= 0, "{at}: wider than the window");
                if width != 320 {
                    self.browser.keep_picture(&format!("{name}-{width}-{}", scheme.name())).await;
                }
            }
        }
        assert_eq!(self.complaints().await, Vec::<String>::new(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ways_in_are_within_everybodys_reach() {
    let desk = Desk::unopened(Person::speaking("en"), Place::Own).await;
    for (name, path) in [("sign-in", "/sign-in"), ("entrance-refused", "/portal/nobody"), ("signed-out", "/")] {
        desk.browser.open(&desk.url(path)).await;
        desk.browser.see("h1").await;
        desk.judge(name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_of_webhooks_is_within_everybodys_reach() {
    let desk = Desk::open(Person::speaking("en"), Place::Own, "admin").await;
    desk.judge("webhooks-empty").await;
    let url = desk.world.receiver.url("/in");
    for name in ["Zapier", &"W".repeat(200), "<script>alert(1)</script>\u{202e}"] {
        desk.organization.endpoint(&url, json!({"name": name})).await;
    }
    desk.browser.reload().await;
    desk.screen("/webhooks").await;
    desk.judge("webhooks").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn axe_finds_what_is_wrong() {
    let desk = Desk::open(Person::speaking("en"), Place::Own, "admin").await;
    assert_eq!(desk.browser.violations().await, []);
    desk.browser.run("document.querySelector('label[for=language]').remove()", &[]).await;
    let rules: Vec<_> = desk.browser.violations().await.into_iter().map(|violation| violation.rule).collect();
    assert_eq!(rules, ["select-name"]);
}

/// The most that the first view may take, in bytes as transferred.
const FIRST_VIEW_BYTES_MAX: u64 = 60 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_view_is_light() {
    let desk = Desk::open(Person::speaking("en"), Place::Own, "admin").await;
    let script =
        "const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
        return all.map((entry) => [new URL(entry.name).pathname, entry.encodedBodySize])";
    desk.browser.devtools("Network.clearBrowserCache", &json!({})).await;
    desk.browser.reload().await;
    desk.screen("/webhooks").await;
    let told = desk.browser.run(script, &[]).await;
    let sizes: Vec<u64> = told.as_array().unwrap().iter().map(|entry| entry[1].as_u64().unwrap()).collect();
    assert!(sizes.len() >= 4, "a page, its style and its scripts: {told}");
    assert!(sizes.iter().sum::<u64>() < FIRST_VIEW_BYTES_MAX, "{told}");
}
