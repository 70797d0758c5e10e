//! Stopping, starting again, and what is left in between.

use std::time::Duration;

use postrider_domain::DeliveryStatus;
use postrider_engine::{AcceptError, EngineLimits};

use crate::support::{FAIL, OK, Receiver, World, event};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_pending_goes_on_after_a_restart_with_its_schedule() {
    let world = World::new().await;
    let receiver = Receiver::start(|nth| Some(if nth < 10 { FAIL } else { OK })).await;
    world.endpoint(&receiver.url).await;
    world.publish(10).await;
    receiver.until(10).await;
    let world = world.restarted().await;
    let pending = world.until(DeliveryStatus::Pending, 10).await;
    assert!(pending.iter().all(|d| d.attempts_count == 1));
    let latest = pending.iter().filter_map(|d| d.next_attempt_at).max().unwrap();
    world.clock.advance(latest.since(world.engine.now()) + Duration::from_secs(1));
    let delivered = world.until(DeliveryStatus::Succeeded, 10).await;
    assert!(delivered.iter().all(|d| d.attempts_count == 2));
    assert!(receiver.times_by_id().values().all(|count| *count == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_gives_back_what_hangs_and_refuses_new_events() {
    let limits = EngineLimits { stop_grace: Duration::from_millis(50), ..EngineLimits::default() };
    let world = World::with(limits).await;
    let receiver = Receiver::start(|nth| if nth == 0 { None } else { Some(OK) }).await;
    world.endpoint(&receiver.url).await;
    world.publish(1).await;
    receiver.until(1).await;
    assert_eq!(world.engine.stop().await, 1);
    let refused = world.engine.accept(&world.organization, vec![event("{}")]).await;
    assert!(matches!(refused, Err(AcceptError::Unavailable(_))));
    let world = world.restarted().await;
    world.until(DeliveryStatus::Succeeded, 1).await;
    assert_eq!(receiver.times_by_id().len(), 1, "sent again under the same id");
}
