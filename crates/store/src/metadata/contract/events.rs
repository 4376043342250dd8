//! Cases about events that wait for their delivery.

use roadstead_domain::ids::{AccountId, RepositoryId};

use super::bench::{ALL, Bench, at};
use crate::metadata::{MetadataStore, NewEvent};

fn event(destination: &str, repository: RepositoryId, payload: &str) -> NewEvent {
    NewEvent {
        destination: destination.into(),
        repository,
        payload: payload.into(),
    }
}

/// The destinations of the case, named so that other cases have others.
fn destinations(bench: &Bench<'_>) -> [String; 3] {
    ["a", "a-b", "b"].map(|label| format!("{}-{label}", bench.account))
}

async fn payloads(bench: &Bench<'_>, destination: &String) -> Vec<String> {
    let waiting = bench.events(destination, &None, &ALL).await;
    waiting.into_iter().map(|event| event.payload).collect()
}

/// Each destination sees its own events in the order in which they were appended, page by page.
pub async fn events_are_in_order(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let [id, other] = [bench.made("app").await, bench.made("other").await];
    let [a, ab, b] = destinations(&bench);
    bench.append_events(&at(1), &vec![]).await;
    assert_eq!(bench.events(&a, &None, &ALL).await, []);
    let first = (0..50).map(|n| event(&a, id, &format!("{n}"))).collect();
    bench.append_events(&at(9), &first).await;
    let mixed = vec![
        event(&b, id, "b"),
        event(&a, other, "50"),
        event(&b, id, "b"),
    ];
    // The instant orders nothing.
    bench.append_events(&at(5), &mixed).await;
    let expected: Vec<String> = (0..51).map(|n| n.to_string()).collect();
    for size in [1, 7, 51, 52] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = bench.events(&a, &after, &size).await;
            assert!(page.len() <= size && seen.len() < 100);
            let Some(last) = page.last() else { break };
            after = Some(last.seq);
            seen.extend(page);
        }
        assert!(seen.is_sorted_by(|x, y| x.seq < y.seq));
        assert!(
            seen.iter()
                .take(50)
                .all(|e| e.repository == id && e.at == at(9))
        );
        assert_eq!((seen[50].repository, seen[50].at), (other, at(5)));
        let seen: Vec<String> = seen.into_iter().map(|event| event.payload).collect();
        assert_eq!(seen, expected, "pages of {size}");
    }
    assert_eq!(payloads(&bench, &b).await, ["b", "b"]);
    assert_eq!(bench.events(&ab, &None, &ALL).await, []);
}

/// Every destination with events is named once, and no other.
pub async fn destinations_have_events(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let named = destinations(&bench);
    let own = async || -> Vec<String> {
        let mut all = bench.event_destinations().await;
        all.retain(|destination| destination.starts_with(bench.account.as_str()));
        all.sort();
        all
    };
    assert!(own().await.is_empty());
    for destination in [&named[2], &named[0], &named[1], &named[0]] {
        let one = vec![event(destination, id, "x")];
        bench.append_events(&at(1), &one).await;
    }
    assert_eq!(own().await, named);
    let seqs = bench.events(&named[1], &None, &ALL).await;
    let seqs: Vec<i64> = seqs.iter().map(|event| event.seq).collect();
    bench.forget_events(&seqs).await;
    assert_eq!(own().await, [named[0].clone(), named[2].clone()]);
}

/// What was delivered is forgotten, and nothing else; twice is once.
pub async fn delivered_events_are_forgotten(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let [a, _, b] = destinations(&bench);
    let new = (0..6).map(|n| event(&a, id, &format!("{n}"))).collect();
    bench.append_events(&at(1), &new).await;
    bench.append_events(&at(1), &vec![event(&b, id, "b")]).await;
    let waiting = bench.events(&a, &None, &ALL).await;
    let delivered = vec![waiting[0].seq, waiting[3].seq];
    bench.forget_events(&delivered).await;
    bench.forget_events(&delivered).await;
    bench.forget_events(&vec![]).await;
    assert_eq!(payloads(&bench, &a).await, ["1", "2", "4", "5"]);
    assert_eq!(payloads(&bench, &b).await, ["b"]);
    // A number is used once.
    bench.append_events(&at(1), &vec![event(&a, id, "6")]).await;
    let last = bench.events(&a, &Some(waiting[5].seq), &ALL).await;
    assert_eq!(last[0].payload, "6");
}

/// Events that nobody takes are given up in steps, the oldest first, for one destination.
pub async fn old_events_are_given_up(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let id = bench.made("app").await;
    let [a, _, b] = destinations(&bench);
    for (time, payload) in [(3, "3"), (1, "1"), (2, "2"), (4, "4"), (5, "5")] {
        let both = vec![event(&a, id, payload), event(&b, id, payload)];
        bench.append_events(&at(time), &both).await;
    }
    for (before, limit, dropped, left) in [
        (1, 9, 0, &["3", "1", "2", "4", "5"][..]),
        (4, 2, 2, &["3", "4", "5"]),
        (4, 2, 1, &["4", "5"]),
        (4, 2, 0, &["4", "5"]),
        (9, 9, 2, &[]),
    ] {
        assert_eq!(bench.drop_events(&a, &at(before), &limit).await, dropped);
        assert_eq!(payloads(&bench, &a).await, left);
    }
    assert_eq!(payloads(&bench, &b).await.len(), 5);
}
