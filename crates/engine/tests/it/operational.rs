//! Operational events: what befalls customers' endpoints is published into an organisation of the operator's.

use postrider_domain::{
    Action, Actor, AuditEntry, AuditId, Endpoint, EventValidation, OperationalEventId, Organization, OrganizationId,
};
use postrider_store::{Edit, EventFilter, FailingAct, FailingStep, PageRequest};

use crate::support::{FAIL, OK, Receiver, World, audit, edit, endpoint_at, organization, until};

impl World {
    /// The operator's organisation, with an endpoint.
    async fn operator(&self, id: &OrganizationId, url: &str) {
        let now = self.engine.now();
        let made = Organization {
            id: id.clone(),
            contract: "operational".to_owned(),
            event_validation: EventValidation::Enforce,
            ..organization(now)
        };
        self.engine.store().create_organization(&made, &audit()).await.unwrap();
        let endpoint = Endpoint { contract: made.contract, ..endpoint_at(&self.engine, id, url) };
        self.engine.store().create_endpoint(&endpoint, &Default::default(), &edit()).await.unwrap();
        self.engine.changed(id);
    }

    /// The types of all events of an organisation, oldest first.
    async fn types_of(&self, id: &OrganizationId) -> Vec<String> {
        let page = PageRequest { limit: 100, before: None };
        let found = self.engine.store().events(id, &EventFilter::default(), page).await.unwrap();
        found.rows.iter().rev().map(|detail| detail.event.event_type.to_string()).collect()
    }

    async fn rotate(&self, endpoint: &Endpoint) {
        let now = self.engine.now();
        let id = AuditId(self.engine.ids().next(now));
        let entry = AuditEntry::new(id, now, Actor::Operator, Action::SECRET_ROTATED, endpoint.id);
        self.engine.store().update_endpoint(endpoint, &Edit::of(entry)).await.unwrap();
        self.engine.changed(&self.organization);
    }

    /// Warns the endpoint's owner now, as the step of this id.
    async fn warn(&self, endpoint: &Endpoint, id: OperationalEventId) {
        let at = self.engine.now();
        let step = FailingStep {
            id,
            organization: self.organization.clone(),
            endpoint: endpoint.id,
            failures_min: 1,
            began_at: at,
            act: FailingAct::Warn { unless_after: at },
            at,
            notice: None,
        };
        // Refused while an event of this id is still to be forgotten.
        let taken = async || self.engine.store().take_failing_step(&step).await.ok().filter(|is_taken| *is_taken);
        until("the step is taken", taken).await;
        self.engine.changed(&self.organization);
    }
}

/// As after a kill between its publication and its being forgotten, by this node or another.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_published_again_is_stored_once() {
    let ops: OrganizationId = "ops".parse().unwrap();
    let world = World::told_to(&ops).await;
    let receiver = Receiver::start(|_| Some(OK)).await;
    world.operator(&ops, &receiver.url).await;
    let failing = Receiver::start(|_| Some(FAIL)).await;
    let endpoint = world.endpoint(&failing.url).await;
    world.publish(1).await;
    world.until_attempts(1).await;
    let id = OperationalEventId(world.engine.ids().next(world.engine.now()));
    for _ in 0..3 {
        world.warn(&endpoint, id).await;
    }
    world.rotate(&endpoint).await;
    receiver.until(2).await;
    assert_eq!(world.types_of(&ops).await, ["endpoint.failing", "secret.rotated"]);
    assert_eq!(receiver.requests().len(), 2);
    assert!(receiver.requests()[0].contains(&format!("webhook-id: {id}")), "{}", receiver.requests()[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_own_endpoints_lead_to_no_events_about_themselves() {
    let ops: OrganizationId = "ops".parse().unwrap();
    let world = World::told_to(&ops).await;
    let gone = Receiver::start(|_| Some("HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n")).await;
    world.operator(&ops, &gone.url).await;
    let endpoint = world.endpoint(&gone.url).await;
    world.rotate(&endpoint).await;
    gone.until(1).await;
    // Its own endpoint answers that it is gone, and is disabled; what comes next is about somebody else's.
    world.rotate(&endpoint).await;
    until("it is told", async || (world.types_of(&ops).await.len() >= 2).then_some(())).await;
    assert_eq!(world.types_of(&ops).await, ["secret.rotated"; 2]);
}
