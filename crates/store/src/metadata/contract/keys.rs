//! Cases about access keys and leases.

use roadstead_domain::ids::AccountId;

use super::bench::{Bench, at};
use crate::metadata::{AccessKey, MetadataStore};

fn access_key(bench: &Bench<'_>, account: &AccountId, label: &str) -> AccessKey {
    let id = format!("AKIA{}{label}", bench.account);
    AccessKey {
        sealed_secret: format!("\0\u{ff}{id}").into_bytes(),
        id,
        account: account.clone(),
        created_at: at(1),
        disabled_at: None,
    }
}

/// A key is stored once, read back to the byte, and stops working once.
pub async fn life_of_an_access_key(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let key = access_key(&bench, &bench.account, "A");
    assert_eq!(bench.access_key(&key.id).await, None);
    assert!(!bench.disable_access_key(&key.id, &at(2)).await);
    assert!(bench.insert_access_key(&key).await);
    let thief = AccessKey {
        account: bench.neighbour(),
        ..key.clone()
    };
    assert!(!bench.insert_access_key(&thief).await);
    assert_eq!(bench.access_key(&key.id).await, Some(key.clone()));
    assert_eq!(bench.access_key(&key.id.to_lowercase()).await, None);

    assert!(bench.disable_access_key(&key.id, &at(5)).await);
    assert!(bench.disable_access_key(&key.id, &at(6)).await);
    let disabled = bench.access_key(&key.id).await.expect("there");
    assert_eq!(
        disabled.disabled_at,
        Some(at(5)),
        "since when it does not work"
    );
}

/// Keys are listed by id, of one account or of all, disabled ones included.
pub async fn keys_by_account(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let neighbour = bench.neighbour();
    let [c, a] = ["C", "A"].map(|label| access_key(&bench, &bench.account, label));
    let b = access_key(&bench, &neighbour, "B");
    for key in [&c, &b, &a] {
        bench.insert_access_key(key).await;
    }
    bench.disable_access_key(&c.id, &at(2)).await;
    let c = AccessKey {
        disabled_at: Some(at(2)),
        ..c
    };
    let own = bench.access_keys(&Some(bench.account.clone())).await;
    assert_eq!(own, [a.clone(), c.clone()]);
    assert_eq!(
        bench.access_keys(&Some(neighbour)).await,
        std::slice::from_ref(&b)
    );
    let mut all = bench.access_keys(&None).await;
    assert!(all.is_sorted_by(|a, b| a.id < b.id));
    all.retain(|key| key.id.starts_with(&format!("AKIA{}", bench.account)));
    assert_eq!(all, [a, b, c]);
}

/// A lease has one holder until it runs out or is given back.
pub async fn leases_have_one_holder(store: &dyn MetadataStore, fresh: AccountId) {
    let bench = Bench::new(store, fresh);
    let lease = format!("sweep {}", bench.account);
    let [ann, bob] = ["ann", "bob"].map(str::to_owned);
    let other = format!("other {lease}");
    assert!(bench.claim_lease(&lease, &ann, &at(1), &at(10)).await);
    assert!(!bench.claim_lease(&lease, &bob, &at(9), &at(20)).await);
    assert!(bench.claim_lease(&other, &bob, &at(9), &at(20)).await);
    assert!(
        bench.claim_lease(&lease, &ann, &at(9), &at(15)).await,
        "renewed"
    );
    assert!(!bench.claim_lease(&lease, &bob, &at(14), &at(20)).await);
    assert!(
        bench.claim_lease(&lease, &bob, &at(15), &at(20)).await,
        "run out"
    );
    bench.release_lease(&lease, &ann).await;
    assert!(!bench.claim_lease(&lease, &ann, &at(16), &at(30)).await);
    bench.release_lease(&lease, &bob).await;
    assert!(bench.claim_lease(&lease, &ann, &at(16), &at(30)).await);

    let race = format!("race {lease}");
    let holders: Vec<String> = (0..10).map(|n| format!("node {n}")).collect();
    let (now, until) = (at(1), at(10));
    let claims = holders
        .iter()
        .map(|h| bench.claim_lease(&race, h, &now, &until));
    let claimed = futures_util::future::join_all(claims).await;
    assert_eq!(claimed.into_iter().filter(|claimed| *claimed).count(), 1);
}
