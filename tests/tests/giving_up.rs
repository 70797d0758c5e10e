//! Document 000: "After 50 consecutive failures, the webhook is automatically disabled and you will receive an email notification."

use std::net::Ipv4Addr;

use postrider_tests::mail::{MailSecurity, MailServer};
use postrider_tests::names::{NameServer, Names};
use postrider_tests::on_each_store;
use postrider_tests::program::Setup;
use postrider_tests::receiver::Reply;
use postrider_tests::wait::until;
use postrider_tests::world::{Organization, Store, World};
use serde_json::{Value, json};

on_each_store![
    while_no_name_can_be_looked_up_nobody_is_disabled_but_who_answers_badly,
    while_no_host_can_be_reached_nobody_is_disabled_but_who_answers_badly,
    fifty_failures_disable_and_the_owner_is_told_once_also_after_a_kill,
    an_answer_of_410_disables_and_enabling_again_resumes,
];

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
    let server = MailServer::planned(MailSecurity::StartTls);
    let world = World::with_on(store, |setup| server.used_by(setup)).await;
    let organization = owned(&world, "salessheet", "pt-BR").await;
    let endpoint =
        organization.endpoint(&world.receiver.url("/in?token=url-secret"), json!({"name": "<b>ERP</b>"})).await;
    world.receiver.always("/in?token=url-secret", Reply::status(500));
    // Up to each number that something happens at, so that nothing is recorded together with it.
    for (count, in_all) in [(24, 24), (1, 25), (24, 49)] {
        publish(&organization, count).await;
        endpoint_when(&organization, &endpoint.id, |shown| shown["consecutive_failures"] == in_all).await;
    }
    let shown = endpoint_when(&organization, &endpoint.id, |_| true).await;
    assert_eq!((&shown["status"], shown["failing_since"].is_string()), (&json!("active"), true));
    publish(&organization, 1).await;
    let shown = endpoint_when(&organization, &endpoint.id, |shown| shown["status"] == "disabled").await;
    assert_eq!(shown["disabled_reason"], "50 attempts in a row failed; the latest was answered with status 500");
    assert_eq!(organization.deliveries("status=pending&limit=250").await.len(), 50);

    // Nobody took a mail so far; what is to be said survives.
    let world = world.killed_and_started().await;
    let mut inbox = server.open().await;
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

/// The one mail about an endpoint that is gone, in this language, with the program set up like this.
async fn told_of_a_gone_endpoint(server: &MailServer, world: &World, locale: &str) -> Value {
    let mut inbox = server.open().await;
    let organization = owned(world, "standard", locale).await;
    organization.endpoint(&world.receiver.url("/gone"), json!({"name": "ERP"})).await;
    world.receiver.always("/gone", Reply::status(410));
    publish(&organization, 1).await;
    let mail = inbox.next().await;
    assert_eq!((&mail["language"], &mail["to"]), (&json!(locale), &json!(["owner@customer.example"])));
    mail
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_is_told_in_spanish_over_tls_from_the_first_byte() {
    let server = MailServer::planned(MailSecurity::Tls);
    let world = World::with(|setup| server.used_by(setup)).await;
    let mail = told_of_a_gone_endpoint(&server, &world, "es").await;
    assert_eq!(
        (&mail["tls"], &mail["subject"]),
        (&json!(true), &json!("El webhook «ERP» fue desactivado: su dirección ya no existe"))
    );
    let text = mail["text"].as_str().unwrap_or_default();
    assert!(text.contains("ya no existe (410 Gone); por eso el webhook fue desactivado"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_without_tls_where_the_operator_allows_that_and_nowhere_else() {
    let server = MailServer::planned(MailSecurity::None);
    let world = World::with(|setup| server.used_by(setup)).await;
    let inbox = server.open().await;
    let organization = owned(&world, "standard", "en").await;
    organization.endpoint(&world.receiver.url("/gone"), json!({"name": "ERP"})).await;
    world.receiver.always("/gone", Reply::status(410));
    publish(&organization, 1).await;
    let refused = async || world.program.output().contains("the owner could not be told").then_some(());
    until("the mail is held back", refused).await;
    drop((inbox, world));

    let world = World::with(|setup| server.used_by(setup).env("POSTRIDER_SMTP_ALLOW_PLAIN", "true")).await;
    let mail = told_of_a_gone_endpoint(&server, &world, "en").await;
    assert_eq!(
        (&mail["tls"], &mail["subject"]),
        (&json!(false), &json!("Webhook “ERP” was disabled: its address is gone"))
    );
    let text = mail["text"].as_str().unwrap_or_default();
    assert!(text.contains("so the webhook was disabled"), "{text}");
}

/// Endpoints whose hosts go out of reach; more than an outage takes.
const OUT_OF_REACH: usize = 8;
/// Events whose attempts come to more than the 50 failures that disable while the outage lasts.
const EVENTS: usize = 11;
/// When attempts follow the first, in ms: the first four of the schedule.
const RETRIES_MS: [i64; 4] = [60_000, 300_000, 1_800_000, 7_200_000];
/// The schedule's last.
const LAST_RETRY_MS: i64 = 86_400_000;

async fn while_no_name_can_be_looked_up_nobody_is_disabled_but_who_answers_badly(store: Store) {
    an_outage(store, Names::Failing).await;
}

async fn while_no_host_can_be_reached_nobody_is_disabled_but_who_answers_badly(store: Store) {
    // Nobody listens there.
    an_outage(store, Names::At(Ipv4Addr::new(127, 0, 0, 99))).await;
}

/// However long it lasts, what cannot be reached is not disabled, and all of it arrives afterwards.
async fn an_outage(store: Store, outage: Names) {
    let names = NameServer::start(outage).await;
    let servers = names.address().to_string();
    // One attempt after the other, so that each is counted before the next.
    let change = |setup: Setup| setup.env("POSTRIDER_NAME_SERVERS", &servers).env("POSTRIDER_LANE_SLOTS_MAX", "1");
    let world = World::with_on(store, change).await;
    let organization = owned(&world, "salessheet", "en").await;
    let port = world.receiver.url("").rsplit(':').next().unwrap_or_default().to_owned();
    let mut away = vec![];
    for number in 0..OUT_OF_REACH {
        let url = format!("http://receiver-{number}.example.com:{port}/{number}");
        away.push(organization.endpoint(&url, json!({})).await.id);
    }
    let bad = organization.endpoint(&world.receiver.url("/bad"), json!({})).await.id;
    world.receiver.always("/bad", Reply::status(500));
    publish(&organization, EVENTS).await;
    let mut at_ms = 0;
    for (made, next_ms) in RETRIES_MS.iter().chain([&LAST_RETRY_MS]).enumerate() {
        attempts_made(&organization, made + 1, &away).await;
        for id in &away {
            endpoint_when(&organization, id, |shown| shown["status"] == "active").await;
        }
        // By then what failed is to be reached again.
        if *next_ms == LAST_RETRY_MS {
            names.set(Names::At(Ipv4Addr::LOCALHOST));
            for id in &away {
                reached_again(&organization, id).await;
            }
        }
        world.advance_ms(next_ms - at_ms).await;
        at_ms = *next_ms;
    }
    let shown = endpoint_when(&organization, &bad, |shown| shown["status"] == "disabled").await;
    let reason = shown["disabled_reason"].as_str().unwrap_or_default();
    let (failures, why) = reason.split_once(' ').expect("a number and a sentence");
    assert_eq!(why, "attempts in a row failed; the latest was answered with status 500");
    // What is recorded together is counted together.
    assert!(failures.parse::<usize>().is_ok_and(|failures| (50..=5 * EVENTS).contains(&failures)), "{reason}");
    for (number, id) in away.iter().enumerate() {
        let path = format!("/{number}");
        let arrived = || world.receiver.at(&path).iter().filter(|request| request.json()["test"] != true).count();
        world.receiver.wait_until("what waited arrives", || arrived() == EVENTS).await;
        let shown = endpoint_when(&organization, id, |shown| shown["consecutive_failures"] == 0).await;
        assert_eq!(shown["status"], "active");
    }
    let log = world.program.output();
    assert!(log.contains("many hosts cannot be reached at once") && log.contains("hosts are reached again"), "{log}");
}

/// Waits until a name that was looked up in vain is looked up anew; a test event is sent whatever happened before, and counts for nothing.
async fn reached_again(organization: &Organization, endpoint: &str) {
    let path = organization.path(&format!("/endpoints/{endpoint}/test"));
    until("the host is reached", async || {
        let test = organization.api.post(&path, &json!({"type": "deal.won"})).await.expect(200);
        (test["succeeded"] == true).then_some(())
    })
    .await;
}

/// Waits until each delivery to these endpoints has had so many attempts.
async fn attempts_made(organization: &Organization, count: usize, endpoints: &[String]) {
    until(&format!("{count} attempts of each"), async || {
        for endpoint in endpoints {
            let found = organization.deliveries(&format!("endpoint={endpoint}&limit=250")).await;
            let has_had = |delivery: &Value| delivery["attempts_count"].as_u64() >= u64::try_from(count).ok();
            if found.len() != EVENTS || !found.iter().all(has_had) {
                return None;
            }
        }
        Some(())
    })
    .await;
}
