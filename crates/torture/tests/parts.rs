//! A little of each part that needs nothing but this process, and that what breaks the product on
//! purpose still can.

use std::path::{Path, PathBuf};
use std::process::Command;

use roadstead_torture::{Report, Work, model, schedules};

#[track_caller]
fn clean(report: anyhow::Result<Report>) -> Report {
    let report = report.expect("a run");
    assert!(report.findings.is_empty(), "{}", report.findings.join("\n"));
    report
}

#[test]
fn f06_f08_f09_f29_the_server_does_what_plain_maps_do() {
    let seed = 20;
    clean(model::run(Work { seed, amount: 6000 }));
}

#[test]
fn f01_f02_f17_f28_whoever_comes_first_all_is_as_one_after_the_other() {
    let report = clean(schedules::run(Work {
        seed: 20,
        amount: 600,
    }));
    assert!(report.counts[0].1 >= 600, "{:?}", report.counts);
}

#[test]
fn a_seed_gives_the_same_schedule_every_time() {
    for seed in 0..20 {
        let first = schedules::choices_of(seed).expect("a schedule");
        assert_eq!(schedules::choices_of(seed).expect("a schedule"), first);
    }
}

/// The patches of `cargo xtask torture --mutants`.
fn mutants() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mutants");
    let entries = std::fs::read_dir(folder).expect("the mutants");
    let mut patches: Vec<PathBuf> = entries.map(|one| one.expect("a patch").path()).collect();
    patches.sort();
    patches
}

#[test]
fn every_mutant_applies() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for patch in mutants() {
        let mut git = Command::new("git");
        let checked = git
            .current_dir(&root)
            .args(["apply", "--check"])
            .arg(&patch);
        let said = checked.output().expect("git");
        let why = String::from_utf8_lossy(&said.stderr);
        assert!(said.status.success(), "{}: {why}", patch.display());
    }
}
