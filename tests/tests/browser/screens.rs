//! What every screen must be: within reach of everybody (WCAG 2.2 AA), narrow enough for a small telephone, and light to load.

use postrider_tests::browser::{Looks, Person, Scheme};
use postrider_tests::receiver::Reply;
use postrider_tests::wait::until;
use postrider_tests::world::{Store, text};
use serde_json::json;

use super::desk::{Desk, LANGUAGES, Place};
use crate::source::crm::Crm;

/// In CSS pixels: a desk's window, a telephone's, and the narrowest that must do (WCAG 2.2, 1.4.10).
const WIDTHS: [u32; 3] = [1280, TELEPHONE, NARROWEST];
const TELEPHONE: u32 = 360;
const NARROWEST: u32 = 320;

impl Desk {
    /// Judges the screen that is there in both schemes and all widths, and keeps pictures of it.
    async fn judge(&self, name: &str) {
        for scheme in [Scheme::Light, Scheme::Dark] {
            self.judge_in(scheme, name).await;
        }
    }

    async fn judge_in(&self, scheme: Scheme, name: &str) {
        for width in WIDTHS {
            self.browser.look(Looks { width, scheme }).await;
            let at = format!("{name}, {} at {width}", scheme.name());
            assert_eq!(self.browser.sticking_out().await, Vec::<String>::new(), "{at}");
            if width != NARROWEST {
                self.browser.keep_picture(&format!("{name}-{width}-{}", scheme.name())).await;
            }
            // Between the two nothing changes that it looks at.
            if width != TELEPHONE {
                self.judge_access(&at).await;
            }
        }
        assert_eq!(self.complaints().await, Vec::<String>::new(), "{name}");
    }

    async fn judge_access(&self, at: &str) {
        let violations = self.browser.violations().await;
        assert!(violations.is_empty(), "{at}: {violations:#?}");
    }

    /// Judges each of the organisation's screens.
    async fn judge_all(&self, screens: &[(&str, String)]) {
        for (name, path) in screens {
            self.go_to(path).await;
            self.judge(name).await;
        }
    }

    /// Goes to one of the operator's screens.
    async fn see_operators(&self, path: &str) {
        self.browser.open(&self.url(path)).await;
        self.browser.see(&format!("#main[data-path=\"{path}\"]")).await;
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
    /// Which answered that it is gone, and was disabled.
    gone: String,
    failed: String,
    succeeded: String,
    event: String,
}

impl Lived {
    async fn in_it() -> Self {
        Self::at(Desk::unopened(Person::speaking("en"), Place::Own).await).await
    }

    async fn at(desk: Desk) -> Self {
        let Desk { organization, world, .. } = &desk;
        let url = world.receiver.url("/in");
        let header = ("x-note".to_owned(), long_name());
        world.receiver.always("/bad", Reply::Status(500, vec![header], long_name().into_bytes()));
        let endpoint = organization.endpoint(&url, json!({"name": HOSTILE_NAME})).await.id;
        let bad = organization.endpoint(&world.receiver.url("/bad"), json!({"name": long_name()})).await.id;
        world.receiver.always("/gone", Reply::status(410));
        let gone = organization.endpoint(&world.receiver.url("/gone"), json!({"name": "Old ERP"})).await.id;
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
        organization.ended(&of(&gone).await, "failed").await;
        until("the webhook that is gone is disabled", async || {
            let shown = organization.api.get(&organization.path(&format!("/endpoints/{gone}"))).await.expect(200);
            (shown["status"] == "disabled").then_some(())
        })
        .await;
        organization
            .api
            .post(&organization.path("/keys"), &json!({"name": long_name(), "scopes": ["events:write"]}))
            .await
            .expect(201);
        desk.follow(&desk.portal_link("admin").await).await;
        desk.screen("/webhooks").await;
        Lived { desk, endpoint, gone, failed, succeeded, event }
    }
}

/// Names of screens, and where they are below the organisation.
type Screens = Vec<(&'static str, String)>;

impl Lived {
    fn of_webhooks(&self) -> Screens {
        let webhook = format!("/webhooks/{}", self.endpoint);
        vec![
            ("webhooks", "/webhooks".to_owned()),
            ("webhook", webhook.clone()),
            ("webhook-disabled", format!("/webhooks/{}", self.gone)),
            ("webhook-new", "/webhooks/new".to_owned()),
            ("webhook-edit", format!("{webhook}/edit")),
            ("webhook-test", format!("{webhook}/test")),
            ("webhook-code", format!("{webhook}/code")),
        ]
    }

    fn of_what_is_done(&self) -> Screens {
        let webhook = format!("/webhooks/{}", self.endpoint);
        vec![
            ("webhook-secret", format!("{webhook}/secret")),
            ("webhook-recover", format!("{webhook}/recover")),
            ("webhook-recover-preview", format!("{webhook}/recover?span=24h")),
            ("webhook-diagnose", format!("{webhook}/diagnose")),
            ("webhook-delete", format!("{webhook}/delete")),
        ]
    }

    fn of_deliveries_and_events(&self) -> Screens {
        vec![
            ("delivery-failing", format!("/deliveries/{}", self.failed)),
            ("delivery-succeeded", format!("/deliveries/{}", self.succeeded)),
            ("events", "/events".to_owned()),
            ("event", format!("/events/{}", self.event)),
            ("failures", "/failures".to_owned()),
        ]
    }

    fn of_own_matters() -> Screens {
        let screens =
            [("keys", "/keys"), ("keys-new", "/keys/new"), ("audit", "/audit"), ("notifications", "/notifications")];
        screens.map(|(name, path)| (name, path.to_owned())).to_vec()
    }

    fn of_the_operator(&self) -> Screens {
        vec![
            ("operator-organizations", "/operator/organizations".to_owned()),
            ("operator-organization-new", "/operator/organizations/new".to_owned()),
            ("operator-organization", format!("/operator/organizations/{}", self.desk.organization.id)),
            ("operator-contracts", "/operator/contracts".to_owned()),
            ("operator-contract", "/operator/contracts/standard".to_owned()),
            ("operator-system", "/operator/system".to_owned()),
            ("operator-audit", "/operator/audit".to_owned()),
        ]
    }

    fn of_the_organization(&self) -> Screens {
        [self.of_webhooks(), self.of_what_is_done(), self.of_deliveries_and_events(), Self::of_own_matters()].concat()
    }

    /// Creates a webhook by its form, up to where its secret is shown once.
    async fn create_one(&self) {
        let browser = &self.desk.browser;
        self.desk.go_to("/webhooks/new").await;
        browser.fill("#name", "Just made").await;
        browser.fill("#url", &self.desk.world.receiver.url("/in")).await;
        browser.click("input[name=events][value=\"deal.won\"]").await;
        browser.click("#save").await;
        browser.see("#test-send").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_screens_of_webhooks_are_within_everybodys_reach() {
    let lived = Lived::in_it().await;
    lived.desk.judge_all(&lived.of_webhooks()).await;
    lived.create_one().await;
    lived.desk.judge("webhook-created").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_screens_of_what_is_done_with_a_webhook_are_within_everybodys_reach() {
    let lived = Lived::in_it().await;
    lived.desk.judge_all(&lived.of_what_is_done()).await;
    let (browser, webhook) = (&lived.desk.browser, format!("/webhooks/{}", lived.endpoint));
    lived.desk.go_to(&format!("{webhook}/secret")).await;
    browser.click("#rotate button[type=submit]").await;
    browser.see("#secret-value").await;
    lived.desk.judge("webhook-secret-rotated").await;
    lived.desk.go_to(&format!("{webhook}/diagnose")).await;
    browser.click("#run-diagnosis button").await;
    browser.see("#diagnosis").await;
    lived.desk.judge("webhook-diagnosed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_screens_of_deliveries_and_events_are_within_everybodys_reach() {
    let lived = Lived::in_it().await;
    lived.desk.judge_all(&lived.of_deliveries_and_events()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_screens_of_an_organisations_own_matters_are_within_everybodys_reach() {
    let lived = Lived::in_it().await;
    lived.desk.judge_all(&Lived::of_own_matters()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_screens_are_within_everybodys_reach() {
    let lived = Lived::in_it().await;
    lived.desk.sign_in_as_operator().await;
    for (name, path) in lived.of_the_operator() {
        lived.desk.see_operators(&path).await;
        lived.desk.judge(name).await;
    }
}

/// In each language: with a backfill under way, and when the database cannot be captured.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_screen_of_a_system_with_a_source_is_within_everybodys_reach() {
    for language in LANGUAGES {
        let crm = Crm::new().await;
        crm.deals(1, 500);
        crm.run("TRUNCATE postrider_source.outbox");
        let person = Person::speaking(language);
        let desk = Desk::unopened_with(Store::Sqlite, person, Place::Own, |setup| crm.used_by(setup)).await;
        crm.run(
            "INSERT INTO postrider_source.backfills (id, \"table\", rate, done, total, created_at) \
             VALUES (gen_random_uuid(), 'public.deals', 1, 0, 500, clock_timestamp())",
        );
        desk.sign_in_as_operator().await;
        desk.see_operators("/operator/system").await;
        desk.browser.see("#source[data-state=reading] #backfills").await;
        desk.judge_in(Scheme::Light, &format!("operator-system-source-{language}")).await;
        crm.run("DROP SCHEMA postrider_source CASCADE");
        desk.browser.see("#source[data-state=failed] #source-reason").await;
        desk.judge_in(Scheme::Dark, &format!("operator-system-source-failed-{language}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_screen_is_within_everybodys_reach_in_portuguese() {
    every_screen_in("pt-BR").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_screen_is_within_everybodys_reach_in_spanish() {
    every_screen_in("es").await;
}

/// In one scheme: colours do not differ by language, lengths of words do.
async fn every_screen_in(language: &'static str) {
    let lived = Lived::at(Desk::unopened(Person::speaking(language), Place::Own).await).await;
    let judge = async |name: &str| lived.desk.judge_in(Scheme::Light, &format!("{name}-{language}")).await;
    for (name, path) in lived.of_the_organization() {
        lived.desk.go_to(&path).await;
        judge(name).await;
    }
    lived.create_one().await;
    judge("webhook-created").await;
    lived.desk.sign_in_as_operator().await;
    for (name, path) in lived.of_the_operator() {
        lived.desk.see_operators(&path).await;
        judge(name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_screen_is_within_everybodys_reach_in_a_frame() {
    let lived = Lived::at(Desk::unopened(Person::speaking("en"), Place::Frame).await).await;
    for (name, path) in lived.of_the_organization() {
        lived.desk.go_to(&path).await;
        lived.desk.judge_access(name).await;
    }
    lived.create_one().await;
    lived.desk.judge_access("webhook-created").await;
    assert_eq!(lived.desk.complaints().await, Vec::<String>::new());
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
