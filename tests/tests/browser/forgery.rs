//! Requests that another site makes somebody's browser send, and ones that somebody makes who may only look.

use postrider_tests::api::Call;
use postrider_tests::browser::Person;
use postrider_tests::receiver::Receiver;

use super::desk::{Desk, Place, page_of};

/// Of the dashboard's session cookie, as it goes to the server.
async fn session_cookie(desk: &Desk) -> String {
    let cookies = desk.browser.devtools("Network.getAllCookies", &serde_json::json!({})).await;
    let cookies = cookies["cookies"].as_array().cloned().unwrap_or_default();
    let cookie = cookies.iter().find(|cookie| cookie["name"] == "postrider").expect("a session cookie");
    assert_eq!((&cookie["httpOnly"], &cookie["sameSite"]), (&true.into(), &"Lax".into()), "{cookie}");
    format!("postrider={}", cookie["value"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_sites_form_does_nothing_though_the_victim_is_signed_in() {
    let desk = Desk::open(Person::speaking("en"), Place::Own, "admin").await;
    // On another site the browser holds the cookie back; on another port of the same host it does not.
    let evil = Receiver::start().await;
    let port = evil.url("").rsplit(':').next().unwrap().to_owned();
    for site in [format!("http://evil.example:{port}"), format!("http://localhost:{port}")] {
        for (at, action) in ["/session/end", "/language"].into_iter().enumerate() {
            let action = desk.url(action);
            let page = format!(
                "<!doctype html><title>Prize</title><form id=prize method=post action=\"{action}\"><input name=language value=es></form>"
            );
            evil.always(&format!("/{at}"), page_of(&page));
            desk.browser.open(&format!("{site}/{at}")).await;
            desk.browser.run("document.getElementById('prize').submit()", &[]).await;
            desk.browser.see("#main[data-title]").await;
            assert_eq!(desk.browser.address().await, action);
        }
        // Still signed in, in the same language.
        desk.browser.open(&desk.url(&desk.path("/webhooks"))).await;
        desk.screen("/webhooks").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_victims_cookie_alone_changes_nothing() {
    let desk = Desk::open(Person::speaking("en"), Place::Own, "admin").await;
    let (cookie, nobody) = (session_cookie(&desk).await, desk.world.api.with(None));
    let forged = [
        vec![],
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        vec![("origin", "http://evil.example")],
        vec![("origin", "null")],
    ];
    let endpoint = desk.organization.endpoint("https://127.0.0.1/in", serde_json::json!({})).await;
    let pause = desk.path(&format!("/webhooks/{}/pause", endpoint.id));
    let paths = ["/session/end", "/language", pause.as_str()];
    for (headers, path) in forged.iter().flat_map(|headers| paths.map(|path| (headers, path))) {
        let call = Call::new("POST", path).header("cookie", &cookie);
        let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
        let answer = nobody.call(call.body_of("application/x-www-form-urlencoded", "language=es")).await;
        assert_eq!(answer.status, 403, "{path} {headers:?}");
        assert_eq!(answer.header("set-cookie"), None, "{path} {headers:?}");
    }
    let path = desk.organization.path(&format!("/endpoints/{}", endpoint.id));
    assert_eq!(desk.organization.api.get(&path).await.expect(200)["status"], "active");
    let call = Call::new("POST", "/session/end").header("cookie", &cookie).header("sec-fetch-site", "same-origin");
    let answer = nobody.call(call.body_of("application/x-www-form-urlencoded", "")).await;
    assert_eq!(answer.status, 303);
}
