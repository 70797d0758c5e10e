//! Signing secrets: rotated, confirmed, set and removed; and that receivers which hold either secret of a rotation verify at every moment, each
//! as its document's own sample reads a signature (002, "both the old and new secrets will work for 24 hours"; contracts.md, reading 6).

use postrider_tests::foreign::Foreign;
use postrider_tests::receiver::Reply;
use postrider_tests::sign::{hmac_hex, sendpilot, standard_v1};
use postrider_tests::world::{Endpoint, Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(
    published_receivers_with_either_secret_verify_at_every_moment_of_a_rotation,
    a_single_signature_falls_back_to_the_other_secret_and_both_requests_are_shown,
    after_a_leak_the_new_secret_signs_alone_at_once,
    optional_secrets_are_set_replaced_and_removed,
);

const HOUR_MS: i64 = 3_600_000;

impl Rotating<'_> {
    async fn rotate(&self, body: &Value) -> Value {
        self.organization.api.post(&self.path("/secret/rotate"), body).await.expect(200)
    }

    async fn refused(&self, body: &Value, status: u16) -> Value {
        self.organization.api.post(&self.path("/secret/rotate"), body).await.problem(status)
    }

    async fn confirm(&self, body: &Value, status: u16) {
        self.organization.api.post(&self.path("/secret/confirm"), body).await.expect(status);
    }

    fn path(&self, rest: &str) -> String {
        self.organization.path(&format!("/endpoints/{}{rest}", self.endpoint.id))
    }

    async fn shown(&self) -> Value {
        self.organization.api.get(&self.path("")).await.expect(200)
    }
}

/// An endpoint whose secret is rotated.
struct Rotating<'a> {
    organization: &'a Organization,
    endpoint: &'a Endpoint,
}

/// Publishes an event and returns its one delivery, ended like this.
async fn delivered(organization: &Organization, event: &Value, status: &str) -> Value {
    let event = organization.publish(event).await;
    organization.ended(&organization.delivery_of(&event).await, status).await
}

/// The one attempt of a delivery.
fn attempt(delivery: &Value) -> Value {
    let attempts = items(&delivery["attempts"]);
    assert_eq!(attempts.len(), 1, "{delivery}");
    attempts[0].clone()
}

/// Whether the attempt took two requests: the first refused with 401, and shown.
fn took_two(delivery: &Value) -> bool {
    let attempt = attempt(delivery);
    let refused = &attempt["refused_first"];
    assert!(refused.is_null() || refused["status_code"] == 401, "{attempt}");
    !refused.is_null()
}

/// One published receiver, with the endpoint that delivers to it.
struct Held {
    receiver: Foreign,
    organization: Organization,
    endpoint: Endpoint,
}

impl Held {
    async fn new(world: &World, receiver: Foreign) -> Self {
        let organization = world.organization("sendpilot").await;
        let endpoint = organization.endpoint(&format!("{}/sendpilot", receiver.url), json!({})).await;
        Held { receiver, organization, endpoint }
    }

    fn rotating(&self) -> Rotating<'_> {
        Rotating { organization: &self.organization, endpoint: &self.endpoint }
    }

    /// The receiver holds this secret; it must verify what is delivered now, with so many requests.
    async fn verifies(&mut self, secret: &str, requests: usize, moment: &str) {
        self.receiver.trust("/sendpilot", secret).await;
        let event = json!({"type": "message.received", "data": {"text": "naïve ✓", "n": 1.50}});
        let delivery = delivered(&self.organization, &event, "succeeded").await;
        assert_eq!(1 + usize::from(took_two(&delivery)), requests, "{moment}: {delivery}");
    }
}

async fn published_receivers_with_either_secret_verify_at_every_moment_of_a_rotation(store: Store) {
    let mut world = World::start_on(store).await;
    let node = Held::new(&world, Foreign::node().await).await;
    let python = Held::new(&world, Foreign::python().await).await;
    let mut both = [node, python];
    let mut news = vec![];
    for held in &mut both {
        let old = held.endpoint.secret.clone();
        held.verifies(&old, 1, "before").await;
        let rotated = held.rotating().rotate(&json!({})).await;
        news.push(text(&rotated["secret"]));
        assert_ne!(news.last(), Some(&old));
    }
    for (held, new) in both.iter_mut().zip(&news) {
        let old = held.endpoint.secret.clone();
        held.verifies(&old, 1, "rotated, not confirmed, old").await;
        held.verifies(new, 2, "rotated, not confirmed, new").await;
    }
    world = world.stopped_and_started().await;
    for (held, new) in both.iter_mut().zip(&news) {
        held.organization.api = world.api.clone();
        let old = held.endpoint.secret.clone();
        held.verifies(&old, 1, "after a restart, old").await;
        held.verifies(new, 2, "after a restart, new").await;
        held.rotating().confirm(&json!({}), 204).await;
        held.verifies(&old, 2, "confirmed, old").await;
        held.verifies(new, 1, "confirmed, new").await;
    }
    world = world.killed_and_started().await;
    world.advance_ms(24 * HOUR_MS - 120_000).await;
    for (held, new) in both.iter_mut().zip(&news) {
        held.organization.api = world.api.clone();
        let old = held.endpoint.secret.clone();
        held.verifies(&old, 2, "just before the end, old").await;
        held.verifies(new, 1, "just before the end, new").await;
    }
    world.advance_ms(120_000).await;
    for (held, new) in both.iter_mut().zip(&news) {
        held.verifies(new, 1, "after the end, new").await;
        assert_eq!(held.rotating().shown().await["overlap"], Value::Null);
        held.receiver.trust("/sendpilot", &held.endpoint.secret.clone()).await;
        let event = held.organization.publish(&json!({"type": "message.received", "data": {}})).await;
        let refused = held.organization.attempted(&held.organization.delivery_of(&event).await, 1).await;
        assert!(!took_two(&refused), "the old secret is not tried any more: {refused}");
        assert_eq!(attempt(&refused)["status_code"], 401);
    }
}

#[tokio::test]
async fn an_overlap_that_nobody_confirms_ends_as_well() {
    let world = World::start().await;
    let organization = world.organization("sendpilot").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let rotating = Rotating { organization: &organization, endpoint: &endpoint };
    let new = text(&rotating.rotate(&json!({"overlap": "90m"})).await["secret"]);
    let event = json!({"type": "message.received", "data": {}});
    delivered(&organization, &event, "succeeded").await;
    world.advance_ms(2 * HOUR_MS).await;
    delivered(&organization, &event, "succeeded").await;
    let arrived = world.receiver.wait_for("/in", 2).await;
    let signature = |at: usize| arrived[at].header("webhook-signature").unwrap().to_owned();
    let seconds = |at: usize| signature(at)[2..].split(',').next().unwrap().to_owned();
    let part = |secret: &str, at: usize| {
        sendpilot(secret, &seconds(at), &arrived[at].body).split(',').nth(1).unwrap().to_owned()
    };
    let (old_part, new_part) = (part(&endpoint.secret, 0), part(&new, 0));
    assert_eq!(signature(0), format!("t={},{old_part},{new_part},{old_part}", seconds(0)), "reading 6, byte for byte");
    assert_eq!(signature(1), sendpilot(&new, &seconds(1), &arrived[1].body), "the new one alone");
}

async fn a_single_signature_falls_back_to_the_other_secret_and_both_requests_are_shown(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("salesos").await;
    let headers = json!({"headers": {"X-Token": "value-that-is-masked"}});
    let endpoint = organization.endpoint(&world.receiver.url("/in"), headers).await;
    let rotating = Rotating { organization: &organization, endpoint: &endpoint };
    let new = text(&rotating.rotate(&json!({})).await["secret"]);
    for refusal in [400, 401, 403] {
        let before = world.receiver.count();
        world.receiver.script("/in", [Reply::Status(refusal, vec![], b"wrong".to_vec()), Reply::status(204)]);
        let event = json!({"type": "order.created", "data": {"id": 1}});
        let delivery = delivered(&organization, &event, "succeeded").await;
        let requests = world.receiver.from(before);
        assert_eq!(requests.len(), 2);
        assert_eq!(requests[0].body, requests[1].body);
        let signed = |secret: &str| hmac_hex(secret, &requests[0].body);
        assert_eq!(requests[0].header("x-webhook-signature"), Some(signed(&endpoint.secret).as_str()));
        assert_eq!(requests[1].header("x-webhook-signature"), Some(signed(&new).as_str()));

        assert_eq!((&delivery["attempts_count"], &delivery["last_status_code"]), (&json!(1), &json!(204)));
        let attempt = attempt(&delivery);
        assert_eq!((&attempt["status_code"], &attempt["error"]), (&json!(204), &Value::Null));
        assert_eq!(attempt["request_headers"]["X-Webhook-Signature"], signed(&new));
        let first = &attempt["refused_first"];
        assert_eq!((&first["status_code"], &first["response_body"]), (&json!(refusal), &json!("wrong")));
        assert_eq!(first["request_headers"]["X-Webhook-Signature"], signed(&endpoint.secret));
        assert_eq!(first["request_headers"]["X-Token"], "********");
        assert_eq!(delivery["request"]["headers"]["X-Webhook-Signature"], signed(&new), "the latest request");
    }
    // What is no refusal of the signature is not tried again at once.
    world.receiver.script("/in", [Reply::status(500)]);
    let event = organization.publish(&json!({"type": "order.created", "data": {}})).await;
    let failed = organization.attempted(&organization.delivery_of(&event).await, 1).await;
    assert!(!took_two(&failed), "{failed}");
    // A test event is sent the same way.
    world.receiver.script("/in", [Reply::status(401), Reply::status(200)]);
    let test = world.api.post(&rotating.path("/test"), &json!({})).await.expect(200);
    assert_eq!((&test["succeeded"], &test["refused_first"]["status_code"]), (&json!(true), &json!(401)));
}

#[tokio::test]
async fn both_requests_of_an_attempt_may_be_refused_and_count_as_one() {
    let world = World::start().await;
    let organization = world.organization("suresend").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    Rotating { organization: &organization, endpoint: &endpoint }.rotate(&json!({})).await;
    world.receiver.always("/in", Reply::status(403));
    let event = organization.publish(&json!({"type": "peopleCreated", "data": {}})).await;
    let delivery = organization.attempted(&organization.delivery_of(&event).await, 1).await;
    assert_eq!((&delivery["status"], &delivery["attempts_count"]), (&json!("pending"), &json!(1)));
    assert_eq!(world.receiver.count_at("/in"), 2);
    let attempt = attempt(&delivery);
    assert_eq!((&attempt["status_code"], &attempt["refused_first"]["status_code"]), (&json!(403), &json!(403)));
    assert!(text(&attempt["error"]["advice"]).contains("after a rotation"), "{attempt}");
}

#[tokio::test]
async fn receivers_that_read_every_signature_need_no_second_request() {
    let world = World::start().await;
    let mut node = Foreign::node().await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&format!("{}/standard", node.url), json!({})).await;
    let rotating = Rotating { organization: &organization, endpoint: &endpoint };
    let new = text(&rotating.rotate(&json!({})).await["secret"]);
    for confirmed in [false, true] {
        for held in [&endpoint.secret, &new] {
            node.trust("/standard", held).await;
            let delivery = delivered(&organization, &json!({"type": "deal.won", "data": {}}), "succeeded").await;
            assert!(!took_two(&delivery), "confirmed: {confirmed}: {delivery}");
        }
        rotating.confirm(&json!({}), 204).await;
    }
}

async fn after_a_leak_the_new_secret_signs_alone_at_once(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let rotating = Rotating { organization: &organization, endpoint: &endpoint };
    rotating.confirm(&json!({}), 409).await;

    let second = rotating.rotate(&json!({})).await;
    let shown = rotating.shown().await;
    assert_eq!(shown["overlap"], json!({"ends_at": second["expires_at"], "confirmed": false, "public_key": null}));
    assert!(!shown.to_string().contains("whsec_"), "{shown}");
    // While it is open no other begins: a receiver that still holds the first secret would be left behind.
    let problem = rotating.refused(&json!({}), 409).await;
    assert_eq!(problem["type"], "/docs/problems#rotation-open");
    rotating.refused(&json!({"overlap": "1s"}), 409).await;
    assert_eq!(rotating.shown().await["overlap"], shown["overlap"]);

    let third = rotating.rotate(&json!({"overlap": "0s"})).await;
    assert_eq!(rotating.shown().await["overlap"], Value::Null);
    delivered(&organization, &json!({"type": "deal.won", "data": {}}), "succeeded").await;
    let arrived = world.receiver.wait_for("/in", 1).await.remove(0);
    let (id, at) = (arrived.header("webhook-id").unwrap(), arrived.header("webhook-timestamp").unwrap());
    let alone = standard_v1(&text(&third["secret"]), id, at, &arrived.body);
    assert_eq!(arrived.header("webhook-signature"), Some(alone.as_str()));

    // A rotation that went well can be ended before its time, too, keeping the new secret.
    let fourth = rotating.rotate(&json!({})).await;
    rotating.confirm(&json!({"overlap": "1h"}), 204).await;
    let shortened = rotating.shown().await["overlap"].clone();
    assert_eq!(shortened["confirmed"], true);
    assert!(text(&shortened["ends_at"]) < text(&fourth["expires_at"]), "{shortened}");
    rotating.confirm(&json!({"overlap": "0s"}), 204).await;
    assert_eq!(rotating.shown().await["overlap"], Value::Null);
    rotating.confirm(&json!({}), 409).await;
    delivered(&organization, &json!({"type": "deal.won", "data": {}}), "succeeded").await;
    let arrived = world.receiver.wait_for("/in", 2).await.remove(1);
    let (id, at) = (arrived.header("webhook-id").unwrap(), arrived.header("webhook-timestamp").unwrap());
    let alone = standard_v1(&text(&fourth["secret"]), id, at, &arrived.body);
    assert_eq!(arrived.header("webhook-signature"), Some(alone.as_str()));
}

async fn optional_secrets_are_set_replaced_and_removed(store: Store) {
    let world = World::start_on(store).await;
    for (contract, event, header) in [
        ("salessheet", "deal.won", "x-salessheet-signature"),
        ("webhook-system", "contact.created", "x-webhook-signature"),
    ] {
        let organization = world.organization(contract).await;
        let path = format!("/{contract}");
        let endpoint = organization.endpoint(&world.receiver.url(&path), json!({})).await;
        let rotating = Rotating { organization: &organization, endpoint: &endpoint };
        let change = async |body: &Value| {
            let call = postrider_tests::api::Call::new("PATCH", &rotating.path("")).json(body);
            world.api.call(call).await
        };
        let signature = async |count: usize| {
            delivered(&organization, &json!({"type": event, "data": {}}), "succeeded").await;
            let arrived = world.receiver.wait_for(&path, count).await.pop().unwrap();
            (arrived.header(header).map(str::to_owned), arrived.body)
        };
        assert_eq!(signature(1).await.0, None, "{contract}: without a secret nothing is signed");
        rotating.refused(&json!({}), 422).await;
        let first = rotating.rotate(&json!({"secret": "typed by hand"})).await;
        assert_eq!(first, json!({"secret": "typed by hand", "public_key": null, "expires_at": null}));
        let (signed, body) = signature(2).await;
        assert_eq!(signed, Some(hmac_hex("typed by hand", &body)), "{contract}");
        rotating.refused(&json!({"secret": "typed by hand"}), 422).await;
        rotating.refused(&json!({"secret": "line\nbreak"}), 422).await;
        rotating.rotate(&json!({"secret": "another"})).await;
        change(&json!({"secret": "a third"})).await.problem(422);
        let removed = change(&json!({"secret": null})).await.expect(200);
        assert_eq!((&removed["signed"], &removed["overlap"]), (&json!(false), &Value::Null));
        assert_eq!(signature(3).await.0, None, "{contract}: nothing signs any more");
    }
}

#[tokio::test]
async fn a_contract_that_always_signs_keeps_a_secret_and_makes_it_where_none_is_chosen() {
    let world = World::start().await;
    for contract in ["salesos", "sendpilot", "suresend", "standard"] {
        let organization = world.organization(contract).await;
        let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
        let rotating = Rotating { organization: &organization, endpoint: &endpoint };
        let remove = postrider_tests::api::Call::new("PATCH", &rotating.path("")).json(&json!({"secret": null}));
        world.api.call(remove).await.problem(422);
        assert_eq!(rotating.shown().await["signed"], true);
        rotating.refused(&json!({"secret": ""}), 422).await;
        rotating.refused(&json!({"overlap": "31d"}), 422).await;
        rotating.refused(&json!({"overlap": "soon"}), 422).await;
        rotating.refused(&json!({"secrets": "x"}), 422).await;
        let made = rotating.rotate(&json!({})).await;
        assert_ne!(text(&made["secret"]), endpoint.secret);
        assert!(text(&made["expires_at"]).ends_with('Z'));
    }
}

#[tokio::test]
async fn an_asymmetric_key_is_rotated_to_one_of_its_kind_and_both_public_keys_are_shown() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({"secret": "whsk_"})).await;
    let rotating = Rotating { organization: &organization, endpoint: &endpoint };
    let old_key = text(&rotating.shown().await["public_key"]);
    let made = rotating.rotate(&json!({})).await;
    assert!(text(&made["secret"]).starts_with("whsk_") && text(&made["public_key"]).starts_with("whpk_"), "{made}");
    let shown = rotating.shown().await;
    assert_eq!((&shown["public_key"], &shown["overlap"]["public_key"]), (&made["public_key"], &json!(old_key)));
    delivered(&organization, &json!({"type": "deal.won", "data": {}}), "succeeded").await;
    let arrived = world.receiver.wait_for("/in", 1).await.remove(0);
    assert_eq!(arrived.header("webhook-signature").unwrap().matches("v1a,").count(), 2);
    // To a shared secret, and back.
    let shared = rotating.rotate(&json!({"secret": "whsec_", "overlap": "0s"})).await;
    assert!(text(&shared["secret"]).starts_with("whsec_") && shared["public_key"].is_null(), "{shared}");
    let back = rotating.rotate(&json!({"secret": "whsk_"})).await;
    assert!(text(&back["secret"]).starts_with("whsk_"), "{back}");
    delivered(&organization, &json!({"type": "deal.won", "data": {}}), "succeeded").await;
    let arrived = world.receiver.wait_for("/in", 2).await.remove(1);
    let signature = arrived.header("webhook-signature").unwrap();
    assert!(signature.contains("v1,") && signature.contains("v1a,"), "{signature}");
}

#[tokio::test]
async fn a_rotation_repeated_under_its_key_is_done_once_and_answered_alike() {
    let world = World::start().await;
    let organization = world.organization("sendpilot").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let path = organization.path(&format!("/endpoints/{}/secret/rotate", endpoint.id));
    let call = postrider_tests::api::Call::new("POST", &path).header("idempotency-key", "rotate-1").json(&json!({}));
    let first = world.api.call(call.clone()).await.expect(200);
    assert_eq!(world.api.call(call).await.expect(200), first);
}
