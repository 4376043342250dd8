//! oras: artifacts, what is attached to images, and copies with it.

use serde_json::{Value, json};

use crate::bench::{Bench, lines, list};

const LOGIN: &str = "oras login $REGISTRY --plain-http --username AWS --password-stdin";
const SBOM: &str = "application/spdx+json";
const REPORT: &str = "application/vnd.example.report";

/// The index lies in `app:v1`, with an SBOM and a report, which has an SBOM itself.
fn with_attachments() -> Bench {
    let bench = Bench::logged_in(LOGIN);
    bench.ok("
        export ORAS='--plain-http --format json'
        oras cp --from-oci-layout layout:v1 --to-plain-http $REGISTRY/app:v1
        echo '{}' > sbom.json; echo fine > report.txt; echo '[]' > inner.json
        oras attach $ORAS --artifact-type application/spdx+json \
            $REGISTRY/app:v1 sbom.json:application/json
        report=$(oras attach $ORAS --artifact-type application/vnd.example.report \
            --annotation by=tests $REGISTRY/app:v1 report.txt:text/plain |
            sed -n 's/.*\"digest\": \"\\(sha256:[0-9a-f]*\\)\".*/\\1/p' | head -n 1)
        oras attach $ORAS --artifact-type application/spdx+json \
            $REGISTRY/app@$report inner.json:application/json");
    bench
}

fn discovered(bench: &Bench, words: &str) -> Vec<Value> {
    let text = bench.ok(&format!("oras discover --plain-http --format json {words}"));
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    list(&answer["referrers"])
}

#[test]
fn an_index_goes_in_and_comes_back() {
    let bench = Bench::logged_in(LOGIN);
    bench.ok("oras cp --from-oci-layout layout:v1 --to-plain-http $REGISTRY/app:v1");
    bench.assert_described("app", "v1");
    bench.ok("oras cp --from-plain-http $REGISTRY/app:v1 --to-oci-layout tagged:v1");
    bench.assert_whole("tagged");
    bench.ok("oras cp --from-plain-http $REGISTRY/app@$INDEX --to-oci-layout exact:v1");
    bench.assert_whole("exact");
    let resolved = bench.ok("oras resolve --plain-http $REGISTRY/app:v1");
    assert_eq!(resolved.trim(), bench.index.digest);
    bench.ok("oras tag --plain-http $REGISTRY/app:v1 v2 v3");
    let tags = bench.ok("oras repo tags --plain-http $REGISTRY/app");
    assert_eq!(lines(&tags), ["v1", "v2", "v3"]);
    let repositories = bench.ok("oras repo ls --plain-http $REGISTRY");
    assert_eq!(lines(&repositories), ["app", "copy"]);
}

#[test]
fn an_artifact_is_pushed_and_pulled() {
    let bench = Bench::logged_in(LOGIN);
    bench.ok("
        echo hello > note.txt
        oras push --plain-http $REGISTRY/app:note --artifact-type application/vnd.example.note \
            note.txt:text/plain
        oras pull --plain-http --output back $REGISTRY/app:note");
    assert_eq!(bench.read("back/note.txt"), b"hello\n");
    let detail = bench.detail("app", "imageTag=note");
    assert_eq!(detail["artifactMediaType"], "application/vnd.example.note");
    // `hello\n` and the empty configuration `{}`.
    assert_eq!(detail["imageSizeInBytes"], json!(8));
}

#[test]
fn attachments_are_discovered() {
    let bench = with_attachments();
    let found = discovered(&bench, "$REGISTRY/app:v1");
    assert_eq!(found.len(), 2);
    let types = [SBOM, REPORT];
    assert_eq!(bench.referrers("app", &bench.index.digest), types);
    let reports = discovered(
        &bench,
        &format!("--artifact-type {REPORT} $REGISTRY/app:v1"),
    );
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0]["annotations"]["by"], "tests");
    let below = list(&reports[0]["referrers"]);
    assert_eq!(below.len(), 0, "the filter goes all the way down");
    let none = discovered(&bench, "--artifact-type application/none $REGISTRY/app:v1");
    assert!(none.is_empty());
    assert_eq!(
        bench.tags("app"),
        ["v1"],
        "no tag stands in for the referrers API"
    );
}

#[test]
fn copies_take_attachments_along() {
    let bench = with_attachments();
    let said = bench.all_said(
        "oras cp --recursive --from-plain-http --to-plain-http $REGISTRY/app:v1 $REGISTRY/copy:v1",
    );
    assert!(said.contains("Mounted"), "{said}");
    bench.assert_described("copy", "v1");
    let found = discovered(&bench, "$REGISTRY/copy:v1");
    assert_eq!(found.len(), 2);
    let deep: usize = found.iter().map(|one| list(&one["referrers"]).len()).sum();
    assert_eq!(deep, 1);
}

#[test]
fn manifests_are_deleted() {
    let bench = with_attachments();
    let report = discovered(
        &bench,
        &format!("--artifact-type {REPORT} $REGISTRY/app:v1"),
    );
    let report = report[0]["digest"].as_str().expect("a digest");
    bench.ok(&format!(
        "oras manifest delete --plain-http --force $REGISTRY/app@{report}"
    ));
    assert_eq!(bench.referrers("app", &bench.index.digest), [SBOM]);
    bench.ok("oras manifest delete --plain-http --force $REGISTRY/app@$INDEX");
    let said = bench.refused("oras pull --plain-http $REGISTRY/app:v1");
    assert!(said.contains("not found"), "{said}");
}

#[test]
fn only_with_a_login() {
    let bench = Bench::new();
    let said = bench.refused(&format!("echo wrong | {LOGIN}"));
    assert!(said.contains("401"), "{said}");
    bench.refused("oras repo tags --plain-http $REGISTRY/app");
}
