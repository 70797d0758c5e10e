//! What every screen must be: within reach of everybody (WCAG 2.2 AA), narrow enough for a small telephone, and light to load.

use postrider_tests::browser::{Looks, Person, Scheme};
use postrider_tests::program::OPERATOR_KEY;
use postrider_tests::receiver::Reply;
use postrider_tests::world::text;
use serde_json::json;

use super::desk::{Desk, Place};

/// In CSS pixels: a desk's window, a telephone's, and the narrowest that must do (WCAG 2.2, 1.4.10).
const WIDTHS: [u32; 3] = [1280, TELEPHONE, NARROWEST];
const TELEPHONE: u32 = 360;
const NARROWEST: u32 = 320;

impl Desk {
    /// Judges the screen that is there in both schemes and all widths, and keeps pictures of it.
    async fn judge(&self, name: &str) {
        for scheme in [Scheme::Light, Scheme::Dark] {
            for width in WIDTHS {
                self.browser.look(Looks { width, scheme }).await;
                let at = format!("{name}, {} at {width}", scheme.name());
                assert_eq!(self.browser.sticking_out().await, Vec::<String>::new(), "{at}");
                if width != NARROWEST {
                    self.browser.keep_picture(&format!("{name}-{width}-{}", scheme.name())).await;
                }
                // Between the two nothing changes that it looks at.
                if width != TELEPHONE {
                    let violations = self.browser.violations().await;
                    assert!(violations.is_empty(), "{at}: {violations:#?}");
                }
            }
        }
        assert_eq!(self.complaints().await, Vec::<String>::new(), "{name}");
    }

    /// Judges each of the organisation's screens.
    async fn judge_all(&self, screens: &[(&str, String)]) {
        for (name, path) in screens {
            self.browser.open(&self.url(&self.path(path))).await;
            self.screen(path).await;
            self.judge(name).await;
        }
    }
}

/// Longer than any line, without a blank.
fn long_name() -> String {
    "W".repeat(200)
}

const HOSTILE_NAME: &str = "<script>alert(1)</script>\u{202e}";

/// An organisation in which all sorts of things have happened.
struct Lived {
    desk: Desk,
    endpoint: String,
    failed: String,
    succeeded: String,
    event: String,
}

impl Lived {
    async fn in_it() -> Self {
        let desk = Desk::unopened(Person::speaking("en"), Place::Own).await;
        let Desk { organization, world, .. } = &desk;
        let url = world.receiver.url("/in");
        let header = ("x-note".to_owned(), long_name());
        world.receiver.always("/bad", Reply::Status(500, vec![header], long_name().into_bytes()));
        let endpoint = organization.endpoint(&url, json!({"name": HOSTILE_NAME})).await.id;
        let bad = organization.endpoint(&world.receiver.url("/bad"), json!({"name": long_name()})).await.id;
        world.receiver.always("/gone", Reply::status(410));
        organization.endpoint(&world.receiver.url("/gone"), json!({"name": "Old ERP"})).await;
        organization.endpoint(&url, json!({"name": "Not yet", "enabled": false})).await;
        let data = json!({"id": "42", "title": "Renewal <b>2027</b>", "note": long_name()});
        let event =
            organization.publish(&json!({"type": "deal.won", "data": data, "previous": {"title": "Renewal"}})).await;
        let of = async |endpoint: &str| {
            let found = organization.deliveries(&format!("event={event}&endpoint={endpoint}")).await;
            text(&found[0]["id"])
        };
        let (failed, succeeded) = (of(&bad).await, of(&endpoint).await);
        organization.ended(&succeeded, "succeeded").await;
        organization.attempted(&failed, 1).await;
        organization
            .api
            .post(&organization.path("/keys"), &json!({"name": long_name(), "scopes": ["events:write"]}))
            .await
            .expect(201);
        desk.follow(&desk.portal_link("admin").await).await;
        desk.screen("/webhooks").await;
        Lived { desk, endpoint, failed, succeeded, event }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_screens_of_webhooks_are_within_everybodys_reach() {
    let lived = Lived::in_it().await;
    let webhook = format!("/webhooks/{}", lived.endpoint);
    lived
        .desk
        .judge_all(&[
            ("webhooks", "/webhooks".to_owned()),
            ("webhook", webhook.clone()),
            ("webhook-new", "/webhooks/new".to_owned()),
            ("webhook-edit", format!("{webhook}/edit")),
            ("webhook-test", format!("{webhook}/test")),
            ("webhook-code", format!("{webhook}/code")),
        ])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_screens_of_what_is_done_with_a_webhook_are_within_everybodys_reach() {
    let lived = Lived::in_it().await;
    let webhook = format!("/webhooks/{}", lived.endpoint);
    lived
        .desk
        .judge_all(&[
            ("webhook-secret", format!("{webhook}/secret")),
            ("webhook-recover", format!("{webhook}/recover")),
            ("webhook-recover-preview", format!("{webhook}/recover?span=24h")),
            ("webhook-diagnose", format!("{webhook}/diagnose")),
            ("webhook-delete", format!("{webhook}/delete")),
        ])
        .await;
    let browser = &lived.desk.browser;
    browser.open(&lived.desk.url(&lived.desk.path(&format!("{webhook}/secret")))).await;
    browser.click("#rotate button[type=submit]").await;
    browser.see("#secret-value").await;
    lived.desk.judge("webhook-secret-rotated").await;
    browser.open(&lived.desk.url(&lived.desk.path(&format!("{webhook}/diagnose")))).await;
    browser.click("#run-diagnosis button").await;
    browser.see("#diagnosis").await;
    lived.desk.judge("webhook-diagnosed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_screens_of_deliveries_and_events_are_within_everybodys_reach() {
    let lived = Lived::in_it().await;
    lived
        .desk
        .judge_all(&[
            ("delivery-failing", format!("/deliveries/{}", lived.failed)),
            ("delivery-succeeded", format!("/deliveries/{}", lived.succeeded)),
            ("events", "/events".to_owned()),
            ("event", format!("/events/{}", lived.event)),
            ("failures", "/failures".to_owned()),
        ])
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_screens_of_an_organisations_own_matters_are_within_everybodys_reach() {
    let lived = Lived::in_it().await;
    let screens = ["keys", "keys/new", "audit", "notifications"];
    let screens = screens.map(|path| (path, format!("/{path}")));
    for (name, path) in &screens {
        lived.desk.judge_all(&[(&name.replace('/', "-"), path.clone())]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_screens_are_within_everybodys_reach() {
    let lived = Lived::in_it().await;
    let (desk, id) = (&lived.desk, &lived.desk.organization.id);
    desk.browser.open(&desk.url("/sign-in")).await;
    desk.browser.fill("#token", OPERATOR_KEY).await;
    desk.browser.click("form[action=\"/session\"] button").await;
    desk.browser.see("nav.operator-menu").await;
    let screens = [
        ("operator-organizations", "/operator/organizations".to_owned()),
        ("operator-organization-new", "/operator/organizations/new".to_owned()),
        ("operator-organization", format!("/operator/organizations/{id}")),
        ("operator-contracts", "/operator/contracts".to_owned()),
        ("operator-contract", "/operator/contracts/standard".to_owned()),
        ("operator-system", "/operator/system".to_owned()),
        ("operator-audit", "/operator/audit".to_owned()),
    ];
    for (name, path) in screens {
        desk.browser.open(&desk.url(&path)).await;
        desk.browser.see(&format!("#main[data-path=\"{path}\"]")).await;
        desk.judge(name).await;
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
async fn an_organisation_in_which_nothing_has_happened_is_within_everybodys_reach() {
    let desk = Desk::open(Person::speaking("en"), Place::Own, "admin").await;
    for name in ["webhooks", "events", "failures", "keys"] {
        desk.judge_all(&[(&format!("{name}-empty"), format!("/{name}"))]).await;
    }
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
