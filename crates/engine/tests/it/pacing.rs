//! Rate limits: how many attempts of one endpoint begin in a second.

use std::num::NonZeroU32;
use std::time::Duration;

use postrider_domain::{DeliveryStatus, Endpoint};

use crate::support::{FAIL, OK, Receiver, World, edit};

impl World {
    async fn paced_endpoint(&self, url: &str, per_s: u32) -> Endpoint {
        let endpoint = self.endpoint(url).await;
        let endpoint = Endpoint { rate_limit: NonZeroU32::new(per_s), ..endpoint };
        self.set(&endpoint).await;
        endpoint
    }

    async fn set(&self, endpoint: &Endpoint) {
        self.engine.store().update_endpoint(endpoint, &edit()).await.unwrap();
        self.engine.changed(&self.organization);
    }
}

/// Returns when what was sent without a limit after everything else has come, so that whatever could begin has begun.
async fn settled(world: &World, free: &Receiver) {
    let before = free.requests().len();
    world.publish(1).await;
    free.until(before + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_attempts_begin_than_the_limit_says_and_other_endpoints_do_not_wait() {
    let world = World::new().await;
    let (paced, free) = (Receiver::start(|_| Some(OK)).await, Receiver::start(|_| Some(OK)).await);
    world.paced_endpoint(&paced.url, 2).await;
    world.endpoint(&free.url).await;
    world.publish(9).await;
    free.until(9).await;
    for half_seconds in 1..=8 {
        paced.until(half_seconds).await;
        settled(&world, &free).await;
        assert_eq!(paced.requests().len(), half_seconds, "no time has passed since the last one");
        world.clock.advance(Duration::from_millis(500));
    }
    paced.until(9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_count_too() {
    let world = World::new().await;
    let (paced, free) = (Receiver::start(|_| Some(FAIL)).await, Receiver::start(|_| Some(OK)).await);
    let endpoint = world.endpoint(&paced.url).await;
    world.endpoint(&free.url).await;
    world.publish(5).await;
    paced.until(5).await;
    world.until(DeliveryStatus::Succeeded, 5).await;
    world.set(&Endpoint { rate_limit: NonZeroU32::new(1), ..endpoint }).await;
    world.clock.advance(Duration::from_secs(3_600));
    paced.until(6).await;
    settled(&world, &free).await;
    settled(&world, &free).await;
    assert_eq!(paced.requests().len(), 6, "all five are due again, and one begins in a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_changed_and_lifted_while_work_waits_for_it() {
    let world = World::new().await;
    let (paced, free) = (Receiver::start(|_| Some(OK)).await, Receiver::start(|_| Some(OK)).await);
    let endpoint = world.paced_endpoint(&paced.url, 1).await;
    world.endpoint(&free.url).await;
    world.publish(60).await;
    paced.until(1).await;
    world.set(&Endpoint { rate_limit: NonZeroU32::new(20), ..endpoint.clone() }).await;
    world.clock.advance(Duration::from_secs(1));
    paced.until(2).await;
    settled(&world, &free).await;
    world.clock.advance(Duration::from_millis(100));
    paced.until(4).await;
    assert!(paced.requests().len() <= 6, "a tenth of a second at twenty a second, and what was there before");
    world.set(&Endpoint { rate_limit: None, ..endpoint }).await;
    world.clock.advance(Duration::from_secs(1));
    paced.until(61).await;
}
