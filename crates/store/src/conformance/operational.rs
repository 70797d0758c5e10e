//! Operational events: written with what they tell of, gathered, claimed, forgotten.

use std::sync::Arc;

use postrider_domain::{
    Action, Actor, AuditEntry, AuditId, DeliveryId, EndpointStatus, FailReason, Millis, OperationalEvent,
    OperationalEventId, OperationalKind, Transition,
};

use super::Subject;
use super::failing::{active, disable, record};
use super::samples::{DAY, SECOND, World, at, entry, id_at, org_id, outcome};
use crate::edit::Edit;
use crate::failing::{FailingAct, FailingStep};
use crate::model::{OpenDelivery, Outcome, Recorded};
use crate::operational::ClaimedOperationalEvent;

use postrider_domain::StreakChange::Grows;

/// A world of which the operator is told.
async fn told(subject: &impl Subject) -> World {
    let world = active(subject).await;
    world.store.operational_for(Some(org_id("ops")));
    world
}

async fn claim(world: &World, now: Millis, until: Millis) -> Vec<ClaimedOperationalEvent> {
    let mut claimed = world.store.claim_operational_events(now, until, 100).await.unwrap();
    claimed.sort_by_key(|one| (one.event.first_at, one.event.kind.as_str()));
    claimed
}

/// All that there is.
async fn events(world: &World) -> Vec<OperationalEvent> {
    claim(world, at(900 * DAY), at(901 * DAY)).await.into_iter().map(|one| one.event).collect()
}

/// A rotation at this moment, by what its audit entry says.
pub(super) async fn rotate(world: &World, moment: Millis) -> AuditEntry {
    let found = world.store.endpoint(&world.org, world.endpoint).await.unwrap().unwrap();
    let id = AuditId(id_at(moment));
    let entry = AuditEntry::new(id, moment, Actor::Operator, Action::SECRET_ROTATED, world.endpoint);
    (*world.store).update_endpoint(&found, &Edit::of(entry.clone())).await.unwrap();
    entry
}

fn exhausted(open: &Arc<OpenDelivery>, ended_at: Millis) -> Outcome {
    outcome(open, ended_at, Transition::Fail(FailReason::Exhausted))
}

/// So many deliveries that fail for good, recorded together a millisecond apart.
pub(super) async fn exhaust(world: &World, count: i64, from: Millis) -> Vec<DeliveryId> {
    let mut outcomes = vec![];
    for n in 0..count {
        outcomes.push(exhausted(&world.one_open(from).await, Millis(from.0 + n)));
    }
    let recorded = world.store.record_outcomes(&outcomes).await.unwrap();
    assert!(recorded.iter().all(|one| *one == Recorded::Recorded), "{recorded:?}");
    outcomes.iter().map(|outcome| outcome.delivery.id).collect()
}

/// Neither where the operator has not asked nor of the organisation that they are for.
pub async fn nobody_is_told_who_did_not_ask_and_nobody_of_itself(subject: &mut impl Subject) {
    let world = active(subject).await;
    for told in [None, Some(world.org.clone())] {
        world.store.operational_for(told);
        exhaust(&world, 2, at(10)).await;
        rotate(&world, at(20)).await;
        record(&world, &[Grows], at(30)).await;
        let warn = FailingStep { act: FailingAct::Warn { unless_after: at(0) }, ..disable(&world, 1, at(40)) };
        world.store.take_failing_step(&warn).await.unwrap();
        assert_eq!(events(&world).await, []);
    }
    world.store.operational_for(Some(org_id("ops")));
    rotate(&world, at(50)).await;
    assert_eq!(events(&world).await.len(), 1);
}

/// In its transaction: a step that is not taken tells nothing. What is told is there when the store is opened again.
pub async fn a_step_tells_with_itself(subject: &mut impl Subject) {
    let mut world = told(subject).await;
    record(&world, &[Grows; 3], at(10)).await;
    let warn = FailingStep { act: FailingAct::Warn { unless_after: at(0) }, ..disable(&world, 3, at(20)) };
    assert!(world.store.take_failing_step(&warn).await.unwrap());
    let again = FailingStep { id: OperationalEventId(id_at(at(21))), ..warn.clone() };
    assert!(!world.store.take_failing_step(&again).await.unwrap(), "its owner was warned");
    let off = disable(&world, 3, at(30));
    assert!(world.store.take_failing_step(&off).await.unwrap());
    assert!(!world.store.take_failing_step(&disable(&world, 3, at(31))).await.unwrap(), "it is disabled");
    subject.reopen().await;
    world.store = subject.store();
    let failing = OperationalEvent {
        id: warn.id,
        organization: world.org.clone(),
        endpoint: world.endpoint,
        kind: OperationalKind::EndpointFailing,
        count: 3,
        reason: None,
        delivery: None,
        first_at: at(20),
        last_at: at(20),
    };
    let disabled = OperationalEvent {
        id: off.id,
        kind: OperationalKind::EndpointDisabled,
        reason: Some("failed 3 times".to_owned()),
        first_at: at(30),
        last_at: at(30),
        ..failing.clone()
    };
    assert_eq!(events(&world).await, [failing, disabled]);
}

/// Another change of the endpoint tells nothing, and a rotation that is refused does not.
pub async fn a_rotation_tells_with_itself(subject: &mut impl Subject) {
    let world = told(subject).await;
    let found = world.store.endpoint(&world.org, world.endpoint).await.unwrap().unwrap();
    (*world.store).update_endpoint(&found, &Edit::of(entry())).await.unwrap();
    let before = world.store.configuration(&world.org).await.unwrap().unwrap().version;
    let entry = rotate(&world, at(10)).await;
    let late = AuditEntry { id: AuditId(id_at(at(11))), ..entry.clone() };
    (*world.store).update_endpoint(&found, &Edit { audit: late, basis: Some(before) }).await.unwrap_err();
    let told = events(&world).await;
    let shown: Vec<_> = told.iter().map(|one| (one.id, one.kind, one.endpoint, one.count, one.first_at)).collect();
    let id = OperationalEventId(entry.id.0);
    assert_eq!(shown, [(id, OperationalKind::SecretRotated, world.endpoint, 1, at(10))]);
}

/// Of one endpoint, for a minute and until somebody claims it; what comes then begins anew.
pub async fn exhausted_deliveries_are_gathered_by_endpoint(subject: &mut impl Subject) {
    let world = told(subject).await;
    exhaust(&world, 3, at(0)).await;
    let last = exhaust(&world, 2, at(59 * SECOND)).await[1];
    let other = world.another_endpoint().await;
    let new = world.delivery_to(other, at(10));
    let id = new.id;
    world.commit(vec![world.event_with(at(10), vec![new])]).await;
    let found = world.store.claim_due(&world.org, other, at(10), 10, vec![]).await.unwrap();
    let open = Arc::new(found.into_iter().find(|open| open.id == id).unwrap());
    world.store.record_outcomes(&[exhausted(&open, at(20))]).await.unwrap();

    assert_eq!(claim(&world, at(60 * SECOND - 1), at(DAY)).await, [], "it is gathered still");
    let first = claim(&world, at(60 * SECOND), at(DAY)).await;
    let shown: Vec<_> = first.iter().map(|one| (one.event.endpoint, one.event.count, one.event.delivery)).collect();
    assert_eq!(shown, [(world.endpoint, 5, Some(last))]);
    assert_eq!((first[0].event.first_at, first[0].event.last_at), (at(0), at(59 * SECOND + 1)));
    assert_eq!(first[0].event.kind, OperationalKind::DeliveryExhausted);

    exhaust(&world, 1, at(61 * SECOND)).await;
    world.store.settle_operational_event(&first[0], None).await.unwrap();
    let rest = events(&world).await;
    let shown: Vec<_> = rest.iter().map(|one| (one.endpoint, one.count, one.delivery)).collect();
    assert_eq!(shown[0], (other, 1, Some(id)));
    assert_eq!((shown.len(), shown[1].0, shown[1].1), (2, world.endpoint, 1));
    assert!(rest.iter().all(|one| one.id != first[0].event.id));
}

/// Only those whose schedule has come to its end, each once.
pub async fn what_else_ends_a_delivery_is_not_told(subject: &mut impl Subject) {
    let world = told(subject).await;
    let open = world.one_open(at(0)).await;
    let failed = exhausted(&open, at(5));
    world.store.record_outcomes(std::slice::from_ref(&failed)).await.unwrap();
    assert_eq!(world.store.record_outcomes(&[failed]).await.unwrap(), [Recorded::Stale]);
    for transition in [Transition::Succeed, Transition::Fail(FailReason::Gone), Transition::RetryAt(at(DAY))] {
        let open = world.one_open(at(10)).await;
        world.store.record_outcomes(&[outcome(&open, at(10), transition)]).await.unwrap();
    }
    let mut test = (*world.one_open(at(20)).await).clone();
    test.test = true;
    world.store.record_outcomes(&[exhausted(&Arc::new(test), at(20))]).await.unwrap();
    let counts: Vec<_> = events(&world).await.iter().map(|one| one.count).collect();
    assert_eq!(counts, [1]);
}

/// However claims and records meet.
pub async fn no_count_is_lost_while_they_are_claimed(subject: &mut impl Subject) {
    const ROUNDS: i64 = 20;
    let world = told(subject).await;
    let mut outcomes = vec![];
    for n in 0..ROUNDS {
        outcomes.push(exhausted(&world.one_open(at(n)).await, at(n)));
    }
    let records = async {
        for outcome in &outcomes {
            let recorded = world.store.record_outcomes(std::slice::from_ref(outcome)).await.unwrap();
            assert_eq!(recorded, [Recorded::Recorded]);
        }
    };
    let claims = async {
        let mut counted = 0;
        for _ in 0..ROUNDS {
            for one in claim(&world, at(DAY), at(2 * DAY)).await {
                counted += one.event.count;
                world.store.settle_operational_event(&one, None).await.unwrap();
            }
        }
        counted
    };
    let ((), counted) = tokio::join!(records, claims);
    let rest: u32 = events(&world).await.iter().map(|one| one.count).sum();
    assert_eq!(i64::from(counted + rest), ROUNDS);
}

/// As notices are: by one at a time, until its claim runs out.
pub async fn they_are_claimed_by_one_at_a_time_and_settled(subject: &mut impl Subject) {
    let world = told(subject).await;
    rotate(&world, at(20)).await;
    assert_eq!(claim(&world, at(19), at(30)).await, []);
    let first = claim(&world, at(20), at(30)).await;
    assert_eq!((first.len(), first[0].tries, first[0].until), (1, 1, at(30)));
    assert_eq!(claim(&world, at(29), at(40)).await, []);
    let second = claim(&world, at(30), at(60)).await;
    assert_eq!((&second[0].event, second[0].tries), (&first[0].event, 2));
    world.store.settle_operational_event(&first[0], None).await.unwrap();
    world.store.settle_operational_event(&second[0], Some(at(50))).await.unwrap();
    let third = claim(&world, at(50), at(70)).await;
    assert_eq!((third.len(), third[0].tries), (1, 3));
    world.store.settle_operational_event(&third[0], None).await.unwrap();
    assert_eq!(events(&world).await, []);
}

/// They stay when the endpoint alone is deleted: that happened.
pub async fn they_go_with_their_organization(subject: &mut impl Subject) {
    let world = told(subject).await;
    rotate(&world, at(10)).await;
    exhaust(&world, 1, at(10)).await;
    let off = FailingStep {
        act: FailingAct::Disable { reason: "gone".to_owned(), audit: Box::new(entry()) },
        ..disable(&world, 0, at(10))
    };
    assert!(world.store.take_failing_step(&off).await.unwrap());
    assert!(matches!(
        world.store.endpoint(&world.org, world.endpoint).await.unwrap().unwrap().status,
        EndpointStatus::Disabled { .. }
    ));
    assert!(world.store.delete_endpoint(&world.org, world.endpoint).await.unwrap());
    assert_eq!(events(&world).await.len(), 3);
    assert!(world.store.delete_organization(&world.org).await.unwrap());
    assert_eq!(claim(&world, at(990 * DAY), at(991 * DAY)).await, []);
}
