//! Helm: charts as OCI artifacts.

use serde_json::json;

use crate::bench::{Bench, MANIFEST, lines};

const LOGIN: &str = "helm registry login $REGISTRY --plain-http --username AWS --password-stdin";

/// The chart `web` in two versions, pushed to `charts/web`.
fn with_charts() -> Bench {
    let bench = Bench::logged_in(LOGIN);
    bench.aws.create_repository("charts/web");
    bench.ok("
        helm create web
        helm package web --version 1.2.3
        helm package web --version 1.3.0-rc.1+build.5
        helm push --plain-http web-1.2.3.tgz oci://$REGISTRY/charts
        helm push --plain-http web-1.3.0-rc.1+build.5.tgz oci://$REGISTRY/charts");
    bench
}

#[test]
fn charts_are_pushed_shown_and_pulled() {
    let bench = with_charts();
    let shown = bench.ok("helm show chart --plain-http oci://$REGISTRY/charts/web --version 1.2.3");
    assert!(lines(&shown).contains(&"version: 1.2.3"), "{shown}");
    bench.ok("
        mkdir back
        helm pull --plain-http oci://$REGISTRY/charts/web --version 1.2.3 -d back
        helm pull --plain-http oci://$REGISTRY/charts/web --version 1.3.0-rc.1+build.5 -d back
        cmp web-1.2.3.tgz back/web-1.2.3.tgz
        cmp web-1.3.0-rc.1+build.5.tgz back/web-1.3.0-rc.1+build.5.tgz");
    let rendered = bench.ok("helm template it --plain-http oci://$REGISTRY/charts/web");
    assert!(rendered.contains("kind: Deployment"), "{rendered}");
}

#[test]
fn a_range_of_versions_and_a_digest_find_the_chart() {
    let bench = with_charts();
    let digest = bench.digest("charts/web", "1.2.3");
    bench.ok(&format!(
        "mkdir range exact
        helm pull --plain-http oci://$REGISTRY/charts/web --version '^1.0' -d range
        cmp web-1.2.3.tgz range/web-1.2.3.tgz
        helm pull --plain-http oci://$REGISTRY/charts/web@{digest} -d exact
        cmp web-1.2.3.tgz exact/*.tgz"
    ));
}

#[test]
fn what_the_api_says_of_charts() {
    let bench = with_charts();
    // A plus is no character of tags: Helm writes an underscore.
    assert_eq!(bench.tags("charts/web"), ["1.2.3", "1.3.0-rc.1_build.5"]);
    let detail = bench.detail("charts/web", "imageTag=1.2.3");
    assert_eq!(detail["imageManifestMediaType"], MANIFEST);
    let config = "application/vnd.cncf.helm.config.v1+json";
    assert_eq!(detail["artifactMediaType"], config);
    let chart = bench.read("web-1.2.3.tgz").len();
    let config =
        bench.ok("helm show chart --plain-http oci://$REGISTRY/charts/web --version 1.2.3");
    assert!(!config.is_empty());
    let size = detail["imageSizeInBytes"].as_u64().expect("a size");
    assert!(
        size > chart as u64,
        "the chart of {chart} bytes and its configuration: {size}"
    );

    let gone = bench.aws.delete_images("charts/web", &["imageTag=1.2.3"]);
    assert_eq!(gone["failures"], json!([]));
    let said =
        bench.refused("helm pull --plain-http oci://$REGISTRY/charts/web --version 1.2.3 -d .");
    assert!(said.contains("not found"), "{said}");
}

#[test]
fn a_repository_must_exist_and_a_login_be_there() {
    let bench = with_charts();
    let said = bench.refused("helm push --plain-http web-1.2.3.tgz oci://$REGISTRY/nowhere");
    assert!(
        said.contains("The repository with name 'nowhere/web' does not exist"),
        "{said}"
    );
    bench.ok("helm registry logout $REGISTRY");
    bench.refused("helm pull --plain-http oci://$REGISTRY/charts/web --version 1.2.3 -d .");
}
