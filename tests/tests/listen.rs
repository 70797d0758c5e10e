//! `listen`: what an endpoint is sent also reaches a developer's machine, once, in order, and authentic; also when the server is killed meanwhile.

use postrider_tests::program::Setup;
use postrider_tests::receiver::Request;
use postrider_tests::wait::until;
use postrider_tests::world::{World, items};
use serde_json::{Value, json};

/// A port that is free at the moment, so that a server started again is found where it was.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// As `postrider verify` says, which knows no server.
async fn is_authentic(setup: &Setup, request: &Request, secret: &str) {
    let header = |name: &str| format!("{name}: {}", request.header(name).unwrap());
    let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(header);
    let body = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(body.path(), &request.body).unwrap();
    let mut arguments = vec!["verify", "--contract", "standard", "--secret", secret];
    for header in &headers {
        arguments.extend(["--header", header]);
    }
    arguments.extend(["--body", body.path().to_str().unwrap()]);
    let verified = setup.run(&arguments).await;
    assert_eq!(verified.status, Some(0), "{verified:?}");
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
        is_authentic(&setup, request, &made.secret).await;
    }
}

#[tokio::test]
async fn listen_ends_with_1_when_the_server_refuses_and_with_2_on_wrong_arguments() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    let setup = world.setup.clone().env("POSTRIDER_URL", &world.api.url());
    let local = world.receiver.url("/local");
    let nobody = setup.run(&["listen", "--org", "org_nobody", "--forward-to", &local]).await;
    assert_eq!((nobody.status, nobody.stdout.as_str()), (Some(1), ""), "{nobody:?}");
    let unknown = ["listen", "--org", &organization.id, "--endpoint", "ep_0", "--forward-to", &local];
    let refused = setup.run(&unknown).await;
    assert_eq!((refused.status, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    let wrong = setup.run(&["listen", "--org", &organization.id, "--forward-to", "ftp://localhost"]).await;
    assert_eq!(wrong.status, Some(2), "{wrong:?}");
}

#[tokio::test]
async fn an_organisation_without_endpoints_is_listened_to_at_once_and_an_endpoint_made_meanwhile_is_followed() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    let event = |number: usize| json!({"type": "deal.won", "data": {"number": number, "price": 1.50}});
    organization.publish(&event(0)).await;
    let setup = world.setup.clone().env("POSTRIDER_URL", &world.api.url());
    let local = world.receiver.url("/local");
    let listening = setup.begin(&["listen", "--org", &organization.id, "--forward-to", &local, "--json"]);
    let said = async || Some(listening.output()).filter(|said| said.contains("forwarding to"));
    let said = until("it listens", said).await;
    let secret = said.split([' ', ',']).find(|word| word.starts_with("whsec_")).expect("it shows the secret");

    organization.publish(&event(1)).await;
    organization.publish(&event(2)).await;
    let arrived = world.receiver.wait_for("/local", 2).await;
    for (request, number) in arrived.iter().zip(1..) {
        assert!(request.text().contains(&format!("{{\"number\":{number},\"price\":1.5}}")), "{}", request.text());
        is_authentic(&setup, request, secret).await;
    }
    assert_eq!(items(&world.api.get(&organization.path("/endpoints")).await.expect(200)["data"]), [] as [Value; 0]);
    assert_eq!(organization.deliveries("").await, [] as [Value; 0]);

    let made = organization.endpoint(&world.receiver.url("/in"), json!({})).await;
    organization.publish(&event(3)).await;
    let arrived = world.receiver.wait_for("/local", 3).await;
    let real = world.receiver.wait_for("/in", 1).await;
    assert_eq!(arrived[2].text(), real[0].text(), "what the endpoint receives, byte for byte");
    assert_eq!(arrived[2].header("webhook-id"), real[0].header("webhook-id"));
    is_authentic(&setup, &arrived[2], &made.secret).await;

    listening.interrupt();
    let ended = listening.ended().await;
    let told: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(ended.status == Some(0) && told.len() == 3 && told.iter().all(|line| line["status"] == 200), "{ended:?}");
    assert_eq!(world.receiver.count_at("/in"), 1);
}

#[tokio::test]
async fn listening_to_all_endpoints_goes_on_when_one_of_them_is_deleted_and_ends_with_the_one_that_was_named() {
    let world = World::start().await;
    let organization = world.organization("standard").await;
    let going = organization.endpoint(&world.receiver.url("/going"), json!({"events": ["contact.*"]})).await;
    organization.endpoint(&world.receiver.url("/staying"), json!({"events": ["deal.*"]})).await;
    let setup = world.setup.clone().env("POSTRIDER_URL", &world.api.url());
    let local = world.receiver.url("/local");
    let all = setup.begin(&["listen", "--org", &organization.id, "--forward-to", &local]);
    let one =
        setup.begin(&["listen", "--org", &organization.id, "--endpoint", &going.id, "--forward-to", &local, "--json"]);
    for listening in [&all, &one] {
        until("it listens", async || listening.output().contains("forwarding to").then_some(())).await;
    }
    world.api.delete(&organization.path(&format!("/endpoints/{}", going.id))).await.expect(204);
    until("it is told", async || all.output().contains("was deleted").then_some(())).await;
    let ended = one.ended().await;
    assert_eq!(ended.status, Some(1), "{ended:?}");
    organization.publish(&json!({"type": "deal.won", "data": {"number": 1}})).await;
    world.receiver.wait_for("/local", 1).await;
    all.interrupt();
    assert_eq!(all.ended().await.status, Some(0));
}
