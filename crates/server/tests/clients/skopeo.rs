//! A new skopeo (`tests/skopeo.rs` has the one of the machine's release).

use serde_json::{Value, json};

use crate::bench::{Bench, list};

const LOGIN: &str = "skopeo login --tls-verify=false --username AWS --password-stdin $REGISTRY";
/// Both of the registry's ends of a copy speak plain HTTP.
const COPY: &str = "skopeo --insecure-policy copy --all --preserve-digests \
    --src-tls-verify=false --dest-tls-verify=false";

fn with_an_index() -> Bench {
    let bench = Bench::new();
    bench.ok(&format!(
        "aws ecr get-login-password | {LOGIN}
        {COPY} oci:layout:v1 docker://$REGISTRY/app:v1"
    ));
    bench
}

#[test]
fn an_index_goes_in_and_comes_back() {
    let bench = with_an_index();
    bench.assert_described("app", "v1");
    bench.ok(&format!("{COPY} docker://$REGISTRY/app:v1 oci:tagged:v1"));
    bench.assert_whole("tagged");
    bench.ok(&format!(
        "{COPY} docker://$REGISTRY/app@$INDEX oci:exact:v1"
    ));
    bench.assert_whole("exact");
    let raw = bench.ok("skopeo inspect --tls-verify=false --raw docker://$REGISTRY/app:v1");
    assert_eq!(raw.as_bytes(), bench.index.bytes);
    let tags = bench.ok("skopeo list-tags --tls-verify=false docker://$REGISTRY/app");
    let tags: Value = serde_json::from_str(&tags).expect("JSON");
    assert_eq!(tags["Tags"], json!(["v1"]));
}

#[test]
fn copies_and_whole_repositories() {
    let bench = with_an_index();
    bench.ok(&format!(
        "{COPY} docker://$REGISTRY/app:v1 docker://$REGISTRY/copy:v1"
    ));
    bench.assert_described("copy", "v1");
    bench.ok(
        "skopeo --insecure-policy sync --all --preserve-digests --src-tls-verify=false \
        --src docker --dest dir $REGISTRY/app synced",
    );
    bench.assert_whole("synced");
}

#[test]
fn layers_compressed_anew_by_zstd() {
    let bench = with_an_index();
    bench.ok(
        "skopeo --insecure-policy copy --all --src-tls-verify=false --dest-tls-verify=false \
        --dest-compress-format zstd --dest-force-compress-format \
        docker://$REGISTRY/app:v1 docker://$REGISTRY/copy:zstd",
    );
    let raw = bench.ok("skopeo inspect --tls-verify=false --raw docker://$REGISTRY/copy:zstd");
    let index: Value = serde_json::from_str(&raw).expect("JSON");
    let images = list(&index["manifests"]);
    assert_eq!(images.len(), 2);
    let mark = &images[0]["annotations"]["io.github.containers.compression.zstd"];
    assert_eq!(*mark, "true");
}

#[test]
fn signatures_of_sigstore_are_checked_on_the_way_out() {
    let bench = with_an_index();
    let address = &bench.server.address;
    let policy = json!({"default": [{"type": "reject"}], "transports": {"docker": {address: [{
        "type": "sigstoreSigned",
        "keyPath": bench.path("key.pub"),
        "signedIdentity": {"type": "matchRepository"},
    }]}}});
    bench.write("policy.json", policy.to_string());
    bench.ok("
        mkdir registries; echo secret > passphrase
        echo \"docker: {$REGISTRY: {use-sigstore-attachments: true}}\" > registries/here.yaml
        skopeo generate-sigstore-key --output-prefix key --passphrase-file passphrase
        skopeo --insecure-policy --registries.d registries copy --dest-tls-verify=false \
            --sign-by-sigstore-private-key key.private --sign-passphrase-file passphrase \
            --override-os linux --override-arch amd64 oci:layout:v1 docker://$REGISTRY/app:signed
        skopeo --policy policy.json --registries.d registries copy --src-tls-verify=false \
            docker://$REGISTRY/app:signed dir:out");
    let signature = format!("{}.sig", bench.digest("app", "signed").replace(':', "-"));
    assert!(bench.tags("app").contains(&signature));
    // The other image has no signature.
    bench.refused(
        "skopeo --policy policy.json --registries.d registries copy \
        --src-tls-verify=false docker://$REGISTRY/app@$SECOND dir:other",
    );
}

#[test]
fn an_image_is_deleted() {
    let bench = with_an_index();
    bench.ok("skopeo delete --tls-verify=false docker://$REGISTRY/app:v1");
    assert!(bench.tags("app").is_empty());
    bench.ok("skopeo logout $REGISTRY");
    let said = bench.refused("skopeo list-tags --tls-verify=false docker://$REGISTRY/app");
    assert!(said.contains("authentication required"), "{said}");
}
