//! Endpoints that keep failing (document 000: "After 50 consecutive failures, the webhook is automatically disabled"; contracts.md, reading 8).

use std::time::Duration;

use postrider_domain::{Action, AuditEntry, DeliveryStatus, Endpoint, EndpointStatus, Streak};
use postrider_engine::EngineLimits;

use crate::support::{FAIL, OK, Receiver, World, audit, edit, endpoint_at, until};

const GONE: &str = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n";
const GONE_HELD: &str = "\0HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n";
const MINUTE: Duration = Duration::from_secs(60);

impl World {
    /// An endpoint under the contract of document 000, whose number is 50 and whose first retry is after a minute.
    async fn documented(&self, url: &str) -> Endpoint {
        let mut endpoint = endpoint_at(&self.engine, &self.organization, url);
        endpoint.contract = "salessheet".to_owned();
        self.engine.store().create_endpoint(&endpoint, &Default::default(), &edit()).await.unwrap();
        self.engine.changed(&self.organization);
        endpoint
    }

    async fn status_of(&self, endpoint: &Endpoint) -> EndpointStatus {
        self.engine.store().endpoint(&self.organization, endpoint.id).await.unwrap().unwrap().status
    }

    async fn streak_of(&self, endpoint: &Endpoint) -> Streak {
        let found = self.engine.store().streaks(&self.organization, &[endpoint.id]).await.unwrap();
        found.first().map_or_else(Streak::default, |(_, streak)| *streak)
    }

    async fn until_streak(&self, endpoint: &Endpoint, failures: u32) {
        let there = async || (self.streak_of(endpoint).await.failures == failures).then_some(());
        until("the streak gets there", there).await;
    }

    async fn until_disabled(&self, endpoint: &Endpoint) -> String {
        let disabled = async || match self.status_of(endpoint).await {
            EndpointStatus::Disabled { reason } => Some(reason),
            _ => None,
        };
        until("it is disabled", disabled).await
    }

    async fn resume(&self, endpoint: &Endpoint) {
        let mut now = self.engine.store().endpoint(&self.organization, endpoint.id).await.unwrap().unwrap();
        now.set_enabled(true, self.engine.now());
        self.engine.store().update_endpoint(&now, &edit()).await.unwrap();
        self.engine.changed(&self.organization);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_failures_on_end_disable_also_across_a_restart_and_keep_what_is_pending() {
    let world = World::new().await;
    let receiver = Receiver::start(|_| Some(FAIL)).await;
    let endpoint = world.documented(&receiver.url).await;
    world.publish(30).await;
    world.until_streak(&endpoint, 30).await;
    let world = world.restarted().await;
    world.publish(19).await;
    world.until_streak(&endpoint, 49).await;
    assert_eq!(world.status_of(&endpoint).await, EndpointStatus::Active);
    world.publish(1).await;
    let reason = world.until_disabled(&endpoint).await;
    assert_eq!(reason, "50 attempts in a row failed; the latest was answered with status 500");
    assert_eq!(world.deliveries(Some(DeliveryStatus::Pending)).await.len(), 50);
    let entries =
        world.engine.store().audit(Some(&world.organization), &Default::default(), page()).await.unwrap().rows;
    let entry = entries.iter().find(|entry| entry.action == Action::ENDPOINT_DISABLED).unwrap();
    let told: Vec<_> = entry.after.iter().map(|field| (field.name.as_ref(), &field.told)).collect();
    let text = |text: &str| postrider_domain::Told::Text(text.to_owned());
    assert_eq!(told, [("status", &text("disabled")), ("disabled_reason", &text(&reason))], "what it was is told, too");
    assert_eq!(entry.before[0].told, text("active"));
}

fn page() -> postrider_store::PageRequest {
    postrider_store::PageRequest { limit: 10, before: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_in_between_and_retries_by_hand_keep_an_endpoint_alive() {
    let world = World::new().await;
    // The fiftieth answer is the one success.
    let receiver = Receiver::start(|nth| Some(if nth == 49 { OK } else { FAIL })).await;
    let endpoint = world.documented(&receiver.url).await;
    world.publish(49).await;
    world.until_streak(&endpoint, 49).await;
    world.publish(1).await;
    world.until(DeliveryStatus::Succeeded, 1).await;
    world.until_streak(&endpoint, 0).await;
    world.publish(49).await;
    world.until_streak(&endpoint, 49).await;
    let pending = world.deliveries(Some(DeliveryStatus::Pending)).await;
    for delivery in &pending[..5] {
        world.engine.retry(&world.organization, delivery.id, audit()).await.unwrap();
    }
    receiver.until(99 + 5).await;
    assert_eq!(world.streak_of(&endpoint).await.failures, 49);
    assert_eq!(world.status_of(&endpoint).await, EndpointStatus::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_410_disables_at_once_and_can_be_undone() {
    let world = World::new().await;
    let receiver = Receiver::start(|nth| Some(if nth == 0 { GONE } else { OK })).await;
    let endpoint = world.endpoint(&receiver.url).await;
    world.publish(1).await;
    assert_eq!(world.until_disabled(&endpoint).await, "the receiver answered that it is gone for good (status 410)");
    world.resume(&endpoint).await;
    world.publish(1).await;
    world.until(DeliveryStatus::Succeeded, 1).await;
}

/// The receiver is slow to say that it is gone; meanwhile somebody has paused and resumed it.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_410_to_an_attempt_from_before_it_was_resumed_disables_nothing() {
    let world = World::new().await;
    let slow = Receiver::start(|_| Some(GONE_HELD)).await;
    let endpoint = world.endpoint(&slow.url).await;
    world.publish(1).await;
    slow.until(1).await;
    world.set_status(&endpoint, EndpointStatus::Paused).await;
    world.clock.advance(MINUTE);
    world.resume(&endpoint).await;
    slow.let_go();
    world.until(DeliveryStatus::Failed, 1).await;
    world.set_status(&endpoint, EndpointStatus::Paused).await;
    // Steps are taken one after the other: once that against another endpoint is, this one's was looked at, too.
    let gone = Receiver::start(|_| Some(GONE)).await;
    let other = world.endpoint(&gone.url).await;
    world.publish(1).await;
    world.until_disabled(&other).await;
    let entries =
        world.engine.store().audit(Some(&world.organization), &Default::default(), page()).await.unwrap().rows;
    let disabled = |of: &Endpoint| {
        let is_it =
            |entry: &&AuditEntry| entry.action == Action::ENDPOINT_DISABLED && entry.object == of.id.to_string();
        entries.iter().filter(is_it).count()
    };
    assert_eq!((disabled(&endpoint), disabled(&other)), (0, 1), "{entries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waited_leaves_on_a_ramp_when_an_endpoint_is_resumed() {
    let world = World::new().await;
    let receiver = Receiver::start(|nth| Some(if nth < 50 { FAIL } else { OK })).await;
    let endpoint = world.documented(&receiver.url).await;
    world.publish(50).await;
    world.until_disabled(&endpoint).await;
    receiver.until(50).await;
    // All of them are due; and nothing is sent yet.
    world.clock.advance(2 * MINUTE);
    world.resume(&endpoint).await;
    receiver.until(51).await;
    let first = receiver.requests().len() - 50;
    assert!(first < 25, "{first} of 50 left at once");
    assert_eq!(world.streak_of(&endpoint).await.failures, 0);
    world.until(DeliveryStatus::Succeeded, 50).await;
    assert_eq!(receiver.requests().len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_many_hosts_cannot_be_reached_no_failure_counts() {
    let world = World::with(EngineLimits::default()).await;
    let receiver = Receiver::start(|_| Some(OK)).await;
    let alive = world.documented(&receiver.url).await;
    world.publish(1).await;
    world.until(DeliveryStatus::Succeeded, 1).await;
    // Nobody listens there; each address is a host of its own.
    let port = receiver.url.rsplit(':').next().unwrap();
    let mut dead = vec![];
    for host in 2..=9 {
        dead.push(world.documented(&format!("http://127.0.0.{host}:{port}")).await);
    }
    world.set_status(&alive, EndpointStatus::Paused).await;
    for _ in 0..60 {
        world.publish(1).await;
    }
    let attempted = async || {
        let pending = world.deliveries(Some(DeliveryStatus::Pending)).await;
        pending.iter().all(|delivery| delivery.attempts_count > 0).then_some(())
    };
    until("the attempts are made", attempted).await;
    for endpoint in &dead {
        assert_eq!(world.status_of(endpoint).await, EndpointStatus::Active);
        assert!(world.streak_of(endpoint).await.failures < 50);
    }
}
