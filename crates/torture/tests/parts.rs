//! A little of each part that needs nothing but this process, and that what breaks the product on
//! purpose still can.

use std::path::{Path, PathBuf};
use std::process::Command;

use roadstead_registry::Rules;
use roadstead_testkit::Layout;
use roadstead_testkit::images;
use roadstead_torture::door::Door;
use roadstead_torture::house::House;
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

async fn push(door: &Door, layout: &Layout, tag: &str) {
    for blob in &layout.blobs {
        let digest = images::digest(blob);
        door.push("app", &digest, blob).await.expect(201);
    }
    door.put("app", tag, &layout.manifest).await.expect(201);
}

/// Rows that come from a backup, with bytes that are newer: what they name is whole, and nothing
/// that they do not name is there.
#[tokio::test]
async fn f44_rows_that_are_older_than_the_bytes_are_whole() {
    let mut door = Door::of(House::new(Rules::default()).expect("a house"))
        .await
        .expect("a login");
    door.create("app").await.expect(200);
    let (old, new) = (Layout::image("old"), Layout::image("new"));
    push(&door, &old, "old").await;
    let mut backup = Vec::new();
    let saved = door.house.restart_after(|rows| {
        backup = std::fs::read(rows)?;
        Ok(())
    });
    saved.expect("a backup");
    push(&door, &new, "new").await;
    let restored = door
        .house
        .restart_after(|rows| Ok(std::fs::write(rows, &backup)?));
    restored.expect("the backup");
    door.pull("app", "old").await.expect("all of it");
    door.manifest("app", "new").await.expect(404);
    push(&door, &new, "new").await;
    door.pull("app", "new").await.expect("all of it");
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
