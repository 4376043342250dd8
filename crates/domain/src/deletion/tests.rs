//! The rules of ecr.md section 4, one case each, and what must hold for any request.

use proptest::prelude::*;

use super::*;

fn digest(name: &str) -> Digest {
    Digest::sha256(name.as_bytes())
}

fn tag(text: &str) -> ImageTag {
    ImageTag::parse(text).unwrap()
}

fn by_tag(text: &str) -> ImageId {
    ImageId {
        digest: None,
        tag: Some(text.into()),
    }
}

fn by_digest(name: &str) -> ImageId {
    ImageId::by_digest(&digest(name))
}

/// Images as (name, tags, parents).
fn loaded(images: &[(&str, &[&str], &[&str])]) -> Loaded {
    let mut loaded = Loaded::default();
    for (name, tags, parents) in images {
        for text in *tags {
            loaded.tags.insert(tag(text), digest(name));
        }
        let image = LoadedImage {
            tags: tags.iter().map(|text| tag(text)).collect(),
            parents: parents.iter().map(|parent| digest(parent)).collect(),
        };
        loaded.images.insert(digest(name), image);
    }
    loaded
}

fn removed(name: &str, tag_text: Option<&str>) -> Removed {
    Removed {
        digest: digest(name),
        tag: tag_text.map(tag),
    }
}

fn codes(plan: &DeletionPlan) -> Vec<ImageFailureCode> {
    plan.failures.iter().map(|failure| failure.code).collect()
}

#[test]
fn one_of_two_tags_leaves_the_image() {
    let plan = plan_deletion(loaded(&[("d1", &["a", "b"], &[])]), &[by_tag("a")]);
    assert_eq!(plan.steps, [Step::Untag(tag("a"))]);
    assert_eq!(plan.removed, [removed("d1", Some("a"))]);
}

#[test]
fn the_last_tag_takes_the_image() {
    let plan = plan_deletion(loaded(&[("d1", &["b"], &[])]), &[by_tag("b")]);
    assert_eq!(plan.steps, [Step::Delete(digest("d1"))]);
    assert_eq!(plan.removed, [removed("d1", Some("b"))]);
}

#[test]
fn a_digest_takes_every_tag_in_the_order_of_attachment() {
    let plan = plan_deletion(
        loaded(&[("d2", &["xenial", "latest"], &[])]),
        &[by_digest("d2")],
    );
    assert_eq!(plan.steps, [Step::Delete(digest("d2"))]);
    assert_eq!(
        plan.removed,
        [removed("d2", Some("xenial")), removed("d2", Some("latest"))]
    );
}

#[test]
fn an_untagged_image_is_one_pair_without_a_tag() {
    let plan = plan_deletion(loaded(&[("d3", &[], &[])]), &[by_digest("d3")]);
    assert_eq!(plan.removed, [removed("d3", None)]);
}

#[test]
fn f06_a_child_of_an_index_stays_with_its_last_tag() {
    let state = || loaded(&[("d4", &["x"], &["i", "j"])]);
    for id in [by_digest("d4"), by_tag("x")] {
        let plan = plan_deletion(state(), std::slice::from_ref(&id));
        assert!(plan.steps.is_empty() && plan.removed.is_empty());
        assert_eq!(plan.failures[0].id, id);
        let mut parents = [digest("i"), digest("j")];
        parents.sort();
        let expected = format!(
            "Requested image referenced by manifest list: [{}, {}]",
            parents[0], parents[1]
        );
        assert_eq!(plan.failures[0].reason, expected);
    }
}

#[test]
fn a_child_may_lose_a_tag_that_is_not_its_last() {
    let plan = plan_deletion(
        loaded(&[("d4", &["x", "y"], &["i"])]),
        &[by_tag("x"), by_tag("y")],
    );
    assert_eq!(plan.steps, [Step::Untag(tag("x"))]);
    assert_eq!(
        codes(&plan),
        [ImageFailureCode::ImageReferencedByManifestList]
    );
}

#[test]
fn entries_take_effect_in_request_order() {
    let state = || loaded(&[("i", &["multi"], &[]), ("d4", &[], &["i"])]);
    let plan = plan_deletion(state(), &[by_digest("i"), by_digest("d4")]);
    assert_eq!(
        plan.steps,
        [Step::Delete(digest("i")), Step::Delete(digest("d4"))]
    );
    let plan = plan_deletion(state(), &[by_digest("d4"), by_digest("i")]);
    assert_eq!(plan.steps, [Step::Delete(digest("i"))]);
    assert_eq!(
        codes(&plan),
        [ImageFailureCode::ImageReferencedByManifestList]
    );
}

#[test]
fn f08_digest_and_tag_that_agree_count_as_the_tag() {
    let both = ImageId {
        digest: Some(digest("d1").to_string()),
        tag: Some("a".into()),
    };
    let plan = plan_deletion(loaded(&[("d1", &["a", "b"], &[])]), &[both]);
    assert_eq!(plan.steps, [Step::Untag(tag("a"))]);
}

#[test]
fn repeats_find_nothing_the_second_time() {
    let plan = plan_deletion(
        loaded(&[("d1", &["a"], &[])]),
        &[by_tag("a"), by_tag("a"), by_digest("d1")],
    );
    assert_eq!(plan.removed, [removed("d1", Some("a"))]);
    assert_eq!(codes(&plan), [ImageFailureCode::ImageNotFound; 2]);
}

#[test]
fn malformed_and_unknown_entries() {
    use ImageFailureCode::*;
    let both = |d: &str, t: &str| ImageId {
        digest: Some(d.into()),
        tag: Some(t.into()),
    };
    let digest_id = |d: &str| ImageId {
        digest: Some(d.into()),
        tag: None,
    };
    let other = digest("other").to_string();
    let cases = [
        (ImageId::default(), MissingDigestAndTag),
        (digest_id("sha256:zz"), InvalidImageDigest),
        (digest_id("sha256:abcd"), InvalidImageDigest),
        (digest_id("nonsense"), InvalidImageDigest),
        (digest_id("md5:abcd"), ImageNotFound),
        (by_tag("no+good"), InvalidImageTag),
        (by_tag("nope"), ImageNotFound),
        (digest_id(&other), ImageNotFound),
        (both(&other, "a"), ImageTagDoesNotMatchDigest),
        (both(&other, "nope"), ImageNotFound),
        (both(digest("d1").as_str(), "nope"), ImageNotFound),
    ];
    for (id, expected) in cases {
        let plan = plan_deletion(loaded(&[("d1", &["a"], &[])]), std::slice::from_ref(&id));
        assert_eq!(codes(&plan), [expected], "{id:?}");
        assert_eq!(plan.failures[0].id, id);
        assert!(plan.steps.is_empty());
    }
}

proptest! {
    /// Whatever is asked for, in whatever order: no image that a remaining index lists is removed,
    /// every entry is answered, and every step is reported.
    #[test]
    fn f06_no_index_is_left_with_a_missing_child(
        tag_counts in proptest::collection::vec(0usize..3, 6),
        edges in proptest::collection::vec((0usize..6, 0usize..6), 0..8),
        asked in proptest::collection::vec((0usize..6, 0usize..4), 0..12),
    ) {
        let mut state = Loaded::default();
        for (n, count) in tag_counts.iter().enumerate() {
            let tags: Vec<_> = (0..*count).map(|t| tag(&format!("t{n}-{t}"))).collect();
            state.tags.extend(tags.iter().map(|t| (t.clone(), digest(&n.to_string()))));
            let parents = edges.iter().filter(|(p, c)| *c == n && p < c);
            let parents = parents.map(|(p, _)| digest(&p.to_string())).collect();
            state.images.insert(digest(&n.to_string()), LoadedImage { tags, parents });
        }
        let ids: Vec<_> = asked.iter().map(|(n, t)| match t {
            3 => by_digest(&n.to_string()),
            t => by_tag(&format!("t{n}-{t}")),
        }).collect();
        let plan = plan_deletion(state.clone(), &ids);
        let gone: Vec<_> = plan.steps.iter().filter_map(|step| match step {
            Step::Delete(digest) => Some(digest.clone()),
            Step::Untag(_) => None,
        }).collect();
        for digest in &gone {
            prop_assert!(state.images[digest].parents.iter().all(|parent| gone.contains(parent)));
        }
        let reported: BTreeSet<_> = plan.removed.iter().map(|r| r.digest.clone()).collect();
        prop_assert!(gone.iter().all(|digest| reported.contains(digest)));
        prop_assert!(plan.steps.len() + plan.failures.len() == ids.len());
    }
}
