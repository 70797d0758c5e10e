//! Diagnosis: the documents' troubleshooting as a machine, over the API and on the command line, against receivers that are wrong in each of the usual
//! ways (000, "Solucao de Problemas"; 002, "Troubleshooting").

use postrider_tests::api::Call;
use postrider_tests::program::{Ended, Setup};
use postrider_tests::receiver::Reply;
use postrider_tests::tls::{Authority, Certificate};
use postrider_tests::world::{Endpoint, Organization, Store, World, items, text};
use serde_json::{Value, json};

postrider_tests::on_each_store!(a_healthy_receiver_passes_every_check_and_the_probe_is_listed_as_a_test);

/// A contract whose attempts are over after a second.
const HASTY: &str = r#"
name = "hasty"
title = "Hasty"
envelope = '{"type":"$type","data":"$data"}'

[signature]
header = "X-Hasty-Signature"

[response]
timeout = "1s"

[types."deal.won"]
description = "A deal was won"
resource = "deal"
schema = '{"type":"object"}'
sample = '{"id":1}'
"#;

/// A diagnosis' checks by name.
struct Checks(Value);

impl Checks {
    #[track_caller]
    fn of(&self, name: &str) -> Value {
        let found = items(&self.0["checks"]).into_iter().find(|check| check["name"] == name);
        found.unwrap_or_else(|| panic!("no check {name}: {}", self.0))
    }

    /// The check ended like this; what was found, and what to do.
    #[track_caller]
    fn is(&self, name: &str, outcome: &str) -> (String, String) {
        let check = self.of(name);
        assert_eq!(check["outcome"], outcome, "{name}: {}", self.0);
        let advice = check["advice"].as_str().unwrap_or_default().to_owned();
        assert_eq!(advice.is_empty(), matches!(outcome, "passed" | "skipped"), "{check}");
        (text(&check["found"]), advice)
    }

    /// What was found, by its code and with this fact.
    #[track_caller]
    fn tells(&self, name: &str, code: &str, fact: &str, value: impl Into<Value>) {
        let check = self.of(name);
        assert_eq!((&check["found_code"], &check["found_params"][fact]), (&json!(code), &value.into()), "{check}");
    }

    #[track_caller]
    fn are(&self, names: &[&str], outcome: &str) {
        for name in names {
            self.is(name, outcome);
        }
    }
}

const OF_THE_ANSWER: [&str; 4] = ["probe", "response_time", "redirect", "signature"];

async fn diagnosed(organization: &Organization, endpoint: &Endpoint) -> Checks {
    let path = organization.path(&format!("/endpoints/{}/diagnose", endpoint.id));
    let found = organization.api.post(&path, &json!({})).await.expect(200);
    let failed = items(&found["checks"]).iter().any(|check| check["outcome"] == "failed");
    assert_eq!(found["healthy"], !failed, "{found}");
    Checks(found)
}

/// The same on the command line, as JSON and as text.
async fn told(setup: &Setup, arguments: &[&str]) -> Checks {
    let ended: Ended = setup.run(&[&["diagnose", "--json"], arguments].concat()).await;
    let found: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    assert_eq!(ended.status, Some(i32::from(found["healthy"] != true)), "{ended:?}");
    let readable = setup.run(&[&["diagnose"], arguments].concat()).await;
    assert_eq!(readable.status, ended.status, "{readable:?}");
    for check in items(&found["checks"]) {
        assert!(readable.stdout.contains(&text(&check["name"])), "{}", readable.stdout);
    }
    Checks(found)
}

async fn a_healthy_receiver_passes_every_check_and_the_probe_is_listed_as_a_test(store: Store) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let receiver = authority.receiver(Certificate::Good).await;
    let world = World::with_on(store, |setup| setup.env("POSTRIDER_EXTRA_CA", &authority.file())).await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&receiver.url("localhost"), json!({})).await;
    let checks = diagnosed(&organization, &endpoint).await;
    let names: Vec<_> = items(&checks.0["checks"]).iter().map(|check| text(&check["name"])).collect();
    let all = [
        "endpoint_status",
        "url",
        "dns",
        "tcp",
        "tls",
        "certificate",
        "probe",
        "response_time",
        "redirect",
        "signature",
    ];
    assert_eq!(names, all);
    checks.are(&all, "passed");
    assert!(checks.is("tls", "passed").0.contains("TLS 1.3"));
    checks.tells("tls", "tls.trusted", "version", "TLS 1.3");
    checks.tells("dns", "dns.found", "host", "localhost");
    checks.tells("probe", "probe.answered", "status_code", 200);
    checks.tells("response_time", "response_time.taken", "allowed_ms", 30_000);
    checks.tells("certificate", "certificate.current", "names", "localhost, 127.0.0.1");
    let issued = &checks.of("certificate")["details"][0];
    assert_eq!((&issued["code"], issued["params"]["issuer"].is_string()), (&json!("certificate.issued"), true));
    let (certificate, _) = checks.is("certificate", "passed");
    assert!(certificate.contains("for localhost, 127.0.0.1") && certificate.contains("days more"), "{certificate}");
    assert!(checks.of("dns")["details"].to_string().contains("127.0.0.1: may be called"));
    let listed = organization.deliveries("test=true").await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"], checks.0["delivery"]);
    assert!(organization.deliveries("test=false").await.is_empty());

    // Paused, it is told, and the probe is sent all the same.
    let path = organization.path(&format!("/endpoints/{}", endpoint.id));
    world.api.call(Call::new("PATCH", &path).json(&json!({"enabled": false}))).await.expect(200);
    let checks = diagnosed(&organization, &endpoint).await;
    checks.is("endpoint_status", "warning");
    assert_eq!(checks.of("endpoint_status")["found_code"], "endpoint_status.paused");
    checks.is("probe", "passed");
}

#[tokio::test]
async fn certificates_that_nobody_should_trust_are_told_apart_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let world = World::with(|setup| setup.env("POSTRIDER_EXTRA_CA", &authority.file())).await;
    let organization = world.organization("standard").await;
    for (certificate, reason, found, advice) in [
        (Certificate::Expired, "certificate_expired", "expired", "Renew"),
        (Certificate::WrongHost, "certificate_wrong_host", "other.example", "names this host"),
        (Certificate::SelfSigned, "certificate_unknown_issuer", "localhost", "whole chain"),
    ] {
        let receiver = authority.receiver(certificate).await;
        let endpoint = organization.endpoint(&receiver.url("127.0.0.1"), json!({})).await;
        let of_api = diagnosed(&organization, &endpoint).await;
        let of_command = told(&world.setup, &[&receiver.url("127.0.0.1")]).await;
        for checks in [of_api, of_command] {
            checks.are(&["url", "dns", "tcp"], "passed");
            assert!(checks.is("tls", "failed").1.contains(advice), "{certificate:?}: {}", checks.0);
            let (tls, code) = (checks.of("tls"), format!("tls.{reason}"));
            assert_eq!((&tls["found_code"], &tls["details"][0]["code"]), (&json!(code), &json!(code)));
            let (shown, what_to_do) = checks.is("certificate", "failed");
            assert!(shown.contains(found), "{certificate:?}: {shown}");
            assert!(what_to_do.contains(advice), "{certificate:?}: {what_to_do}");
            checks.are(&OF_THE_ANSWER, "skipped");
        }
        // The same words stand beside a failed attempt.
        let test = world.api.post(&organization.path(&format!("/endpoints/{}/test", endpoint.id)), &json!({})).await;
        let error = test.expect(200)["error"].clone();
        assert_eq!((&error["kind"], &error["reason"]), (&json!("tls"), &json!(reason)));
        assert!(text(&error["advice"]).contains(advice), "{error}");
    }
}

#[tokio::test]
async fn what_an_answer_is_about_is_told_from_where_nothing_arrives() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let elsewhere = Reply::with_header(302, "location", "https://example.com/moved");
    world.receiver.always("/moved", elsewhere);
    world.receiver.always("/locked", Reply::status(401));
    let looked_at = async |path: &str| {
        let url = world.receiver.url(path);
        let endpoint = organization.endpoint(&url, json!({"secret": secret})).await;
        let arguments = [url.as_str(), "--contract", "standard", "--secret", secret, "--type", "deal.won"];
        [diagnosed(&organization, &endpoint).await, told(&world.setup, &arguments).await]
    };
    for checks in looked_at("/moved").await {
        let (found, advice) = checks.is("redirect", "failed");
        assert!(found.contains("https://example.com/moved") && advice.contains("Location"), "{found} {advice}");
        checks.is("probe", "failed");
        checks.tells("redirect", "redirect.target", "target", "https://example.com/moved");
        checks.tells("probe", "status", "status_code", 302);
        checks.tells("signature", "skipped.not_told", "status_code", 302);
        checks.is("response_time", "passed");
        checks.is("signature", "skipped");
        checks.is("tls", "warning");
    }
    for checks in looked_at("/locked").await {
        let (found, advice) = checks.is("signature", "failed");
        assert!(found.contains("401") && advice.contains("raw body"), "{found} {advice}");
        checks.is("redirect", "passed");
    }
    for checks in looked_at("/well").await {
        checks.are(&OF_THE_ANSWER, "passed");
    }
}

#[tokio::test]
async fn ports_names_and_addresses_that_lead_nowhere_are_told_with_what_to_do() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    // A port that was free a moment ago.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/in");
    let endpoint = organization.endpoint(&url, json!({})).await;
    for checks in [diagnosed(&organization, &endpoint).await, told(&world.setup, &[&url]).await] {
        let (found, advice) = checks.is("tcp", "failed");
        assert!(found.contains(&port.to_string()) && advice.contains("nothing listens"), "{found} {advice}");
        checks.are(&["url", "dns"], "passed");
        assert_eq!(checks.of("tcp")["found_code"], "connect.connection_refused");
        let address = &checks.of("tcp")["details"][0]["params"]["address"];
        assert_eq!(*address, json!(format!("127.0.0.1:{port}")));
        checks.is("tls", "warning");
        checks.are(&["certificate", "probe", "response_time", "redirect", "signature"], "skipped");
        assert_eq!(checks.0["delivery"], Value::Null);
    }
    for (url, found, code) in [
        ("https://10.1.2.3/in", "private", "url.private_address"),
        ("https://169.254.169.254/latest", "metadata", "url.private_address"),
        ("ftp://example.com", "https://", "url.scheme"),
        ("https://user:word@example.com/", "user name", "url.user_info"),
    ] {
        let checks = told(&world.setup, &[url]).await;
        assert_eq!(checks.of("url")["found_code"], code, "{url}");
        assert!(checks.is("url", "failed").0.contains(found), "{}", checks.0);
        checks.are(&["dns", "tcp", "tls", "certificate"], "skipped");
        checks.are(&OF_THE_ANSWER, "skipped");
    }
}

#[tokio::test]
async fn an_endpoint_whose_address_was_allowed_once_is_told_that_it_is_not_any_more() {
    let mut world = World::start().await;
    let organization = world.organization("standard").await;
    let endpoint = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    world.data.setup = world.data.setup.clone().without("POSTRIDER_ALLOW_CIDRS");
    let world = world.stopped_and_started().await;
    let organization = Organization { api: world.api.clone(), ..organization };
    let checks = diagnosed(&organization, &endpoint).await;
    let (found, advice) = checks.is("url", "failed");
    assert!(found.contains("loopback") && !advice.is_empty(), "{found}");
    checks.are(&["dns", "tcp", "tls", "certificate"], "skipped");
    checks.are(&OF_THE_ANSWER, "skipped");
    assert_eq!(world.receiver.count(), 0);
}

#[tokio::test]
async fn a_receiver_that_takes_too_long_fails_by_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let contracts = folder.path().join("contracts");
    std::fs::create_dir(&contracts).unwrap();
    std::fs::write(contracts.join("hasty.toml"), HASTY).unwrap();
    let world = World::with(|setup| setup.env("POSTRIDER_CONTRACTS", &contracts.to_string_lossy())).await;
    let organization = world.organization("hasty").await;
    world.receiver.always("/in", Reply::Hang);
    let url = world.receiver.url("/in");
    let endpoint = organization.endpoint(&url, json!({})).await;
    for checks in [diagnosed(&organization, &endpoint).await, told(&world.setup, &[&url, "--contract", "hasty"]).await]
    {
        let (found, advice) = checks.is("response_time", "failed");
        assert!(found.contains("allows 1000 ms") && advice.contains("afterwards"), "{found} {advice}");
        assert!(checks.is("probe", "failed").1.contains("took too long"), "{}", checks.0);
        checks.are(&["redirect", "signature"], "skipped");
    }
    // One deadline holds for both requests of an attempt: what the first leaves is all that the second has.
    let path = organization.path(&format!("/endpoints/{}/secret/rotate", endpoint.id));
    world.api.post(&path, &json!({})).await.expect(200);
    world.receiver.script("/in", [Reply::status(401), Reply::Hang]);
    let test = world.api.post(&organization.path(&format!("/endpoints/{}/test", endpoint.id)), &json!({})).await;
    let test = test.expect(200);
    assert_eq!((&test["error"]["kind"], &test["refused_first"]["status_code"]), (&json!("timeout"), &json!(401)));
}

#[tokio::test]
async fn wrong_arguments_are_told_before_anything_is_sent() {
    let world = World::start().await;
    let url = world.receiver.url("/in");
    for arguments in [
        &["--contract", "no-such"][..],
        &["--contract", "standard", "--secret", "too-short"],
        &["--contract", "salesos", "--type", "no.such"],
    ] {
        let ended = world.setup.run(&[&["diagnose", &url], arguments].concat()).await;
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    }
    assert_eq!(world.receiver.count(), 0);
    let path = "/v1/organizations/none/endpoints/ep_01kxh3t7n8f2pvx1w4s5r6t7y8/diagnose";
    world.api.post(path, &json!({})).await.problem(404);
}
