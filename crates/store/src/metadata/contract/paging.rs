//! Cases about keyset pages: against a model, at every page size, and while rows go (F34, F35).

use std::collections::BTreeSet;

use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, RepositoryId};
use roadstead_domain::image::{ImageStatus, TagStatus};
use roadstead_domain::name::RepositoryName;
use roadstead_domain::reference::ImageTag;

use super::bench::{ALL, Bench, at, name, tag};
use crate::metadata::{ImageCursor, ImageEntry, ImageFilter, ImageWithTags, MetadataStore};

// Prefixes of each other around the bytes `-` (2d), `.` (2e), `/` (2f), `0` (30) and `_` (5f).
const NAMES: [&str; 9] = [
    "a0", "aa", "aa-b", "aa.b", "aa/b", "aa/b/c", "aa0", "aa_b", "zz",
];
const TAGS: [&str; 9] = ["0", "A", "Z", "_", "a", "a-b", "a.b", "a0", "a_b"];

const STATUSES: [ImageStatus; 3] = [
    ImageStatus::Active,
    ImageStatus::Archived,
    ImageStatus::Activating,
];

/// Follows a listing page by page to its end.
macro_rules! paged {
    ($size:expr, |$after:ident| $page:expr, |$last:ident| $cursor:expr) => {{
        let (mut all, mut $after) = (Vec::new(), None);
        loop {
            let page = $page.await;
            assert!(all.len() < 1000, "the listing does not end");
            assert!(
                page.len() <= $size,
                "a page of {} over {}",
                page.len(),
                $size
            );
            let Some($last) = page.last() else { break all };
            $after = Some($cursor);
            all.extend(page);
        }
    }};
}

/// Repositories, by the bytes of their names.
pub async fn repositories_page_by_name(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    for text in NAMES.iter().rev() {
        bench.made(text).await;
    }
    let deleted = bench.made("aa--b").await;
    bench.delete_repository(&deleted, &at(1)).await;
    let expected: Vec<RepositoryName> = NAMES.iter().map(|text| name(text)).collect();
    let registry = bench.registry();
    for size in [1, 2, 4, 9, 10] {
        let found = paged!(
            size,
            |after| bench.repositories(&registry, &after, &size),
            |last| last.key.name.clone()
        );
        let found: Vec<_> = found.into_iter().map(|r| r.key.name).collect();
        assert_eq!(found, expected, "pages of {size}");
    }
    // A cursor need not be there.
    let page = bench.repositories(&registry, &Some(name("aa/a")), &1).await;
    assert_eq!(page[0].key.name, name("aa/b"));
}

/// Tags, by their bytes.
pub async fn tags_page_by_name(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    bench.insert_image(&id, &bench.image("one")).await;
    let digest = bench.digest("one");
    for (seq, text) in TAGS.iter().rev().enumerate() {
        bench
            .put_tag(&id, &tag(text), &digest, &at(1), &(seq as i64))
            .await;
    }
    let expected: Vec<ImageTag> = TAGS.iter().map(|text| tag(text)).collect();
    for size in [1, 2, 4, 9, 10] {
        let found = paged!(size, |after| bench.tags(&id, &after, &size), |last| last
            .clone());
        assert_eq!(found, expected, "pages of {size}");
    }
    let page = bench.tags(&id, &Some(tag("B")), &1).await;
    assert_eq!(page, [tag("Z")]);
}

/// Thirty images of every status, with none to two tags, some pushed in one instant; tags came
/// and went, and statuses changed, so that what listings are kept by was kept up.
async fn filled(bench: &Bench<'_>, id: RepositoryId) -> Vec<ImageWithTags> {
    let mut model = Vec::new();
    for n in 0..30_i64 {
        let mut new = bench.image(&format!("image {n}"));
        new.image.pushed_at = at(n / 4);
        new.image.push_seq = n;
        bench.insert_image(&id, &new).await;
        let digest = new.image.digest.clone();
        let status = STATUSES[n as usize % 3];
        if status != ImageStatus::Active {
            bench.set_image_status(&id, &digest, &status, &at(99)).await;
        }
        let image = bench.image_at(&id, &digest).await.expect("stored");
        let mut tags = Vec::new();
        for k in 0..(n / 3) % 3 {
            let text = tag(&format!("t{n}-{k}"));
            // Attached in the order that is not that of their names.
            bench.put_tag(&id, &text, &digest, &at(1), &(9 - k)).await;
            tags.insert(0, text);
        }
        if n % 5 == 0 {
            bench.put_tag(&id, &tag("gone"), &digest, &at(1), &9).await;
        }
        model.push(ImageWithTags { image, tags });
    }
    bench.delete_tag(&id, &tag("gone")).await;
    // The only tag of an image comes and goes.
    for stored in model.iter().filter(|stored| stored.tags.is_empty()) {
        let digest = &stored.image.digest;
        bench.put_tag(&id, &tag("brief"), digest, &at(1), &9).await;
        bench.delete_tag(&id, &tag("brief")).await;
    }
    model
}

fn filters() -> Vec<ImageFilter> {
    let statuses = STATUSES.into_iter().map(Some).chain([None]);
    let tag_statuses = [TagStatus::Any, TagStatus::Tagged, TagStatus::Untagged];
    statuses
        .flat_map(|status| tag_statuses.map(|tag_status| ImageFilter { tag_status, status }))
        .collect()
}

fn lets_through(filter: ImageFilter, stored: &ImageWithTags) -> bool {
    let by_tags = match filter.tag_status {
        TagStatus::Any => true,
        TagStatus::Tagged => !stored.tags.is_empty(),
        TagStatus::Untagged => stored.tags.is_empty(),
    };
    by_tags
        && filter
            .status
            .is_none_or(|status| status == stored.image.status)
}

/// (image, tag) pairs, by digest and tag, under every filter.
pub async fn entries_page_by_digest_and_tag(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let model = filled(&bench, id).await;
    for filter in filters() {
        let mut expected = BTreeSet::new();
        for stored in model.iter().filter(|stored| lets_through(filter, stored)) {
            let digest = stored.image.digest.clone();
            let tags = stored.tags.iter().cloned().map(Some);
            let untagged = stored.tags.is_empty().then_some(None);
            expected.extend(tags.chain(untagged).map(|tag| ImageEntry {
                digest: digest.clone(),
                tag,
            }));
        }
        let expected: Vec<ImageEntry> = expected.into_iter().collect();
        for size in [1, 3, 7, 100] {
            let found = paged!(
                size,
                |after| bench.image_entries(&id, &filter, &after, &size),
                |last| last.clone()
            );
            assert_eq!(found, expected, "{filter:?}, pages of {size}");
        }
    }
}

/// Images, newest push first and then by digest, under every filter.
pub async fn images_page_by_push(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let model = filled(&bench, id).await;
    for filter in filters() {
        let mut expected: Vec<ImageWithTags> = model
            .iter()
            .filter(|stored| lets_through(filter, stored))
            .cloned()
            .collect();
        expected.sort_by_key(|stored| (-stored.image.pushed_at.0, stored.image.digest.clone()));
        for size in [1, 3, 7, 100] {
            let found = paged!(
                size,
                |after| bench.images(&id, &filter, &after, &size),
                |last| ImageCursor {
                    pushed_at: last.image.pushed_at,
                    digest: last.image.digest.clone(),
                }
            );
            assert_eq!(found, expected, "{filter:?}, pages of {size}");
        }
    }
}

/// Referrers, by digest, under filters of none to two types.
pub async fn referrers_page_by_digest(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let mut model: Vec<(Digest, &str)> = Vec::new();
    for n in 0..20 {
        let artifact_type = ["sig", "bom", "x"][n % 3];
        let referrer = bench.referrer(&format!("referrer {n}"), "subject", artifact_type);
        bench.insert_image(&id, &referrer).await;
        model.push((referrer.image.digest, artifact_type));
    }
    model.sort();
    let subject = bench.digest("subject");
    for types in [&[][..], &["sig"], &["x", "bom"]] {
        let matching = model
            .iter()
            .filter(|(_, t)| types.is_empty() || types.contains(t));
        let expected: Vec<Digest> = matching.map(|(digest, _)| digest.clone()).collect();
        let types: Vec<String> = types.iter().map(|t| (*t).to_owned()).collect();
        for size in [1, 3, 50] {
            let found = paged!(
                size,
                |after| bench.referrers(&id, &subject, &types, &after, &size),
                |last| last.digest.clone()
            );
            let found: Vec<Digest> = found.into_iter().map(|image| image.digest).collect();
            assert_eq!(found, expected, "{types:?}, pages of {size}");
        }
    }
}

/// F35: what is deleted behind and before the cursor makes nobody else be missed or seen twice.
pub async fn deleting_while_paging(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    filled(&bench, id).await;
    let all = ImageFilter::default();
    let before = bench.image_entries(&id, &all, &None, &ALL).await;
    let (mut seen, mut deleted, mut after) = (Vec::new(), BTreeSet::new(), None);
    loop {
        let page = bench.image_entries(&id, &all, &after, &3).await;
        let Some(last) = page.last() else { break };
        // The cursor itself goes, and so does one image that is still to come.
        let ahead = bench
            .image_entries(&id, &all, &Some(last.clone()), &9)
            .await;
        let next = ahead.last().map_or(&last.digest, |entry| &entry.digest);
        for digest in [&last.digest, next] {
            bench.delete_image(&id, digest, &at(200)).await;
            deleted.insert(digest.clone());
        }
        after = Some(last.clone());
        seen.extend(page);
    }
    assert!(deleted.len() > 3);
    assert!(
        seen.is_sorted_by(|a, b| a < b),
        "out of order or seen twice"
    );
    for entry in &before {
        let is_seen = seen.contains(entry);
        assert!(
            is_seen || deleted.contains(&entry.digest),
            "{entry:?} missed"
        );
    }
}
