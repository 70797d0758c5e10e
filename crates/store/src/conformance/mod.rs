//! The suite that every store must pass, unchanged: `postrider_store::conformance_suite!(crate::make);` makes one test of each case.
//!
//! `make` is an async function without arguments that returns a [`Subject`]: an empty store of its own, and the way to open it again.
//! The clock is an argument everywhere; the suite's time begins at [`T0`].
#![expect(clippy::unwrap_used, clippy::panic, reason = "a case fails by panicking")]
#![expect(clippy::cognitive_complexity, reason = "a case is a list of assertions")]

pub mod audit;
pub mod contracts;
pub mod durability;
pub mod endpoints;
pub mod events;
pub mod failing;
pub mod idempotency;
pub mod keys;
mod leased;
pub mod leases;
pub mod lists;
pub mod operational;
pub mod operations;
pub mod ordering;
pub mod organizations;
pub mod outcomes;
pub mod overview;
pub mod random;
mod random_model;
pub mod retention;
pub mod retries;
mod samples;
pub mod statistics;
pub mod tenancy;
pub mod transfer;
pub mod work;

use async_trait::async_trait;

pub use leased::Leased;
pub use samples::T0;

/// A store under test.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The store as it is open now.
    fn store(&self) -> Leased;
    /// Closes it and opens it again on the same data.
    async fn reopen(&mut self);

    /// Whether history goes by whole days: all that belongs to the events of a day (UTC) stays until that day has passed out of retention, and then
    /// goes at once and uncounted. Otherwise each row goes at its own time.
    fn drops_whole_days(&self) -> bool {
        false
    }
}

/// Makes a test of every case for the stores that a constructor makes; give its absolute path.
#[macro_export]
macro_rules! conformance_suite {
    ($make:path) => {
        $crate::conformance_suite! { @cases $make;
            organizations: [
                created_ones_are_found_and_listed_in_order,
                they_are_found_by_a_part_of_their_name_or_id,
                an_id_is_taken_once,
                an_update_replaces_everything_but_id_and_creation,
                deleting_one_hides_all_it_owned,
                an_id_is_free_again_after_deletion_and_finds_nothing_old,
            ];
            endpoints: [
                everything_about_one_comes_back,
                the_limit_is_counted_in_the_transaction,
                pages_go_from_newest_to_oldest,
                they_are_found_by_a_part_of_their_name_or_url,
                an_update_replaces_everything_but_id_and_creation,
                deleting_one_fails_its_open_work_and_removes_the_text_of_its_attempts,
            ];
            keys: [
                a_key_is_found_by_its_hash_until_it_is_deleted,
                the_operator_key_is_replaced,
                the_operator_key_that_is_settled_first_stays,
                what_was_signed_is_known_after_opening_again_for_its_purpose_alone,
                pages_go_from_newest_to_oldest,
                keys_are_counted_in_the_transaction_that_makes_one,
            ];
            audit: [
                each_change_leaves_its_entry,
                what_is_sent_by_hand_leaves_an_entry,
                an_entry_is_told_by_itself_where_its_organization_is,
                an_operation_leaves_who_asked_for_it,
                what_did_not_happen_leaves_none,
                a_change_made_from_an_older_configuration_is_refused,
                filters_and_pages_find_exactly_their_own,
                a_trail_is_its_organizations_and_goes_with_it,
                old_entries_go_when_their_time_has_come,
            ];
            contracts: [
                a_revision_is_kept_under_its_hash,
                every_contract_named_is_in_use,
            ];
            events: [
                everything_about_one_comes_back_byte_for_byte,
                a_batch_is_stored_whole_or_not_at_all,
                the_same_id_again_within_72_hours_stores_nothing_new,
                a_repetition_is_known_before_it_is_committed,
                other_content_under_the_same_id_is_refused,
                an_id_is_free_after_72_hours,
                ids_repeated_inside_a_batch_count_too,
                what_is_derived_of_a_repetition_is_not_stored,
                a_delivery_to_a_deleted_endpoint_is_left_out,
                an_unknown_revision_or_organization_is_refused,
                one_callers_mistake_fails_no_neighbour,
                concurrent_commits_are_all_stored,
            ];
            work: [
                due_work_is_claimed_earliest_first,
                held_deliveries_are_left_alone,
                lanes_are_listed_by_endpoint_with_their_first_due_time,
                a_lane_is_asked_for_what_is_due_later,
                a_claim_holds_all_that_an_attempt_needs,
            ];
            outcomes: [
                success_moves_a_delivery_into_history,
                a_retry_keeps_it_open_and_due_later,
                a_failure_ends_it_with_its_reason,
                an_outcome_of_what_is_no_longer_open_is_stale,
                an_outcome_recorded_twice_is_stale,
                one_batch_may_hold_several_organizations,
                attempts_come_back_byte_for_byte,
                only_the_newest_hundred_attempts_are_shown,
                the_last_status_code_is_the_last_answers,
                a_test_is_recorded_whole_and_is_never_open,
            ];
            ordering: [
                the_next_about_a_record_is_due_once_the_one_before_has_ended,
                an_event_about_several_records_waits_for_all_of_them,
                a_stuck_record_holds_back_its_own_deliveries_alone,
                what_a_person_hastens_waits_again_when_it_fails,
                the_order_is_there_after_opening_again,
                what_expires_lets_the_next_one_go,
                no_delivery_is_left_waiting_whatever_happens_at_once,
            ];
            retries: [
                a_pending_delivery_becomes_due_now_and_keeps_its_schedule,
                an_ended_delivery_opens_again,
                asking_twice_keeps_the_first_schedule,
                there_is_nothing_to_retry_without_delivery_endpoint_or_event,
            ];
            failing: [
                failures_on_end_are_counted_and_a_success_ends_them,
                a_stale_outcome_does_not_count,
                an_endpoint_is_disabled_once_and_only_while_its_streak_stands,
                only_a_person_who_resumes_it_ends_a_disabling,
                a_step_of_an_attempt_from_before_it_was_resumed_is_not_taken,
                an_owner_is_warned_once,
                a_notice_is_claimed_by_one_until_it_is_settled,
                deletion_takes_streaks_and_notices_along,
                nobody_elses_endpoint_is_disabled,
            ];
            leases: [
                each_lease_has_a_greater_number,
                a_revoked_lease_does_nothing_any_more,
                what_a_revoked_lease_left_is_taken_by_the_next,
                a_lease_that_nobody_revokes_is_renewed,
                a_commit_on_an_older_configuration_is_refused,
            ];
            operations: [
                one_is_kept_from_its_beginning_to_its_end,
                what_a_revoked_lease_was_at_is_taken_by_the_next,
                events_of_a_span_come_with_what_was_made_of_them,
                a_step_opens_failed_deliveries_and_makes_missed_ones,
                a_step_of_what_is_over_writes_nothing,
                an_erasure_removes_everything_about_a_record,
                answers_are_looked_through_and_forgotten,
            ];
            lists: [
                last_attempts_come_with_their_text_until_it_is_removed,
                deliveries_go_from_newest_to_oldest_open_and_ended_together,
                every_filter_of_deliveries_finds_exactly_its_own,
                filters_of_deliveries_hold_together,
                events_go_from_newest_to_oldest_without_tests,
                every_filter_of_events_finds_exactly_its_own,
                a_record_is_found_among_several_of_an_event,
                deliveries_are_read_onwards_from_the_oldest,
            ];
            idempotency: [
                the_first_answer_is_given_again,
                another_request_under_the_same_key_differs,
                an_abandoned_key_is_free,
                a_key_is_free_after_24_hours,
                keys_belong_to_their_organization,
                what_was_under_way_when_the_process_died_is_free,
            ];
            operational: [
                nobody_is_told_who_did_not_ask_and_nobody_of_itself,
                a_step_tells_with_itself,
                a_rotation_tells_with_itself,
                exhausted_deliveries_are_gathered_by_endpoint,
                what_else_ends_a_delivery_is_not_told,
                no_count_is_lost_while_they_are_claimed,
                they_are_claimed_by_one_at_a_time_and_settled,
                they_go_with_their_organization,
            ];
            retention: [
                what_is_open_too_long_fails_as_expired,
                events_attempts_and_history_go_when_their_time_has_come,
                a_step_is_small_and_says_whether_there_is_more,
                what_deleted_organizations_left_goes,
                what_deleted_endpoints_left_goes,
                an_id_is_remembered_though_its_event_is_gone,
                a_replaced_secret_goes_when_its_overlap_is_over,
            ];
            statistics: [
                what_is_added_is_summed_by_endpoint_and_hour,
                hours_are_read_in_buckets_of_their_span_alone,
                what_is_gone_counts_nothing,
                old_hours_go_with_retention_and_the_rest_with_its_endpoint,
                another_organization_finds_nothing,
                what_is_added_at_once_is_all_there,
            ];
            overview: [
                open_work_is_counted_with_what_is_due,
                nodes_are_named_while_their_lease_lasts,
            ];
            tenancy: [
                another_organizations_objects_are_like_those_that_do_not_exist,
                another_organizations_endpoint_gets_no_delivery,
            ];
            durability: [
                everything_is_there_after_opening_again,
                numbers_are_not_given_twice_after_everything_was_dropped,
                a_closed_store_refuses_at_once,
                a_check_writes,
                the_count_of_open_deliveries_is_right,
            ];
            random: [
                random_operations_agree_with_a_simple_model,
            ];
        }
    };
    (@cases $make:path; $($module:ident: [$($case:ident,)*];)*) => {
        $(mod $module {
            $(#[tokio::test]
            async fn $case() {
                let mut subject = $make().await;
                $crate::conformance::$module::$case(&mut subject).await;
            })*
        })*
    };
}
