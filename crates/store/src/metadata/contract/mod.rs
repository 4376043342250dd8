//! The contract of the metadata port: cases that every store has to pass.
//!
//! A case is `pub async fn case(store: &dyn MetadataStore, fresh: AccountId)` and works only in
//! its own account, so that cases run side by side on one database and clean nothing up. What is
//! listed for the whole store (links, uploads, garbage) is filtered down to the case's own rows.

mod bench;

pub mod repositories;

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
