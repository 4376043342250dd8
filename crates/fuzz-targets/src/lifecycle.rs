//! Texts of lifecycle policies, and what they make of a few images.

use roadstead_domain::image::ImageStatus;
use roadstead_domain::lifecycle::images::{ImageFacts, Images};
use roadstead_domain::lifecycle::lint::lint;
use roadstead_domain::lifecycle::policy::LifecyclePolicy;
use roadstead_domain::time::{Span, Timestamp};

/// A policy is the policy of its text, and touches no image twice.
pub fn check(data: &[u8]) {
    let Some(text) = crate::text(data) else {
        return;
    };
    let strictly = LifecyclePolicy::parse(text);
    let policy = match LifecyclePolicy::parse_unpadded(text) {
        Ok(policy) => policy,
        Err(refusal) => {
            assert!(!refusal.lines.is_empty());
            assert!(strictly.is_err());
            return;
        }
    };
    if let Ok(strictly) = strictly {
        assert_eq!(strictly, policy);
    }
    let printed = policy.to_text();
    let again = LifecyclePolicy::parse_unpadded(&printed);
    assert_eq!(again.as_ref().ok(), Some(&policy), "{printed}");
    lint(&policy);
    evaluate(&policy);
}

fn evaluate(policy: &LifecyclePolicy) {
    let now = Timestamp::from_seconds(1_767_323_045);
    let tags: [&[&str]; 5] = [&[], &["v1"], &["v2", "latest"], &["prod-1"], &["a.b_c-d"]];
    let mut images = Images::new(policy);
    for (n, tags) in tags.iter().enumerate() {
        let n = n as i64;
        images.push(&ImageFacts {
            name: ["a", "b", "c", "d", "e"][n as usize],
            tags,
            status: ImageStatus::Active,
            pushed_at: Timestamp(now.0 - Span::hours(24 * 100 * n).0),
            push_seq: n,
            last_pulled_at: None,
            archived_at: None,
            activated_at: None,
            orphaned_at: None,
            subject: None,
        });
    }
    let evaluation = images.evaluate(now, Span::hours(24));
    let mut places: Vec<u32> = evaluation.planned().map(|planned| planned.place).collect();
    let planned = places.len();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), planned, "an image is acted upon once");
    assert!(
        places
            .iter()
            .all(|place| (*place as usize) < evaluation.len())
    );
}
