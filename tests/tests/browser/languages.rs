//! Times, numbers and shares as each language writes them.

use postrider_tests::browser::Person;
use postrider_tests::receiver::Reply;
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
