//! What people do with one webhook on the dashboard's screens, as the forms send it: without a script, with a session alone.

use postrider_tests::api::{Answer, Api, Call};
use postrider_tests::receiver::Reply;
use postrider_tests::wait::until;
use postrider_tests::world::{Organization, Store, World, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(
    a_secret_is_replaced_shown_once_and_confirmed,
    what_was_missed_is_counted_sent_again_and_watched,
    a_diagnosis_shows_each_step_and_what_to_do_in_the_viewers_language,
    a_webhook_is_deleted_once_its_name_was_typed,
    people_who_only_look_change_nothing,
);

/// Somebody's screens of one webhook.
struct Screens {
    api: Api,
    base: String,
}

impl Screens {
    /// Of somebody who came in with a portal link.
    async fn of(world: &World, organization: &Organization, endpoint: &str, role: &str) -> Self {
        let link = world.api.post(&organization.path("/portal-links"), &json!({"role": role})).await.expect(201);
        let token = text(&link["url"]).split_once('#').map(|(_, token)| token.to_owned()).unwrap();
        let session = world.api.with(Some(&token)).post("/v1/sessions", &json!({})).await.expect(201);
        let api = world.api.with(session["token"].as_str());
        Screens { api, base: format!("/o/{}/webhooks/{endpoint}", organization.id) }
    }

    async fn look(&self, path: &str) -> Answer {
        self.api.get(&format!("{}{path}", self.base)).await
    }

    async fn read(&self, path: &str) -> String {
        let answer = self.look(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    async fn send(&self, path: &str, form: &str) -> Answer {
        self.api.call(self.form(path, form)).await
    }

    fn form(&self, path: &str, form: &str) -> Call {
        let call = Call::new("POST", &format!("{}{path}", self.base));
        call.body_of("application/x-www-form-urlencoded", form.to_owned())
    }
}

/// What stands between two texts of a page.
fn between<'p>(page: &'p str, before: &str, after: &str) -> Option<&'p str> {
    let (_, rest) = page.split_once(before)?;
    rest.split_once(after).map(|(found, _)| found)
}

async fn endpoint_of(organization: &Organization, id: &str) -> Value {
    organization.api.get(&organization.path(&format!("/endpoints/{id}"))).await.expect(200)
}

async fn a_secret_is_replaced_shown_once_and_confirmed(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let screens = Screens::of(&world, &organization, &endpoint.id, "admin").await;
    let before = screens.read("/secret").await;
    assert!(before.contains("id=\"rotate\"") && !before.contains("id=\"overlap-title\""), "{before}");

    let wrong = screens.send("/secret", "kind=own&secret=short&when=later&overlap=3600s").await;
    assert_eq!(wrong.status, 422);
    let page = wrong.text();
    assert!(page.contains("id=\"secret-mistake\"") && page.contains("value=\"short\""), "{page}");
    assert!(page.contains("value=\"3600s\" selected"), "what was chosen is kept: {page}");
    assert!(endpoint_of(&organization, &endpoint.id).await["overlap"].is_null());

    let form = "kind=generated&when=later&overlap=3600s&idempotency_key=once";
    let rotated = screens.api.call(screens.form("/secret", form).header("accept-encoding", "gzip")).await;
    assert_eq!((rotated.status, rotated.header("content-encoding")), (200, None), "a secret is not compressed");
    let page = rotated.text();
    let secret = between(&page, "id=\"secret-value\">", "<").unwrap().to_owned();
    assert!(secret.starts_with("whsec_") && page.contains("id=\"confirm-rotation\""), "{page}");
    let again = screens.send("/secret", form).await.text();
    assert!(again.contains(&secret), "a form that is sent twice makes one secret");
    let after = screens.read("/secret").await;
    assert!(!after.contains(&secret) && after.contains("data-countdown="), "{after}");

    for (action, is_open) in [("/secret/confirm", true), ("/secret/end", false), ("/secret/end", false)] {
        let done = screens.send(action, "").await;
        assert_eq!(done.header("location"), Some(format!("{}/secret", screens.base).as_str()), "{action}");
        let overlap = endpoint_of(&organization, &endpoint.id).await["overlap"].clone();
        assert_eq!(overlap["confirmed"] == true, is_open, "{action}: {overlap}");
    }
}

async fn what_was_missed_is_counted_sent_again_and_watched(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({"enabled": false})).await;
    let screens = Screens::of(&world, &organization, &endpoint.id, "admin").await;
    let events: Vec<_> = (0..3).map(|id| json!({"type": "deal.won", "data": {"id": id}})).collect();
    let body = json!({"events": events});
    organization.api.post(&organization.path("/events/batch"), &body).await.expect(202);
    let paused = screens.read("/recover").await;
    assert!(paused.contains("id=\"not-active\"") && !paused.contains("id=\"preview-recovery\""), "{paused}");
    assert_eq!(screens.send("/activate", "").await.status, 303);

    let offered = screens.read("/recover").await;
    assert!(offered.contains("id=\"span-stopped\" checked"), "since it was paused comes first: {offered}");
    let wrong = screens.look("/recover?span=own&since=yesterday").await;
    assert_eq!(wrong.status, 422);
    let preview = screens.read("/recover?span=stopped").await;
    assert_eq!(between(&preview, "data-count=\"", "\""), Some("3"), "{preview}");
    assert_eq!(world.receiver.count(), 0, "counting sends nothing");

    let since = between(&preview, "name=\"since\" value=\"2", "\"").map(|rest| format!("2{rest}")).unwrap();
    let begun = screens.send("/recover", &format!("since={since}&idempotency_key=once")).await;
    let location = begun.header("location").unwrap().to_owned();
    let operation = location.split_once("?begun=").unwrap().1.to_owned();
    world.receiver.wait_for("/in", 3).await;
    let path = format!("/recover/{operation}");
    let ended = until("the recovery's end", async || {
        Some(screens.read(&path).await).filter(|piece| !piece.contains("data-live"))
    });
    let piece = ended.await;
    assert!(piece.contains("data-status=\"succeeded\"") && piece.contains("value=\"3\" max=\"3\""), "{piece}");
    assert!(screens.read("/recover").await.contains("id=\"past-recoveries\""));
    let nobody = Screens::of(&world, &world.organization("standard").await, &endpoint.id, "admin").await;
    assert_eq!(nobody.look(&path).await.status, 404);
}

async fn a_diagnosis_shows_each_step_and_what_to_do_in_the_viewers_language(store: Store) {
    let world = World::with_on(store, |setup| setup.env("POSTRIDER_EGRESS_ADDRESSES", "203.0.113.10")).await;
    let organization = world.organization("standard").await;
    world.receiver.always("/in", Reply::status(401));
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let screens = Screens::of(&world, &organization, &endpoint.id, "admin").await;
    let page = screens.read("/diagnose").await;
    assert!(page.contains("203.0.113.10") && !page.contains("id=\"check-probe\""), "{page}");
    let viewer = Screens::of(&world, &organization, &endpoint.id, "viewer").await;
    assert!(viewer.read("/code").await.contains("203.0.113.10"), "whoever sets up a firewall sees them");
    let call = screens.form("/diagnose", "").header("x-postrider-language", "es");
    let found = screens.api.call(call).await.text();
    for (check, outcome) in [("url", "passed"), ("probe", "failed"), ("signature", "failed")] {
        assert!(found.contains(&format!("id=\"check-{check}\" data-outcome=\"{outcome}\"")), "{check}: {found}");
    }
    assert!(found.contains("Qué hacer:") && !found.contains("Usually the signature did not verify"), "{found}");
    assert!(found.contains(&format!("href=\"{}/code\"", screens.base)), "{found}");
}

async fn a_webhook_is_deleted_once_its_name_was_typed(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let name = "<b>Lager</b> & Söhne";
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({"name": name})).await;
    let screens = Screens::of(&world, &organization, &endpoint.id, "admin").await;
    let page = screens.read("/delete").await;
    assert!(page.contains("Lager") && !page.contains("<b>"), "{page}");
    let wrong = screens.send("/delete", "name=Lager").await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text().contains("id=\"name-mistake\""), "{}", wrong.text());
    endpoint_of(&organization, &endpoint.id).await;
    let right = screens.send("/delete", "name=%3Cb%3ELager%3C%2Fb%3E+%26+S%C3%B6hne").await;
    assert_eq!(right.header("location"), Some(format!("/o/{}/webhooks", organization.id).as_str()));
    organization.api.get(&organization.path(&format!("/endpoints/{}", endpoint.id))).await.problem(404);
}

async fn people_who_only_look_change_nothing(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({"name": "Ours"})).await;
    let screens = Screens::of(&world, &organization, &endpoint.id, "viewer").await;
    let before = endpoint_of(&organization, &endpoint.id).await;
    for path in ["/secret", "/recover", "/diagnose", "/delete"] {
        assert_eq!(screens.look(path).await.status, 403, "{path}");
        assert!(!screens.read("").await.contains(&format!("{}{path}\"", screens.base)), "{path}");
    }
    let forms = [
        ("/secret", "kind=generated"),
        ("/secret/confirm", ""),
        ("/secret/end", ""),
        ("/recover", "since=2020-01-01T00:00:00Z"),
        ("/diagnose", ""),
        ("/delete", "name=Ours"),
    ];
    for (path, form) in forms {
        assert_eq!(screens.send(path, form).await.status, 403, "{path}");
    }
    assert_eq!(endpoint_of(&organization, &endpoint.id).await, before);
    assert_eq!(world.receiver.count(), 0);
}
