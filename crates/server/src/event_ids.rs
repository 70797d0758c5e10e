//! Ids of events that are published under an `Idempotency-Key` and name none themselves. They follow from the key, so that the store
//! knows a repetition even when the process died between the commit of the events and the keeping of the answer.
//!
//! A key is free after 24 hours, but the store remembers ids for 72: so an id holds the *day* of its first request too (days since 1970,
//! UTC), and a repetition looks for the ids of the day before first.

use postrider_domain::{EventId, OrganizationId};
use postrider_engine::IncomingEvent;
use postrider_store::StoreError;
use uuid::Uuid;

use crate::limits::IDEMPOTENCY_MS;
use crate::state::Running;

/// The namespace of these ids (RFC 9562, section 5.5), drawn once. It never changes: a repetition may meet a newer release.
const NAMESPACE: Uuid = Uuid::from_u128(0x6d0f_3b1e_58a7_4c92_9e44_b7c1_05d2_f83a);

/// What the ids of one request follow from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) organization: &'a OrganizationId,
    /// Who asks; see [`crate::auth::Caller::identity`].
    pub(crate) identity: [u8; 16],
    /// The `Idempotency-Key`.
    pub(crate) key: &'a str,
}

impl Source<'_> {
    fn id(&self, day: i64, index: usize) -> EventId {
        let mut name = Vec::new();
        for text in [self.organization.as_str(), self.key] {
            name.extend_from_slice(&(text.len() as u64).to_be_bytes());
            name.extend_from_slice(text.as_bytes());
        }
        name.extend_from_slice(&self.identity);
        name.extend_from_slice(&day.to_be_bytes());
        name.extend_from_slice(&(index as u64).to_be_bytes());
        EventId::made(Uuid::new_v5(&NAMESPACE, &name))
    }
}

/// Gives an id to every event that has none, and says for each whether it was given one.
///
/// # Errors
/// When the store cannot be asked whether the request was made yesterday.
pub(crate) async fn give(
    app: &Running,
    source: Source<'_>,
    events: &mut [IncomingEvent],
) -> Result<Vec<bool>, StoreError> {
    let given: Vec<_> = events.iter().map(|event| event.id.is_none()).collect();
    let Some(first) = given.iter().position(|is_given| *is_given) else { return Ok(given) };
    let now = app.now().0;
    let today = now.div_euclid(IDEMPOTENCY_MS);
    // Events of a request are stored all or none, so one stands for all.
    let before = app.store().event(source.organization, &source.id(today - 1, first)).await?;
    let is_repeated = before.is_some_and(|found| found.event.accepted_at.0 > now.saturating_sub(IDEMPOTENCY_MS));
    let day = if is_repeated { today - 1 } else { today };
    for (index, event) in events.iter_mut().enumerate() {
        event.id.get_or_insert_with(|| source.id(day, index));
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_same_in_every_release() {
        let organization = "acme".parse().unwrap();
        let source = Source { organization: &organization, identity: [7; 16], key: "k-1" };
        assert_eq!(source.id(20_000, 3).to_string(), "evt_7yc96tkhzpater8vcdjxaj675h");
    }

    #[test]
    fn an_id_differs_with_everything_it_follows_from() {
        let (one, other): (OrganizationId, OrganizationId) = ("ab".parse().unwrap(), "a".parse().unwrap());
        let source = Source { organization: &one, identity: [0; 16], key: "c" };
        let mut ids = vec![
            source.id(1, 0),
            source.id(0, 1),
            source.id(1, 1),
            Source { organization: &other, key: "bc", ..source }.id(1, 0),
            Source { identity: [1; 16], ..source }.id(1, 0),
            Source { key: "d", ..source }.id(1, 0),
        ];
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 6);
    }
}
