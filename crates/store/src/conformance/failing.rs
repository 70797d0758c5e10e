//! Endpoints that keep failing: streaks, steps against them, notices.

use std::sync::Arc;

use postrider_domain::{
    EndpointId, EndpointStatus, FailReason, FailureKind, Millis, Notice, NoticeId, NoticeKind, OperationalEventId,
    OrganizationId, Streak, StreakChange, Transition,
};

use super::samples::{DAY, World, at, endpoint, entry, id_at, organization, outcome};
use super::{Subject, T0};
use crate::failing::{FailingAct, FailingStep};
use crate::model::{EndpointLimits, OpenDelivery, Outcome, Recorded};

/// A world whose endpoint is active.
pub(super) async fn active(subject: &impl Subject) -> World {
    let world = World::new(subject).await;
    set_status(&world, EndpointStatus::Active, at(4)).await;
    world
}

async fn set_status(world: &World, status: EndpointStatus, resumed_at: Millis) {
    let mut changed = world.store.endpoint(&world.org, world.endpoint).await.unwrap().unwrap();
    changed.status = status;
    changed.resumed_at = Some(resumed_at);
    world.store.update_endpoint(&changed).await.unwrap();
}

async fn status(world: &World) -> EndpointStatus {
    world.store.endpoint(&world.org, world.endpoint).await.unwrap().unwrap().status
}

async fn streak(world: &World) -> Option<Streak> {
    let found = world.store.streaks(&world.org, &[world.endpoint, EndpointId(id_at(T0))]).await.unwrap();
    assert!(found.iter().all(|(endpoint, _)| *endpoint == world.endpoint), "{found:?}");
    found.first().map(|(_, streak)| *streak)
}

fn counted(open: &Arc<OpenDelivery>, ended_at: Millis, change: StreakChange) -> Outcome {
    let transition = match change {
        StreakChange::Grows => Transition::RetryAt(Millis(ended_at.0 + DAY)),
        StreakChange::None | StreakChange::Ends => Transition::Succeed,
    };
    Outcome { streak: change, ..outcome(open, ended_at, transition) }
}

/// Records so many attempts that change the streak, at once and each of a delivery of its own.
pub(super) async fn record(world: &World, changes: &[StreakChange], ended_at: Millis) -> Vec<Recorded> {
    let mut outcomes = vec![];
    for (place, change) in (0..).zip(changes) {
        let open = world.one_open(ended_at).await;
        outcomes.push(counted(&open, Millis(ended_at.0 + place), *change));
    }
    world.store.record_outcomes(&outcomes).await.unwrap()
}

fn of(failures: u32, since: Option<Millis>) -> Streak {
    Streak { failures, since, warned_at: None }
}

fn notice(world: &World, made_at: Millis) -> Notice {
    Notice {
        id: NoticeId(id_at(made_at)),
        organization: world.org.clone(),
        endpoint: world.endpoint,
        kind: NoticeKind::Disabled,
        failures: 3,
        failures_max: Some(3),
        failing_since: at(10),
        last_failure: FailureKind::Status,
        last_status_code: Some(503),
        made_at,
    }
}

pub(super) fn disable(world: &World, failures_min: u32, made_at: Millis) -> FailingStep {
    FailingStep {
        id: OperationalEventId(id_at(made_at)),
        organization: world.org.clone(),
        endpoint: world.endpoint,
        failures_min,
        began_at: made_at,
        act: FailingAct::Disable { reason: "failed 3 times".to_owned(), audit: Box::new(entry()) },
        at: made_at,
        notice: Some(notice(world, made_at)),
    }
}

/// A streak, a warning and its notice, for cases about something else.
pub(super) async fn fail(world: &World, now: Millis) {
    set_status(world, EndpointStatus::Active, now).await;
    record(world, &[StreakChange::Grows], now).await;
    let warn = FailingStep { act: FailingAct::Warn { unless_after: at(0) }, ..disable(world, 1, now) };
    assert!(world.store.take_failing_step(&warn).await.unwrap());
}

/// Also when the store is opened again; what does not count changes nothing.
pub async fn failures_on_end_are_counted_and_a_success_ends_them(subject: &mut impl Subject) {
    use StreakChange::{Ends, Grows, None as Unchanged};
    let mut world = active(subject).await;
    assert_eq!(record(&world, &[Ends, Unchanged], at(5)).await, [Recorded::Counted(of(0, None)), Recorded::Recorded]);
    assert_eq!(streak(&world).await, None);
    assert_eq!(record(&world, &[Grows], at(10)).await, [Recorded::Counted(of(1, Some(at(10))))]);
    record(&world, &[Grows, Unchanged, Grows], at(20)).await;
    assert_eq!(streak(&world).await, Some(of(3, Some(at(10)))));
    subject.reopen().await;
    world.store = subject.store();
    assert_eq!(record(&world, &[Grows], at(30)).await, [Recorded::Counted(of(4, Some(at(10))))]);
    record(&world, &[Grows, Ends, Grows, Grows], at(40)).await;
    assert_eq!(streak(&world).await, Some(of(2, Some(at(42)))));
    record(&world, &[Grows, Grows, Ends], at(50)).await;
    assert_eq!(streak(&world).await, Some(of(0, None)));
}

/// What was recorded twice counts once.
pub async fn a_stale_outcome_does_not_count(subject: &mut impl Subject) {
    let world = active(subject).await;
    let open = world.one_open(T0).await;
    let failed = counted(&open, at(10), StreakChange::Grows);
    world.store.record_outcomes(std::slice::from_ref(&failed)).await.unwrap();
    let again = world.store.record_outcomes(std::slice::from_ref(&failed)).await.unwrap();
    assert_eq!((again, streak(&world).await), (vec![Recorded::Stale], Some(of(1, Some(at(10))))));
    let both = [failed.clone(), Outcome { streak: StreakChange::Ends, ..failed }];
    assert_eq!(world.store.record_outcomes(&both).await.unwrap(), [Recorded::Stale, Recorded::Stale]);
    assert_eq!(streak(&world).await, Some(of(1, Some(at(10)))));
}

/// Its pending deliveries stay, a commit made from the older configuration is refused, and it happens once.
pub async fn an_endpoint_is_disabled_once_and_only_while_its_streak_stands(subject: &mut impl Subject) {
    let world = active(subject).await;
    record(&world, &[StreakChange::Grows; 2], at(10)).await;
    assert!(!world.store.take_failing_step(&disable(&world, 3, at(20))).await.unwrap());
    record(&world, &[StreakChange::Grows], at(12)).await;
    let before = world.store.configuration(&world.org).await.unwrap().unwrap().version;
    assert!(world.store.take_failing_step(&disable(&world, 3, at(20))).await.unwrap());
    assert!(!world.store.take_failing_step(&disable(&world, 3, at(21))).await.unwrap());
    assert_eq!(status(&world).await, EndpointStatus::Disabled { reason: "failed 3 times".to_owned() });
    assert!(world.store.configuration(&world.org).await.unwrap().unwrap().version > before);
    assert_eq!(world.claim(at(2 * DAY)).await.len(), 3);
    let told = world.store.claim_notices(at(20), at(30), 10).await.unwrap();
    assert_eq!(told.iter().map(|claimed| claimed.notice.made_at).collect::<Vec<_>>(), [at(20)]);
    let nobody = FailingStep { endpoint: EndpointId(id_at(T0)), ..disable(&world, 0, at(22)) };
    assert!(!world.store.take_failing_step(&nobody).await.unwrap());
}

/// And whoever changes something else at the same time does not make it active again.
pub async fn only_a_person_who_resumes_it_ends_a_disabling(subject: &mut impl Subject) {
    let world = active(subject).await;
    let stale = world.store.endpoint(&world.org, world.endpoint).await.unwrap().unwrap();
    record(&world, &[StreakChange::Grows; 3], at(10)).await;
    world.store.take_failing_step(&disable(&world, 3, at(20))).await.unwrap();
    let mut renamed = stale.clone();
    renamed.name = "renamed".to_owned();
    world.store.update_endpoint(&renamed).await.unwrap();
    let kept = world.store.endpoint(&world.org, world.endpoint).await.unwrap().unwrap();
    assert_eq!((kept.name.as_str(), kept.status.as_str()), ("renamed", "disabled"));
    assert_eq!(streak(&world).await.map(|streak| streak.failures), Some(3));
    set_status(&world, EndpointStatus::Active, at(30)).await;
    assert_eq!((status(&world).await, streak(&world).await), (EndpointStatus::Active, None));
    // A pause is no answer to failures: the streak goes on behind it.
    record(&world, &[StreakChange::Grows], at(40)).await;
    set_status(&world, EndpointStatus::Paused, at(30)).await;
    set_status(&world, EndpointStatus::Active, at(50)).await;
    assert_eq!(streak(&world).await, Some(of(1, Some(at(40)))));
}

/// What the attempt says was true of the endpoint before.
pub async fn a_step_of_an_attempt_from_before_it_was_resumed_is_not_taken(subject: &mut impl Subject) {
    let world = active(subject).await;
    set_status(&world, EndpointStatus::Paused, at(4)).await;
    set_status(&world, EndpointStatus::Active, at(20)).await;
    let step = |began_at| FailingStep { began_at, ..disable(&world, 0, at(30)) };
    assert!(!world.store.take_failing_step(&step(at(19))).await.unwrap());
    assert_eq!(status(&world).await, EndpointStatus::Active);
    assert_eq!(world.store.claim_notices(at(40), at(50), 10).await.unwrap(), []);
    assert!(world.store.take_failing_step(&step(at(20))).await.unwrap());
}

/// Until some time has passed.
pub async fn an_owner_is_warned_once(subject: &mut impl Subject) {
    let world = active(subject).await;
    record(&world, &[StreakChange::Grows], at(10)).await;
    let warn = |now: i64| FailingStep {
        failures_min: 1,
        act: FailingAct::Warn { unless_after: at(now - 100) },
        ..disable(&world, 1, at(now))
    };
    assert!(world.store.take_failing_step(&warn(20)).await.unwrap());
    assert!(!world.store.take_failing_step(&warn(119)).await.unwrap());
    record(&world, &[StreakChange::Ends, StreakChange::Grows], at(30)).await;
    assert_eq!(streak(&world).await.and_then(|streak| streak.warned_at), Some(at(20)));
    assert!(world.store.take_failing_step(&warn(120)).await.unwrap());
    assert_eq!(world.store.claim_notices(at(200), at(300), 10).await.unwrap().len(), 2);
    assert_eq!(status(&world).await, EndpointStatus::Active);
}

/// A notice is one claimer's until a moment; then it is anybody's, until it is settled.
pub async fn a_notice_is_claimed_by_one_until_it_is_settled(subject: &mut impl Subject) {
    let mut world = active(subject).await;
    let step = disable(&world, 0, at(20));
    world.store.take_failing_step(&step).await.unwrap();
    assert_eq!(world.store.claim_notices(at(19), at(30), 10).await.unwrap(), []);
    let first = world.store.claim_notices(at(20), at(30), 10).await.unwrap();
    assert_eq!(first.len(), 1);
    assert_eq!((Some(&first[0].notice), first[0].tries), (step.notice.as_ref(), 1));
    assert_eq!(world.store.claim_notices(at(29), at(40), 10).await.unwrap(), []);
    subject.reopen().await;
    world.store = subject.store();
    let second = world.store.claim_notices(at(30), at(60), 10).await.unwrap();
    assert_eq!((second.len(), second[0].tries), (1, 2));
    world.store.settle_notice(&first[0], None).await.unwrap();
    world.store.settle_notice(&second[0], Some(at(50))).await.unwrap();
    let third = world.store.claim_notices(at(50), at(70), 10).await.unwrap();
    assert_eq!((third.len(), third[0].tries), (1, 3));
    world.store.settle_notice(&third[0], None).await.unwrap();
    assert_eq!(world.store.claim_notices(at(DAY), at(2 * DAY), 10).await.unwrap(), []);
}

/// With the endpoint, and with its organisation.
pub async fn deletion_takes_streaks_and_notices_along(subject: &mut impl Subject) {
    let world = active(subject).await;
    record(&world, &[StreakChange::Grows; 3], at(10)).await;
    world.store.take_failing_step(&disable(&world, 3, at(20))).await.unwrap();
    world.store.delete_endpoint(&world.org, world.endpoint).await.unwrap();
    assert_eq!(streak(&world).await, None);
    assert_eq!(world.store.claim_notices(at(DAY), at(2 * DAY), 10).await.unwrap(), []);
    let mut another = endpoint(&world.org, at(1));
    another.status = EndpointStatus::Active;
    world.store.create_endpoint(&another, &EndpointLimits::default()).await.unwrap();
    let of_another = FailingStep { endpoint: another.id, ..disable(&world, 0, at(21)) };
    let of_another =
        FailingStep { notice: of_another.notice.map(|n| Notice { endpoint: another.id, ..n }), ..of_another };
    assert!(world.store.take_failing_step(&of_another).await.unwrap());
    world.store.delete_organization(&world.org).await.unwrap();
    assert_eq!(world.store.claim_notices(at(DAY), at(2 * DAY), 10).await.unwrap(), []);
    world.store.create_organization(&organization("acme")).await.unwrap();
    assert!(!world.store.take_failing_step(&disable(&world, 0, at(22))).await.unwrap());
}

/// Of another organisation, an endpoint has no streak and no step is taken against it.
pub async fn nobody_elses_endpoint_is_disabled(subject: &mut impl Subject) {
    let world = active(subject).await;
    record(&world, &[StreakChange::Grows; 3], at(10)).await;
    world.store.create_organization(&organization("other")).await.unwrap();
    let other: OrganizationId = "other".parse().unwrap();
    assert_eq!(world.store.streaks(&other, &[world.endpoint]).await.unwrap(), []);
    let step = FailingStep { organization: other, ..disable(&world, 3, at(20)) };
    assert!(!world.store.take_failing_step(&step).await.unwrap());
    assert_eq!(status(&world).await, EndpointStatus::Active);
    let gone = Outcome {
        transition: Transition::Fail(FailReason::Gone),
        ..counted(&world.one_open(T0).await, at(9), StreakChange::None)
    };
    assert_eq!(world.store.record_outcomes(&[gone]).await.unwrap(), [Recorded::Recorded]);
}
