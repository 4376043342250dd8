//! The contract of the metadata port: cases that every store has to pass.
//!
//! A case is `pub async fn case(store: &dyn MetadataStore, fresh: AccountId)` and works only in
//! its own account, so that cases run side by side on one database and clean nothing up. What is
//! listed for the whole store (links, uploads, garbage) is filtered down to the case's own rows.

mod bench;

pub mod blobs;
pub mod competing;
pub mod concurrency;
pub mod containers;
pub mod deleted;
pub mod deletion;
pub mod epochs;
pub mod events;
pub mod images;
pub mod inspection;
pub mod keys;
pub mod lifecycle;
pub mod paging;
pub mod public;
pub mod repositories;
pub mod revival;
pub mod transactions;
pub mod uploads;

use std::any::Any;

use roadstead_domain::digest::Digest;
use roadstead_domain::ids::AccountId;

use super::MetadataStore;

/// A store to try a case on.
pub struct Subject {
    /// The store.
    pub store: Box<dyn MetadataStore>,
    /// An account that no other case uses.
    pub fresh: AccountId,
    /// What has to outlive the store, such as its directory.
    pub guard: Box<dyn Any + Send>,
}

/// An account for the case `name` in the run `run`, which is whatever tells runs on one database
/// apart. It never starts with 9: such accounts are the neighbours that cases invent.
pub fn fresh_account(run: &str, name: &str) -> AccountId {
    let digest = Digest::sha256(format!("{run}/{name}").as_bytes());
    let digits = digest.as_str().bytes().skip("sha256:".len()).take(11);
    let tail: String = digits.map(|b| char::from(b'0' + b % 10)).collect();
    AccountId::parse(&format!("1{tail}")).expect("twelve digits")
}

/// Emits one test for each case. `$subject` is an async function of the case's name that gives a
/// [`Subject`].
#[macro_export]
macro_rules! metadata_contract {
    ($backend:ident, $subject:path) => {
        mod $backend {
            use super::*;
            $crate::metadata_contract!(@family $subject, repositories:
                made_and_found
                a_name_is_taken_once
                registries_are_apart
                a_deleted_name_is_free_at_once
                settings_are_replaced
                resource_tags_are_replaced
            );
            $crate::metadata_contract!(@family $subject, public:
                a_policy_is_replaced_and_removed
                life_of_a_public_registry
                aliases_are_taken_once
                catalog_data_is_replaced
                logos_are_found_by_both_ids
                tags_with_their_images
            );
            $crate::metadata_contract!(@family $subject, images:
                stored_and_read_back
                stored_once
                tags_point_and_move
                tags_keep_the_order_of_attachment
                only_images_are_tagged
                indexes_know_their_children
                pulls_only_move_forward
                status_and_times
                referrers_by_type
                repositories_share_no_images
            );
            $crate::metadata_contract!(@family $subject, deletion:
                a_deleted_image_leaves_nothing
                a_deleted_tag_leaves_its_image
                reaping_goes_in_steps
                reaping_keeps_what_others_use
                reaping_takes_what_was_remembered
                live_repositories_are_not_reaped
                everything_can_go
            );
            $crate::metadata_contract!(@family $subject, paging:
                repositories_page_by_name
                tags_page_by_name
                entries_page_by_digest_and_tag
                images_page_by_push
                referrers_page_by_digest
                deleting_while_paging
            );
            $crate::metadata_contract!(@family $subject, uploads:
                life_of_an_upload
                uploads_expire_oldest_first
                an_upload_ends_once
            );
            $crate::metadata_contract!(@family $subject, blobs:
                linked_and_read
                mounted_into_another_repository
                holders_are_those_of_one_registry
                second_bytes_become_garbage
                edges_decide_who_is_referenced
                an_edge_before_its_link
                touching_renews_grace
                unlinking_refuses_what_came_back
                the_last_link_makes_garbage
                garbage_is_listed_by_key
                live_bytes_are_never_garbage
            );
            $crate::metadata_contract!(@family $subject, inspection:
                lost_bytes_are_hidden_until_found
                new_bytes_take_over_the_links_to_lost_ones
                a_manifest_is_stored_once_more
                images_with_all_that_hangs_on_them
                tags_and_repositories
                links_and_who_needs_them
                uploads_and_garbage_are_seen
            );
            $crate::metadata_contract!(@family $subject, keys:
                life_of_an_access_key
                keys_by_account
                leases_have_one_holder
            );
            $crate::metadata_contract!(@family $subject, transactions:
                a_refusal_leaves_nothing
                a_write_reads_what_it_wrote
                a_swallowed_failure_does_not_commit
                a_panic_is_a_failure
                a_refusal_takes_no_other_with_it
                a_survey_sees_one_snapshot
            );
            $crate::metadata_contract!(@family $subject, concurrency:
                one_name_has_one_winner
                one_immutable_tag_has_one_winner
                one_digest_is_stored_once
                the_sweep_never_takes_what_is_linked
                the_sweep_never_takes_what_is_pushed
                a_push_meets_the_deletion_of_another_image
                both_last_links_go_at_once
                deleting_shared_layers_at_once
                one_upload_has_one_finisher
            );
            $crate::metadata_contract!(@family $subject, lifecycle:
                life_of_a_policy
                an_evaluation_is_of_its_policy
                the_longest_overdue_is_first
                life_of_a_preview
                pages_of_a_preview
                former_pages_go_in_steps
                runs_are_listed_newest_first
                pages_of_a_run
                old_runs_are_pruned
            );
            $crate::metadata_contract!(@family $subject, competing:
                an_image_as_policies_see_it
                images_page_by_number
                numbers_survive_writes_in_between
                members_page_by_child
                orphans_wait_for_their_subject
                departures_of_tags_and_statuses
                departures_by_pushes
                departures_by_deletions
            );
            $crate::metadata_contract!(@family $subject, deleted:
                what_only_a_deleted_image_has_is_in_no_image
                a_kept_image_is_seen_by_nobody
                an_image_comes_back_as_it_was
                an_archived_image_comes_back_anew
                a_digest_is_free_once_deleted
                a_kept_image_holds_its_links
                an_edge_of_a_kept_image_before_its_link
                deleted_images_are_listed
                a_repository_comes_back
                a_reaped_repository_stays_gone
            );
            $crate::metadata_contract!(@family $subject, containers:
                a_service_comes_back_as_it_was
                a_place_is_stored_once
                services_page_by_name
                the_longest_passing_is_first
                deployments_by_version
                images_and_their_counters
                pushes_wait
                a_log_pages_by_position
                usage_comes_back
                a_service_goes_in_steps
                nothing_of_a_service_stays
                old_records_go_in_steps
            );
            $crate::metadata_contract!(@family $subject, epochs:
                a_departure_ends_an_epoch
                an_arrival_ends_no_epoch
            );
            $crate::metadata_contract!(@family $subject, events:
                events_are_in_order
                destinations_have_events
                delivered_events_are_forgotten
                old_events_are_given_up
            );
            $crate::metadata_contract!(@family $subject, revival:
                a_purge_meets_a_push
                a_revival_meets_a_push
                a_revival_meets_a_purge_and_the_sweep
                a_repository_has_one_fate
                departures_at_once
                runs_at_once
            );
        }
    };
    (@family $subject:path, $family:ident: $($case:ident)+) => {
        mod $family {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let name = concat!(stringify!($family), "::", stringify!($case));
                    let subject: $crate::metadata::contract::Subject = $subject(name).await;
                    let store = &*subject.store;
                    $crate::metadata::contract::$family::$case(store, subject.fresh.clone()).await;
                    drop(subject.store);
                    drop(subject.guard);
                }
            )+
        }
    };
}
