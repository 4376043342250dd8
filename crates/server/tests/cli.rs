//! Black box: the server program's own commands, its start, its end and what it refuses.

mod pushing;
mod support;

use pushing::Pusher;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use support::aws::AwsCli;
use support::server::{ACCOUNT, Server, create_key, free_address, run_roadstead, status_of, utf8};

#[test]
fn a_key_made_beside_a_running_server_works_at_once() {
    let server = Server::start();
    let first = create_key(server.data());
    let second = create_key(server.data());
    assert_ne!(first, second);
    for key in [first, second] {
        let aws = AwsCli::new(server.url(), key);
        let identity = aws.run(&["sts", "get-caller-identity"]).expect_json();
        assert_eq!(identity["Account"], ACCOUNT);
    }
}

#[test]
fn a_key_made_without_a_server_works_after_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let key = create_key(&data);
    let server = Server::start_on(&data, &[]);
    let aws = AwsCli::new(server.url(), key);
    assert_eq!(aws.create_repository("app")["registryId"], ACCOUNT);
}

#[test]
fn what_was_stored_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Server::start_on(&data, &[]);
    server.aws().create_repository("app");
    assert!(server.stop().success());
    let server = Server::start_on(&data, &[]);
    let found = server.aws().ecr(&["describe-repositories"]);
    assert_eq!(found["repositories"][0]["repositoryName"], "app");
}

#[test]
fn a_data_folder_has_one_server() {
    let server = Server::start();
    let address = free_address();
    let second = ["serve", "--data", utf8(server.data()), "--listen", &address];
    let said = run_roadstead(&second).expect_failure();
    assert!(
        said.contains(utf8(server.data())),
        "names the folder: {said}"
    );
    assert!(status_of(&address, "/readyz").is_err());
    assert!(server.is_ready(), "the first one is not disturbed");
}

#[test]
fn sigterm_ends_it_cleanly() {
    let server = Server::start();
    let address = server.address.clone();
    let status = server.stop();
    assert_eq!(status.code(), Some(0));
    assert!(status_of(&address, "/readyz").is_err());
}

#[test]
fn the_first_start_prints_the_root_key_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Server::start_on(&data, &[]);
    let first = access_key_ids(&server.log());
    assert_eq!(first.len(), 1, "{}", server.log());
    server.stop();
    let server = Server::start_on(&data, &[]);
    // The log goes on in the same file: nothing may have been added.
    let whole = server.log();
    assert_eq!(access_key_ids(&whole), first);
    for id in &first {
        assert_eq!(whole.matches(id.as_str()).count(), 1, "{whole}");
    }
}

#[test]
fn dev_is_for_the_loopback_address_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let port = free_address().replace("127.0.0.1:", "");
    let listen = format!("0.0.0.0:{port}");
    let said = run_roadstead(&["serve", "--dev", "--data", utf8(&data), "--listen", &listen])
        .expect_failure();
    assert!(said.contains("--dev") && said.contains(&listen), "{said}");
}

#[test]
fn a_configuration_with_an_unknown_key_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("roadstead.toml");
    fs::write(&config, "[sweep]\ngrace_second = 0\n").expect("a configuration");
    let data = folder.path().join("data");
    let address = free_address();
    let said = run_roadstead(&[
        "serve",
        "--config",
        utf8(&config),
        "--data",
        utf8(&data),
        "--listen",
        &address,
    ])
    .expect_failure();
    assert!(said.contains("grace_second"), "names the key: {said}");
}

#[test]
fn a_configuration_with_a_mistake_does_not_tell_its_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("roadstead.toml");
    let data = folder.path().join("data");
    let serve = ["serve", "--config", utf8(&config), "--data", utf8(&data)];
    for (text, place) in [
        (
            "webhooks = 'https://user:hunter2@host/x'",
            "line 2, column 12",
        ),
        ("secret = 'hunter2", "line 2"),
        ("secret = hunter2", "line 2"),
    ] {
        fs::write(&config, format!("[events]\n{text}\n")).expect("a configuration");
        let said = run_roadstead(&serve).expect_failure();
        assert!(
            said.contains(utf8(&config)) && said.contains(place),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}

#[test]
fn what_was_deleted_under_a_window_comes_back_without_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("roadstead.toml");
    fs::write(&config, "[undelete]\nwindow_seconds = 3600\n").expect("a configuration");
    let data = folder.path().join("data");
    let server = Server::start_on(&data, &["--dev", "--config", utf8(&config)]);
    let pusher = Pusher::of(&server);
    pusher.create("app");
    let digest = pusher.push("app", "a", Some("v1"));
    pusher.delete("app", json!({ "imageDigest": digest }));
    assert!(server.stop().success());
    let server = Server::start_on(&data, &["--dev"]);
    let undelete = |args: &[&str]| {
        let place = ["undelete", "app", "--data", utf8(&data)];
        run_roadstead(&[&place, args].concat())
    };
    assert!(undelete(&[&digest]).expect_success().contains("is back"));
    assert_eq!(Pusher::of(&server).tags("app"), ["v1"]);
    let other = format!("sha256:{}", "0".repeat(64));
    let said = undelete(&[&other]).expect_failure();
    let expected = format!("no deleted image '{other}' is kept in 'app'");
    assert!(said.contains(&expected), "{said}");
}

/// Words that look like access key ids: 20 characters from `AKIA`.
fn access_key_ids(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| word.starts_with("AKIA") && word.len() == 20)
        .map(str::to_owned)
        .collect()
}
