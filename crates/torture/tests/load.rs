//! The part `load` with a small amount.

use roadstead_torture::{Work, load};

#[test]
fn what_many_clients_pushed_and_deleted_is_gone() {
    let report = load::run(Work {
        seed: 7,
        amount: 64,
    });
    let report = report.expect("the part runs");
    assert_eq!(report.findings, Vec::<String>::new(), "{:?}", report.counts);
}
