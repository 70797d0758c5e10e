//! Every limit of the engine, in one place.

use std::time::Duration;

/// The engine's limits; [`EngineLimits::default`] suits one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineLimits {
    /// Attempts of one endpoint under way at once, at most.
    pub lane_slots_max: usize,
    /// Slots a lane starts with; it earns more with each success and loses half with each time-out.
    pub lane_slots_initial: usize,
    /// Deliveries one lane holds in memory.
    pub lane_window_deliveries: usize,
    /// Bytes of event data that one lane holds in memory; a few deliveries always, however large.
    pub lane_window_bytes: usize,
    /// Lanes kept in memory, idle ones included, with what is known of their endpoints.
    pub lanes_max: usize,
    /// Bytes of event data that all lanes hold in memory.
    pub held_bytes_max: usize,
    /// An attempt that is over within this time is prompt.
    pub prompt_max: Duration,
    /// Attempts under way at once to endpoints whose latest attempt was prompt.
    pub attempts_prompt_max: usize,
    /// Attempts under way at once to all other endpoints: however many are slow or silent, the prompt ones have a share of their own.
    pub attempts_other_max: usize,
    /// How long work rests when a fault of ours kept an attempt from being made or recorded.
    pub retry_fault_after: Duration,
    /// How long a lane waits before it asks a store again that could not be read.
    pub claim_again_after: Duration,
    /// How long the recorder waits before it asks a store again that could not commit.
    pub record_again_after: Duration,
    /// Rows one claim reads.
    pub claim_rows_max: usize,
    /// Claims at once, over all lanes.
    pub claims_max: usize,
    /// Outcomes waiting to be recorded; attempts wait beyond that.
    pub unrecorded_max: usize,
    /// Bytes of answers waiting to be recorded; attempts wait beyond that.
    pub unrecorded_bytes_max: usize,
    /// Outcomes recorded in one call.
    pub record_batch_max: usize,
    /// Organisations whose endpoints are kept in memory.
    pub directory_organizations_max: usize,
    /// Old contract revisions kept compiled.
    pub revisions_max: usize,
    /// Nesting of an event's JSON.
    pub json_depth_max: usize,
    /// Bytes of one response kept in the log.
    pub response_bytes_max: usize,
    /// How long a graceful stop waits for attempts under way.
    pub stop_grace: Duration,
    /// How long it waits then for finished attempts to be recorded.
    pub record_grace: Duration,
    /// How long events, deliveries and attempts are kept.
    pub retention: Duration,
    /// How long entries of the audit trail are kept.
    pub audit_retention: Duration,
    /// Rows one retention step drops.
    pub retention_rows_max: usize,
    /// How long a lease lasts; it is renewed every third of that.
    pub lease: Duration,
    /// How long a node waits before it asks a store again that did not renew or grant its lease.
    pub lease_again_after: Duration,
    /// How long an event waits at most for a new lease, or for its lane to be given away, before it is refused.
    pub lease_wait_max: Duration,
    /// How often an event is routed anew at most because its organisation has changed meanwhile.
    pub routings_max: usize,
    /// How often a node of many looks for free lanes and for leases that ran out.
    pub take_every: Duration,
    /// Free lanes are taken when their work is due within this time.
    pub take_ahead: Duration,
    /// Lanes taken, released or listed in one call.
    pub lanes_page: usize,
    /// How often a node of many looks through its lanes for work that nobody told it of.
    pub sweep_every: Duration,
    /// A lane without work for this long is released, where there are many nodes.
    pub lane_idle_max: Duration,
    /// How long attempts under way may keep a lane from being given away; it is kept then.
    pub drain_max: Duration,
    /// How often what was counted of endpoints is added to the store.
    pub statistics_every: Duration,
    /// Rows (an endpoint in an hour) that are counted in memory and not added yet; of one more nothing is counted.
    pub statistics_rows_max: usize,
    /// Rows that are added in one call.
    pub statistics_batch_max: usize,
    /// How often retention looks for something to do.
    pub retention_every: Duration,
    /// Events that one preview of a filter reads, about: it ends with the page on which there are so many.
    pub preview_events_max: usize,
    /// Bytes of event data that one preview reads, about.
    pub preview_bytes_max: usize,
    /// How long one preview reads, about.
    pub preview_time_max: Duration,
    /// Events that a preview reads at once.
    pub preview_page_rows: usize,
    /// Previews at once; one more is refused.
    pub previews_max: usize,
    /// Steps against endpoints that keep failing that wait at once; for one more, the endpoint's next failure asks again.
    pub failing_steps_max: usize,
    /// How often notices to owners are looked for.
    pub notices_every: Duration,
    /// How long a node has for sending a notice before another may; longer than sending one takes.
    pub notice_claim: Duration,
    /// How long after it could not be sent a notice is sent again; twice as long each time.
    pub notice_again_after: Duration,
    /// The longest of these waits.
    pub notice_again_after_max: Duration,
    /// How long after it was made a notice is given up that cannot be sent.
    pub notice_tried_for: Duration,
    /// Operational events that are claimed at once; publishing them takes less than the claim of a notice lasts. How often they are looked for, and how long
    /// they are tried, is as of notices.
    pub operational_claim_max: usize,
    /// How often a node looks for operations that nobody works on.
    pub operations_every: Duration,
    /// How long a node pauses between two turns when no operation of it could get on.
    pub operations_pause: Duration,
    /// Operations that a node works on side by side.
    pub operations_max: usize,
    /// Events that one turn of a recovery reads.
    pub recover_events_page: usize,
    /// Events that a preview of a recovery looks at.
    pub recover_preview_events_max: usize,
    /// Deliveries of one recovery that wait in their lane at once, however fast that is.
    pub recover_share_max: usize,
    /// About how long recovered deliveries may wait in their lane; where they wait longer, fewer are put into it.
    pub recover_moment: Duration,
    /// Open deliveries of an endpoint from which on nothing more is recovered to it, because what is sent to it fails.
    pub recover_open_max: usize,
    /// Events that one step of an erasure removes.
    pub erase_events_step: usize,
    /// Events about a record that are counted before they are erased.
    pub erase_counted_max: usize,
    /// Kept answers that one turn of an erasure looks at.
    pub erase_answers_page: usize,
}

impl Default for EngineLimits {
    fn default() -> Self {
        EngineLimits {
            lane_slots_max: 64,
            lane_slots_initial: 1,
            lane_window_deliveries: 1_000,
            lane_window_bytes: 4 * 1024 * 1024,
            lanes_max: 50_000,
            held_bytes_max: 64 * 1024 * 1024,
            prompt_max: Duration::from_secs(1),
            attempts_prompt_max: 4_096,
            attempts_other_max: 4_096,
            retry_fault_after: Duration::from_secs(5),
            claim_again_after: Duration::from_secs(1),
            record_again_after: Duration::from_millis(500),
            claim_rows_max: 250,
            claims_max: 4,
            unrecorded_max: 4_096,
            unrecorded_bytes_max: 64 * 1024 * 1024,
            record_batch_max: 256,
            directory_organizations_max: 10_000,
            revisions_max: 256,
            json_depth_max: 64,
            response_bytes_max: 64 * 1024,
            stop_grace: Duration::from_secs(7),
            record_grace: Duration::from_secs(2),
            retention: Duration::from_secs(30 * 24 * 3_600),
            audit_retention: Duration::from_secs(365 * 24 * 3_600),
            retention_rows_max: 500,
            lease: Duration::from_secs(15),
            lease_again_after: Duration::from_millis(250),
            lease_wait_max: Duration::from_secs(2),
            routings_max: 3,
            take_every: Duration::from_secs(1),
            take_ahead: Duration::from_secs(2),
            lanes_page: 1_000,
            sweep_every: Duration::from_secs(10),
            lane_idle_max: Duration::from_secs(30),
            drain_max: Duration::from_secs(10),
            statistics_every: Duration::from_secs(5),
            statistics_rows_max: 50_000,
            statistics_batch_max: 500,
            retention_every: Duration::from_secs(60),
            preview_events_max: 10_000,
            preview_bytes_max: 64 * 1024 * 1024,
            preview_time_max: Duration::from_secs(5),
            preview_page_rows: 250,
            previews_max: 2,
            failing_steps_max: 1_024,
            notices_every: Duration::from_secs(5),
            notice_claim: Duration::from_secs(5 * 60),
            notice_again_after: Duration::from_secs(30),
            notice_again_after_max: Duration::from_secs(3_600),
            notice_tried_for: Duration::from_secs(48 * 3_600),
            operational_claim_max: 20,
            operations_every: Duration::from_secs(1),
            operations_pause: Duration::from_millis(50),
            operations_max: 100,
            recover_events_page: 250,
            recover_preview_events_max: 50_000,
            recover_share_max: 256,
            recover_moment: Duration::from_secs(1),
            recover_open_max: 5_000,
            erase_events_step: 10,
            erase_counted_max: 100_000,
            erase_answers_page: 100,
        }
    }
}
