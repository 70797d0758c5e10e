//! The ways that the documentation describes, walked in each language, on the own page and in a frame on another site.

use postrider_tests::browser::{Browser, Person};
use postrider_tests::receiver::Reply;
use postrider_tests::sign::standard_v1;
use postrider_tests::wait::until;
use postrider_tests::world::Store;
use serde_json::{Value, json};

use super::desk::{Desk, Place};

/// Makes of each named `async fn(Desk)` a test in each language, which walks it in both places.
macro_rules! in_each_language {
    ($($walk:ident),+ $(,)?) => {
        in_each_language!(@ english "en" $($walk)+);
        in_each_language!(@ portuguese "pt-BR" $($walk)+);
        in_each_language!(@ spanish "es" $($walk)+);
    };
    (@ $module:ident $language:literal $($walk:ident)+) => {
        mod $module {
            use super::{Desk, Person, Place};
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $walk() {
                for place in [Place::Own, Place::Frame] {
                    super::$walk(&Desk::open(Person::speaking($language), place, "admin").await).await;
                }
            })+
        }
    };
}

in_each_language!(
    create_send_test_event_activate_see_the_delivery,
    rotate_update_the_server_confirm,
    failed_read_why_retry_succeeded,
    disabled_fix_enable_recover,
);

/// What screens read is the API's, which is tested on both stores; one walk shows that nothing of theirs hangs on the embedded one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_read_why_retry_succeeded_on_postgres() {
    let desk = Desk::unopened_on(Store::Postgres, Person::speaking("en"), Place::Own).await.opened("admin").await;
    failed_read_why_retry_succeeded(&desk).await;
    desk.sign_in_as_operator().await;
    desk.browser.click("nav.operator-menu a[href=\"/operator/system\"]").await;
    desk.browser.see("#nodes td time").await;
}

const DAY_MS: i64 = 24 * 3_600_000;

fn event() -> Value {
    json!({"type": "deal.won", "data": {"id": "42"}})
}

/// A value that several steps later must be the same.
async fn told(browser: &Browser, css: &str) -> String {
    browser.see(css).await;
    browser.text(css).await
}

async fn create_send_test_event_activate_see_the_delivery(desk: &Desk) {
    let Desk { browser, world, organization, .. } = desk;
    browser.click("#create-webhook").await;
    desk.screen("/webhooks/new").await;
    // What cannot be is said at its field, and nothing that was typed is lost.
    browser.fill("#name", "Zapier").await;
    browser.fill("#url", "ftp://127.0.0.1/in").await;
    browser.click("#save").await;
    browser.see("#mistakes").await;
    assert_eq!(browser.attribute("#url", "aria-invalid").await.as_deref(), Some("true"));
    assert_eq!(browser.property("#name", "value").await, "Zapier");
    browser.fill("#url", &world.receiver.url("/in")).await;
    browser.click("input[name=events][value=\"deal.won\"]").await;
    browser.click("#save").await;
    // The form has a part of that name as well.
    browser.see("#test-send").await;
    let secret = told(browser, "#secret").await;
    assert!(secret.starts_with("whsec_"), "{secret}");
    assert_eq!(world.receiver.count(), 0, "nothing is sent before somebody asks");

    browser.click("#test-send").await;
    browser.see("#test-result [data-outcome=succeeded]").await;
    assert_eq!(browser.text("#test-status-code").await, "200");
    assert_signed(&world.receiver.wait_for("/in", 1).await[0], &secret);
    let path = organization.path("/endpoints");
    assert_eq!(organization.api.get(&path).await.expect(200)["data"][0]["status"], "paused");

    browser.click("#activate").await;
    browser.see("#pause-webhook").await;
    let published = organization.publish(&event()).await;
    let delivery = organization.delivery_of(&published).await;
    // The row comes by itself, and the charts follow.
    browser.see(&format!("#{delivery} .status.succeeded")).await;
    browser.see("#charts-numbers").await;
    browser.click(&format!("#open-{delivery}")).await;
    desk.screen(&format!("/deliveries/{delivery}")).await;
    browser.see("#delivery-status[data-status=succeeded]").await;
    assert_signed(&world.receiver.wait_for("/in", 2).await[1], &secret);
    assert_eq!(desk.complaints().await, Vec::<String>::new());
}

#[track_caller]
fn assert_signed(request: &postrider_tests::receiver::Request, secret: &str) {
    let header = |name: &str| request.header(name).unwrap_or_default();
    let expected = standard_v1(secret, header("webhook-id"), header("webhook-timestamp"), &request.body);
    assert!(header("webhook-signature").split(' ').any(|signature| signature == expected), "{request:?}");
}

async fn rotate_update_the_server_confirm(desk: &Desk) {
    let Desk { browser, world, organization, .. } = desk;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let screen = format!("/webhooks/{}", endpoint.id);
    browser.click(".menu a[href$=\"/webhooks\"]").await;
    browser.click(&format!("#main a[href$=\"{screen}\"]")).await;
    desk.screen(&screen).await;
    browser.click(".tabs a[href$=\"/secret\"]").await;
    desk.screen(&format!("{screen}/secret")).await;
    assert!(!browser.text("#main").await.contains(&endpoint.secret), "a secret is shown once");
    browser.click("#rotate button[type=submit]").await;
    let secret = told(browser, "#secret-value").await;
    assert_ne!(secret, endpoint.secret);
    browser.see("#confirm-rotation").await;
    // Both work meanwhile, so the server can be updated at any time.
    for (nth, secret) in [(0, &endpoint.secret), (1, &secret)] {
        organization.publish(&event()).await;
        assert_signed(&world.receiver.wait_for("/in", nth + 1).await[nth], secret);
    }
    browser.click("#confirm-rotation button").await;
    browser.see("#confirmed").await;
    assert_eq!(browser.count("#secret-value").await, 0, "nor after it was confirmed");
    browser.click("#end-overlap button").await;
    browser.unsee("section#overlap").await;
    organization.publish(&event()).await;
    let last = &world.receiver.wait_for("/in", 3).await[2];
    assert_signed(last, &secret);
    assert_eq!(last.header("webhook-signature").map(|header| header.split(' ').count()), Some(1), "the new one alone");
    assert_eq!(desk.complaints().await, Vec::<String>::new());
}

async fn failed_read_why_retry_succeeded(desk: &Desk) {
    let Desk { browser, world, organization, .. } = desk;
    world.receiver.always("/in", Reply::Status(503, vec![], b"the database is being <b>moved</b>".to_vec()));
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let published = organization.publish(&event()).await;
    let delivery = organization.delivery_of(&published).await;
    organization.attempted(&delivery, 1).await;
    until("every attempt failed", async || {
        world.advance_ms(DAY_MS).await;
        (organization.delivery(&delivery).await["status"] == "failed").then_some(())
    })
    .await;
    // Days have passed, and with them the visit.
    desk.follow(&desk.portal_link("admin").await).await;
    browser.click(&format!("#main a[href$=\"/webhooks/{}\"]", endpoint.id)).await;
    browser.see(&format!("#{delivery} .status.failed")).await;
    browser.click(&format!("#open-{delivery}")).await;
    desk.screen(&format!("/deliveries/{delivery}")).await;
    let shown = browser.text("#main").await;
    assert!(shown.contains("503") && shown.contains("the database is being <b>moved</b>"), "{shown}");
    let attempts = browser.count(".timeline > li").await;
    assert!(attempts > 1, "{shown}");
    world.receiver.always("/in", Reply::status(200));
    browser.click(".menu a[href$=\"/failures\"]").await;
    desk.screen("/failures").await;
    browser.click(&format!("form[action$=\"/deliveries/{delivery}/retry\"] button")).await;
    browser.click(&format!("#retried a[href$=\"/deliveries/{delivery}\"]")).await;
    browser.see("#delivery-status[data-status=succeeded]").await;
    organization.ended(&delivery, "succeeded").await;
    assert_eq!(desk.complaints().await, Vec::<String>::new());
}

async fn disabled_fix_enable_recover(desk: &Desk) {
    let Desk { browser, world, organization, .. } = desk;
    world.receiver.always("/in", Reply::status(410));
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let screen = format!("/webhooks/{}", endpoint.id);
    let published = organization.publish(&event()).await;
    let delivery = organization.delivery_of(&published).await;
    organization.ended(&delivery, "failed").await;
    until("the webhook is disabled", async || {
        let shown = organization.api.get(&organization.path(&format!("/endpoints/{}", endpoint.id))).await.expect(200);
        (shown["status"] == "disabled").then_some(())
    })
    .await;
    browser.click(".menu a[href$=\"/webhooks\"]").await;
    browser.see(&format!("#{} .status.disabled", endpoint.id)).await;
    browser.click(&format!("#main a[href$=\"{screen}\"]")).await;
    browser.see("#webhook-banner .notice.bad").await;
    world.receiver.always("/in", Reply::status(200));
    browser.click("#banner-activate").await;
    browser.see("#pause-webhook").await;
    browser.click(".tabs a[href$=\"/recover\"]").await;
    desk.screen(&format!("{screen}/recover")).await;
    // What is offered first is the time since it was disabled.
    assert_eq!(browser.property("#span-stopped", "checked").await, true);
    browser.see("label:has(#span-stopped) time").await;
    // With it comes the delivery for which it was disabled, which was there before.
    browser.click("#preview-recovery button[type=submit]").await;
    browser.see("#preview[data-count=\"1\"]").await;
    browser.click("#start-recovery button").await;
    browser.see("#recovery[data-status=succeeded]").await;
    world.receiver.wait_for("/in", 2).await;
    organization.ended(&delivery, "succeeded").await;
    assert_eq!(desk.complaints().await, Vec::<String>::new());
}
