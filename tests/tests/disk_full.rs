//! A full disk: nothing more is accepted, nothing breaks, and everything goes on when there is room.

use std::path::{Path, PathBuf};

use postrider_tests::api::Api;
use postrider_tests::files;
use postrider_tests::program::{OPERATOR_KEY, Setup};
use postrider_tests::random::Random;
use postrider_tests::receiver::Receiver;
use postrider_tests::wait::until;
use postrider_tests::world::{Organization, text};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use serde_json::{Value, json};

/// A disk of 24 MiB in memory; gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None when this machine does not let the test mount one.
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = mount("tmpfs", at, "tmpfs", MountFlags::empty(), Some(c"size=24m,mode=0700"));
        mounted
            .inspect_err(|error| println!("SKIPPED: a small disk cannot be mounted here ({error}); root may"))
            .ok()?;
        Some(SmallDisk(at.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Detached, so that it goes even when a failed test left the program running.
        let _ = unmount(&self.0, UnmountFlags::DETACH);
    }
}

fn event(random: &mut Random, number: usize) -> Value {
    json!({"type": "deal.updated", "id": format!("event-{number}"), "data": {"number": number, "ballast": random.text(150_000)}})
}

/// Publishes until the disk is full; returns how many were accepted.
async fn fill(organization: &Organization, random: &mut Random) -> usize {
    for number in 0..1_000 {
        let answer = organization.try_publish(&event(random, number)).await;
        if answer.status != 202 {
            answer.problem(503);
            let seconds = answer.header("retry-after").and_then(|value| value.parse::<u32>().ok());
            assert!(seconds.is_some(), "503 without Retry-After: {:?}", answer.headers);
            return number;
        }
    }
    panic!("150 MB were accepted on a disk of 24 MB");
}

#[tokio::test]
async fn a_full_disk_is_answered_with_503_and_everything_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk")) else { return };
    let ballast = disk.0.join("ballast");
    std::fs::write(&ballast, vec![0; 12 << 20]).unwrap();
    let setup = Setup::new(&disk.0.join("data"));
    let receiver = Receiver::start().await;
    let program = setup.start().await;
    let api = Api::new(program.address, Some(OPERATOR_KEY));
    let made = api.post("/v1/organizations", &json!({"name": "Full"})).await.expect(201);
    let organization = Organization { api, id: text(&made["id"]) };
    organization.endpoint(&receiver.url("/in"), json!({})).await;

    let mut random = Random::from_environment("disk full");
    let accepted = fill(&organization, &mut random).await;
    assert!(accepted > 0, "there was room for some");
    organization.api.get("/healthz").await.expect(200);
    organization.api.get(&organization.path("")).await.expect(200);

    std::fs::remove_file(&ballast).unwrap();
    until("events are accepted again", async || {
        let answer = organization.try_publish(&event(&mut random, accepted)).await;
        (answer.status == 202).then_some(())
    })
    .await;
    receiver.wait_until("every accepted event", || numbers(&receiver).len() > accepted).await;
    assert!(numbers(&receiver).into_iter().eq(0..=accepted as u64), "{:?}", numbers(&receiver));
    organization.drained().await;

    assert_eq!(program.stop().await.status, Some(0));
    let program = setup.start().await;
    let organization = Organization { api: Api::new(program.address, Some(OPERATOR_KEY)), id: organization.id };
    assert_eq!(organization.deliveries("status=succeeded&limit=250").await.len(), accepted + 1);
    assert_eq!(program.stop().await.status, Some(0));
    let connection = rusqlite::Connection::open(files::database(setup.data())).unwrap();
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

fn numbers(receiver: &Receiver) -> std::collections::BTreeSet<u64> {
    receiver.at("/in").iter().map(|request| request.json()["data"]["number"].as_u64().unwrap()).collect()
}
