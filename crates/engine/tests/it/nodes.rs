//! Two nodes and more on one store: every event is delivered once, whichever node it came to and whichever node sends it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use postrider_domain::{DeliveryStatus, EndpointStatus};
use postrider_engine::{AcceptError, EngineLimits, IncomingEvent, Retry};

use crate::cluster::{Nodes, quick};
use crate::support::{FAIL, HELD, OK, Receiver, audit, edit, event, until};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_to_either_node_are_delivered_once() {
    let nodes = Nodes::new().await;
    let (a, b) = (nodes.join("a").await, nodes.join("b").await);
    let receiver = Receiver::start(|_| Some(OK)).await;
    for _ in 0..3 {
        nodes.endpoint(&a, &receiver.url).await;
    }
    for _ in 0..25 {
        assert_eq!(nodes.publish(&a).await, 3);
        assert_eq!(nodes.publish(&b).await, 3);
    }
    nodes.until_status(DeliveryStatus::Succeeded, 150).await;
    let times = receiver.times_by_id();
    assert_eq!((times.len(), times.values().max()), (150, Some(&1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn work_for_another_nodes_lane_is_found_without_its_hint() {
    let nodes = Nodes::new().await;
    let (a, b) = (nodes.join("a").await, nodes.join("b").await);
    let receiver = Receiver::start(|_| Some(OK)).await;
    nodes.endpoint(&a, &receiver.url).await;
    nodes.publish(&a).await;
    nodes.until_status(DeliveryStatus::Succeeded, 1).await;
    assert_eq!((nodes.cluster.lanes_of("a"), nodes.cluster.lanes_of("b")), (1, 0));
    nodes.cluster.loses_hints.store(true, Ordering::SeqCst);
    nodes.publish(&b).await;
    nodes.until_status(DeliveryStatus::Succeeded, 2).await;
    assert_eq!((nodes.cluster.lanes_of("a"), nodes.cluster.lanes_of("b")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_made_on_one_node_gets_the_event_that_comes_to_another_next() {
    let nodes = Nodes::new().await;
    // Told by nothing but the commit.
    let slow = EngineLimits { lease: Duration::from_secs(600), ..quick() };
    let (a, b) = (nodes.join_with("a", slow.clone()).await, nodes.join_with("b", slow).await);
    nodes.cluster.loses_hints.store(true, Ordering::SeqCst);
    let receiver = Receiver::start(|_| Some(OK)).await;
    nodes.endpoint(&a, &receiver.url).await;
    assert_eq!((nodes.publish(&a).await, nodes.publish(&b).await), (1, 1));
    nodes.endpoint(&a, &receiver.url).await;
    assert_eq!(nodes.publish(&b).await, 2);
    nodes.until_status(DeliveryStatus::Succeeded, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_routed_anew_a_few_times_and_then_refused() {
    let nodes = Nodes::new().await;
    let a = nodes.join("a").await;
    let receiver = Receiver::start(|_| Some(OK)).await;
    nodes.endpoint(&a, &receiver.url).await;
    nodes.cluster.outdated_next.store(2, Ordering::SeqCst);
    assert_eq!(nodes.publish(&a).await, 1);
    nodes.cluster.outdated_next.store(3, Ordering::SeqCst);
    let refused = a.engine.accept(&nodes.organization, vec![event("{}")]).await;
    assert!(matches!(refused, Err(AcceptError::Unavailable(_))), "{refused:?}");
    assert_eq!(nodes.publish(&a).await, 1);
    nodes.until_status(DeliveryStatus::Succeeded, 2).await;
    assert!(receiver.times_by_id().values().all(|count| *count == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_type_that_a_changed_organization_does_not_know_is_refused_though_it_was_checked_before() {
    let nodes = Nodes::new().await;
    let slow = EngineLimits { lease: Duration::from_secs(600), ..quick() };
    let (a, b) = (nodes.join_with("a", slow.clone()).await, nodes.join_with("b", slow).await);
    nodes.cluster.loses_hints.store(true, Ordering::SeqCst);
    let contracts = a.engine.contracts();
    let default = contracts.get(contracts.default_name()).unwrap();
    let known_to_one_alone = |name: &str| contracts.iter().find(|other| other.resolve_type(name).is_none());
    let mut types = default.event_types().iter().map(|event_type| event_type.name.to_string());
    let (event_type, other) = types.find_map(|name| Some((name.clone(), known_to_one_alone(&name)?))).unwrap();
    let publish =
        || b.engine.accept(&nodes.organization, vec![IncomingEvent { event_type: event_type.clone(), ..event("{}") }]);
    publish().await.unwrap();
    let mut organization = a.engine.store().organization(&nodes.organization).await.unwrap().unwrap();
    organization.contract = other.name().to_owned();
    a.engine.store().update_organization(&organization, &edit()).await.unwrap();
    let refused = publish().await;
    assert!(matches!(refused, Err(AcceptError::Invalid(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_on_one_node_is_so_on_the_other_though_no_hint_comes() {
    let nodes = Nodes::new().await;
    let (a, b) = (nodes.join("a").await, nodes.join("b").await);
    nodes.cluster.loses_hints.store(true, Ordering::SeqCst);
    let receiver = Receiver::start(|nth| Some(if nth == 0 { FAIL } else { OK })).await;
    let endpoint = nodes.endpoint(&a, &receiver.url).await;
    nodes.publish(&a).await;
    receiver.until(1).await;
    nodes.set_status(&b, &endpoint, EndpointStatus::Paused).await;
    // The pause has come to the other node once that takes an event for nobody without asking twice.
    while nodes.publish(&a).await != 0 {}
    nodes.advance(HOUR);
    let other = Receiver::start(|_| Some(OK)).await;
    nodes.endpoint(&a, &other.url).await;
    nodes.publish(&a).await;
    other.until(1).await;
    let sent = receiver.requests().len();
    nodes.set_status(&b, &endpoint, EndpointStatus::Active).await;
    nodes.until_status(DeliveryStatus::Succeeded, 2).await;
    assert!(receiver.requests().len() > sent);
    assert!(nodes.deliveries(DeliveryStatus::Pending).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_event_is_sent_by_the_node_that_is_asked_whoever_has_the_lane() {
    let nodes = Nodes::new().await;
    let (a, b) = (nodes.join("a").await, nodes.join("b").await);
    let receiver = Receiver::start(|_| Some(OK)).await;
    let endpoint = nodes.endpoint(&a, &receiver.url).await;
    nodes.publish(&a).await;
    nodes.until_status(DeliveryStatus::Succeeded, 1).await;
    let outcome = b.engine.send_test(&nodes.organization, endpoint.id, None, audit()).await.unwrap();
    assert!(outcome.succeeded);
    let listed = nodes.until_status(DeliveryStatus::Succeeded, 2).await;
    assert!(listed.iter().any(|delivery| delivery.id == outcome.delivery && delivery.test));
    assert_eq!((nodes.cluster.lanes_of("a"), receiver.requests().len()), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_is_asked_for_on_another_node_is_made_once() {
    let nodes = Nodes::new().await;
    let (a, b) = (nodes.join("a").await, nodes.join("b").await);
    let receiver = Receiver::start(|nth| Some(if nth == 0 { FAIL } else { OK })).await;
    nodes.endpoint(&a, &receiver.url).await;
    nodes.publish(&a).await;
    receiver.until(1).await;
    let pending = nodes.until_status(DeliveryStatus::Pending, 1).await[0].id;
    // It is under way on the other node until its outcome is recorded; from then on it is due later.
    let is_recorded = async || nodes.deliveries(DeliveryStatus::Pending).await[0].attempts_count > 0;
    until("the attempt is recorded", async || is_recorded().await.then_some(())).await;
    assert_eq!(b.engine.retry(&nodes.organization, pending, audit()).await.unwrap(), Retry::Asked);
    let delivered = nodes.until_status(DeliveryStatus::Succeeded, 1).await;
    assert_eq!((delivered[0].attempts_count, receiver.requests().len()), (2, 2));
    assert_eq!((nodes.cluster.lanes_of("a"), nodes.cluster.lanes_of("b")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_hands_over_at_once_what_it_has_not_sent() {
    let nodes = Nodes::new().await;
    let limits = EngineLimits { stop_grace: Duration::from_millis(50), ..quick() };
    let a = nodes.join_with("a", limits).await;
    let hanging = Receiver::start(|nth| Some(if nth == 0 { HELD } else { OK })).await;
    nodes.endpoint(&a, &hanging.url).await;
    for _ in 0..5 {
        nodes.publish(&a).await;
    }
    hanging.until(1).await;
    let b = nodes.join("b").await;
    assert_eq!(a.engine.stop().await, 1, "what hangs is given back");
    assert_eq!(nodes.cluster.nodes(), ["b"], "its lease need not run out");
    nodes.until_status(DeliveryStatus::Succeeded, 5).await;
    assert_eq!(nodes.cluster.lanes_of("b"), 1);
    let times = hanging.times_by_id();
    assert_eq!((times.len(), times.values().sum::<usize>()), (5, 6), "what hung is sent again, under the same id");
    b.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_joins_gets_lanes_of_one_that_has_more() {
    let nodes = Nodes::new().await;
    let a = nodes.join("a").await;
    let receiver = Receiver::start(|nth| Some(if nth < 30 { FAIL } else { OK })).await;
    for _ in 0..30 {
        nodes.endpoint(&a, &receiver.url).await;
    }
    assert_eq!(nodes.publish(&a).await, 30);
    receiver.until(30).await;
    assert_eq!(nodes.cluster.lanes_of("a"), 30);
    let b = nodes.join("b").await;
    nodes.until("a gives lanes away", |cluster| cluster.lanes_of("a") <= 16).await;
    // The second attempts are due: each is sent by whoever has its lane by then.
    nodes.advance(HOUR);
    nodes.until_status(DeliveryStatus::Succeeded, 30).await;
    nodes.until("b has some of them", |cluster| cluster.lanes_of("b") >= 5).await;
    let times = receiver.times_by_id();
    assert!(times.values().all(|count| *count == 2), "{times:?}");
    b.engine.stop().await;
    a.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_without_work_is_released_and_taken_by_whoever_gets_work_for_it() {
    let nodes = Nodes::new().await;
    let limits = EngineLimits { lane_idle_max: Duration::from_millis(50), ..quick() };
    let (a, b) = (nodes.join_with("a", limits.clone()).await, nodes.join_with("b", limits).await);
    let receiver = Receiver::start(|_| Some(OK)).await;
    nodes.endpoint(&a, &receiver.url).await;
    for node in [&a, &b, &a] {
        nodes.publish(node).await;
        nodes.until("the lane is released", |cluster| cluster.lanes_of("a") + cluster.lanes_of("b") == 0).await;
    }
    nodes.until_status(DeliveryStatus::Succeeded, 3).await;
    assert!(receiver.times_by_id().values().all(|count| *count == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_whose_answer_was_lost_leaves_nobody_with_the_same_lane() {
    let nodes = Nodes::new().await;
    let limits = EngineLimits { lane_idle_max: Duration::from_millis(50), ..quick() };
    let a = nodes.join_with("a", limits).await;
    let b = nodes.join("b").await;
    let receiver = Receiver::start(|_| Some(OK)).await;
    nodes.endpoint(&a, &receiver.url).await;
    nodes.publish(&a).await;
    nodes.cluster.loses_an_answer.store(true, Ordering::SeqCst);
    nodes
        .until("the lane is released", |cluster| {
            cluster.lanes_of("a") == 0 && !cluster.loses_an_answer.load(Ordering::SeqCst)
        })
        .await;
    for node in [&b, &a, &b, &a] {
        nodes.publish(node).await;
    }
    nodes.until_status(DeliveryStatus::Succeeded, 5).await;
    assert_eq!((nodes.cluster.lanes_of("a"), nodes.cluster.lanes_of("b")), (0, 1));
    assert!(receiver.times_by_id().values().all(|count| *count == 1));
}
