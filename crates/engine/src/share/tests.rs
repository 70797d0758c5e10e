use proptest::prelude::*;

use super::*;

fn cluster(nodes: usize, lanes: usize) -> Cluster {
    Cluster { nodes: u32::try_from(nodes).unwrap(), lanes: lanes as u64 }
}

/// One tick of every node, one after the other, as nodes see it: each gives what is too much, the others take what is free. Returns how many
/// lanes moved.
fn tick(held: &mut [usize], free: &mut usize) -> usize {
    let mut moved = 0;
    for node in 0..held.len() {
        let known = cluster(held.len(), held.iter().sum());
        let surplus = known.surplus(held[node]);
        held[node] -= surplus;
        *free += surplus;
        moved += surplus;
        // One that has just given leaves what is free to the others.
        if surplus == 0 {
            let taken = known.room(held[node]).min(*free);
            held[node] += taken;
            *free -= taken;
            moved += taken;
        }
    }
    moved
}

/// Ticks until nothing moves any more.
fn settle(held: &mut [usize], free: &mut usize) -> usize {
    (0..10_000).find(|_| tick(held, free) == 0).expect("lanes move to and fro for ever")
}

#[test]
fn a_node_that_is_alone_takes_everything_and_gives_nothing() {
    assert_eq!(cluster(1, 0).room(0), usize::MAX);
    assert_eq!(cluster(1, 9).surplus(9), 0);
    assert_eq!(Cluster::default().surplus(5), 0, "nothing is known of others yet");
}

#[test]
fn few_lanes_stay_where_they_are() {
    for nodes in 2..10 {
        for held in 0..=2 {
            assert_eq!(cluster(nodes, 2).surplus(held), 0, "{nodes} nodes, {held} of 2 lanes");
        }
    }
}

#[test]
fn a_node_that_joins_gets_its_share_within_some_tens_of_ticks() {
    let (mut held, mut free) = ([30_000, 30_000, 0], 0);
    let ticks = settle(&mut held, &mut free);
    assert!(ticks < 40, "{ticks}");
    assert!(held.iter().all(|held| (16_000..=22_000).contains(held)), "{held:?}");
}

#[test]
fn what_a_dead_node_left_is_taken_within_some_rounds() {
    let (mut held, mut free) = ([30_000, 30_000], 30_000);
    let ticks = settle(&mut held, &mut free);
    assert!(ticks < 20, "{ticks}");
    assert_eq!(free, 0);
}

proptest! {
    #[test]
    fn lanes_come_to_rest_near_the_share_and_none_stays_free(
        mut held in prop::collection::vec(0_usize..3_000, 1..8),
        mut free in 0_usize..3_000,
    ) {
        let lanes = held.iter().sum::<usize>() + free;
        settle(&mut held, &mut free);
        prop_assert_eq!(free, 0);
        prop_assert_eq!(held.iter().sum::<usize>(), lanes);
        let share = lanes.div_ceil(held.len());
        for node in &held {
            prop_assert!(*node <= share + (share / 10).max(1), "{:?}", held);
        }
        // And stay at rest.
        prop_assert_eq!(tick(&mut held, &mut free), 0);
    }

    #[test]
    fn what_is_given_is_never_below_the_share_and_never_more_than_a_tenth(
        nodes in 1_usize..50, lanes in 0_usize..100_000, held in 0_usize..100_000,
    ) {
        let known = cluster(nodes, lanes);
        let surplus = known.surplus(held);
        prop_assert!(surplus <= (held / 10).max(1));
        prop_assert!(surplus == 0 || held - surplus >= lanes.max(held).div_ceil(nodes));
        prop_assert!(surplus == 0 || known.room(held) == 0);
    }
}
