//! cosign with keys made here and no transparency log, in both of its schemes: signatures under a
//! tag that is made of the image's digest, and bundles that refer to the image.

use crate::bench::{Bench, list};
use crate::support::program::Said;

const LOGIN: &str = "cosign login $REGISTRY --username AWS --password-stdin";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// How each scheme is asked for.
const BY_TAG: &str = "--new-bundle-format=false";
const BY_REFERRER: &str = "--new-bundle-format=true";

struct Signer(Bench);

impl Signer {
    /// The index lies in `app:v1`; there are the keys `one` and `two`.
    fn new() -> Self {
        let bench = Bench::logged_in(LOGIN);
        // The same login serves both: each keeps it in Docker's configuration.
        bench.ok("
            oras cp --from-oci-layout layout:v1 --to-plain-http $REGISTRY/app:v1
            export COSIGN_PASSWORD=secret
            cosign generate-key-pair --output-key-prefix one
            cosign generate-key-pair --output-key-prefix two");
        Self(bench)
    }

    fn sign(&self, scheme: &str) {
        self.0.ok(&format!(
            "COSIGN_PASSWORD=secret cosign sign --key one.key --tlog-upload=false \
             --use-signing-config=false {scheme} --yes $REGISTRY/app@$INDEX"
        ));
    }

    fn verify(&self, key: &str, scheme: &str, image: &str) -> Said {
        self.0.run(&format!(
            "cosign verify --key {key}.pub --insecure-ignore-tlog=true {scheme} $REGISTRY/{image}"
        ))
    }

    /// The tag of the old scheme.
    fn tag(&self) -> String {
        format!("{}.sig", self.0.index.digest.replace(':', "-"))
    }
}

#[test]
fn signatures_under_a_tag() {
    let signer = Signer::new();
    let bench = &signer.0;
    signer.verify("one", BY_TAG, "app@$INDEX").expect_failure();
    signer.sign(BY_TAG);
    for image in ["app@$INDEX", "app:v1"] {
        let said = signer.verify("one", BY_TAG, image).expect_success();
        assert!(said.contains(&bench.index.digest), "{said}");
        signer.verify("two", BY_TAG, image).expect_failure();
    }
    assert_eq!(bench.tags("app"), [signer.tag(), "v1".to_owned()]);
    assert!(bench.referrers("app", &bench.index.digest).is_empty());
    let tree = bench.ok("cosign tree $REGISTRY/app@$INDEX");
    assert!(tree.contains(&signer.tag()), "{tree}");

    // Nothing binds that tag to the image but its name.
    bench.ok("oras manifest delete --plain-http --force $REGISTRY/app@$INDEX");
    signer.verify("one", BY_TAG, "app@$INDEX").expect_success();
    assert_eq!(bench.tags("app"), [signer.tag()]);
}

#[test]
fn signatures_that_refer_to_the_image() {
    let signer = Signer::new();
    let bench = &signer.0;
    signer
        .verify("one", BY_REFERRER, "app@$INDEX")
        .expect_failure();
    signer.sign(BY_REFERRER);
    for image in ["app@$INDEX", "app:v1"] {
        let said = signer.verify("one", BY_REFERRER, image).expect_success();
        assert!(said.contains(&bench.index.digest), "{said}");
        signer.verify("two", BY_REFERRER, image).expect_failure();
    }
    assert_eq!(bench.tags("app"), ["v1"]);
    assert_eq!(bench.referrers("app", &bench.index.digest), [BUNDLE]);
    let tree = bench.ok("cosign tree $REGISTRY/app@$INDEX");
    assert!(tree.contains("via OCI referrer"), "{tree}");
    let found = bench.ok("oras discover --plain-http $REGISTRY/app@$INDEX");
    assert!(found.contains(BUNDLE), "{found}");

    bench.ok("oras cp --recursive --from-plain-http --to-plain-http \
        $REGISTRY/app:v1 $REGISTRY/copy:v1");
    let copied = signer.verify("one", BY_REFERRER, "copy:v1");
    copied.expect_success();
}

#[test]
fn attestations_are_verified() {
    let signer = Signer::new();
    let bench = &signer.0;
    bench.ok("
        echo '{\"made\": \"here\"}' > predicate.json
        COSIGN_PASSWORD=secret cosign attest --key one.key --tlog-upload=false \
            --use-signing-config=false --type custom --predicate predicate.json --yes \
            $REGISTRY/app@$INDEX");
    let verify = |key: &str| {
        bench.run(&format!(
            "cosign verify-attestation --key {key}.pub --insecure-ignore-tlog=true \
             --type custom $REGISTRY/app@$INDEX"
        ))
    };
    assert!(verify("one").expect_success().contains("payload"));
    verify("two").expect_failure();
    assert_eq!(bench.referrers("app", &bench.index.digest), [BUNDLE]);
}

#[test]
fn both_schemes_are_cleaned_up() {
    let signer = Signer::new();
    let bench = &signer.0;
    signer.sign(BY_TAG);
    signer.sign(BY_REFERRER);
    bench.ok("cosign clean --force $REGISTRY/app@$INDEX");
    assert_eq!(bench.tags("app"), ["v1"]);
    assert!(bench.referrers("app", &bench.index.digest).is_empty());
    for scheme in [BY_TAG, BY_REFERRER] {
        signer.verify("one", scheme, "app@$INDEX").expect_failure();
    }
}

#[test]
fn a_deleted_subject_takes_its_signature_from_view() {
    let signer = Signer::new();
    let bench = &signer.0;
    signer.sign(BY_REFERRER);
    let oras = "oras discover --plain-http --format json $REGISTRY/app:v1";
    let found: serde_json::Value = serde_json::from_str(&bench.ok(oras)).expect("JSON");
    let signature = list(&found["referrers"])[0]["digest"].clone();
    let signature = signature.as_str().expect("a digest");
    bench.aws.delete_images("app", &["imageTag=v1"]);
    signer.verify("one", BY_REFERRER, "app:v1").expect_failure();
    // It is an image of its own, and stays until it is deleted itself.
    let id = format!("imageDigest={signature}");
    assert_eq!(bench.detail("app", &id)["imageDigest"], signature);
    bench.aws.delete_images("app", &[&id]);
    bench.refused(&format!("crane manifest $REGISTRY/app@{signature}"));
}
