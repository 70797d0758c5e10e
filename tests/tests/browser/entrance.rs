//! Coming in: by a portal link, by signing in, with scripts and without; and where the token is to be found afterwards, which is nowhere.

use postrider_tests::browser::Person;
use postrider_tests::program::OPERATOR_KEY;
use serde_json::json;

use super::desk::{Desk, LANGUAGES, Place};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_links_token_is_in_no_address_history_log_or_referer_on_its_own_page() {
    token_stays_hidden(Place::Own).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_links_token_is_in_no_address_history_log_or_referer_in_a_frame() {
    token_stays_hidden(Place::Frame).await;
}

async fn token_stays_hidden(place: Place) {
    let desk = Desk::unopened(Person::speaking("en").traced(), place).await;
    let endpoint = desk.organization.endpoint(&desk.world.receiver.url("/in"), json!({})).await;
    let link = desk.portal_link("admin").await;
    let token = link.split_once('#').unwrap().1.to_owned();
    desk.follow(&link).await;
    desk.screen("/webhooks").await;
    desk.browser.click(&format!("#main a[href$=\"/webhooks/{}\"]", endpoint.id)).await;
    desk.screen(&format!("/webhooks/{}", endpoint.id)).await;

    let shown = desk.browser.run("return location.href + ' ' + document.referrer + ' ' + document.cookie", &[]).await;
    let history = desk.browser.history().await;
    assert!(!history.is_empty() && history.last().is_some_and(|last| !last.starts_with("about:")), "{history:?}");
    for seen in [desk.browser.address().await, shown.to_string(), history.join(" "), desk.world.program.output()] {
        assert!(!seen.contains(&token) && !seen.contains("prt_eyJ") && !seen.contains("ses_eyJ"), "{seen}");
    }
    if place == Place::Frame {
        let entries = desk.browser.run("return history.length", &[]).await;
        assert_eq!(entries, history.len(), "screens in a frame make no entries: {history:?}");
    }
    let (requests, mut exchanged) = (desk.browser.requests().await, 0);
    assert!(requests.len() > 6, "{requests:?}");
    for request in requests {
        let is_exchange = request["request"]["url"].as_str().is_some_and(|url| url.ends_with("/session"));
        exchanged += usize::from(is_exchange);
        // Browsers tell DevTools a page's fragment, and send it to nobody.
        let mut told = request.clone();
        told["request"]["urlFragment"] = json!(null);
        told["documentURL"] = json!(null);
        if is_exchange {
            assert!(told["request"]["postData"].as_str().is_some_and(|body| body.contains(&token)), "{told}");
            told["request"]["postData"] = json!(null);
            told["request"]["postDataEntries"] = json!(null);
        }
        assert!(!told.to_string().contains(&token), "{told}");
        let referer = &told["headers"]["Referer"];
        assert!(!referer.to_string().contains('#'), "{told}");
    }
    assert_eq!(exchanged, 1, "the link is exchanged once");
    assert_eq!(desk.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_language_is_the_browsers_and_can_be_changed_on_the_own_page() {
    language_is_chosen(Place::Own).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_language_is_the_browsers_and_can_be_changed_in_a_frame() {
    language_is_chosen(Place::Frame).await;
}

async fn language_is_chosen(place: Place) {
    let desk = Desk::open(Person::speaking("pt-BR"), place, "viewer").await;
    let main = desk.path("/webhooks");
    let mut titles = vec![desk.browser.text("#main .empty").await];
    assert_eq!(desk.browser.attribute("html", "lang").await.as_deref(), Some("pt-BR"));
    for language in ["es", "en"] {
        desk.browser.choose("#language", language).await;
        desk.browser.see(&format!("#main[data-path=\"{main}\"][data-language=\"{language}\"]")).await;
        desk.browser.see(&format!("html[lang=\"{language}\"]")).await;
        titles.push(desk.browser.text("#main .empty").await);
    }
    titles.sort();
    titles.dedup();
    assert_eq!(titles.len(), 3, "each says it in its own words: {titles:?}");
    assert_eq!(desk.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_sign_in_with_a_pasted_link_a_wrong_one_is_refused_and_signing_out_ends_it() {
    for language in LANGUAGES {
        let desk = Desk::unopened(Person::speaking(language), Place::Own).await;
        let browser = &desk.browser;
        browser.open(&desk.url(&desk.path("/webhooks"))).await;
        // Nobody is known: the way to sign in leads back here.
        browser.click("#main a[href^=\"/sign-in\"]").await;
        browser.fill("#token", "prt_nonsense").await;
        browser.click("form[action=\"/session\"] button").await;
        browser.see("#token-refused").await;
        assert_eq!(browser.attribute("#token", "aria-invalid").await.as_deref(), Some("true"));
        assert!(browser.attribute("#token", "aria-describedby").await.unwrap_or_default().contains("token-refused"));
        browser.fill("#token", &desk.portal_link("viewer").await).await;
        browser.click("form[action=\"/session\"] button").await;
        desk.screen("/webhooks").await;
        browser.click("form[action=\"/session/end\"] button").await;
        browser.see("#token").await;
        browser.open(&desk.url(&desk.path("/webhooks"))).await;
        browser.see("#main a[href^=\"/sign-in\"]").await;
        assert_eq!(desk.complaints().await, Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_not_valid_says_so() {
    let desk = Desk::unopened(Person::speaking("es"), Place::Own).await;
    desk.browser.open(&format!("{}A", desk.portal_link("admin").await)).await;
    desk.browser.see("#entrance-refused").await;
    desk.browser.unsee("#entrance-wait").await;
    assert!(!desk.browser.address().await.contains('#'));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_scripts_off_a_pasted_link_leads_in_and_everything_can_be_read() {
    let desk = Desk::unopened(Person::speaking("en").without_scripts(), Place::Own).await;
    let endpoint = desk.organization.endpoint(&desk.world.receiver.url("/in"), json!({})).await;
    let event = desk.organization.publish(&json!({"type": "deal.won", "data": {"id": 42}})).await;
    let delivery = desk.organization.delivery_of(&event).await;
    desk.organization.ended(&delivery, "succeeded").await;
    let link = desk.portal_link("viewer").await;
    desk.browser.open(&link).await;
    desk.browser.fill("noscript #token, #token", &link).await;
    desk.browser.click("form[action=\"/session\"] button").await;
    desk.screen("/webhooks").await;
    desk.browser.click(&format!("#main a[href$=\"/webhooks/{}\"]", endpoint.id)).await;
    desk.screen(&format!("/webhooks/{}", endpoint.id)).await;
    assert_eq!(desk.browser.count("html.scripted").await, 0, "no script has run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_signs_in_with_the_operator_key() {
    let desk = Desk::unopened(Person::speaking("en"), Place::Own).await;
    desk.browser.open(&desk.url(&format!("/sign-in?next={}", desk.path("/webhooks")))).await;
    desk.browser.fill("#token", OPERATOR_KEY).await;
    desk.browser.click("form[action=\"/session\"] button").await;
    desk.screen("/webhooks").await;
    desk.browser.see("nav.operator-menu").await;
}
