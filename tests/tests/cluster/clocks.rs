//! Hosts whose clocks are wrong: there is one time, the database's.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use postrider_tests::cluster::{Cluster, Tenant};
use postrider_tests::load::{Load, Watch};
use postrider_tests::postgres::Database;
use postrider_tests::program::Setup;
use postrider_tests::world::{items, text};
use serde_json::{Value, json};

/// Nobody loses it because the machine is slow, and an hour is much more.
const LEASE: Duration = Duration::from_secs(5);
/// How far from the database's a time may be: less than any of the clocks here is off.
const APART_MAX_S: i64 = 120;

/// The library that shows a program another time.
fn libfaketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found = folders.map(|folder| folder.join("faketime/libfaketime.so.1")).filter(|file| file.is_file());
    found.next().expect("libfaketime is not installed; `./dev test` installs it")
}

/// On a host whose clock is off by this, e.g. `+1h`. Its monotonic clock is right.
fn with_clock(setup: Setup, off: &str) -> Setup {
    let setup = setup.env("LD_PRELOAD", &libfaketime().to_string_lossy());
    setup.env("FAKETIME", off).env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1")
}

/// Seconds since 1970 by the database, whose host's clock is right.
fn now_s(cluster: &Cluster) -> i64 {
    cluster.database.ask("SELECT extract(epoch FROM now())::bigint").parse().unwrap()
}

#[track_caller]
fn assert_is_now(now_s: i64, what: &str, seconds: i64) {
    assert!((now_s - seconds).abs() < APART_MAX_S, "{what} is {} s off", seconds - now_s);
}

fn seconds(time: &Value) -> i64 {
    text(time).parse::<Timestamp>().unwrap().as_second()
}

/// What a node shows and sends of an event that it was given.
async fn times_of_an_event(cluster: &Cluster, node: usize, tenant: &Tenant) {
    let organization = tenant.at(cluster.api(node));
    let event = organization.publish(&json!({"type": "deal.won", "data": {}})).await;
    let delivery = text(&organization.deliveries(&format!("event={event}")).await[0]["id"]);
    let delivery = organization.ended(&delivery, "succeeded").await;
    let now = now_s(cluster);
    assert_is_now(now, "created_at", seconds(&delivery["created_at"]));
    assert_is_now(now, "started_at", seconds(&items(&delivery["attempts"])[0]["started_at"]));
    // A key that is valid for half an hour is, wherever the host's clock stands.
    let expires = Timestamp::from_second(now + 1_800).unwrap().to_string();
    let body = json!({"name": "K", "scopes": ["endpoints:read"], "expires_at": expires});
    let key = organization.api.post(&organization.path("/keys"), &body).await.expect(201);
    organization.api.with(key["key"].as_str()).get(&organization.path("/endpoints")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_whose_clock_is_an_hour_off_steals_no_lease_and_signs_no_stale_signature() {
    let mut cluster = Cluster::none_on(Database::create()).await.with_lease(LEASE);
    for off in ["+1h", "-1h", "+0"] {
        cluster.add(|setup| if off == "+0" { setup } else { with_clock(setup, off) }).await;
    }
    // That the clocks of these processes are off shows in what they log.
    let ahead = Timestamp::from_second(now_s(&cluster) + 3_600).unwrap().to_string();
    assert!(cluster.program(0).output().contains(&ahead[..11]), "{}", cluster.program(0).output());

    let tenants = [cluster.tenant(3).await, cluster.tenant(3).await];
    let load = Load::begin(&cluster.front, &tenants, 60);
    let watch = Watch::begin(&cluster, &tenants);
    // For two leases and more.
    load.accepts(700).await;
    for node in 0..3 {
        times_of_an_event(&cluster, node, &tenants[0]).await;
    }
    let account = load.settled(&cluster).await;
    watch.end(&account);
    account.has_no_duplicates();
    let now = now_s(&cluster);
    for request in cluster.receiver.all() {
        let signed = request.header("webhook-timestamp").and_then(|seconds| seconds.parse().ok());
        assert_is_now(now, "webhook-timestamp", signed.unwrap());
    }
}
