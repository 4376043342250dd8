//! The conformance suite of the OCI distribution-spec against the real server, with a login.
//!
//! The suite ends well without a single result if its configuration is wrong, and what a registry
//! does not support it only skips. So its results are read, and every name in them has to be
//! accounted for: passed, or listed here and in `docs/conformance.md` with the reason.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use support::program::{limited, run, tool};
use support::server::{Server, utf8};

/// What guides name and this test checks.
const GUIDE: &str = include_str!("../../../docs/conformance.md");

/// Settings that differ from those of version 1.1 by default: what it leaves to registries, asked
/// for all the same.
const ASKED_FOR: [&str; 3] = [
    "OCI_API_BLOBS_DIGEST_HEADER",
    "OCI_API_BLOBS_UPLOAD_CANCEL",
    "OCI_API_MANIFESTS_DIGEST_HEADER",
];

/// What is switched off: an API or a kind of data; the guide has the reasons.
const SWITCHED_OFF: [&str; 4] = [
    "Manifest put with tag params",
    "Sparse Manifests",
    "Tag Param",
    "Tag Param sha512",
];

/// How many APIs and kinds of data this version of the suite knows.
const APIS: usize = 28;
const KINDS_OF_DATA: usize = 24;
/// More tests than this pass. The exact number varies by a few: the order of blobs is random.
const PASSES_MIN: u64 = 800;

#[test]
fn the_suite_of_the_oci_passes() {
    let suite = tool("TEST_OCI_CONFORMANCE");
    assert!(GUIDE.contains(version(&suite)), "another version is run");
    let server = Server::start();
    let aws = server.aws();
    for name in ["conformance/repo1", "conformance/repo2"] {
        aws.create_repository(name);
    }
    let password = aws.login_password();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let results = folder.path().join("results");
    let mut command = limited(&suite);
    without_settings(&mut command);
    command
        .current_dir(folder.path())
        .env("OCI_VERSION", "1.1")
        .env("OCI_REGISTRY", &server.address)
        .env("OCI_TLS", "disabled")
        .env("OCI_REPO1", "conformance/repo1")
        .env("OCI_REPO2", "conformance/repo2")
        .env("OCI_USERNAME", "AWS")
        .env("OCI_PASSWORD", password)
        .env("OCI_RESULTS_DIR", utf8(&results))
        .envs(ASKED_FOR.map(|name| (name, "true")));
    let said = run(&mut command);
    let text = fs::read_to_string(results.join("results.yaml"));
    let text = text.unwrap_or_else(|error| panic!("no results: {error}\n{said}"));
    let found = problems(&text, &said.stdout);
    assert!(found.is_empty(), "{}\n{said}", found.join("\n"));
    assert_eq!(said.code, Some(0), "{said}");
}

/// The folder of the program is named after its version.
fn version(suite: &Path) -> &str {
    let folder = suite.parent().and_then(Path::file_name);
    let name = folder.and_then(|name| name.to_str());
    name.filter(|name| name.starts_with('v'))
        .expect("a version")
}

/// Settings of whoever runs the tests are not for this run.
fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("OCI_") {
            command.env_remove(name);
        }
    }
}

/// Everything that is not as it should be.
fn problems(results: &str, printed: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (section, expected) in [("apis:", APIS), ("data:", KINDS_OF_DATA)] {
        let statuses = statuses(results, section);
        if statuses.len() != expected {
            found.push(format!("{section} {} results", statuses.len()));
        }
        for (name, status) in statuses {
            let is_off = SWITCHED_OFF.contains(&name);
            let expected = if is_off { "Disabled" } else { "Pass" };
            if status != expected {
                found.push(format!("{name}: {status}"));
            }
            if is_off && !GUIDE.contains(&format!("| {name} |")) {
                found.push(format!("{name} is off and the guide does not say why"));
            }
        }
    }
    let count = |status: &str| counted(printed, status);
    for status in ["Skip", "FAIL", "Error"] {
        if count(status) != Some(0) {
            found.push(format!("{status}: {:?}", count(status)));
        }
    }
    if count("Pass").is_none_or(|passes| passes < PASSES_MIN) {
        found.push(format!("passed: {:?}", count("Pass")));
    }
    found
}

/// The entries `name: status` of one section of `results.yaml`.
fn statuses<'t>(results: &'t str, section: &str) -> BTreeMap<&'t str, &'t str> {
    let lines = results.lines().skip_while(|line| *line != section).skip(1);
    let entries = lines.take_while(|line| line.starts_with("  "));
    entries
        .filter_map(|line| line.trim().split_once(": "))
        .collect()
}

/// How many tests ended so, as the summary prints it: `  Pass....:   642`.
fn counted(printed: &str, status: &str) -> Option<u64> {
    let (_, summary) = printed.split_once("OCI Conformance Result:")?;
    let mut lines = summary.lines().filter_map(|line| line.split_once(':'));
    let line = lines.find(|(name, _)| name.trim().trim_end_matches('.') == status);
    line.and_then(|(_, count)| count.trim().parse().ok())
}

#[test]
fn what_is_missing_or_skipped_is_noticed() {
    let good =
        "OCI Conformance Result: Pass\n  Skip....:  0\n  Pass...:  900\n  FAIL..: 0\n  Error.: 0\n";
    let results = |odd: &str| {
        let apis: String = (0..APIS - 1)
            .map(|n| format!("  Api {n}: Pass\n"))
            .collect();
        let data: String = (0..KINDS_OF_DATA)
            .map(|n| format!("  Kind {n}: Pass\n"))
            .collect();
        format!("config:\n  apis:\n    push: true\napis:\n{apis}{odd}data:\n{data}")
    };
    assert_eq!(problems(&results("  Last: Pass\n"), good), [""; 0]);
    for odd in ["", "  Last: Skip\n", "  Last: FAIL\n", "  Last: Disabled\n"] {
        assert_eq!(problems(&results(odd), good).len(), 1, "{odd}");
    }
    for (from, to) in [
        ("  0\n  Pass", "  1\n  Pass"),
        ("900", "9"),
        ("FAIL..: 0", "FAIL..: 2"),
    ] {
        let printed = good.replace(from, to);
        assert_eq!(
            problems(&results("  Last: Pass\n"), &printed).len(),
            1,
            "{to}"
        );
    }
    assert!(!problems("", "").is_empty());
}
