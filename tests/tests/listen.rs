//! `listen`: what an endpoint is sent also reaches a developer's machine, once, in order, and authentic; also when the server is killed meanwhile.

use postrider_tests::world::World;
use serde_json::{Value, json};

/// A port that is free at the moment, so that a server started again is found where it was.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn deliveries_reach_a_local_receiver_once_though_the_server_is_killed() {
    let address = format!("127.0.0.1:{}", free_port());
    let world = World::with(|setup| setup.env("POSTRIDER_LISTEN", &address)).await;
    let organization = world.organization("standard").await;
    let made = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    let event = |number: usize| json!({"type": "deal.won", "data": {"number": number}});
    let first = organization.publish(&event(0)).await;
    let anchor = organization.delivery_of(&first).await;
    let local = world.receiver.url("/local");
    let arguments = [
        "listen",
        "--org",
        &organization.id,
        "--endpoint",
        &made.id,
        "--after",
        &anchor,
        "--forward-to",
        &local,
        "--count",
        "6",
        "--json",
    ];
    let setup = world.setup.clone().env("POSTRIDER_URL", &world.api.url());
    let listening = setup.run(&arguments);
    let publishing = async {
        for number in 1..=3 {
            organization.publish(&event(number)).await;
        }
        world.receiver.wait_for("/local", 3).await;
        let world = world.killed_and_started().await;
        for number in 4..=6 {
            world.api.post(&organization.path("/events"), &event(number)).await.expect(202);
        }
        world
    };
    let (ended, world) = tokio::join!(listening, publishing);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let told: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(told.len() == 6 && told.iter().all(|line| line["status"] == 200), "{ended:?}");

    let real = world.receiver.wait_for("/in", 7).await;
    let replayed = world.receiver.at("/local");
    let numbers: Vec<_> = replayed.iter().map(|request| request.json()["data"]["number"].clone()).collect();
    assert_eq!(numbers, (1..=6).map(|number| json!(number)).collect::<Vec<_>>(), "each once, in order");
    for request in &replayed {
        let id = request.header("webhook-id").unwrap();
        let same =
            real.iter().find(|sent| sent.header("webhook-id") == Some(id)).expect("the endpoint received it, too");
        assert_eq!(same.text(), request.text(), "byte for byte");
        let header = |name: &str| format!("{name}: {}", request.header(name).unwrap());
        let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(header);
        let body = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(body.path(), request.text()).unwrap();
        let verify = [
            "verify",
            "--contract",
            "standard",
            "--secret",
            &made.secret,
            "--header",
            &headers[0],
            "--header",
            &headers[1],
            "--header",
            &headers[2],
            "--body",
            body.path().to_str().unwrap(),
        ];
        let verified = setup.run(&verify).await;
        assert_eq!(verified.status, Some(0), "{verified:?}");
    }
}

#[tokio::test]
async fn listen_ends_with_1_when_the_server_refuses_and_with_2_on_wrong_arguments() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    let setup = world.setup.clone().env("POSTRIDER_URL", &world.api.url());
    let local = world.receiver.url("/local");
    let without_endpoints = setup.run(&["listen", "--org", &organization.id, "--forward-to", &local]).await;
    assert_eq!(without_endpoints.status, Some(1), "{without_endpoints:?}");
    let unknown = ["listen", "--org", &organization.id, "--endpoint", "ep_0", "--forward-to", &local];
    let refused = setup.run(&unknown).await;
    assert_eq!((refused.status, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    let wrong = setup.run(&["listen", "--org", &organization.id, "--forward-to", "ftp://localhost"]).await;
    assert_eq!(wrong.status, Some(2), "{wrong:?}");
}
