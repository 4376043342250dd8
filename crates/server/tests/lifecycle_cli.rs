//! Black box: `roadstead lifecycle`, beside a running server and without one. What a policy does is
//! taken from the rules of lifecycle.md 3.1 and its worked cases, what a command prints from
//! docs/lifecycle.md.

mod pushing;
mod support;

use pushing::{POLL, POLLS_MAX, Pusher};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use support::program::Said;
use support::server::{Server, run_roadstead, utf8};
use tempfile::TempDir;

/// The machine-readable cases of the reference.
const CASES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../domain/tests/data/lifecycle-cases.json"
);

/// `roadstead lifecycle <args>`.
fn lifecycle(args: &[&str]) -> Said {
    run_roadstead(&[&["lifecycle"], args].concat())
}

fn count_rule(priority: i32, prefix: &str, kept: u32) -> Value {
    json!({
        "rulePriority": priority,
        "selection": {
            "tagStatus": "tagged",
            "tagPrefixList": [prefix],
            "countType": "imageCountMoreThan",
            "countNumber": kept,
        },
        "action": { "type": "expire" },
    })
}

fn untagged_rule(priority: i32, days: u32) -> Value {
    json!({
        "rulePriority": priority,
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": days,
        },
        "action": { "type": "expire" },
    })
}

/// A server with `app`: three images tagged v1 to v3, the oldest first, and one without a tag.
struct Shelf {
    server: Server,
    pusher: Pusher,
    /// In the order in which they were pushed.
    digests: Vec<String>,
    folder: TempDir,
}

impl Shelf {
    fn start() -> Self {
        Self::of(Server::start_with(&["--dev"]))
    }

    fn of(server: Server) -> Self {
        let pusher = Pusher::of(&server);
        pusher.create("app");
        let tags = [Some("v1"), Some("v2"), Some("v3"), None];
        let push = |(at, tag): (usize, &Option<&str>)| pusher.push("app", &at.to_string(), *tag);
        Self {
            digests: tags.iter().enumerate().map(push).collect(),
            server,
            pusher,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn file(&self, name: &str, rules: &[Value]) -> PathBuf {
        let path = self.folder.path().join(name);
        let policy = json!({ "rules": rules }).to_string();
        fs::write(&path, policy).expect("a policy");
        path
    }

    fn ask(&self, args: &[&str]) -> Said {
        lifecycle(&[args, &["--data", utf8(self.server.data())]].concat())
    }

    fn ask_json(&self, args: &[&str]) -> Value {
        self.ask(&[args, &["--output", "json"]].concat())
            .expect_json()
    }
}

fn of_each<'v>(document: &'v Value, member: &str) -> Vec<&'v Value> {
    let images = document["images"].as_array().expect("images");
    images.iter().map(|image| &image[member]).collect()
}

/// A shelf whose policy expires v1 and v2, keeps the others, and has a rule for nothing.
fn shelf_with_policy() -> Shelf {
    let shelf = Shelf::start();
    let rules = [
        count_rule(3, "v", 1),
        untagged_rule(5, 7),
        count_rule(9, "x", 1),
    ];
    shelf.pusher.put_policy("app", &json!({ "rules": rules }));
    shelf
}

#[test]
fn explain_says_of_every_image_what_happens_and_why() {
    let shelf = shelf_with_policy();
    let found = shelf.ask_json(&["explain", "app"]);
    assert_eq!(found["schemaVersion"], 1);
    assert_eq!(found["repository"], "app");
    assert_eq!(found["account"], "000000000000");
    assert_eq!(found["region"], "us-east-1");
    assert_eq!(found["policy"]["rules"][0]["rulePriority"], 3);
    let digests: Vec<Value> = shelf.digests.iter().map(|digest| json!(digest)).collect();
    assert_eq!(
        of_each(&found, "digest"),
        digests.iter().collect::<Vec<_>>()
    );
    assert_eq!(
        of_each(&found, "action"),
        ["EXPIRE", "EXPIRE", "NONE", "NONE"]
    );
    assert_eq!(
        of_each(&found, "rule"),
        [&json!(3), &json!(3), &Value::Null, &Value::Null]
    );
    assert_eq!(
        of_each(&found, "claimedBy"),
        [&json!(3), &json!(3), &json!(3), &json!(5)]
    );
    let reasons = ["marked", "marked", "within_count", "not_old_enough"];
    assert_eq!(of_each(&found, "reason"), reasons);
    assert_eq!(found["images"][0]["tags"], json!(["v1"]));
    assert_eq!(
        found["images"][0]["details"],
        json!({ "rank": 3, "of": 3, "kept": 1 })
    );
    let sentences = of_each(&found, "why");
    assert!(
        sentences[0]
            .as_str()
            .expect("a sentence")
            .starts_with("expires by rule 3: ")
    );
    assert!(
        sentences[3]
            .as_str()
            .expect("a sentence")
            .starts_with("is kept by rule 5: ")
    );
}

#[test]
fn explain_counts_and_warns() {
    let shelf = shelf_with_policy();
    let found = shelf.ask_json(&["explain", "app"]);
    assert_eq!(
        found["totals"],
        json!({
            "images": 4, "expiring": 2, "transitioning": 0, "following": 0, "orphaned": 0, "kept": 2,
        })
    );
    let stats = json!([
        { "rule": 3, "matched": 3, "owned": 3, "acted": 2 },
        { "rule": 5, "matched": 1, "owned": 1, "acted": 0 },
        { "rule": 9, "matched": 0, "owned": 0, "acted": 0 },
    ]);
    assert_eq!(found["rules"], stats);
    let warnings = found["warnings"].as_array().expect("warnings");
    let is_there = |rule: i32, code: &str| {
        let is_it = |warning: &&Value| warning["rule"] == rule && warning["code"] == code;
        warnings.iter().any(|warning| is_it(&warning))
    };
    assert!(
        is_there(9, "matched-nothing") && !is_there(3, "matched-nothing"),
        "{warnings:?}"
    );
}

#[test]
fn explain_prints_a_table_for_people_and_does_nothing() {
    let shelf = shelf_with_policy();
    let table = shelf.ask(&["explain", "app"]).expect_success();
    let row = |at: usize| {
        let short = &shelf.digests[at][..19];
        let line = table.lines().find(|line| line.contains(short));
        line.unwrap_or_else(|| panic!("{table}")).to_owned()
    };
    assert!(
        row(0).starts_with("EXPIRE ") && row(0).contains(" v1 "),
        "{table}"
    );
    assert!(
        row(2).starts_with("KEEP ") && row(2).contains("is kept by rule 3"),
        "{table}"
    );
    assert!(
        table.contains("4 images: 2 expire, 0 move to the archive"),
        "{table}"
    );
    assert!(
        table.contains("warning: rule 9: matched-nothing: "),
        "{table}"
    );
    assert_eq!(
        shelf.pusher.tags("app"),
        ["v1", "v2", "v3"],
        "nothing was done"
    );
}

#[test]
fn explain_looks_at_another_day_and_at_a_policy_that_is_not_put() {
    let shelf = Shelf::start();
    let file = shelf.file("policy.json", &[untagged_rule(1, 7)]);
    let explain = ["explain", "app", "--policy", utf8(&file)];
    let now = shelf.ask_json(&explain);
    assert_eq!(of_each(&now, "action"), ["NONE"; 4]);
    let later = shelf.ask_json(&[&explain[..], &["--at", "2100-01-01"]].concat());
    assert_eq!(
        of_each(&later, "action"),
        ["NONE", "NONE", "NONE", "EXPIRE"]
    );
    assert_eq!(later["at"], "2100-01-01T00:00:00Z");
    assert_eq!(later["images"][3]["details"]["days"], 7);
    assert_eq!(later["images"][3]["details"]["since"], "pushed");

    let said = shelf.ask(&["explain", "app"]).expect_failure();
    assert!(said.contains("Lifecycle policy does not exist"), "{said}");
    let said = shelf.ask(&[&explain[..], &["--at", "soon"]].concat());
    assert!(said.expect_failure().contains("date"));
    let said = shelf.ask(&["explain", "other", "--policy", utf8(&file)]);
    assert!(
        said.expect_failure()
            .contains("The repository with name 'other' does not exist")
    );
}

#[test]
fn explain_compares_two_policies() {
    let shelf = Shelf::start();
    let rules = [count_rule(1, "v", 2)];
    shelf.pusher.put_policy("app", &json!({ "rules": rules }));
    // Keeps one less, and numbers its rule anew: only v2 is treated otherwise by it for good, and
    // v1 goes by a rule of another number.
    let file = shelf.file("new.json", &[count_rule(8, "v", 1)]);
    let found = shelf.ask_json(&["explain", "app", "--against", utf8(&file)]);
    assert_eq!(
        of_each(&found, "digest"),
        [&json!(shelf.digests[0]), &json!(shelf.digests[1])]
    );
    assert_eq!(of_each(&found, "action"), ["EXPIRE", "NONE"]);
    assert_eq!(of_each(&found, "rule"), [&json!(1), &Value::Null]);
    assert_eq!(found["images"][0]["against"]["rule"], 8);
    assert_eq!(found["images"][1]["against"]["action"], "EXPIRE");
    assert_eq!(found["differing"], 2);
    assert_eq!(found["totals"]["expiring"], 1);
    assert_eq!(found["against"]["totals"]["expiring"], 2);

    let turned = [
        "explain",
        "app",
        "--policy",
        utf8(&file),
        "--against",
        "in-force",
    ];
    let turned = shelf.ask_json(&turned);
    assert_eq!(of_each(&turned, "action"), ["EXPIRE", "EXPIRE"]);
    assert_eq!(turned["images"][1]["against"]["action"], "NONE");

    let table = shelf.ask(&["explain", "app", "--against", utf8(&file)]);
    let table = table.expect_success();
    let row = table
        .lines()
        .find(|line| line.contains(&shelf.digests[1][..19]));
    assert!(
        row.is_some_and(|row| row.starts_with("KEEP          EXPIRE by 8")),
        "{table}"
    );
    assert!(table.contains("2 images differ"), "{table}");

    let said = shelf.ask(&["explain", "app", "--against", "in-force"]);
    assert!(said.expect_failure().contains("--policy"));
}

#[test]
fn run_acts_and_runs_tells_of_it() {
    let shelf = Shelf::start();
    let rules = [count_rule(1, "v", 1)];
    shelf.pusher.put_policy("app", &json!({ "rules": rules }));
    let record = shelf.ask_json(&["run", "app"]);
    assert_eq!(record["ended"], "complete");
    assert_eq!(record["trigger"], "command");
    assert_eq!(
        (&record["images"], &record["expired"]),
        (&json!(4), &json!(2))
    );
    assert_eq!(shelf.pusher.tags("app"), ["v3"]);
    let said = shelf.ask(&["run", "app"]).expect_success();
    assert!(said.contains("0 of 2 images expired"), "{said}");

    let runs = shelf.ask_json(&["runs", "app"]);
    let runs = runs["runs"].as_array().expect("runs");
    let expired: Vec<&Value> = runs.iter().map(|run| &run["expired"]).collect();
    assert_eq!(expired, [0, 2], "the newest first");
    assert!(
        runs[0]["startedAt"]
            .as_str()
            .expect("an instant")
            .ends_with('Z')
    );
    let first = runs[1]["run"].to_string();
    let told = shelf.ask_json(&["runs", "app", "--run", &first]);
    assert_eq!(told["run"]["expired"], 2);
    let entries = told["entries"].as_array().expect("entries");
    let digests: Vec<&Value> = entries.iter().map(|entry| &entry["digest"]).collect();
    assert_eq!(digests, [&shelf.digests[0], &shelf.digests[1]]);
    assert_eq!(entries[0]["tags"], json!(["v1"]));
    assert_eq!(
        (&entries[0]["rule"], &entries[0]["outcome"]),
        (&json!(1), &json!("done"))
    );
    let table = shelf
        .ask(&["runs", "app", "--run", &first])
        .expect_success();
    assert!(table.contains("expired by rule 1"), "{table}");
    let said = shelf
        .ask(&["runs", "app", "--run", "999999"])
        .expect_failure();
    assert!(said.contains("999999"), "{said}");
}

#[test]
fn a_run_above_the_ceiling_does_nothing_unless_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("roadstead.toml");
    fs::write(&config, "[lifecycle]\nexpire_percent_max = 50\n").expect("a configuration");
    let data = folder.path().join("data");
    let server = Server::start_on(&data, &["--dev", "--config", utf8(&config)]);
    let pusher = Pusher::of(&server);
    pusher.create("app");
    for tag in ["v1", "v2", "v3"] {
        pusher.push("app", tag, Some(tag));
    }
    pusher.put_policy("app", &json!({ "rules": [count_rule(1, "v", 1)] }));
    let run = ["run", "app", "--data", utf8(&data)];
    let said = lifecycle(&run);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(
        said.stdout.contains("67 %") && said.stdout.contains("50 %"),
        "{said}"
    );
    assert_eq!(pusher.tags("app"), ["v1", "v2", "v3"]);
    lifecycle(&[&run[..], &["--above-ceiling"]].concat()).expect_success();
    assert_eq!(pusher.tags("app"), ["v3"]);
}

#[test]
fn commands_work_without_a_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let shelf = Shelf::of(Server::start_on(&data, &["--dev"]));
    shelf
        .pusher
        .put_policy("app", &json!({ "rules": [count_rule(1, "v", 1)] }));
    let digests = shelf.digests.clone();
    assert!(shelf.server.stop().success());
    let here = ["--data", utf8(&data), "--output", "json"];
    let found = lifecycle(&[&["explain", "app"], &here[..]].concat()).expect_json();
    assert_eq!(
        of_each(&found, "action"),
        ["EXPIRE", "EXPIRE", "NONE", "NONE"]
    );
    let record = lifecycle(&[&["run", "app"], &here[..]].concat()).expect_json();
    assert_eq!(record["expired"], 2);
    let found = lifecycle(&[&["explain", "app"], &here[..]].concat()).expect_json();
    let left = [&json!(digests[2]), &json!(digests[3])];
    assert_eq!(of_each(&found, "digest"), left);
    let said = lifecycle(&[
        "explain",
        "app",
        "--data",
        utf8(&folder.path().join("none")),
    ]);
    assert!(said.expect_failure().contains("there is no registry in"));
}

#[test]
fn the_server_runs_policies_and_previews_by_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("roadstead.toml");
    fs::write(&config, "[lifecycle]\ninterval_seconds = 1\n").expect("a configuration");
    let data = folder.path().join("data");
    let shelf = Shelf::of(Server::start_on(
        &data,
        &["--dev", "--config", utf8(&config)],
    ));
    let policy = json!({ "rules": [count_rule(1, "v", 1)] }).to_string();
    shelf.pusher.ecr(
        "StartLifecyclePolicyPreview",
        json!({ "repositoryName": "app", "lifecyclePolicyText": policy }),
    );
    let preview = || {
        let asked = json!({ "repositoryName": "app" });
        shelf.pusher.ecr("GetLifecyclePolicyPreview", asked)
    };
    wait_until(|| preview()["status"] == "COMPLETE");
    assert_eq!(preview()["summary"]["expiringImageTotalCount"], 2);
    assert_eq!(shelf.pusher.tags("app"), ["v1", "v2", "v3"]);
    shelf
        .pusher
        .put_policy("app", &json!({ "rules": [count_rule(1, "v", 1)] }));
    wait_until(|| shelf.pusher.tags("app") == ["v3"]);
    wait_until(|| shelf.ask_json(&["runs", "app"])["runs"][0]["trigger"] == "schedule");
}

fn wait_until(is_so: impl Fn() -> bool) {
    for _ in 0..POLLS_MAX {
        if is_so() {
            return;
        }
        std::thread::sleep(POLL);
    }
    panic!("not in time");
}

#[test]
fn the_cases_of_the_reference_pass() {
    let said = lifecycle(&["test", CASES]);
    assert_eq!(said.code, Some(0), "{said}");
    let reference: Value =
        serde_json::from_str(&fs::read_to_string(CASES).expect("the cases")).expect("JSON");
    let count = reference["cases"].as_array().expect("cases").len();
    let last = said.stdout.lines().last();
    assert_eq!(last, Some(format!("{count} passed, 0 failed").as_str()));
    assert!(
        said.stdout
            .contains("passed D01: age rule on a wildcard pattern\n"),
        "{said}"
    );
}

#[test]
fn every_outcome_of_a_case_can_be_had_as_json() {
    let found = lifecycle(&["test", CASES, "--output", "json"]).expect_json();
    assert_eq!(found["schemaVersion"], 1);
    assert_eq!(found["now"], "2026-01-01T00:00:00Z");
    let cases = found["cases"].as_array().expect("cases");
    let case = |id: &str| {
        let case = cases.iter().find(|case| case["id"] == id);
        case.unwrap_or_else(|| panic!("no case {id}"))
    };
    // lifecycle.md 7: `a=E1 b=k1 c=- d=-`.
    let d01 = case("D01");
    assert_eq!(d01["kind"], "evaluate");
    assert_eq!(
        d01["expect"]["a"],
        json!({ "action": "EXPIRE", "rule": 1, "claimedBy": 1, "reason": "marked" })
    );
    assert_eq!(d01["expect"]["b"]["reason"], "not_old_enough");
    assert_eq!(d01["expect"]["c"]["claimedBy"], Value::Null);
    assert_eq!(d01["summary"], json!({ "expiring": 1, "transitioning": 0 }));
    assert_eq!(case("V63")["expect"]["valid"], false);
}

fn one_case(action: &str) -> Value {
    json!({ "schemaVersion": 1, "now": "2026-01-01T00:00:00Z", "cases": [{
        "id": "mine",
        "kind": "evaluate",
        "policy": { "rules": [untagged_rule(1, 7)] },
        "images": [{ "digest": "a", "tags": [], "pushedAt": "2025-12-01T00:00:00Z" }],
        "expect": { "a": { "action": action } },
    }] })
}

#[test]
fn a_case_that_differs_is_told_and_ends_with_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, value: &Value| {
        let path = folder.path().join(name);
        fs::write(&path, value.to_string()).expect("a file");
        path
    };
    let right = write("right.json", &one_case("EXPIRE"));
    let wrong = write("wrong.json", &one_case("NONE"));
    let said = lifecycle(&["test", utf8(&right), utf8(&wrong)]);
    assert_eq!(said.code, Some(1), "{said}");
    assert!(said.stdout.contains("FAILED mine"), "{said}");
    assert!(
        said.stdout
            .contains(r#"image a: action: expected "NONE", found "EXPIRE""#),
        "{said}"
    );
    assert!(said.stdout.ends_with("1 passed, 1 failed\n"), "{said}");

    // What was found, kept as a file, passes.
    let said = lifecycle(&["test", utf8(&wrong), "--output", "json"]);
    assert_eq!(said.code, Some(1), "{said}");
    let kept = write(
        "kept.json",
        &serde_json::from_str(&said.stdout).expect("JSON"),
    );
    lifecycle(&["test", utf8(&kept)]).expect_success();
}

#[test]
fn a_file_that_is_no_file_of_cases_ends_with_2() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cases.json");
    let mut bad_policy = one_case("EXPIRE");
    bad_policy["cases"][0]["policy"]["rules"][0]["rulePriority"] = json!(0);
    let texts = [
        ("{", "cases.json"),
        ("{\"cases\": 1}", "cases: a list is missing"),
        (
            &bad_policy.to_string(),
            "numeric instance is lower than the required minimum (minimum: 1, found: 0)",
        ),
    ];
    for (text, expected) in texts {
        fs::write(&path, text).expect("a file");
        let said = lifecycle(&["test", utf8(&path)]);
        assert_eq!(said.code, Some(2), "{said}");
        assert!(format!("{said}").contains(expected), "{expected}: {said}");
    }
    let said = lifecycle(&["test", utf8(&folder.path().join("none.json")), CASES]);
    assert_eq!(said.code, Some(2), "{said}");
    assert!(
        said.stdout.contains("passed D01"),
        "the other file is run: {said}"
    );
}

#[test]
fn lint_warns_and_refuses_in_the_words_of_ecr() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("policy.json");
    let lint = |text: &str| {
        fs::write(&path, text).expect("a policy");
        lifecycle(&["lint", utf8(&path)])
    };
    // O01 of the reference: a list is an AND, and no tag starts with both.
    let mut and_list = count_rule(2, "dev", 1);
    and_list["selection"]["tagPrefixList"] = json!(["dev", "prod"]);
    let said = lint(&json!({ "rules": [and_list] }).to_string());
    assert!(said.stdout.contains("rule 2: and-list: "), "{said}");
    said.expect_success();

    let said = lint(&json!({ "rules": [count_rule(0, "v", 1)] }).to_string());
    assert_eq!(said.code, Some(2), "{said}");
    assert!(
        said.stderr.contains(
            "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: \
             'Lifecycle policy validation failure: \
             numeric instance is lower than the required minimum (minimum: 1, found: 0)\n'"
        ),
        "{said}"
    );
    let said = lint("{}");
    assert!(
        said.stderr
            .contains("Member must have length greater than or equal to 100"),
        "{said}"
    );
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let shelf = Shelf::start();
    let policy = shelf.file("policy.json", &[untagged_rule(1, 7)]);
    let mut command = Command::new(support::server::program_path());
    let data = utf8(shelf.server.data());
    command
        .args(["lifecycle", "explain", "app", "--data", data])
        .args(["--policy", utf8(&policy)])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.is_empty(), "{said}");
}

/// docs/undelete.md.
#[test]
fn what_was_deleted_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("roadstead.toml");
    fs::write(&config, "[undelete]\nwindow_seconds = 3600\n").expect("a configuration");
    let config = utf8(&config);
    let shelf = Shelf::of(Server::start_with(&["--dev", "--config", config]));
    let data = utf8(shelf.server.data());
    let undelete =
        |args: &[&str]| run_roadstead(&[&["undelete", "app", "--data", data], args].concat());
    let first = shelf.digests[0].as_str();

    let listed = undelete(&["--list"]).expect_success();
    assert_eq!(listed, "", "nothing is deleted yet");
    shelf.pusher.delete("app", json!({ "imageDigest": first }));
    let listed = undelete(&["--list"]).expect_success();
    assert!(listed.contains(first) && listed.contains("v1"), "{listed}");
    let json = undelete(&["--list", "--output", "json"]).expect_json();
    assert_eq!(json["deleted"][0]["digest"], first);
    assert_eq!(json["deleted"][0]["tags"], json!(["v1"]));

    let back = undelete(&[first]).expect_success();
    assert!(back.contains("is back  v1"), "{back}");
    assert!(shelf.pusher.tags("app").contains(&"v1".to_owned()));
    assert!(undelete(&[first]).expect_success().contains("was there"));
    undelete(&["sha256:no"]).expect_failure();
    // The repository is there: it cannot come back.
    undelete(&[]).expect_failure();
    let gone = json!({ "repositoryName": "app", "force": true });
    shelf.pusher.ecr("DeleteRepository", gone);
    let back = undelete(&[]).expect_success();
    assert!(back.contains("'app' is back"), "{back}");
    assert!(shelf.pusher.tags("app").contains(&"v1".to_owned()));
}
