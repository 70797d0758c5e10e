//! Writes a group of commits: two round trips, and a third when lanes are taken.
//!
//! The first asks for the [`Facts`]. Then it is decided here which units are refused; one caller's mistake fails no neighbour. The last writes the
//! rest and commits.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use postrider_domain::EndpointId;
use uuid::Uuid;

use super::attached::Lane;
use super::commit::{CommitUnit, SealedEvent};
use super::commit_rows::Rows;
use super::facts::{Facts, Used};
use super::group::{Fault, Unit};
use super::session::Session;
use super::writer::Shared;
use crate::error::{Result, StoreError, too_late};
use crate::limits::COMMIT_WAITS_MS_MAX;
use crate::model::{Committed, Event, LaneId, LeaseNo};

/// What becomes of one event.
#[derive(Clone, Copy)]
pub(super) enum Judged {
    New,
    Repeated { deliveries_count: u32 },
}

impl Unit for CommitUnit {
    type Answer = Vec<Committed>;

    async fn try_group(
        shared: &Shared,
        session: &Session,
        group: &[Self],
    ) -> Result<Vec<Result<Vec<Committed>>>, Fault> {
        // Held until the transaction is over: what is known as this node's stays so.
        let _held = shared.attached.hold().await;
        let mut facts = Facts::ask(shared, session, group).await?;
        let judged = judge(shared, &facts, group);
        take_lanes(shared, session, &mut facts, group, &judged).await?;
        Rows::of(&facts, group, &judged).write(session).await?;
        for (lease, lane) in facts.taken() {
            shared.attached.add(*lease, [*lane]);
        }
        shared.recent.keep(stored(group, &judged));
        let answers = group.iter().zip(judged).map(|(unit, judged)| Ok(answer(shared, &facts, unit, &judged?)));
        Ok(answers.collect())
    }

    fn keys(&self) -> Vec<Uuid> {
        let of = |event: &SealedEvent| {
            let deliveries = event.new.deliveries.iter().map(|delivery| delivery.id.0);
            std::iter::once(event.new.event.key).chain(deliveries).collect::<Vec<_>>()
        };
        self.events.iter().flat_map(of).collect()
    }

    fn reply(self, answer: Result<Vec<Committed>>) {
        // Whoever asked may have gone; what was written stays written.
        let _ = self.reply.send(answer);
    }
}

/// The events that were new, with their organisations.
fn stored<'a>(
    group: &'a [CommitUnit],
    judged: &'a [Result<Vec<Judged>>],
) -> impl Iterator<Item = (Uuid, &'a Arc<Event>)> {
    let of_unit = |(unit, judged): (&'a CommitUnit, &'a Vec<Judged>)| {
        let events = unit.events.iter().zip(judged).filter(|(_, judged)| matches!(judged, Judged::New));
        events.map(|(event, _)| (unit.tenant.org, &event.new.event))
    };
    group.iter().zip(judged).filter_map(|(unit, judged)| Some((unit, judged.as_ref().ok()?))).flat_map(of_unit)
}

/// Which units are refused, and which events of the others are new.
fn judge(shared: &Shared, facts: &Facts, group: &[CommitUnit]) -> Vec<Result<Vec<Judged>>> {
    // What units before a unit have chosen in this very group.
    let mut chosen: HashMap<(Uuid, &str), Used> = HashMap::new();
    group.iter().map(|unit| judge_unit(shared, facts, unit, &mut chosen)).collect()
}

fn judge_unit<'a>(
    shared: &Shared,
    facts: &Facts,
    unit: &'a CommitUnit,
    chosen: &mut HashMap<(Uuid, &'a str), Used>,
) -> Result<Vec<Judged>> {
    let org = unit.tenant.org;
    if unit.asked.elapsed().as_millis() > COMMIT_WAITS_MS_MAX {
        return Err(too_late());
    }
    if !facts.lasts(unit.basis.lease) {
        return Err(StoreError::LeaseLost);
    }
    let Some(version) = facts.version(org) else {
        return Err(StoreError::NotFound { what: format!("organization {}", unit.organization) });
    };
    if unit.basis.version.is_some_and(|seen| seen.0 != version) {
        return Err(StoreError::Outdated);
    }
    let mut own: HashMap<&str, Used> = HashMap::new();
    let mut judged = Vec::with_capacity(unit.events.len());
    // The latest event that was published repeats another, and so does what would be derived from it, by whatever rules today.
    let mut is_repetition = false;
    for (index, SealedEvent { new, .. }) in unit.events.iter().enumerate() {
        if new.deliveries.iter().any(|delivery| !shared.revisions.is_known(delivery.revision)) {
            return Err(StoreError::NotFound { what: "the contract revision".to_owned() });
        }
        if new.is_derived && is_repetition {
            judged.push(Judged::Repeated { deliveries_count: 0 });
            continue;
        }
        is_repetition = false;
        let Some(fingerprint) = new.fingerprint else {
            judged.push(Judged::New);
            continue;
        };
        let id = new.event.id.as_str();
        let before = own.get(id).or_else(|| chosen.get(&(org, id))).copied().or_else(|| facts.used(org, id));
        judged.push(match before {
            None => {
                let deliveries_count = u32::try_from(new.deliveries.len()).unwrap_or(u32::MAX);
                own.insert(id, Used { fingerprint, deliveries_count });
                Judged::New
            }
            Some(used) if used.fingerprint == fingerprint => {
                is_repetition = !new.is_derived;
                Judged::Repeated { deliveries_count: used.deliveries_count }
            }
            Some(_) => return Err(StoreError::EventDiffers { id: id.to_owned(), index }),
        });
    }
    chosen.extend(own.into_iter().map(|(id, used)| ((org, id), used)));
    Ok(judged)
}

/// Lanes of what will be stored, where nobody is known to hold them.
async fn take_lanes(
    shared: &Shared,
    session: &Session,
    facts: &mut Facts,
    group: &[CommitUnit],
    judged: &[Result<Vec<Judged>>],
) -> Result<(), Fault> {
    let mut wanted: BTreeMap<LeaseNo, BTreeSet<Lane>> = BTreeMap::new();
    for (unit, judged) in group.iter().zip(judged) {
        if judged.is_ok() {
            let lanes = unit.lanes().filter(|lane| facts.exists(*lane));
            let unknown = shared.attached.unknown(unit.basis.lease, lanes);
            wanted.entry(unit.basis.lease).or_default().extend(unknown);
        }
    }
    for (lease, lanes) in wanted {
        facts.take(session, lease, lanes).await?;
    }
    Ok(())
}

/// Tells the holders of lanes elsewhere, now that there is work for them.
fn answer(shared: &Shared, facts: &Facts, unit: &CommitUnit, judged: &[Judged]) -> Vec<Committed> {
    let stored = |event: &SealedEvent| {
        let mut elsewhere: Vec<EndpointId> = Vec::new();
        for delivery in &event.new.deliveries {
            let lane = Lane { org: unit.tenant.org, endpoint: delivery.endpoint.0 };
            let Some(holder) = facts.elsewhere(lane, unit.basis.lease) else { continue };
            if facts.exists(lane) && !elsewhere.contains(&delivery.endpoint) {
                elsewhere.push(delivery.endpoint);
                let lane = LaneId { organization: unit.organization.clone(), endpoint: delivery.endpoint };
                shared.telling.work(holder, lane);
            }
        }
        Committed::Stored { elsewhere }
    };
    let answer = |(event, judged): (&SealedEvent, &Judged)| match judged {
        Judged::New => stored(event),
        Judged::Repeated { deliveries_count } => Committed::Repeated { deliveries_count: *deliveries_count },
    };
    unit.events.iter().zip(judged).map(answer).collect()
}
