//! Short runs of the parts that need a disk of their own or the real server: `crash`, `faults` and
//! `kill`. The first two mount a FUSE file system: they need `/dev/fuse` and root.

use roadstead_torture::{Report, Work, crash, faults, kill};

fn expect_nothing(report: Report) {
    println!("{:?}", report.counts);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

fn count(report: &Report, what: &str) -> u64 {
    let found = report.counts.iter().find(|(name, _)| *name == what);
    found.map_or(0, |(_, count)| *count)
}

#[test]
fn f12_f26_f27_no_power_cut_loses_what_was_acknowledged() {
    let (seed, amount) = (1, 120);
    let report = crash::run(Work { seed, amount }).expect("a mount needs /dev/fuse and root");
    assert!(count(&report, "distinct states of the disk") >= amount);
    expect_nothing(report);
}

#[test]
fn f14_f15_a_failing_disk_is_told_and_changes_nothing() {
    let (seed, amount) = (1, 25);
    let report = faults::run(Work { seed, amount }).expect("a mount needs /dev/fuse and root");
    assert!(count(&report, "failures met") > 0);
    expect_nothing(report);
}

#[test]
fn f25_f46_f47_no_kill_loses_what_was_acknowledged() {
    let (seed, amount) = (1, 9);
    let report = kill::run(Work { seed, amount }).expect("servers that start");
    assert_eq!(count(&report, "kills"), amount);
    expect_nothing(report);
}
