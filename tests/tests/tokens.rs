//! Tokens: keys in files, replaced while the program runs; an RSA key from a PEM file made by OpenSSL's own tools is the unit tests' part.

use std::fs;

use postrider_tests::tokens::{SECRET, Signer, claims, token};
use postrider_tests::wait::until;
use postrider_tests::world::World;
use serde_json::{Value, json};

fn set(signers: &[&Signer]) -> String {
    json!({"keys": signers.iter().map(|signer| signer.jwk()).collect::<Vec<Value>>()}).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jwks_file_is_read_again_when_it_changes_and_its_last_good_keys_stay_while_it_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let (old, new) = (Signer::p256("2026-01"), Signer::p256("2026-02"));
    fs::write(&path, set(&[&old])).unwrap();
    let world = World::with(|setup| {
        setup.env("POSTRIDER_JWKS_FILE", path.to_str().unwrap()).env("POSTRIDER_JWT_HS256_SECRET", SECRET)
    })
    .await;
    let organization = world.organization("standard").await;
    let claims = claims(&organization.id, "viewer");
    let status = async |token: String| world.api.with(Some(&token)).get(&organization.path("/endpoints")).await.status;
    assert_eq!((status(old.token(&claims)).await, status(new.token(&claims)).await), (200, 401));
    assert_eq!(status(token(&claims)).await, 200);

    fs::write(&path, set(&[&old, &new])).unwrap();
    until("the new key counts", async || (status(new.token(&claims)).await == 200).then_some(())).await;
    assert_eq!(status(old.token(&claims)).await, 200);

    fs::write(&path, "{\"keys\": [").unwrap();
    let usable = async |value: &str| {
        let metrics = world.api.with(None).get("/metrics").await.text();
        metrics.lines().any(|line| line == format!("postrider_jwks_usable {value}")).then_some(())
    };
    until("the broken file is told of", async || usable("0").await).await;
    assert!(world.program.output().contains("jwks_file cannot be used any more"), "{}", world.program.output());
    assert_eq!((status(old.token(&claims)).await, status(new.token(&claims)).await), (200, 200));

    fs::write(&path, set(&[&new])).unwrap();
    until("the old key counts no more", async || (status(old.token(&claims)).await == 401).then_some(())).await;
    assert_eq!((status(new.token(&claims)).await, status(token(&claims)).await), (200, 200));
    until("the file is said to be right again", async || usable("1").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_token_did_is_in_the_audit_trail_after_a_kill() {
    let world = World::with(|setup| setup.env("POSTRIDER_JWT_HS256_SECRET", SECRET)).await;
    let organization = world.organization("standard").await;
    let mut claims = claims(&organization.id, "admin");
    claims["sub"] = json!("ana@example.com");
    let ana = world.api.with(Some(&token(&claims)));
    let body = json!({"name": "CRM", "url": world.receiver.url("/in?token=hidden"), "events": ["*"]});
    let made = ana.post(&organization.path("/endpoints"), &body).await.expect(201);
    let world = world.killed_and_started().await;
    let told = world.api.get(&organization.path("/audit?actor=jwt:ana@example.com")).await;
    let entry = told.expect(200)["data"][0].clone();
    assert_eq!((&entry["action"], &entry["object"]), (&json!("endpoint.created"), &made["id"]));
    assert_eq!(entry["actor"]["role"], "admin");
    assert_eq!(entry["source"], "127.0.0.1");
    assert!(
        !told.text().contains("hidden") && !told.text().contains(made["secret"].as_str().unwrap()),
        "{}",
        told.text()
    );
}
