//! Cases about lifecycle policies, their previews and runs.

use roadstead_domain::ids::{AccountId, RepositoryId};
use roadstead_domain::time::Timestamp;

use super::bench::{ALL, Bench, at};
use crate::metadata::{
    MetadataStore, PreviewStatus, Repository, StoreError, StoredLifecyclePolicy, StoredPage,
    StoredPreview,
};

/// A policy that is due at `n`.
pub(super) fn policy(id: &str, n: i64) -> StoredLifecyclePolicy {
    StoredLifecyclePolicy {
        text: format!("{{\"rules\": \"{id}\"}}"),
        policy_id: id.into(),
        put_at: at(1),
        evaluated_at: None,
        next_run_at: at(n),
        departures: 0,
    }
}

fn preview(id: &str, n: i64) -> StoredPreview {
    StoredPreview {
        preview_id: id.into(),
        text: format!(" {{\"text\": \"{id}\"}}\n"),
        status: PreviewStatus::InProgress,
        started_at: at(n),
        completed_at: None,
        expiring: 0,
        transitioning: 0,
    }
}

pub(super) fn page(page: i64, starts_at: i64, text: &str) -> StoredPage {
    StoredPage {
        page,
        starts_at,
        text: text.into(),
    }
}

/// The names of the case's own repositories, in the order given.
fn own(bench: &Bench<'_>, repositories: Vec<Repository>) -> Vec<String> {
    repositories
        .into_iter()
        .filter(|repository| repository.key.account == bench.account)
        .map(|repository| repository.key.name.as_str().to_owned())
        .collect()
}

/// A policy comes back as it was put; another takes its place as a whole; it goes.
pub async fn life_of_a_policy(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    assert_eq!(bench.lifecycle_policy(&id).await, None);
    let first = StoredLifecyclePolicy {
        evaluated_at: Some(at(4)),
        departures: 7,
        ..policy("first", 5)
    };
    bench.put_lifecycle_policy(&id, &first).await;
    assert_eq!(bench.lifecycle_policy(&id).await, Some(first));
    assert_eq!(bench.lifecycle_policy(&other).await, None);

    let second = StoredLifecyclePolicy {
        put_at: at(8),
        ..policy("second", 9)
    };
    bench.put_lifecycle_policy(&id, &second).await;
    assert_eq!(bench.lifecycle_policy(&id).await, Some(second.clone()));
    bench.delete_lifecycle_policy(&other).await;
    assert_eq!(bench.lifecycle_policy(&id).await, Some(second));
    bench.delete_lifecycle_policy(&id).await;
    bench.delete_lifecycle_policy(&id).await;
    assert_eq!(bench.lifecycle_policy(&id).await, None);
}

/// The end of a run is recorded for the policy that it ran, and for no other.
pub async fn an_evaluation_is_of_its_policy(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    bench.put_lifecycle_policy(&id, &policy("now", 5)).await;
    bench
        .lifecycle_evaluated(&id, &"before".into(), &Some(at(9)), &at(99))
        .await;
    assert_eq!(bench.lifecycle_policy(&id).await, Some(policy("now", 5)));
    for (evaluated_at, next) in [(Some(at(6)), 50), (None, 60)] {
        bench
            .lifecycle_evaluated(&id, &"now".into(), &evaluated_at, &at(next))
            .await;
        let expected = StoredLifecyclePolicy {
            evaluated_at,
            ..policy("now", next)
        };
        assert_eq!(bench.lifecycle_policy(&id).await, Some(expected));
    }
    bench.delete_lifecycle_policy(&id).await;
    bench
        .lifecycle_evaluated(&id, &"now".into(), &None, &at(9))
        .await;
    assert_eq!(bench.lifecycle_policy(&id).await, None);
}

/// Policies of live repositories are due from their time on, the longest overdue first.
pub async fn the_longest_overdue_is_first(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    for (text, due) in [
        ("app-b", 20),
        ("app-d", 40),
        ("app-a", 10),
        ("gone", 5),
        ("app-c", 30),
    ] {
        let id = bench.made(text).await;
        bench.put_lifecycle_policy(&id, &policy(text, due)).await;
        if text == "gone" {
            bench.delete_repository(&id, &at(1)).await;
        }
    }
    bench.made("without").await;
    for (now, expected) in [
        (9, &[][..]),
        (10, &["app-a"]),
        (30, &["app-a", "app-b", "app-c"]),
        (99, &["app-a", "app-b", "app-c", "app-d"]),
    ] {
        let due = bench.lifecycle_due(&at(now), &ALL).await;
        assert_eq!(own(&bench, due), expected, "at {now}");
    }
    assert_eq!(bench.lifecycle_due(&at(99), &1).await.len(), 1);
    assert!(bench.lifecycle_next_due().await <= Some(at(10)));
    // Longer ago than what any other case puts.
    let id = bench.made("early").await;
    let early = StoredLifecyclePolicy {
        next_run_at: Timestamp(-1),
        ..policy("early", 0)
    };
    bench.put_lifecycle_policy(&id, &early).await;
    assert_eq!(bench.lifecycle_next_due().await, Some(Timestamp(-1)));
    assert_eq!(
        own(&bench, bench.lifecycle_due(&at(0), &1).await),
        ["early"]
    );
    bench.delete_repository(&id, &at(1)).await;
    assert!(bench.lifecycle_next_due().await > Some(Timestamp(-1)));
}

/// A repository has one preview; those in progress of live repositories are listed, oldest first.
pub async fn life_of_a_preview(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app-c").await;
    assert_eq!(bench.preview(&id).await, None);
    bench.put_preview(&id, &preview("first", 30)).await;
    assert_eq!(bench.preview(&id).await, Some(preview("first", 30)));
    for (text, started) in [("app-b", 20), ("app-a", 10), ("gone", 5)] {
        let other = bench.made(text).await;
        bench.put_preview(&other, &preview(text, started)).await;
        if text == "gone" {
            bench.delete_repository(&other, &at(1)).await;
        }
    }
    let listed = bench.previews_in_progress(&ALL).await;
    assert_eq!(own(&bench, listed), ["app-a", "app-b", "app-c"]);
    assert_eq!(bench.previews_in_progress(&1).await.len(), 1);
    for (status, completed_at) in [
        (PreviewStatus::Complete, Some(at(40))),
        (PreviewStatus::Failed, None),
    ] {
        let second = StoredPreview {
            status,
            completed_at,
            expiring: 1_000_000,
            transitioning: 3,
            ..preview("second", 35)
        };
        bench.put_preview(&id, &second).await;
        assert_eq!(bench.preview(&id).await, Some(second));
        let listed = bench.previews_in_progress(&ALL).await;
        assert_eq!(own(&bench, listed), ["app-a", "app-b"]);
    }
    bench.put_preview(&id, &preview("third", 1)).await;
    let listed = bench.previews_in_progress(&ALL).await;
    assert_eq!(own(&bench, listed), ["app-c", "app-a", "app-b"]);
}

/// Pages are read from a number on, or found by where they start.
pub async fn pages_of_a_preview(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let ours = format!("{}-ours", bench.account);
    let theirs = format!("{}-theirs", bench.account);
    bench.put_preview(&id, &preview(&ours, 1)).await;
    let pages = [page(0, 5, "a"), page(1, 5, "b"), page(2, 90, "c")];
    for n in [1, 0, 2] {
        bench.put_preview_page(&id, &ours, &pages[n]).await;
    }
    bench.put_preview_page(&id, &theirs, &page(0, 7, "x")).await;
    assert_eq!(bench.preview_pages(&ours, &0, &ALL).await, pages);
    assert_eq!(bench.preview_pages(&ours, &1, &1).await, pages[1..2]);
    assert_eq!(bench.preview_pages(&ours, &3, &ALL).await, []);
    assert_eq!(bench.preview_pages(&"none".into(), &0, &ALL).await, []);
    for (place, expected) in [
        (4, None),
        (5, Some(1)),
        (89, Some(1)),
        (90, Some(2)),
        (i64::MAX, Some(2)),
    ] {
        let found = bench.preview_page_at(&ours, &place).await;
        assert_eq!(found, expected.map(|n: usize| pages[n].clone()), "{place}");
    }
    // A page in place of the one with its number.
    let again = page(1, 50, "again");
    bench.put_preview_page(&id, &ours, &again).await;
    assert_eq!(bench.preview_pages(&ours, &1, &1).await, [again]);
    let found = bench.preview_page_at(&ours, &49).await;
    assert_eq!(found, Some(pages[0].clone()));
}

/// Pages of former previews go in steps, those of the current one and of other repositories stay.
pub async fn former_pages_go_in_steps(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    let named = |label: &str| format!("{}-{label}", bench.account);
    // One former preview sorts before the current one and one after it.
    let [one, current, three, theirs] = ["1", "2", "3", "4"].map(named);
    for (repository, preview) in [(id, &one), (id, &three), (id, &current), (other, &theirs)] {
        for n in 0..3 {
            bench
                .put_preview_page(&repository, preview, &page(n, n, "text"))
                .await;
        }
    }
    bench.put_preview(&id, &preview(&current, 1)).await;
    bench.put_preview(&other, &preview(&theirs, 1)).await;
    let left = async || {
        let mut counts = Vec::new();
        for preview in [&one, &current, &three, &theirs] {
            counts.push(bench.preview_pages(preview, &0, &ALL).await.len());
        }
        counts
    };
    assert!(!bench.prune_preview_pages(&id, &4).await);
    let counts = left().await;
    assert_eq!((counts[0] + counts[2], counts[1], counts[3]), (2, 3, 3));
    assert!(bench.prune_preview_pages(&id, &2).await, "none are left");
    assert_eq!(left().await, [0, 3, 0, 3]);
    assert!(bench.prune_preview_pages(&id, &1).await);
    assert_eq!(left().await, [0, 3, 0, 3]);
}

/// Runs are numbered in their order, read back from the newest on, and rewritten.
pub async fn runs_are_listed_newest_first(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    assert_eq!(bench.lifecycle_runs(&id, &None, &ALL).await, []);
    let mut runs = Vec::new();
    for n in 0..5 {
        runs.push(bench.insert_run(&id, &at(n), &format!("run {n}")).await);
        bench.insert_run(&other, &at(n), &"theirs".into()).await;
    }
    assert!(runs.is_sorted_by(|a, b| a < b), "{runs:?}");
    bench.update_run(&runs[3], &"changed".into()).await;
    let listed = bench.lifecycle_runs(&id, &None, &ALL).await;
    let texts: Vec<&str> = listed.iter().map(|run| run.text.as_str()).collect();
    assert_eq!(texts, ["run 4", "changed", "run 2", "run 1", "run 0"]);
    assert!(
        listed
            .iter()
            .map(|run| run.run)
            .eq(runs.iter().rev().copied())
    );
    assert_eq!(listed[0].started_at, at(4));
    let page = bench.lifecycle_runs(&id, &Some(runs[3]), &2).await;
    assert_eq!(page, listed[2..4]);
    assert_eq!(bench.lifecycle_runs(&id, &Some(runs[0]), &2).await, []);
}

/// What a run did is read page by page; only a run of the repository has pages.
pub async fn pages_of_a_run(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    let run = bench.insert_run(&id, &at(1), &"run".into()).await;
    let pages = [page(0, 1, "a"), page(1, 8, "b"), page(2, 9, "c")];
    for page in &pages {
        bench.insert_run_page(&id, &run, page).await;
    }
    assert_eq!(bench.run_pages(&run, &0, &ALL).await, pages);
    assert_eq!(bench.run_pages(&run, &1, &1).await, pages[1..2]);
    assert_eq!(bench.run_pages(&run, &3, &ALL).await, []);
    for (repository, run) in [(other, run), (id, -1)] {
        let stored: Result<(), StoreError> = store
            .write((repository, run), |tx, (repository, run)| {
                Box::pin(async move {
                    tx.insert_run_page(*repository, *run, &page(7, 7, "x"))
                        .await
                })
            })
            .await;
        assert!(matches!(stored, Err(StoreError::Failed(_))), "{stored:?}");
    }
    assert_eq!(bench.run_pages(&run, &0, &ALL).await, pages);
}

/// The newest runs of a repository are kept with their pages.
pub async fn old_runs_are_pruned(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let made = async |id: &RepositoryId| {
        let mut runs = Vec::new();
        for n in 0..4 {
            let run = bench.insert_run(id, &at(n), &"run".into()).await;
            bench.insert_run_page(id, &run, &page(0, 0, "a")).await;
            bench.insert_run_page(id, &run, &page(1, 1, "b")).await;
            runs.push(run);
        }
        runs
    };
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    let [runs, others] = [made(&id).await, made(&other).await];
    for (keep, left) in [(5, 4), (4, 4), (2, 2), (0, 0), (0, 0)] {
        bench.prune_runs(&id, &keep).await;
        let listed = bench.lifecycle_runs(&id, &None, &ALL).await;
        let listed: Vec<i64> = listed.into_iter().map(|run| run.run).collect();
        let expected: Vec<i64> = runs.iter().rev().take(left).copied().collect();
        assert_eq!(listed, expected, "keep {keep}");
        for run in &runs {
            let pages = bench.run_pages(run, &0, &ALL).await.len();
            let expected = if listed.contains(run) { 2 } else { 0 };
            assert_eq!(pages, expected, "keep {keep}");
        }
    }
    assert_eq!(bench.lifecycle_runs(&other, &None, &ALL).await.len(), 4);
    assert_eq!(bench.run_pages(&others[0], &0, &ALL).await.len(), 2);
}
