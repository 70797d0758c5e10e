//! In a frame on another site, where browsers keep no cookies of ours.

use postrider_tests::browser::Person;
use postrider_tests::receiver::Receiver;
use serde_json::json;

use super::desk::{Desk, Place, page_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_frame_screens_follow_one_another_without_cookies_addresses_or_history() {
    let desk = Desk::unopened(Person::speaking("en"), Place::Frame).await;
    let endpoint = desk.organization.endpoint(&desk.world.receiver.url("/in"), json!({})).await;
    let link = desk.portal_link("admin").await;
    desk.follow(&link).await;
    desk.screen("/webhooks").await;
    let before = desk.browser.history().await.len();
    desk.browser.click(&format!("#main a[href$=\"/webhooks/{}\"]", endpoint.id)).await;
    desk.screen(&format!("/webhooks/{}", endpoint.id)).await;
    desk.browser.click(".menu a[href$=\"/webhooks\"]").await;
    desk.screen("/webhooks").await;
    assert_eq!(desk.browser.history().await.len(), before);
    assert_eq!(desk.browser.run("return location.pathname", &[]).await, format!("/portal/{}", desk.organization.id));
    assert!(!desk.browser.shows("form[action=\"/session/end\"]").await, "there is nothing to sign out of");
    let cookies = desk.browser.devtools("Network.getAllCookies", &json!({})).await;
    assert_eq!(cookies["cookies"], json!([]));
    assert_eq!(desk.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_origin_shows_it_in_a_frame_and_the_own_pages_are_in_none() {
    let desk = Desk::unopened(Person::speaking("en"), Place::Own).await;
    let thief = Receiver::start().await;
    let link = desk.portal_link("admin").await;
    let own = desk.url("/sign-in");
    // The CRM may frame the link's page and nothing else; the thief may frame nothing.
    for (site, framed, is_shown) in [(&desk.crm, &link, true), (&thief, &link, false), (&desk.crm, &own, false)] {
        let page = format!(
            "<!doctype html><title>Site</title><iframe id=webhooks width=1100 height=800 src=\"{framed}\"></iframe>"
        );
        site.always("/page", page_of(&page));
        desk.browser.console().await;
        desk.browser.open(&site.url("/page")).await;
        desk.browser.enter_frame("#webhooks").await;
        if is_shown {
            desk.screen("/webhooks").await;
        } else {
            assert_eq!(desk.browser.count("#main").await, 0, "{framed} in {}", site.url(""));
            let complaints = desk.complaints().await;
            assert!(complaints.iter().any(|entry| entry.contains("frame-ancestors")), "{complaints:?}");
        }
        desk.browser.leave_frames().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_policy_refuses_in_a_frame_or_page_is_seen_by_these_tests() {
    for place in [Place::Own, Place::Frame] {
        let desk = Desk::open(Person::speaking("en"), place, "viewer").await;
        assert_eq!(desk.complaints().await, Vec::<String>::new());
        let script = "const script = document.createElement('script'); script.textContent = 'window.ran = 1'; document.body.append(script); return window.ran";
        assert_eq!(desk.browser.run(script, &[]).await, json!(null));
        let complaints = desk.complaints().await;
        assert!(complaints.iter().any(|entry| entry.contains("Content Security Policy")), "{place:?}: {complaints:?}");
    }
}
