//! Rotation: an endpoint gets another signing secret, and for a while, the *overlap*, the one before it works too (002, "Rotate Secrets";
//! contracts.md, reading 6).

use std::time::Duration;

use crate::endpoint::{Endpoint, Overlap};
use crate::secret::Secret;
use crate::time::Millis;

/// Why a secret is not replaced: two work at the moment, and a third would leave receivers behind that hold the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverlapOpen {
    /// When the overlap ends by itself.
    pub ends_at: Millis,
}

impl Endpoint {
    /// The overlap, unless it is over at `now`.
    #[must_use]
    pub fn open_overlap(&self, now: Millis) -> Option<&Overlap> {
        self.overlap.as_ref().filter(|overlap| now < overlap.ends_at)
    }

    /// Signs with `secret` from now on. The secret before it goes on working for `lasts`; with none (after a leak) `secret` alone signs at
    /// once, and an overlap that was open ends. Returns when the secret before it stops working; none where there was none.
    ///
    /// # Errors
    /// When an overlap is open, and this would begin another.
    pub fn rotate(&mut self, secret: Secret, lasts: Duration, now: Millis) -> Result<Option<Millis>, OverlapOpen> {
        match self.open_overlap(now) {
            Some(open) if !lasts.is_zero() => return Err(OverlapOpen { ends_at: open.ends_at }),
            _ => {}
        }
        let old = self.secret.replace(secret);
        let ends_at = old.is_some().then(|| now + lasts);
        self.overlap = match (old, ends_at) {
            (Some(old), Some(ends_at)) if now < ends_at => Some(Overlap { old, ends_at, is_confirmed: false }),
            _ => None,
        };
        Ok(ends_at)
    }

    /// Says that receivers verify with the present secret, which becomes the primary one. With `lasts` the old one stops working after that
    /// time, if not before. False when no overlap is open: there is nothing to say it of.
    pub fn confirm_rotation(&mut self, lasts: Option<Duration>, now: Millis) -> bool {
        let Some(overlap) = self.overlap.as_mut().filter(|overlap| now < overlap.ends_at) else { return false };
        overlap.is_confirmed = true;
        if let Some(lasts) = lasts {
            overlap.ends_at = overlap.ends_at.min(now + lasts);
        }
        if overlap.ends_at <= now {
            self.overlap = None;
        }
        true
    }

    /// Signs nothing any more.
    pub fn remove_secret(&mut self) {
        self.secret = None;
        self.overlap = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{EndpointOrdering, EndpointStatus, SigningSecrets};
    use crate::ids::EndpointId;

    const DAY: Duration = Duration::from_secs(86_400);

    fn endpoint(secret: Option<&str>) -> Endpoint {
        Endpoint {
            id: EndpointId(uuid::Uuid::nil()),
            organization: "acme".parse().unwrap(),
            name: String::new(),
            description: None,
            url: String::new(),
            events: vec![],
            contract: String::new(),
            secret: secret.map(text),
            overlap: None,
            headers: vec![],
            filter: None,
            rate_limit: None,
            ordering: EndpointOrdering::None,
            system: None,
            status: EndpointStatus::Active,
            resumed_at: None,
            created_at: Millis(0),
            updated_at: Millis(0),
        }
    }

    fn text(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn signing(endpoint: &Endpoint, now: Millis) -> (Option<&str>, Option<&str>) {
        let SigningSecrets { primary, secondary } = endpoint.signing_secrets(now);
        (primary.map(Secret::reveal), secondary.map(Secret::reveal))
    }

    #[test]
    fn the_old_secret_is_the_primary_one_until_the_rotation_is_confirmed_and_ends_either_way() {
        let mut endpoint = endpoint(Some("old"));
        let end = Millis(5) + DAY;
        assert_eq!(endpoint.rotate(text("new"), DAY, Millis(5)), Ok(Some(end)));
        assert_eq!(signing(&endpoint, Millis(6)), (Some("old"), Some("new")));
        assert!(endpoint.confirm_rotation(None, Millis(7)));
        assert!(endpoint.confirm_rotation(None, Millis(8)), "saying it twice changes nothing");
        assert_eq!(signing(&endpoint, Millis(9)), (Some("new"), Some("old")));
        assert_eq!(signing(&endpoint, end), (Some("new"), None));
        assert!(!endpoint.confirm_rotation(None, end), "it is over");
    }

    #[test]
    fn a_second_rotation_waits_for_the_first_unless_it_ends_every_other_secret_at_once() {
        let mut endpoint = endpoint(Some("one"));
        endpoint.rotate(text("two"), DAY, Millis(0)).unwrap();
        let refused = endpoint.rotate(text("three"), DAY, Millis(1));
        assert_eq!(refused, Err(OverlapOpen { ends_at: Millis(0) + DAY }));
        assert_eq!(signing(&endpoint, Millis(1)), (Some("one"), Some("two")), "a refusal changes nothing");
        assert_eq!(endpoint.rotate(text("three"), Duration::ZERO, Millis(1)), Ok(Some(Millis(1))));
        assert_eq!(signing(&endpoint, Millis(1)), (Some("three"), None));
        assert_eq!(endpoint.overlap, None);
        assert!(endpoint.rotate(text("four"), DAY, Millis(2)).is_ok());
        assert!(endpoint.rotate(text("five"), DAY, Millis(2) + DAY).is_ok(), "the overlap was over");
        assert_eq!(endpoint.overlap.map(|overlap| overlap.old), Some(text("four")));
    }

    #[test]
    fn a_first_secret_overlaps_with_nothing() {
        let mut endpoint = endpoint(None);
        assert_eq!(endpoint.rotate(text("new"), DAY, Millis(0)), Ok(None));
        assert_eq!(signing(&endpoint, Millis(0)), (Some("new"), None));
        assert!(!endpoint.confirm_rotation(None, Millis(0)));
        endpoint.rotate(text("newer"), DAY, Millis(0)).unwrap();
        endpoint.remove_secret();
        assert_eq!(signing(&endpoint, Millis(0)), (None, None));
    }

    #[test]
    fn an_overlap_can_be_shortened_when_it_is_confirmed_and_never_lengthened() {
        let mut endpoint = endpoint(Some("old"));
        endpoint.rotate(text("new"), DAY, Millis(0)).unwrap();
        assert!(endpoint.confirm_rotation(Some(DAY * 9), Millis(1)));
        assert_eq!(endpoint.open_overlap(Millis(1)).map(|overlap| overlap.ends_at), Some(Millis(0) + DAY));
        assert!(endpoint.confirm_rotation(Some(Duration::ZERO), Millis(1)));
        assert_eq!((endpoint.overlap.clone(), signing(&endpoint, Millis(1))), (None, (Some("new"), None)));
    }
}
