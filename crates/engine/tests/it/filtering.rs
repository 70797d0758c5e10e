//! Filters in the engine: what they hold back, what previews read at most, and what is derived when the organisation changes meanwhile.

use std::time::Duration;

use postrider_contract::Filter;
use postrider_domain::{DeliveryStatus, Endpoint, Subscription};
use postrider_engine::{EngineLimits, FilterPreview, PreviewError, PreviewRequest};

use crate::support::{OK, Receiver, World, edit, endpoint_at, event};

fn request(filter: &str) -> PreviewRequest {
    let filter = Filter::parse(filter).unwrap();
    PreviewRequest { filter, subscriptions: vec![Subscription::All], contract: None }
}

async fn previewed(limits: EngineLimits, count: usize) -> FilterPreview {
    let world = World::with(limits).await;
    world.publish(count).await;
    world.engine.preview(&world.organization, request("data.id")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_reads_no_more_than_it_may_and_says_that_there_is_more() {
    let pages_of_3 = || EngineLimits { preview_page_rows: 3, ..EngineLimits::default() };
    let whole = previewed(pages_of_3(), 10).await;
    assert_eq!((whole.events_count, whole.passed_count, whole.is_complete), (10, 10, true));
    let events = previewed(EngineLimits { preview_events_max: 5, ..pages_of_3() }, 10).await;
    assert_eq!(
        (events.events_count, events.is_complete),
        (6, false),
        "it ends with the page on which there are so many"
    );
    let bytes = previewed(EngineLimits { preview_bytes_max: 1, ..pages_of_3() }, 10).await;
    assert_eq!((bytes.events_count, bytes.is_complete), (3, false));
    let time = previewed(EngineLimits { preview_time_max: Duration::ZERO, ..pages_of_3() }, 10).await;
    assert_eq!((time.events_count, time.is_complete), (3, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn previews_at_once_are_bounded() {
    let world = World::with(EngineLimits { previews_max: 0, ..EngineLimits::default() }).await;
    let refused = world.engine.preview(&world.organization, request("data.id")).await;
    assert!(matches!(refused, Err(PreviewError::Busy)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_cannot_be_read_any_more_lets_everything_pass() {
    let world = World::new().await;
    let receiver = Receiver::start(|_| Some(OK)).await;
    for filter in ["data.id = \"x\"", "a language of later years"] {
        let filter = Some(filter.to_owned());
        let endpoint = Endpoint { filter, ..endpoint_at(&world.engine, &world.organization, &receiver.url) };
        world.engine.store().create_endpoint(&endpoint, &Default::default(), &edit()).await.unwrap();
    }
    world.engine.changed(&world.organization);
    let accepted = world.engine.accept(&world.organization, vec![event(r#"{"id":"0"}"#)]).await.unwrap();
    assert_eq!(accepted[0].deliveries_count, 1);
    world.until(DeliveryStatus::Succeeded, 1).await;
}
