//! Times, numbers and shares as each language writes them.

use postrider_tests::browser::Person;
use postrider_tests::receiver::Reply;
use postrider_tests::wait::until;
use serde_json::json;

use super::desk::{Desk, Place};

/// Of three attempts one failed: what the list of webhooks shows of that in each language.
const SHARES: [(&str, &str); 3] = [("en", "66.6%"), ("pt-BR", "66,6%"), ("es", "66,6")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_are_in_the_viewers_zone_and_shares_have_the_languages_decimal_point() {
    for (language, share) in SHARES {
        let desk = Desk::unopened(Person::speaking(language), Place::Own).await;
        let Desk { browser, organization, world, .. } = &desk;
        world.receiver.script("/in", [200, 200, 500].map(Reply::status));
        let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
        for id in ["1", "2", "3"] {
            let event = organization.publish(&json!({"type": "deal.won", "data": {"id": id}})).await;
            organization.attempted(&organization.delivery_of(&event).await, 1).await;
        }
        desk.follow(&desk.portal_link("viewer").await).await;
        desk.screen("/webhooks").await;
        let row = browser.text(&format!("#{}", endpoint.id)).await;
        assert!(row.contains(share), "{language}: {row}");
        // The browser's zone is three hours behind UTC, which the server wrote.
        let script = "const write = new Intl.DateTimeFormat(arguments[0], {dateStyle: 'medium', timeStyle: 'medium', timeZone: 'America/Sao_Paulo'});
            return [...document.querySelectorAll('#main time[datetime]')].map((time) => [time.textContent, write.format(new Date(time.dateTime)), time.title])";
        let times = browser.run(script, &[json!(language)]).await;
        let times = times.as_array().cloned().unwrap_or_default();
        assert!(!times.is_empty(), "{language}: no time is shown: {row}");
        for time in times {
            assert_eq!(time[0], time[1], "{language}");
            assert!(time[2].as_str().is_some_and(|title| title.ends_with("UTC")), "{language}: {time}");
        }
    }
}

/// What an attempt at a port on which nobody listens says in English, by any part of which it would be known.
const REFUSED: &str = "no connection to";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_failed_and_why_is_told_wholly_in_the_viewers_language() {
    for language in ["pt-BR", "es"] {
        let desk = Desk::unopened(Person::speaking(language), Place::Own).await;
        let Desk { organization, world, .. } = &desk;
        world.receiver.always("/bad", Reply::status(500));
        world.receiver.always("/gone", Reply::status(410));
        world.receiver.always("/garbage", Reply::Raw(b"no http at all\r\n\r\n".to_vec()));
        // Nobody listens there.
        let closed = world.receiver.url("/in").replace("127.0.0.1", "127.0.0.99");
        let urls = [world.receiver.url("/bad"), world.receiver.url("/garbage"), closed, world.receiver.url("/gone")];
        let mut made = vec![];
        for (nth, url) in urls.iter().enumerate() {
            made.push(organization.endpoint(url, json!({"name": format!("N {nth}")})).await.id);
        }
        let event = organization.publish(&json!({"type": "deal.won", "data": {"id": "1"}})).await;
        for delivery in organization.all_deliveries(&format!("event={event}")).await {
            organization.attempted(delivery["id"].as_str().unwrap_or_default(), 1).await;
        }
        until("the webhook that is gone is disabled", async || {
            let shown = organization.api.get(&organization.path(&format!("/endpoints/{}", made[3]))).await.expect(200);
            assert_eq!(
                shown["disabled_reason_code"],
                if shown["status"] == "disabled" { json!("gone") } else { json!(null) }
            );
            (shown["status"] == "disabled").then_some(())
        })
        .await;
        let desk = desk.opened("admin").await;
        let Desk { browser, organization, .. } = &desk;
        for screen in ["/failures".to_owned(), "/webhooks".to_owned(), format!("/webhooks/{}", made[3])] {
            desk.go_to(&screen).await;
            assert_eq!(browser.count("#main [lang=en]").await, 0, "{language}: {screen}");
            assert!(!browser.text("#main").await.contains(REFUSED), "{language}: {screen}");
        }
        // One delivery tells the technical detail as well, and that it is in English.
        let found = organization.deliveries(&format!("event={event}&endpoint={}", made[2])).await;
        let id = found[0]["id"].as_str().unwrap_or_default().to_owned();
        let error = organization.delivery(&id).await["attempts"][0]["error"].clone();
        assert_eq!(error["message_code"], "connect.connection_refused", "{error}");
        desk.go_to(&format!("/deliveries/{id}")).await;
        assert_eq!(browser.count("#history [lang=en]").await, 0, "{language}");
        assert!(browser.text("#failure-detail[lang=en]").await.contains(REFUSED));
    }
}
