//! Nothing secret leaks: not to what the program writes, not to its metrics, not in plain text to its disk.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER};
use postrider_tests::api::Call;
use postrider_tests::files;
use postrider_tests::program::{OPERATOR_KEY, Setup};
use postrider_tests::receiver::{Receiver, Reply};
use postrider_tests::tokens::{self, claims, token};
use postrider_tests::wait::until;
use postrider_tests::world::{Data, Store, World, text};
use serde_json::json;

postrider_tests::on_each_store!(
    logs_metrics_and_what_is_stored_hold_no_secret_in_the_clear,
    secrets_and_header_values_are_shown_once_and_never_again,
);

const PAYLOAD: &str = "payload-marker-4b8e1f";
const TYPED_SECRET: &str = "typed-secret-marker-91ac";
const HEADER_VALUE: &str = "header-value-marker-77d2";
const ANSWER_BODY: &str = "answer-body-marker-e03b";
const ANSWER_HEADER: &str = "answer-header-marker-5c6d";
const MAIL_PASSWORD: &str = "mail-password-marker-ab31";
const OTLP_TOKEN: &str = "otlp-token-marker-08fe";
const FILTER_VALUE: &str = "filter-value-marker-6e12";
const URL_QUERY: &str = "url-query-marker-c7d5";
const PERSON: &str = "person-marker-2f9b";
const OWNER: &str = "owner-marker-83aa@customer.example";

/// Every form in which a secret might be written down by accident; all of them ASCII.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let mut forms = vec![secret.to_owned(), HEXLOWER.encode(bytes), format!("{bytes:?}")];
    // What base64 makes of it at each of the three places where it may begin; the first and last few characters depend on what is around it.
    for shift in 0..3 {
        let encoded = BASE64_NOPAD.encode(&[&b"___"[..shift], bytes].concat());
        forms.push(encoded[4..encoded.len() - 3].to_owned());
    }
    forms
}

#[track_caller]
fn assert_without(place: &str, content: &str, secrets: &[String]) {
    for secret in secrets {
        for form in forms(secret) {
            assert!(!content.contains(&form), "{place} holds {secret:?} as {form:?}");
        }
    }
}

fn assert_stored_without(data: &Data, secrets: &[String]) {
    match &data.database {
        None => {
            assert_disk_without(data.setup.data(), secrets);
            assert_owner_only(data.setup.data());
        }
        Some(database) => {
            let dump = database.dump();
            assert!(dump.contains("organizations"), "this is not the program's data: {dump}");
            assert_without("the database", &dump, secrets);
        }
    }
}

fn assert_disk_without(data: &Path, secrets: &[String]) {
    let found = files::below(data);
    assert!(!found.is_empty());
    for file in found {
        assert_without(&file.display().to_string(), &files::text_of(&file), secrets);
    }
}

fn assert_owner_only(folder: &Path) {
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder), 0o700, "{}", folder.display());
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_owner_only(&path);
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
}

/// Does a bit of everything with secrets in it, good and bad; returns what must not be seen anywhere.
async fn use_secrets(world: &World) -> Vec<String> {
    let standard = world.organization("standard").await;
    let sheet = world.organization("salessheet").await;
    let answer = |code| Reply::Status(code, vec![("x-answer".into(), ANSWER_HEADER.into())], ANSWER_BODY.into());
    world.receiver.script("/in", [answer(200), answer(500), answer(410)]);
    let headers = json!({"headers": {"Authorization": format!("Bearer {HEADER_VALUE}")}});
    let endpoint = standard.endpoint(&world.receiver.url("/in"), headers).await;
    sheet.endpoint(&world.receiver.url("/sheet"), json!({"secret": TYPED_SECRET})).await;
    let key = world.api.post(&standard.path("/keys"), &json!({"name": "Key", "scopes": ["events:write"]})).await;
    let key = text(&key.expect(201)["key"]);

    let event = json!({"type": "deal.won", "data": {"note": PAYLOAD}});
    for _ in 0..3 {
        let id = standard.publish(&event).await;
        standard.attempted(&standard.delivery_of(&id).await, 1).await;
    }
    sheet.publish(&event).await;
    world.receiver.wait_for("/sheet", 1).await;
    sheet.drained().await;
    let wrong = json!({"type": 7, "data": PAYLOAD, "secret": TYPED_SECRET, PAYLOAD: HEADER_VALUE});
    standard.try_publish(&wrong).await.problem(422);
    world.api.with(Some(&key)).get(&standard.path("/deliveries")).await.problem(403);
    world.api.with(Some(&format!("{key}x"))).get(&standard.path("/deliveries")).await.problem(401);

    let generated = endpoint.secret.strip_prefix("whsec_").unwrap().to_owned();
    let bytes = BASE64.decode(generated.as_bytes()).unwrap();
    let mut secrets = vec![generated, HEXLOWER.encode(&bytes), key];
    secrets.extend([PAYLOAD, TYPED_SECRET, HEADER_VALUE, ANSWER_BODY, ANSWER_HEADER, OPERATOR_KEY].map(str::to_owned));
    secrets
}

/// A token, a filter, a URL with a credential, an owner who cannot be told, a diagnosis, the audit trail, a recovery and an erasure. What it returns last is
/// stored on purpose, and must not be written anywhere else.
async fn use_the_rest(world: &World) -> (Vec<String>, Vec<String>) {
    let organization = world.organization("standard").await;
    world.api.patch(&organization.path(""), &json!({"owner_email": OWNER})).await.expect(200);
    let url = world.receiver.url(&format!("/rest?token={URL_QUERY}"));
    let filter = format!("data.note != \"{FILTER_VALUE}\"");
    let token = token(&claims(&organization.id, "admin"));
    let admin = world.api.with(Some(&token));
    let body = json!({"name": "Rest", "url": url, "events": ["*"], "filter": filter});
    let made = admin.post(&organization.path("/endpoints"), &body).await.expect(201);
    let (endpoint, secret) = (text(&made["id"]), text(&made["secret"]));
    let wrong = json!({"name": "Rest", "url": url, "events": ["*"], "filter": format!("{filter} (")});
    admin.post(&organization.path("/endpoints"), &wrong).await.problem(422);
    admin.post(&organization.path("/filters/preview"), &json!({"filter": filter})).await.expect(200);
    world.api.with(Some(&format!("{token}x"))).get(&organization.path("/endpoints")).await.problem(401);
    world.receiver.script(&format!("/rest?token={URL_QUERY}"), [Reply::status(410)]);
    let resource = json!({"type": "contact", "id": PERSON});
    let event = json!({"type": "contact.updated", "resource": resource, "data": {"note": PAYLOAD}});
    organization.publish(&event).await;
    let path = organization.path(&format!("/endpoints/{endpoint}"));
    let is_disabled = async || (admin.get(&path).await.expect(200)["status"] == "disabled").then_some(());
    until("the endpoint disabled and its owner to be told", is_disabled).await;
    until("a mail that nobody takes", async || world.program.output().contains("could not be told").then_some(()))
        .await;
    admin.patch(&path, &json!({"enabled": true})).await.expect(200);
    admin.post(&format!("{path}/diagnose"), &json!({})).await.expect(200);
    admin.post(&format!("{path}/recover"), &json!({"since": "2020-01-01T00:00:00Z"})).await.expect(202);
    let erasure = admin.post(&organization.path("/erasures"), &json!({"resource": format!("contact:{PERSON}")})).await;
    let operation = organization.path(&format!("/operations/{}", text(&erasure.expect(202)["operation"])));
    let is_done = async || (admin.get(&operation).await.expect(200)["status"] != "running").then_some(());
    until("the erasure's end", is_done).await;
    let link = world.api.post(&organization.path("/portal-links"), &json!({"role": "admin"})).await.expect(201);
    let portal = text(&link["url"]).split_once('#').expect("what lets in").1.to_owned();
    let begun = world.api.with(Some(&portal)).call(Call::new("POST", "/v1/sessions")).await.expect(201);
    let session = text(&begun["token"]);
    world.api.with(Some(&session)).get(&path).await.expect(200);
    world.api.with(Some(&format!("{session}x"))).get(&path).await.problem(401);
    let audit = admin.get(&organization.path("/audit")).await;
    assert_without("the audit trail", &audit.text(), &[secret.clone(), token.clone(), URL_QUERY.to_owned()]);
    let sealed =
        [token, secret, portal, session, tokens::SECRET.to_owned(), FILTER_VALUE.to_owned(), URL_QUERY.to_owned()];
    let given = [MAIL_PASSWORD, OTLP_TOKEN].map(str::to_owned);
    (sealed.into_iter().chain(given).collect(), [PERSON, OWNER].map(str::to_owned).to_vec())
}

async fn logs_metrics_and_what_is_stored_hold_no_secret_in_the_clear(store: Store) {
    let collector = Receiver::start().await;
    // A collector that refuses what it is sent, and a mail server that is none: both are told of in the log.
    collector.always("/v1/traces", Reply::status(401));
    let world = World::with_on(store, |setup| {
        setup
            .env("POSTRIDER_LOG", "trace")
            .env("POSTRIDER_JWT_HS256_SECRET", tokens::SECRET)
            .env("POSTRIDER_SMTP_URL", &format!("smtp://user:{MAIL_PASSWORD}@127.0.0.1:1"))
            .env("POSTRIDER_MAIL_FROM", "webhooks@crm.example")
            .env("POSTRIDER_OTLP_ENDPOINT", &collector.url(""))
            .env("POSTRIDER_OTLP_HEADERS", &format!("Authorization=Bearer%20{OTLP_TOKEN}"))
    })
    .await;
    let mut secrets = use_secrets(&world).await;
    let (sealed, told_nowhere) = use_the_rest(&world).await;
    secrets.extend(sealed);
    collector.wait_for("/v1/traces", 1).await;
    for request in collector.at("/v1/traces") {
        assert_without("the collector", &request.text(), &secrets);
        assert_without("the collector", &request.text(), &told_nowhere);
    }
    let metrics = world.api.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.text().contains("postrider_"), "{}", metrics.text());
    assert_without("/metrics", &metrics.text(), &secrets);
    assert_without("/metrics", &metrics.text(), &told_nowhere);
    // With the write-ahead log as it is now, and after a stop.
    assert_stored_without(&world.data, &secrets);
    let (ended, _, data) = world.stop().await;
    assert_eq!(ended.status, Some(0));
    assert_without("stdout", &ended.stdout, &secrets);
    assert_without("stderr", &ended.stderr, &secrets);
    assert_without("stdout", &ended.stdout, &told_nowhere);
    assert_without("stderr", &ended.stderr, &told_nowhere);
    assert_stored_without(&data, &secrets);
}

#[tokio::test]
async fn the_master_key_is_in_one_file_of_its_own_and_in_none_when_it_is_given() {
    let world = World::start().await;
    world.organization("standard").await;
    let (_, setup, _data) = world.stop().await;
    let with_key: Vec<_> = files::below(setup.data()).into_iter().filter(|file| !files::is_sqlite(file)).collect();
    let key_file = with_key.iter().find(|file| file.to_string_lossy().contains("key")).expect("the master key's file");
    let key = files::text_of(key_file).trim().to_owned();
    assert_without("the database", &files::text_of(&files::database(setup.data())), &[key]);

    let given = BASE64.encode(&[42; 32]);
    let world = World::with(|setup| setup.env("POSTRIDER_ENCRYPTION_KEY", &given)).await;
    world.organization("standard").await;
    let (_, setup, _data) = world.stop().await;
    let raw = String::from_utf8(vec![42; 32]).unwrap();
    assert_disk_without(setup.data(), &[given, raw]);
}

async fn secrets_and_header_values_are_shown_once_and_never_again(store: Store) {
    let world = World::start_on(store).await;
    let organization = world.organization("standard").await;
    let headers = json!({"headers": {"X-Token": HEADER_VALUE}});
    let endpoint = organization.endpoint(&world.receiver.url("/in"), headers).await;
    let event = organization.publish(&json!({"type": "deal.won", "data": {}})).await;
    let delivery = organization.ended(&organization.delivery_of(&event).await, "succeeded").await;
    let arrived = &world.receiver.wait_for("/in", 1).await[0];
    assert_eq!(arrived.header("x-token"), Some(HEADER_VALUE));

    let key = world.api.post(&organization.path("/keys"), &json!({"name": "K", "scopes": ["events:write"]})).await;
    let key = text(&key.expect(201)["key"]);
    let secrets = [endpoint.secret.clone(), HEADER_VALUE.to_owned(), key];
    let paths = [
        "/endpoints".to_owned(),
        format!("/endpoints/{}", endpoint.id),
        format!("/deliveries/{}", text(&delivery["id"])),
        "/keys".to_owned(),
        String::new(),
    ];
    for path in paths {
        let answer = world.api.get(&organization.path(&path)).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_without(&path, &answer.text(), &secrets);
    }
}

#[tokio::test]
async fn an_operator_key_that_was_made_is_printed_once_and_works() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new(&folder.path().join("data")).without("POSTRIDER_OPERATOR_KEY");
    let program = setup.start().await;
    let output = program.output();
    let api = postrider_tests::api::Api::new(program.address, None);
    let mut working = vec![];
    for word in output.split(|c: char| c.is_whitespace() || c == '"' || c == '=').filter(|word| word.len() >= 20) {
        if api.with(Some(word)).get("/v1/organizations").await.status == 200 {
            working.push(word.to_owned());
        }
    }
    assert_eq!(working.len(), 1, "one working key is printed: {output}");
    program.stop().await;
    let program = setup.start().await;
    assert!(!program.output().contains(&working[0]));
    let api = postrider_tests::api::Api::new(program.address, Some(&working[0]));
    api.get("/v1/organizations").await.expect(200);
}
