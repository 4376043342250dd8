//! `roadstead doctor` beside a running server and without one.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::bench::flip;
use crate::pushing::Pusher;
use crate::support::program::Said;
use crate::support::server::{Server, run_roadstead, utf8};

fn doctor(data: &Path, more: &[&str]) -> Said {
    let mut args = vec!["doctor", "--data", utf8(data)];
    args.extend_from_slice(more);
    run_roadstead(&args)
}

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// The files of blobs, what was set aside left out.
fn files(data: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(data.join("blobs")).expect("a folder");
    let folders = folders.map(|entry| entry.expect("an entry").path());
    let folders = folders.filter(|path| path.file_name().is_some_and(|name| name.len() == 2));
    folders
        .flat_map(|folder| fs::read_dir(folder).expect("a folder"))
        .map(|entry| entry.expect("an entry").path())
        .collect()
}

#[test]
fn it_looks_beside_a_server_and_without_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Server::start_on(&data, &["--dev"]);
    let pusher = Pusher::of(&server);
    pusher.create("app");
    let image = pusher.push("app", "one", Some("v1"));
    let well = doctor(&data, &["--json"]);
    assert_eq!(well.code, Some(0), "{well}");
    let report = json(&well);
    assert_eq!(report["findings"], serde_json::json!([]));
    assert_eq!(report["checked"]["images"], 1);
    assert_eq!(report["checked"]["blobs"], 1);
    assert_eq!(report["checked"]["bytes"], 2);

    let [file] = &files(&data)[..] else {
        panic!("one blob, one file");
    };
    flip(file, 0);
    let dry = doctor(&data, &["--dry-run", "--rate", "1MiB"]);
    assert_eq!(dry.code, Some(1), "{dry}");
    for part in ["blob-rotten", &image, "v1", "1 finding"] {
        assert!(dry.stdout.contains(part), "{part}: {dry}");
    }
    assert!(file.exists());
    assert!(server.stop().success());

    let found = doctor(&data, &["--output", "json"]);
    assert_eq!(found.code, Some(1), "{found}");
    let finding = &json(&found)["findings"][0];
    assert_eq!(finding["kind"], "blob-rotten");
    assert_eq!(finding["action"], "set-aside");
    assert_eq!(finding["images"][0]["digest"], image.as_str());
    assert!(!file.exists());
    let name = file.file_name().expect("a name");
    assert!(data.join("blobs/quarantine").join(name).exists());

    let server = Server::start_on(&data, &["--dev"]);
    Pusher::of(&server).create_over_oci("app");
    let healed = doctor(&data, &[]);
    assert_eq!(healed.code, Some(0), "{healed}");
    assert!(healed.stdout.contains("all is well"), "{healed}");
}

#[test]
fn it_says_when_it_cannot_look() {
    let folder = tempfile::tempdir().expect("a folder");
    let nothing = doctor(&folder.path().join("nothing"), &["--json"]);
    assert_eq!(nothing.code, Some(2), "{nothing}");
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("a folder");
    fs::write(
        data.join("metadata.sqlite"),
        "not a database, whatever its name says",
    )
    .expect("written");
    let broken = doctor(&data, &[]);
    assert_eq!(broken.code, Some(2), "{broken}");
    let wrong = doctor(&data, &["--rate", "fast"]);
    assert_eq!(wrong.code, Some(2), "{wrong}");
}
