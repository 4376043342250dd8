//! regctl.

use serde_json::Value;

use crate::bench::{Bench, lines, list};

/// regctl asks for TLS unless told otherwise; its ping without a login is a warning.
const LOGIN: &str = "{ regctl registry set $REGISTRY --tls disabled --skip-check
    regctl registry login $REGISTRY --user AWS --pass-stdin; }";

#[test]
fn an_index_goes_in_and_comes_back() {
    let bench = Bench::logged_in(LOGIN);
    bench.ok("regctl image copy ocidir://layout:v1 $REGISTRY/app:v1");
    bench.assert_described("app", "v1");
    let digest = bench.ok("regctl image digest $REGISTRY/app:v1");
    assert_eq!(digest.trim(), bench.index.digest);
    bench.ok("regctl image copy $REGISTRY/app:v1 ocidir://tagged:v1");
    bench.assert_whole("tagged");
    bench.ok("regctl image copy $REGISTRY/app@$INDEX ocidir://exact:v1");
    bench.assert_whole("exact");
    let raw = bench.ok("regctl manifest get $REGISTRY/app@$INDEX --format raw-body");
    assert_eq!(raw.as_bytes(), bench.index.bytes);
    assert_eq!(lines(&bench.ok("regctl tag ls $REGISTRY/app")), ["v1"]);
    assert_eq!(
        lines(&bench.ok("regctl repo ls $REGISTRY")),
        ["app", "copy"]
    );
    bench.ok("regctl image export $REGISTRY/app:v1 all.tar; mkdir all; tar -C all -xf all.tar");
    bench.assert_whole("all");
}

#[test]
fn copies_across_repositories_take_referrers_along() {
    let bench = Bench::logged_in(LOGIN);
    bench.ok("
        regctl image copy ocidir://layout:v1 $REGISTRY/app:v1
        echo '{}' > sbom.json
        regctl artifact put --artifact-type application/vnd.example.sbom \
            --subject $REGISTRY/app:v1 --file sbom.json
        regctl image copy --referrers $REGISTRY/app:v1 $REGISTRY/copy:v1");
    bench.assert_described("copy", "v1");
    let listed = bench.ok("regctl artifact list $REGISTRY/copy:v1 --format '{{json .}}'");
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let found = list(&listed["descriptors"]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["artifactType"], "application/vnd.example.sbom");
    let got = bench.ok("regctl artifact get --subject $REGISTRY/copy:v1 \
        --filter-artifact-type application/vnd.example.sbom");
    assert_eq!(got, "{}\n");
    let types = bench.referrers("app", &bench.index.digest);
    assert_eq!(types, ["application/vnd.example.sbom"]);
    assert_eq!(
        bench.tags("app"),
        ["v1"],
        "no tag stands in for the referrers API"
    );
}

#[test]
fn tags_manifests_and_changed_images() {
    let bench = Bench::logged_in(LOGIN);
    bench.ok("
        regctl image copy ocidir://layout:v1 $REGISTRY/app:v1
        regctl image mod $REGISTRY/app:v1 --create v2 --annotation by=regctl
        regctl tag delete $REGISTRY/app:v1");
    assert_eq!(bench.tags("app"), ["v2"]);
    // An image goes with its last tag (BatchDeleteImage), an index without its images.
    bench.refused("regctl manifest get $REGISTRY/app@$INDEX");
    bench.ok("regctl manifest get $REGISTRY/app@$FIRST");
    bench.ok("regctl manifest delete $REGISTRY/app@$(regctl image digest $REGISTRY/app:v2)");
    assert!(bench.tags("app").is_empty());
}

#[test]
fn blobs_go_in_pieces() {
    let bench = Bench::logged_in(LOGIN);
    bench.write("big", vec![7; 3 << 20]);
    let said = bench.ok("
        regctl registry set $REGISTRY --blob-chunk 1048576 --blob-max 1048576 --skip-check
        digest=$(regctl blob put $REGISTRY/app < big)
        regctl blob get $REGISTRY/app $digest > back; cmp big back; echo $digest");
    assert!(said.contains("sha256:"), "{said}");
}

#[test]
fn only_with_a_login() {
    let bench = Bench::new();
    let said = bench.refused(
        "
        regctl registry set $REGISTRY --tls disabled --skip-check
        regctl image copy ocidir://layout:v1 $REGISTRY/app:v1",
    );
    assert!(said.contains("unauthorized"), "{said}");
}
