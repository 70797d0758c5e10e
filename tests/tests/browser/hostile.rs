//! What hostile receivers answer, and what hostile people name things, is shown as text.

use postrider_tests::browser::Person;
use postrider_tests::receiver::Reply;
use serde_json::json;

use super::desk::{Desk, Place};

/// Ends of what a body might be shown in, scripts, and characters that change how others are shown.
const BODY: &str = "</pre></code></textarea></main><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>\
    <style>body{display:none}</style><meta http-equiv=refresh content='0;url=http://evil.example/'>{{7*7}}${7*7}\
    \u{1b}[31mred\u{1b}[0m \u{0} \u{8} \u{202e}txet\u{202c} \u{2066}isolated\u{2069} \u{feff}end";

/// A line of the longest body that is kept.
fn line() -> String {
    "W".repeat(64 * 1024)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_answers_are_text_on_every_screen_that_shows_them() {
    for place in [Place::Own, Place::Frame] {
        let desk = Desk::unopened(Person::speaking("en"), place).await;
        let Desk { browser, world, organization, .. } = &desk;
        let header = ("x-note".to_owned(), "<script>window.hacked = 3</script>".to_owned());
        let refresh = ("refresh".to_owned(), "0;url=http://evil.example/".to_owned());
        let bodies = [BODY.as_bytes().to_vec(), line().into_bytes(), vec![0xff, 0xfe, 0x80, b'<', b'b', b'>']];
        let mut deliveries = vec![];
        for (body, event_type) in bodies.into_iter().zip(["deal.won", "deal.lost", "contact.created"]) {
            let path = format!("/{event_type}");
            world.receiver.always(&path, Reply::Status(500, vec![header.clone(), refresh.clone()], body));
            let name = format!("<img src=x onerror='window.hacked = 4'>\u{202e}{event_type}");
            let endpoint = json!({"name": name, "events": [event_type]});
            let endpoint = organization.endpoint(&world.receiver.url(&path), endpoint).await.id;
            let data = json!({"id": "1", "note": "</script><script>window.hacked = 5</script>\u{202e}"});
            let event = organization.publish(&json!({"type": event_type, "data": data})).await;
            let delivery = organization.delivery_of(&event).await;
            organization.attempted(&delivery, 1).await;
            deliveries.push((endpoint, delivery));
        }
        desk.follow(&desk.portal_link("admin").await).await;
        desk.screen("/webhooks").await;
        assert_eq!(browser.count("#main img, #main script").await, 0);
        for (nth, (endpoint, delivery)) in deliveries.iter().enumerate() {
            browser.click(&format!("#main a[href$=\"/webhooks/{endpoint}\"]")).await;
            browser.click(&format!("#open-{delivery}")).await;
            desk.screen(&format!("/deliveries/{delivery}")).await;
            // The whole of it, wherever it is folded away.
            let text = browser.run("return document.getElementById('main').textContent", &[]).await.to_string();
            match nth {
                0 => {
                    for part in ["</textarea>", "<script>window.hacked = 1</script>", "{{7*7}}${7*7}", "[31mred", "end"]
                    {
                        assert!(text.contains(part), "{part} in {text}");
                    }
                    // Shown by a sign, since they would not be seen or would change what is.
                    for unseen in
                        ['\u{1b}', '\u{0}', '\u{8}', '\u{202e}', '\u{202c}', '\u{2066}', '\u{2069}', '\u{feff}']
                    {
                        let raw = json!(unseen.to_string()).to_string();
                        assert!(
                            !text.contains(raw.trim_matches('"')) && !text.contains(unseen),
                            "{unseen:?} in {text}"
                        );
                    }
                }
                1 => assert!(text.contains(&"W".repeat(10_000)), "a long line is shown"),
                _ => assert!(text.contains("<b>"), "what is no text: {text}"),
            }
            assert_eq!(browser.run("return window.hacked ?? null", &[]).await, json!(null));
            assert_eq!(
                browser.count("#main img, #main script:not([src^=\"/assets/\"]), #main style, #main meta").await,
                0
            );
            assert_eq!(browser.sticking_out().await, Vec::<String>::new());
            browser.click(".menu a[href$=\"/webhooks\"]").await;
            desk.screen("/webhooks").await;
        }
        assert_eq!(desk.complaints().await, Vec::<String>::new());
    }
}
