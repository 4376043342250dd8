//! Cases about images as lifecycle policies look at them: their order, their members, orphans, and
//! the count of departures.

use roadstead_domain::ids::{AccountId, RepositoryId};
use roadstead_domain::image::ImageStatus;

use super::bench::{ALL, Bench, at, tag, tags};
use super::lifecycle::policy;
use crate::metadata::{ImageNumber, IndexMember, LifecycleImage, MetadataStore};

/// An image with every member set, as it was stored and as it is seen.
pub async fn an_image_as_policies_see_it(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    let digest = bench.digest("one");
    assert_eq!(bench.lifecycle_image(&id, &digest).await, None);
    let mut new = bench.referrer("one", "subject", "sig");
    new.image.status = ImageStatus::Archived;
    new.image.pushed_at = at(1);
    new.image.push_seq = 2;
    new.image.last_pulled_at = Some(at(3));
    new.image.archived_at = Some(at(4));
    new.image.activated_at = Some(at(5));
    bench.insert_image(&id, &new).await;
    for (text, seq) in [("a", 3), ("z", 1), ("m", 2)] {
        bench.put_tag(&id, &tag(text), &digest, &at(1), &seq).await;
    }
    let seen = bench.lifecycle_image(&id, &digest).await.expect("there");
    let expected = LifecycleImage {
        number: seen.number,
        digest: digest.clone(),
        tags: tags(&["z", "m", "a"]),
        status: ImageStatus::Archived,
        pushed_at: at(1),
        push_seq: 2,
        last_pulled_at: Some(at(3)),
        archived_at: Some(at(4)),
        activated_at: Some(at(5)),
        subject: Some(bench.digest("subject")),
        orphaned_at: None,
    };
    assert_eq!(seen, expected);
    assert_eq!(bench.lifecycle_images(&id, &None, &ALL).await, [expected]);
    assert_eq!(bench.lifecycle_image(&other, &digest).await, None);
    assert_eq!(bench.lifecycle_images(&other, &None, &ALL).await, []);
}

/// Images page in the order in which they were stored, with their tags in that of attachment; a
/// page counts images, and what another repository stores in between is not seen.
pub async fn images_page_by_number(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    let statuses = [
        ImageStatus::Active,
        ImageStatus::Archived,
        ImageStatus::Activating,
    ];
    let mut model = Vec::new();
    for n in 0..20_usize {
        let mut new = bench.image(&format!("image {n}"));
        new.image.status = statuses[n % 3];
        new.image.pushed_at = at(-(n as i64));
        let mut texts = Vec::new();
        for repository in [id, other] {
            bench.insert_image(&repository, &new).await;
            texts.clear();
            for k in 0..n % 4 {
                // Attached against the order of their names.
                let text = tag(&format!("t{n}-{}", 9 - k));
                let (digest, seq) = (&new.image.digest, k as i64);
                bench
                    .put_tag(&repository, &text, digest, &at(1), &seq)
                    .await;
                texts.push(text);
            }
        }
        model.push((new.image.digest, texts));
    }
    for size in [1, 3, 7, 20, 21] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = bench.lifecycle_images(&id, &after, &size).await;
            assert!(page.len() <= size && seen.len() < 100);
            let Some(last) = page.last() else { break };
            after = Some(last.number);
            assert!(page.len() == size || seen.len() + page.len() == 20);
            seen.extend(page);
        }
        assert!(seen.is_sorted_by(|a, b| a.number < b.number));
        let seen: Vec<_> = seen.into_iter().map(|i| (i.digest, i.tags)).collect();
        assert_eq!(seen, model, "pages of {size}");
    }
}

/// Whoever pages while others delete, restore and push misses nobody who was there all the time.
pub async fn numbers_survive_writes_in_between(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    for n in 0..20 {
        bench
            .insert_image(&id, &bench.image(&format!("image {n}")))
            .await;
    }
    let before = bench.lifecycle_images(&id, &None, &ALL).await;
    let (mut seen, mut gone, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let page = bench.lifecycle_images(&id, &after, &3).await;
        let [first, .., last] = &page[..] else { break };
        for image in [first, last] {
            let digest = &image.digest;
            bench.keep_deleted(&id, digest, &at(1), &at(9)).await;
        }
        assert!(bench.restore_image(&id, &first.number, &at(2)).await);
        gone.push(last.number);
        if seen.len() < 9 {
            let late = bench.image(&format!("late {}", last.number.0));
            bench.insert_image(&id, &late).await;
        }
        after = Some(last.number);
        seen.extend(page.iter().map(|image| image.number));
    }
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    let left = bench.lifecycle_images(&id, &None, &ALL).await;
    let left: Vec<ImageNumber> = left.into_iter().map(|image| image.number).collect();
    assert!(left.is_sorted_by(|a, b| a < b), "{left:?}");
    for ImageNumber(n) in before.iter().map(|image| image.number) {
        assert!(seen.contains(&ImageNumber(n)), "{n} missed");
        let is_gone = gone.contains(&ImageNumber(n));
        assert_eq!(left.contains(&ImageNumber(n)), !is_gone, "{n}");
    }
}

/// What indexes list pages by child and index, whether or not the child is there.
pub async fn members_page_by_child(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    let mut model = Vec::new();
    for n in 0..7 {
        let own = format!("child {n}");
        let new = bench.index_of(&format!("index {n}"), &["shared", &own]);
        bench.insert_image(&id, &new).await;
        bench.insert_image(&other, &new).await;
        let digest = &new.image.digest;
        let index = bench.lifecycle_image(&id, digest).await.expect("there");
        for child in new.children {
            let index = index.number;
            model.push(IndexMember { child, index });
        }
    }
    model.sort_by_key(|member| (member.child.clone(), member.index));
    for size in [1, 3, 14, 15] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = bench.index_members(&id, &after, &size).await;
            assert!(page.len() <= size && seen.len() < 100);
            let Some(last) = page.last() else { break };
            after = Some(last.clone());
            seen.extend(page);
        }
        assert_eq!(seen, model, "pages of {size}");
    }
    let gone = bench.digest("index 3");
    let number = bench
        .lifecycle_image(&id, &gone)
        .await
        .expect("there")
        .number;
    bench.keep_deleted(&id, &gone, &at(1), &at(9)).await;
    let left: Vec<_> = model
        .iter()
        .filter(|m| m.index != number)
        .cloned()
        .collect();
    assert_eq!(bench.index_members(&id, &None, &ALL).await, left);
    assert!(bench.restore_image(&id, &number, &at(2)).await);
    assert_eq!(bench.index_members(&id, &None, &ALL).await, model);
}

/// Referrers are orphans from the deletion of their subject until it is there again.
pub async fn orphans_wait_for_their_subject(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    let subject = bench.digest("subject");
    let since = async |id: &RepositoryId, label: &str| {
        let image = bench.lifecycle_image(id, &bench.digest(label)).await;
        image.expect("there").orphaned_at
    };
    for repository in [id, other] {
        for label in ["live", "archived"] {
            let referrer = bench.referrer(label, "subject", "sig");
            bench.insert_image(&repository, &referrer).await;
        }
        let unrelated = bench.referrer("unrelated", "another", "sig");
        bench.insert_image(&repository, &unrelated).await;
        let archived = bench.digest("archived");
        bench
            .set_image_status(&repository, &archived, &ImageStatus::Archived, &at(1))
            .await;
        // Nobody deleted it: it never was here.
        assert_eq!(since(&repository, "live").await, None);
        bench
            .insert_image(&repository, &bench.image("subject"))
            .await;
    }
    for kept in [false, true] {
        let now = if kept { at(20) } else { at(10) };
        if kept {
            bench.keep_deleted(&id, &subject, &now, &at(99)).await;
        } else {
            bench.delete_image(&id, &subject, &now).await;
        }
        for label in ["live", "archived"] {
            assert_eq!(since(&id, label).await, Some(now), "{label}");
            assert_eq!(since(&other, label).await, None, "{label}");
        }
        assert_eq!(since(&id, "unrelated").await, None);
        let late = bench.referrer(&format!("late {kept}"), "subject", "sig");
        bench.insert_image(&id, &late).await;
        assert_eq!(since(&id, &format!("late {kept}")).await, None);
        if kept {
            let deleted = bench.deleted_image(&id, &subject).await.expect("kept");
            assert!(bench.restore_image(&id, &deleted.number, &at(30)).await);
        } else {
            bench.insert_image(&id, &bench.image("subject")).await;
        }
        for label in ["live", "archived"] {
            assert_eq!(since(&id, label).await, None, "{label}");
        }
    }
    // An orphan that was deleted itself starts anew.
    bench.delete_image(&id, &subject, &at(40)).await;
    let live = bench.digest("live");
    bench.keep_deleted(&id, &live, &at(41), &at(99)).await;
    let deleted = bench.deleted_image(&id, &live).await.expect("kept");
    assert!(bench.restore_image(&id, &deleted.number, &at(42)).await);
    assert_eq!(since(&id, "live").await, None);
}

/// What the policies of two repositories count.
struct Counted<'b> {
    bench: &'b Bench<'b>,
    id: RepositoryId,
    other: RepositoryId,
    before: i64,
}

impl<'b> Counted<'b> {
    async fn new(bench: &'b Bench<'b>) -> Self {
        let [id, other] = [bench.made("app").await, bench.made("other").await];
        for id in [id, other] {
            bench.put_lifecycle_policy(&id, &policy("policy", 1)).await;
        }
        Self {
            bench,
            id,
            other,
            before: 0,
        }
    }

    /// Whether departures were counted since this was last asked; never in the other repository.
    async fn moved(&mut self) -> bool {
        let other = self.bench.lifecycle_policy(&self.other).await;
        assert_eq!(other.expect("put").departures, 0);
        let policy = self.bench.lifecycle_policy(&self.id).await.expect("put");
        let moved = policy.departures > self.before;
        assert!(moved || policy.departures == self.before);
        self.before = policy.departures;
        moved
    }
}

/// A tag that leaves an image, the first tag of one that had none, and a change of status are
/// departures; what only adds is none.
pub async fn departures_of_tags_and_statuses(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let mut counted = Counted::new(&bench).await;
    let id = counted.id;
    let [one, two, absent] = ["one", "two", "absent"].map(|label| bench.digest(label));
    for label in ["one", "two"] {
        bench.insert_image(&id, &bench.image(label)).await;
    }
    bench.put_tag(&id, &tag("a"), &one, &at(1), &1).await;
    assert!(counted.moved().await, "the first tag of an untagged image");
    bench.put_tag(&id, &tag("c"), &one, &at(1), &1).await;
    assert!(!counted.moved().await, "a second tag");
    let mut pushed = bench.image("pushed with its tag");
    pushed.image.push_seq = 7;
    bench.insert_image(&id, &pushed).await;
    let digest = &pushed.image.digest;
    bench.put_tag(&id, &tag("p"), digest, &at(1), &7).await;
    assert!(!counted.moved().await, "the tag of the push");
    bench.put_tag(&id, &tag("a"), &one, &at(2), &2).await;
    assert!(!counted.moved().await, "a tag in its place");
    bench.put_tag(&id, &tag("a"), &two, &at(3), &3).await;
    assert!(counted.moved().await, "a tag that moves");
    bench.delete_tag(&id, &tag("b")).await;
    assert!(!counted.moved().await, "no tag");
    bench.delete_tag(&id, &tag("a")).await;
    assert!(counted.moved().await, "a tag that goes");
    bench.record_pull(&id, &one, &at(4)).await;
    assert!(!counted.moved().await, "a pull");
    for status in [
        ImageStatus::Archived,
        ImageStatus::Activating,
        ImageStatus::Active,
    ] {
        bench.set_image_status(&id, &one, &status, &at(5)).await;
        assert!(counted.moved().await, "{status:?}");
        bench.set_image_status(&id, &absent, &status, &at(5)).await;
        assert!(!counted.moved().await, "{status:?} of nothing");
    }
}

/// A push is one only where it makes images that are there members or followers.
pub async fn departures_by_pushes(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let mut counted = Counted::new(&bench).await;
    let id = counted.id;
    for (new, moves) in [
        (bench.image("one"), false),
        (bench.image("one"), false),
        (bench.index_of("of absent ones", &["x", "y"]), false),
        (bench.index_of("of one", &["x", "one"]), true),
        (bench.index_of("of one", &["x", "one"]), false),
        (bench.referrer("referrer", "subject", "sig"), false),
        (bench.image("subject"), true),
        (bench.image("subject"), false),
    ] {
        bench.insert_image(&id, &new).await;
        assert_eq!(counted.moved().await, moves, "{:?}", new.manifest);
    }
    // What is there in another repository is not there.
    for label in ["theirs", "their referrer"] {
        let new = bench.referrer(label, "their subject", "sig");
        bench.insert_image(&counted.other, &new).await;
    }
    bench
        .insert_image(&id, &bench.index_of("i", &["theirs"]))
        .await;
    bench.insert_image(&id, &bench.image("their subject")).await;
    assert!(!counted.moved().await);
}

/// A deletion is one; an image that comes back is pushed again, as far as that goes.
pub async fn departures_by_deletions(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let mut counted = Counted::new(&bench).await;
    let id = counted.id;
    for new in [
        bench.image("one"),
        bench.image("two"),
        bench.index_of("index", &["one"]),
        bench.image("subject"),
        bench.referrer("referrer", "subject", "sig"),
    ] {
        bench.insert_image(&id, &new).await;
    }
    counted.moved().await;
    bench
        .delete_image(&id, &bench.digest("absent"), &at(1))
        .await;
    assert!(!counted.moved().await, "nothing");
    bench.delete_image(&id, &bench.digest("two"), &at(1)).await;
    assert!(counted.moved().await, "a deletion");
    for (label, moves) in [("index", true), ("subject", true), ("one", false)] {
        let digest = bench.digest(label);
        if label == "one" {
            bench
                .delete_image(&id, &bench.digest("index"), &at(1))
                .await;
            counted.moved().await;
        }
        bench.keep_deleted(&id, &digest, &at(2), &at(9)).await;
        assert!(counted.moved().await, "{label} goes");
        let deleted = bench.deleted_image(&id, &digest).await.expect("kept");
        assert!(bench.restore_image(&id, &deleted.number, &at(3)).await);
        assert_eq!(counted.moved().await, moves, "{label} comes back");
        bench.keep_deleted(&id, &digest, &at(4), &at(9)).await;
        counted.moved().await;
        let number = &deleted.number;
        bench.purge_deleted_image(&id, number, &at(5)).await;
        assert!(!counted.moved().await, "{label} is gone already");
        bench
            .insert_image(
                &id,
                &match label {
                    "index" => bench.index_of("index", &["one"]),
                    _ => bench.image(label),
                },
            )
            .await;
        counted.moved().await;
    }
}
