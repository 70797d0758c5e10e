//! Reachability: whether receivers fail, or the way out from here.
//!
//! "When many endpoints fail at once for network reasons, the fault is likely ours: counting stops until that ends, and the operator is told
//! instead of every customer" (contracts.md, reading 8). A *contact* is what an attempt found out about the way to a host; one node looks at the
//! hosts that it has contacted last. An *outage* begins when several of them failed freshly and hardly another was reached, and ends when as many
//! are reached as not.

use std::time::Duration;

use crate::time::Millis;

/// What an attempt found out about the way to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// Something answered there, well or badly.
    Reached,
    /// No name look-up or no connection came about.
    Unreachable {
        /// Since when attempts there fail on end, as far as is known: a host that has been dead for long says nothing about now.
        since: Millis,
    },
}

/// The beginning or end of an outage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutageChange {
    /// Failures to reach a host are counted no more.
    Began {
        /// Hosts that cannot be reached.
        unreachable: usize,
        /// Hosts that were reached in the same time.
        reached: usize,
    },
    /// They are counted again.
    Ended {
        /// How long it lasted.
        lasted: Duration,
    },
}

/// Hosts that are looked at: those contacted last.
const HOSTS_MAX: usize = 128;
/// Hosts that must fail at once for an outage.
const UNREACHABLE_MIN: usize = 5;
/// For each host that was reached, so many must have failed.
const UNREACHABLE_PER_REACHED: usize = 3;
/// The spans of time that are looked at: a sudden outage shows in the shortest, one of a quiet night in the longest.
const SPANS: [Duration; 3] = [Duration::from_secs(10), Duration::from_secs(60), Duration::from_secs(300)];
/// A host that has failed for longer than this is dead by itself.
const FRESH_MAX: Duration = Duration::from_secs(300);
/// How long a streak must last to be the endpoint's own fault when nothing else was reached meanwhile.
const ALONE_MIN: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
struct Host {
    key: u64,
    contact: Contact,
    at: Millis,
}

/// What one node knows of the way out.
#[derive(Debug, Default)]
pub struct Reachability {
    /// Each host once, the latest contact last.
    hosts: Vec<Host>,
    outage_since: Option<Millis>,
}

impl Reachability {
    /// Whether failures to reach a host are not counted at the moment.
    #[must_use]
    pub fn is_out(&self) -> bool {
        self.outage_since.is_some()
    }

    /// Notes a contact with the host `key`.
    pub fn note(&mut self, key: u64, contact: Contact, now: Millis) -> Option<OutageChange> {
        if let Some(place) = self.hosts.iter().position(|host| host.key == key) {
            self.hosts.remove(place);
        } else if self.hosts.len() == HOSTS_MAX {
            self.hosts.remove(0);
        }
        self.hosts.push(Host { key, contact, at: now });
        match (self.outage_since, contact) {
            (None, Contact::Unreachable { .. }) => self.begin(now),
            (Some(since), _) => self.end(since, now),
            (None, Contact::Reached) => None,
        }
    }

    fn begin(&mut self, now: Millis) -> Option<OutageChange> {
        let found = SPANS.into_iter().map(|span| self.count(span, now)).find(|(unreachable, reached)| {
            *unreachable >= UNREACHABLE_MIN && *unreachable >= UNREACHABLE_PER_REACHED * *reached
        });
        let (unreachable, reached) = found?;
        self.outage_since = Some(now);
        Some(OutageChange::Began { unreachable, reached })
    }

    /// Hosts that began to fail a short time ago, and hosts that were reached, within a span.
    fn count(&self, span: Duration, now: Millis) -> (usize, usize) {
        let latest = self.hosts.iter().rev().take_while(|host| now.since(host.at) <= span);
        latest.fold((0, 0), |(unreachable, reached), host| match host.contact {
            Contact::Reached => (unreachable, reached + 1),
            Contact::Unreachable { since } if now.since(since) <= FRESH_MAX => (unreachable + 1, reached),
            Contact::Unreachable { .. } => (unreachable, reached),
        })
    }

    /// Only what was contacted during the outage tells of its end.
    fn end(&mut self, since: Millis, now: Millis) -> Option<OutageChange> {
        let during = self.hosts.iter().filter(|host| host.at >= since);
        let (reached, all) = during
            .fold((0, 0), |(reached, all), host| (reached + usize::from(host.contact == Contact::Reached), all + 1));
        if reached == 0 || 2 * reached < all {
            return None;
        }
        self.outage_since = None;
        Some(OutageChange::Ended { lasted: now.since(since) })
    }

    /// Whether a streak of failed connections to a host, which began at `since`, may be the fault of the way out: it is young, other hosts are known,
    /// and none of them was reached since. Then it is too early to blame its endpoint.
    #[must_use]
    pub fn may_be_ours(&self, key: u64, since: Millis, now: Millis) -> bool {
        let mut others = self.hosts.iter().filter(|host| host.key != key).peekable();
        let knows_others = others.peek().is_some();
        let is_other_reached = others.any(|host| host.contact == Contact::Reached && host.at >= since);
        knows_others && !is_other_reached && now.since(since) < ALONE_MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn s(seconds: i64) -> Millis {
        Millis(1_000_000 + seconds * 1_000)
    }

    fn fails(world: &mut Reachability, key: u64, at: i64) -> Option<OutageChange> {
        world.note(key, Contact::Unreachable { since: s(at) }, s(at))
    }

    fn answers(world: &mut Reachability, key: u64, at: i64) -> Option<OutageChange> {
        world.note(key, Contact::Reached, s(at))
    }

    #[test]
    fn many_hosts_that_fail_at_once_are_an_outage_until_as_many_answer() {
        let mut world = Reachability::default();
        for key in 0..100 {
            assert_eq!(answers(&mut world, key, 0), None);
        }
        for key in 0..4 {
            assert_eq!(fails(&mut world, key, 20), None);
        }
        assert_eq!(fails(&mut world, 4, 21), Some(OutageChange::Began { unreachable: 5, reached: 0 }));
        assert!(world.is_out());
        for key in 4..9 {
            assert_eq!(fails(&mut world, key, 7_200), None, "an outage lasts however long");
        }
        assert_eq!(answers(&mut world, 4, 7_300), None, "four more have failed since");
        assert_eq!(answers(&mut world, 5, 7_300), None);
        let lasted = Duration::from_secs(7_279);
        assert_eq!(answers(&mut world, 6, 7_300), Some(OutageChange::Ended { lasted }));
        assert!(!world.is_out());
    }

    #[test]
    fn one_host_that_many_endpoints_share_is_no_outage() {
        let mut world = Reachability::default();
        assert!((0..1_000).all(|at| fails(&mut world, 7, at).is_none()));
    }

    #[test]
    fn a_few_dead_hosts_among_many_that_answer_are_no_outage() {
        let mut world = Reachability::default();
        for at in 0..1_000 {
            let key = u64::try_from(at).unwrap();
            assert_eq!(answers(&mut world, 100 + key % 90, at), None);
            assert_eq!(fails(&mut world, key % 10, at), None);
        }
    }

    #[test]
    fn hosts_that_have_been_dead_for_long_are_no_outage_in_a_quiet_night() {
        let mut world = Reachability::default();
        for at in (10_000..20_000).step_by(7) {
            let key = u64::try_from(at).unwrap() % 50;
            assert_eq!(world.note(key, Contact::Unreachable { since: s(0) }, s(at)), None);
        }
    }

    #[test]
    fn the_only_host_there_is_is_to_blame_at_once() {
        let mut world = Reachability::default();
        fails(&mut world, 1, 0);
        assert!(!world.may_be_ours(1, s(0), s(0)));
    }

    #[test]
    fn a_host_that_fails_while_no_other_was_reached_is_not_blamed_for_a_minute() {
        let mut world = Reachability::default();
        answers(&mut world, 2, -100);
        fails(&mut world, 1, 0);
        assert!(world.may_be_ours(1, s(0), s(59)));
        assert!(!world.may_be_ours(1, s(0), s(60)));
        answers(&mut world, 2, 10);
        assert!(!world.may_be_ours(1, s(0), s(11)));
    }

    proptest! {
        #[test]
        fn an_outage_needs_several_hosts_and_always_ends_when_they_answer(
            contacts in prop::collection::vec((0u64..200, any::<bool>(), 0i64..400), 0..400),
        ) {
            let mut world = Reachability::default();
            let (mut at, mut failing) = (0, std::collections::HashSet::new());
            for (key, reached, wait) in contacts {
                at += wait;
                let was_out = world.is_out();
                if reached {
                    failing.remove(&key);
                    answers(&mut world, key, at);
                } else {
                    failing.insert(key);
                    fails(&mut world, key, at);
                }
                prop_assert!(was_out || !world.is_out() || failing.len() >= UNREACHABLE_MIN);
                prop_assert!(world.hosts.len() <= HOSTS_MAX);
            }
            for key in 0..200 {
                answers(&mut world, key, at);
            }
            prop_assert!(!world.is_out());
        }
    }
}
