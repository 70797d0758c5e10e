//! Document 000: "After 50 consecutive failures, the webhook is automatically disabled and you will receive an email notification."

use std::path::Path;
use std::process::Stdio;

use postrider_tests::receiver::Reply;
use postrider_tests::tls::Authority;
use postrider_tests::wait::{until, within};
use postrider_tests::world::{Organization, Store, World};
use postrider_tests::{on_each_store, program};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

on_each_store![
    fifty_failures_disable_and_the_owner_is_told_once_also_after_a_kill,
    an_answer_of_410_disables_and_enabling_again_resumes,
];

/// A real SMTP server (PyPI `aiosmtpd`) with STARTTLS and a login, both required.
struct Inbox {
    mails: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Inbox {
    async fn open(port: u16, [certificate, key]: &[std::path::PathBuf; 2]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("receivers/python/mail_server.py");
        let mut process = Command::new(program::test_needs().join("python/bin/python"))
            .arg(script)
            .arg(port.to_string())
            .args([certificate, key])
            .args(["postrider", "pass:word@1"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("`./dev test` installs Python's packages");
        let mut mails = BufReader::new(process.stdout.take().expect("piped")).lines();
        let first = within("the SMTP server", mails.next_line()).await.expect("readable");
        assert_eq!(first.as_deref(), Some("listening"));
        Inbox { mails, _process: process }
    }

    async fn next(&mut self) -> Value {
        let line = within("a mail", self.mails.next_line()).await.expect("readable").expect("the server runs");
        serde_json::from_str(&line).expect("JSON")
    }
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|bound| bound.local_addr()).expect("a free port").port()
}

async fn owned(world: &World, contract: &str, locale: &str) -> Organization {
    let organization = world.organization(contract).await;
    let owner = json!({"owner_email": "owner@customer.example", "locale": locale});
    world.api.patch(&organization.path(""), &owner).await.expect(200);
    organization
}

async fn publish(organization: &Organization, count: usize) {
    for n in 0..count {
        organization.publish(&json!({"type": "deal.won", "data": {"id": n.to_string()}})).await;
    }
}

async fn endpoint_when(organization: &Organization, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let path = organization.path(&format!("/endpoints/{id}"));
    until("the endpoint", async || {
        let endpoint = organization.api.get(&path).await.expect(200);
        is_so(&endpoint).then_some(endpoint)
    })
    .await
}

async fn fifty_failures_disable_and_the_owner_is_told_once_also_after_a_kill(store: Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path());
    let files = authority.files(folder.path());
    let port = free_port();
    let world = World::with_on(store, |setup| {
        setup
            .env("POSTRIDER_SMTP_URL", &format!("smtp://postrider:pass%3Aword%401@localhost:{port}"))
            .env("POSTRIDER_SMTP_CA_FILE", &authority.file())
            .env("POSTRIDER_MAIL_FROM", "Webhooks <webhooks@crm.example>")
    })
    .await;
    let organization = owned(&world, "salessheet", "pt-BR").await;
    let endpoint =
        organization.endpoint(&world.receiver.url("/in?token=url-secret"), json!({"name": "<b>ERP</b>"})).await;
    world.receiver.always("/in?token=url-secret", Reply::status(500));
    publish(&organization, 49).await;
    let shown = endpoint_when(&organization, &endpoint.id, |shown| shown["consecutive_failures"] == 49).await;
    assert_eq!((&shown["status"], shown["failing_since"].is_string()), (&json!("active"), true));
    publish(&organization, 1).await;
    let shown = endpoint_when(&organization, &endpoint.id, |shown| shown["status"] == "disabled").await;
    assert_eq!(shown["disabled_reason"], "50 attempts in a row failed; the latest was answered with status 500");
    assert_eq!(organization.deliveries("status=pending&limit=250").await.len(), 50);

    // Nobody took a mail so far; what is to be said survives.
    let world = world.killed_and_started().await;
    let mut inbox = Inbox::open(port, &files).await;
    world.advance_ms(10 * 60_000).await;
    let mut mails = [inbox.next().await, inbox.next().await];
    mails.sort_by_key(|mail| mail["text"].as_str().is_some_and(|text| text.contains("foi desativado")));
    for mail in &mails {
        assert_eq!((&mail["tls"], &mail["to"]), (&json!(true), &json!(["owner@customer.example"])));
        assert_eq!((&mail["from"], &mail["language"]), (&json!("Webhooks <webhooks@crm.example>"), &json!("pt-BR")));
        let (text, html) = (mail["text"].as_str().unwrap_or_default(), mail["html"].as_str().unwrap_or_default());
        assert!(text.contains("<b>ERP</b>") && html.contains("&lt;b&gt;ERP&lt;/b&gt;"), "{mail}");
        assert!(!mail.to_string().contains("url-secret"), "{mail}");
    }
    assert!(mails[0]["text"].as_str().is_some_and(|text| text.contains("falhou 25 vezes")), "{}", mails[0]);
    assert!(mails[1]["text"].as_str().is_some_and(|text| text.contains("falhou 50 vezes")), "{}", mails[1]);

    // Each once: what comes next, long after claims have run out, is about something else.
    let organization = Organization { api: world.api.clone(), id: organization.id };
    world.advance_ms(3_600_000).await;
    let other = organization.endpoint(&world.receiver.url("/gone"), json!({})).await;
    world.receiver.always("/gone", Reply::status(410));
    publish(&organization, 1).await;
    endpoint_when(&organization, &other.id, |shown| shown["status"] == "disabled").await;
    let mail = inbox.next().await;
    assert!(mail["text"].as_str().is_some_and(|text| text.contains("410 Gone")), "{mail}");
    assert!(!world.program.output().contains("owner@customer.example"), "the log names no address");
}

async fn an_answer_of_410_disables_and_enabling_again_resumes(store: Store) {
    let world = World::start_on(store).await;
    let organization = owned(&world, "standard", "en").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    world.receiver.script("/in", [Reply::status(410)]);
    publish(&organization, 1).await;
    let shown = endpoint_when(&organization, &endpoint.id, |shown| shown["status"] == "disabled").await;
    assert_eq!(shown["disabled_reason"], "the receiver answered that it is gone for good (status 410)");
    let path = organization.path(&format!("/endpoints/{}", endpoint.id));
    let shown = world.api.patch(&path, &json!({"enabled": true})).await.expect(200);
    assert_eq!((&shown["status"], &shown["consecutive_failures"]), (&json!("active"), &json!(0)));
    let event = organization.publish(&json!({"type": "deal.won", "data": {"id": "1"}})).await;
    let delivery = organization.delivery_of(&event).await;
    organization.ended(&delivery, "succeeded").await;
}
