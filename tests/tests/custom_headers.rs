//! Custom headers: sent as they were given, never shown again, and never able to say what the contract, HTTP or the signature says (000, "You can also
//! configure custom HTTP headers"; contracts.md, reading 11).

use postrider_tests::api::{Answer, Call};
use postrider_tests::receiver::Reply;
use postrider_tests::world::{Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(values_are_sent_and_in_no_answer_again, a_change_sets_and_removes_headers_one_by_one);

/// Two values, of which nothing may be seen but by the receiver.
const TOKEN: &str = "Bearer custom-header-value-7c1e";
const KEY: &str = "k 1=;,\"'\t<custom-header-value-9d2f>";

#[track_caller]
fn assert_hidden(answer: &Answer) {
    let shown = answer.text();
    assert!(!shown.contains("custom-header-value"), "{shown}");
    let of_headers =
        answer.headers.values().any(|value| String::from_utf8_lossy(value.as_bytes()).contains("custom-header-value"));
    assert!(!of_headers, "{:?}", answer.headers);
}

async fn change(organization: &Organization, id: &str, body: &Value) -> Answer {
    let path = organization.path(&format!("/endpoints/{id}"));
    organization.api.call(Call::new("PATCH", &path).json(body)).await
}

async fn values_are_sent_and_in_no_answer_again(store: Store) {
    let world = World::with_on(store, |setup| setup.env("POSTRIDER_LOG", "trace")).await;
    let organization = world.organization("salessheet").await;
    let body = json!({
        "name": "E", "url": world.receiver.url("/in"), "events": ["*"], "secret": "typed",
        "headers": {"Authorization": TOKEN, "x-API-key": KEY, "X-Empty": ""},
    });
    let made = world.api.post(&organization.path("/endpoints"), &body).await;
    assert_hidden(&made);
    let id = text(&made.expect(201)["id"]);
    let shown = made.json()["headers"].clone();
    assert_eq!(shown, json!({"Authorization": "********", "x-API-key": "********", "X-Empty": "********"}));

    world.receiver.script("/in", [Reply::status(500), Reply::status(200)]);
    let event = organization.publish(&json!({"type": "deal.won", "data": {}})).await;
    let delivery = organization.delivery_of(&event).await;
    organization.attempted(&delivery, 1).await;
    let at = |rest: &str| organization.path(&format!("/endpoints/{id}{rest}"));
    let answers = [
        world.api.get(&organization.path("/endpoints")).await,
        world.api.get(&at("")).await,
        world.api.get(&organization.path(&format!("/deliveries/{delivery}"))).await,
        world.api.post(&at("/test"), &json!({})).await,
        world.api.post(&at("/diagnose"), &json!({})).await,
        world.api.post(&at("/secret/rotate"), &json!({"secret": "another"})).await,
        change(&organization, &id, &json!({"description": "d"})).await,
        world.api.get(&organization.path("/audit")).await,
        world.api.get("/metrics").await,
        world.api.get("/openapi.json").await,
    ];
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_hidden(answer);
    }
    assert_eq!(answers[2].json()["attempts"][0]["request_headers"]["Authorization"], "********");
    // A mistake names the header, and repeats nothing of any value.
    let wrong = json!({"headers": {"X-New": format!("{TOKEN}\r\nX: y"), "Authorization": format!("{KEY}é")}});
    let refused = change(&organization, &id, &wrong).await;
    assert_hidden(&refused);
    let pointers: Vec<_> = items(&refused.problem(422)["errors"]).iter().map(|error| text(&error["pointer"])).collect();
    assert_eq!(pointers, ["/headers/Authorization", "/headers/X-New"]);

    let arrived = &world.receiver.wait_for("/in", 1).await[0];
    for (name, value) in [("Authorization", TOKEN), ("x-API-key", KEY), ("X-Empty", "")] {
        let sent: Vec<_> = arrived.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).collect();
        assert_eq!(sent, [&(name.to_owned(), value.to_owned())], "as it was given, once");
    }
    let (ended, _, _data) = world.stop().await;
    for output in [&ended.stdout, &ended.stderr] {
        assert!(!output.contains("custom-header-value"), "{output}");
    }
}

async fn a_change_sets_and_removes_headers_one_by_one(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let headers = json!({"headers": {"X-One": "1", "X-Two": "2", "X-Three": "3"}});
    let endpoint = organization.endpoint(&world.receiver.url("/in"), headers).await;
    let sent = async |count: usize| {
        organization.publish(&json!({"type": "deal.won", "data": {}})).await;
        let request = world.receiver.wait_for("/in", count).await.pop().unwrap();
        ["x-one", "x-two", "x-three", "x-four"].map(|name| request.header(name).map(str::to_owned))
    };
    let some = |value: &str| Some(value.to_owned());
    assert_eq!(sent(1).await, [some("1"), some("2"), some("3"), None]);
    let fewer = json!({"headers": {"x-TWO": "zwei", "X-Three": null, "X-Four": "4"}});
    let shown = change(&organization, &endpoint.id, &fewer).await.expect(200)["headers"].clone();
    assert_eq!(shown.as_object().unwrap().len(), 3, "{shown}");
    assert_eq!(sent(2).await, [some("1"), some("zwei"), None, some("4")]);
    change(&organization, &endpoint.id, &json!({"name": "Other"})).await.expect(200);
    assert_eq!(sent(3).await, [some("1"), some("zwei"), None, some("4")]);
    let emptied = change(&organization, &endpoint.id, &json!({"headers": null})).await.expect(200);
    assert_eq!(emptied["headers"], json!({}));
    assert_eq!(sent(4).await, [None, None, None, None]);
}

#[tokio::test]
async fn names_that_the_contract_http_or_the_signature_owns_cannot_be_taken() {
    let world = World::start().await;
    let by_http = [
        "Host",
        "content-length",
        "CONTENT-TYPE",
        "Transfer-Encoding",
        "Connection",
        "keep-alive",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
        "Accept-Encoding",
        "User-Agent",
        "Proxy-Authorization",
        "Content-Encoding",
        "Date",
        "Via",
    ];
    for (contract, own) in [
        ("standard", &["webhook-id", "Webhook-Timestamp", "WEBHOOK-SIGNATURE"][..]),
        ("salessheet", &["x-salessheet-signature"]),
        ("salesos", &["X-WEBHOOK-SIGNATURE"]),
        ("sendpilot", &["webhook-signature"]),
        ("webhook-system", &["x-webhook-event", "X-Webhook-Timestamp", "X-Webhook-Signature"]),
        ("suresend", &["x-webhook-signature"]),
    ] {
        let organization = world.organization(contract).await;
        for name in by_http.iter().chain(own) {
            let body = json!({"name": "E", "url": world.receiver.url("/in"), "events": ["*"], "headers": {*name: "v"}});
            let problem = world.api.post(&organization.path("/endpoints"), &body).await.problem(422);
            assert_eq!(problem["errors"][0]["pointer"], format!("/headers/{name}"), "{contract}: {problem}");
        }
        assert!(items(&world.api.get(&organization.path("/endpoints")).await.expect(200)["data"]).is_empty());
    }
}

#[tokio::test]
async fn nothing_can_be_smuggled_and_sizes_have_an_end() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    let made = async |headers: Value| {
        let body = json!({"name": "E", "url": world.receiver.url("/in"), "events": ["*"], "headers": headers});
        world.api.post(&organization.path("/endpoints"), &body).await
    };
    for value in ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\u{7f}", "é", " a", "a ", "\t", &"v".repeat(4097)] {
        made(json!({"X-A": value})).await.problem(422);
    }
    for name in ["", "a b", "a:b", "a\r\nX-Evil", "é", "a\0", "(a)", &"n".repeat(129)] {
        made(json!({name: "v"})).await.problem(422);
    }
    made(json!({"X-A": "1", "x-a": "2"})).await.problem(422);
    for not_text in [json!(1), json!(true), json!(["a"]), json!({"a": "b"})] {
        made(json!({"X-A": not_text})).await.problem(422);
    }
    let many = |count: usize| Value::Object((0..count).map(|i| (format!("X-{i}"), json!("v"))).collect());
    made(many(21)).await.problem(422);
    made(many(20)).await.expect(201);
    made(json!({"n".repeat(128): "v".repeat(4096)})).await.expect(201);
    organization.publish(&json!({"type": "deal.won", "data": {}})).await;
    for request in world.receiver.wait_for("/in", 2).await {
        assert!(request.header("x-evil").is_none(), "{request:?}");
    }
}
