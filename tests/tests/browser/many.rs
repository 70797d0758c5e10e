//! A thousand rows: each page is as light as with a few, and the way on leads through all of them.

use std::collections::BTreeSet;

use postrider_tests::browser::Person;
use postrider_tests::world::{Organization, text};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::desk::{Desk, Place};

const ROWS: usize = 1_000;
/// The most that a list's page may weigh, in bytes as transferred and as it is read.
const PAGE_BYTES_MAX: u64 = 48 * 1024;
const PAGE_READ_BYTES_MAX: u64 = 512 * 1024;
/// The most rows of a page.
const PAGE_ROWS_MAX: usize = 50;
/// Requests that seed at once.
const AT_ONCE: usize = 20;

async fn seed_webhooks(organization: &Organization, url: &str) {
    let mut seeding = JoinSet::new();
    for share in 0..AT_ONCE {
        let (organization, url) = (organization.clone(), url.to_owned());
        seeding.spawn(async move {
            for nth in (share..ROWS).step_by(AT_ONCE) {
                let fields = json!({"name": format!("Webhook {nth:04}"), "events": ["contact.deleted"]});
                organization.endpoint(&url, fields).await;
            }
        });
    }
    seeding.join_all().await;
}

async fn seed_events(organization: &Organization) {
    for nth in 0..4 {
        let event = |id: usize| json!({"type": "deal.won", "data": {"id": id}, "resource": {"type": "deal", "id": id.to_string()}});
        let events: Vec<_> = (nth * ROWS / 4..(nth + 1) * ROWS / 4).map(event).collect();
        organization.api.post(&organization.path("/events/batch"), &json!({"events": events})).await.expect(202);
    }
    organization.drained().await;
}

/// Weighs a list's first page, then goes all the way; how many different rows there are.
async fn walk(desk: &Desk, path: &str, rows: &str) -> usize {
    desk.go_to(path).await;
    assert_eq!(desk.browser.count(rows).await, PAGE_ROWS_MAX, "{path}");
    let script = "const page = performance.getEntriesByType('navigation')[0]; return [page.encodedBodySize, page.decodedBodySize]";
    let weight = desk.browser.run(script, &[]).await;
    let bytes = |at: usize| weight[at].as_u64().unwrap_or(u64::MAX);
    assert!(bytes(0) < PAGE_BYTES_MAX && bytes(1) < PAGE_READ_BYTES_MAX, "{path}: {weight}");
    let script = "const [first, rows] = arguments, pages = [];
        for (let next = first; next;) {
            const request = new XMLHttpRequest();
            request.open('GET', next, false);
            request.send();
            const page = new DOMParser().parseFromString(request.responseText, 'text/html');
            pages.push([...page.querySelectorAll(rows)].map((link) => link.getAttribute('href')));
            next = page.querySelector('a[rel=next]')?.getAttribute('href');
        }
        return pages;";
    let pages = desk.browser.run(script, &[json!(desk.path(path)), json!(rows)]).await;
    let pages = pages.as_array().cloned().unwrap_or_default();
    assert!(pages.iter().all(|page| page.as_array().is_some_and(|page| page.len() <= PAGE_ROWS_MAX)), "{path}");
    let all = pages.iter().flat_map(|page| page.as_array().cloned().unwrap_or_default());
    let links: Vec<String> = all.map(|link: Value| link.as_str().unwrap_or_default().to_owned()).collect();
    let different: BTreeSet<_> = links.iter().collect();
    assert_eq!(different.len(), links.len(), "{path}: each row once");
    different.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_of_a_thousand_are_as_light_as_short_ones_and_lead_to_all() {
    let desk = Desk::unopened(Person::speaking("en"), Place::Own).await;
    let (organization, url) = (&desk.organization, desk.world.receiver.url("/in"));
    let busy = organization.endpoint(&url, json!({"name": "Busy", "events": ["deal.won"]})).await.id;
    seed_webhooks(organization, &url).await;
    seed_events(organization).await;
    let desk = desk.opened("viewer").await;
    assert_eq!(walk(&desk, "/webhooks", "table.webhooks a.strong").await, ROWS + 1);
    assert_eq!(walk(&desk, &format!("/webhooks/{busy}"), "#delivery-rows a.strong").await, ROWS);
    assert_eq!(walk(&desk, "/events", "#events a.strong").await, ROWS);
    // The oldest of a thousand is found by its name.
    desk.go_to("/webhooks").await;
    desk.browser.fill("#search", "bUsY").await;
    desk.browser.click("#filters button[type=submit]").await;
    desk.browser.see(&format!("#main a[href$=\"/webhooks/{busy}\"]")).await;
    assert_eq!(desk.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_failures_of_many_webhooks_are_paged() {
    let desk = Desk::unopened(Person::speaking("en"), Place::Own).await;
    let organization = &desk.organization;
    desk.world.receiver.always("/bad", postrider_tests::receiver::Reply::status(500));
    let mut made = BTreeSet::new();
    for nth in 0..60 {
        let events = if nth % 2 == 0 { "deal.won" } else { "contact.deleted" };
        let endpoint = json!({"name": format!("Webhook {nth}"), "events": [events]});
        let id = organization.endpoint(&desk.world.receiver.url("/bad"), endpoint).await.id;
        if nth % 2 == 0 {
            made.insert(id);
        }
    }
    let event = organization.publish(&json!({"type": "deal.won", "data": {"id": 1}})).await;
    for delivery in organization.all_deliveries(&format!("event={event}")).await {
        organization.attempted(delivery["id"].as_str().unwrap_or_default(), 1).await;
    }
    let desk = desk.opened("admin").await;
    desk.go_to("/failures").await;
    let shown = async || {
        let script = "return [...document.querySelectorAll('[data-webhook]')].map((one) => one.dataset.webhook)";
        let found = desk.browser.run(script, &[]).await;
        let ids = found.as_array().cloned().unwrap_or_default();
        ids.iter().map(|id| id.as_str().unwrap_or_default().to_owned()).collect::<BTreeSet<_>>()
    };
    let first = shown().await;
    assert!(first.len() >= 20 && first.len() < made.len(), "{}", first.len());
    desk.browser.click("#more-failing").await;
    desk.browser.unsee("#more-failing").await;
    let rest = shown().await;
    assert!(first.is_disjoint(&rest));
    assert_eq!(&first | &rest, made);
    assert_eq!(desk.complaints().await, Vec::<String>::new());
}

/// More than a page of them.
const NAMESAKES: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_organization_with_exactly_the_id_that_is_searched_for_comes_first_and_once() {
    let desk = Desk::unopened(Person::speaking("en"), Place::Own).await;
    let (browser, api) = (&desk.browser, &desk.world.api);
    // The oldest, so that it would come last.
    api.post("/v1/organizations", &json!({"id": "acme", "name": "The first"})).await.expect(201);
    for nth in 0..NAMESAKES {
        api.post("/v1/organizations", &json!({"id": format!("acme-{nth}"), "name": "Acme"})).await.expect(201);
    }
    desk.sign_in_as_operator().await;
    browser.open(&desk.url("/operator/organizations")).await;
    browser.fill("#search", "acme").await;
    browser.click("#organizations-search button").await;
    browser.see("#organizations a[href=\"/operator/organizations/acme\"]").await;
    let shown = async || {
        let script = "return [...document.querySelectorAll('#organizations .url')].map((id) => id.textContent)";
        let ids = browser.run(script, &[]).await;
        ids.as_array().into_iter().flatten().map(text).collect::<Vec<_>>()
    };
    let first = shown().await;
    assert_eq!(first[..2], ["acme".to_owned(), format!("acme-{}", NAMESAKES - 1)], "it, and then the newest");
    browser.click("a[rel=next]").await;
    browser.unsee("#organizations a[href=\"/operator/organizations/acme\"]").await;
    let rest = shown().await;
    let all: BTreeSet<_> = first.iter().chain(&rest).collect();
    assert_eq!((first.len() + rest.len(), all.len()), (NAMESAKES + 1, NAMESAKES + 1), "each once: {first:?} {rest:?}");
}
