//! How many lanes a node should hold beside the others. Pure: what is known goes in, a number comes out.

/// The cluster as a renewal showed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cluster {
    /// Nodes with a lease.
    pub(crate) nodes: u32,
    /// Lanes that any of them holds.
    pub(crate) lanes: u64,
}

impl Cluster {
    /// How many more lanes a node that holds `held` may take. One that is alone takes all there are.
    pub(crate) fn room(self, held: usize) -> usize {
        if self.nodes <= 1 { usize::MAX } else { self.limit(held).saturating_sub(held) }
    }

    /// How many lanes a node that holds `held` gives up now: what is above its share, a tenth of its lanes at a time. Nothing while it is only
    /// a little above, so that two nodes do not pass a lane to and fro.
    pub(crate) fn surplus(self, held: usize) -> usize {
        if self.nodes <= 1 || held <= self.limit(held) {
            return 0;
        }
        (held - self.share(held)).min((held / 10).max(1))
    }

    /// What each node holds when all hold the same. What a node has taken since the renewal counts.
    fn share(self, held: usize) -> usize {
        let lanes = usize::try_from(self.lanes).unwrap_or(usize::MAX).max(held);
        lanes.div_ceil(self.nodes.max(1) as usize)
    }

    fn limit(self, held: usize) -> usize {
        let share = self.share(held);
        share.saturating_add((share / 10).max(1))
    }
}

#[cfg(test)]
mod tests;
