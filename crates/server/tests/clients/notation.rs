//! Notation with certificates made here.

use serde_json::json;

use crate::bench::Bench;
use crate::support::program::Said;

const SIGNATURE: &str = "application/vnd.cncf.notary.signature";

struct Notary(Bench);

impl Notary {
    /// The index lies in `app:v1`; there are the certificates `one` and `two`.
    fn new() -> Self {
        let bench = Bench::logged_in("cat > password");
        bench.ok("
            oras login $REGISTRY --plain-http --username AWS --password-stdin < password
            oras cp --from-oci-layout layout:v1 --to-plain-http $REGISTRY/app:v1
            notation cert generate-test --default one
            notation cert generate-test two");
        Self(bench)
    }

    /// `notation login` wants a credential store of the desktop; elsewhere the login is given so.
    fn run(&self, words: &str) -> Said {
        self.0.run(&format!(
            "export NOTATION_USERNAME=AWS NOTATION_PASSWORD=$(cat password)
            notation {words} --insecure-registry $REGISTRY/app@$INDEX"
        ))
    }

    /// By the referrers API, which Notation 1 uses when it is told to.
    fn sign(&self, flags: &str) {
        self.run(&format!("sign --force-referrers-tag=false {flags}"))
            .expect_success();
    }

    /// Verifies while trusting one of the certificates alone.
    fn verify(&self, certificate: &str) -> Said {
        let policy = json!({"version": "1.0", "trustPolicies": [{
            "name": "all",
            "registryScopes": ["*"],
            "signatureVerification": {"level": "strict"},
            "trustStores": [format!("ca:{certificate}")],
            "trustedIdentities": ["*"],
        }]});
        self.0.write("policy.json", policy.to_string());
        self.0.ok("notation policy import --force policy.json");
        self.run("verify")
    }
}

#[test]
fn signatures_refer_to_the_image() {
    let notary = Notary::new();
    let bench = &notary.0;
    notary.verify("one").expect_failure();
    notary.sign("");
    notary.sign("--signature-format cose");
    let said = notary.verify("one").expect_success();
    assert!(said.contains("Successfully verified"), "{said}");
    let said = notary.verify("two").expect_failure();
    assert!(said.contains("verification failed"), "{said}");

    let types = bench.referrers("app", &bench.index.digest);
    assert_eq!(types, [SIGNATURE, SIGNATURE]);
    let listed = notary.run("ls").expect_success();
    assert_eq!(
        listed.matches("sha256:").count(),
        3,
        "the image and two: {listed}"
    );
    let inspected = notary.run("inspect").expect_success();
    assert!(inspected.contains("application/jose+json"), "{inspected}");
    assert!(inspected.contains("application/cose"), "{inspected}");
    let found = bench.ok("oras discover --plain-http $REGISTRY/app@$INDEX");
    assert!(found.contains(SIGNATURE), "{found}");
    assert_eq!(
        bench.tags("app"),
        ["v1"],
        "no tag stands in for the referrers API"
    );
}

#[test]
fn by_itself_notation_keeps_a_tag_too() {
    let notary = Notary::new();
    let bench = &notary.0;
    notary.run("sign").expect_success();
    let tag = bench.index.digest.replace(':', "-");
    assert_eq!(bench.tags("app"), [tag, "v1".to_owned()]);
    notary.verify("one").expect_success();
    assert_eq!(bench.referrers("app", &bench.index.digest), [SIGNATURE]);
}

#[test]
fn without_its_subject_a_signature_verifies_nothing() {
    let notary = Notary::new();
    let bench = &notary.0;
    notary.sign("");
    bench.aws.delete_images("app", &["imageTag=v1"]);
    let said = notary.verify("one").expect_failure();
    assert!(said.contains("not found"), "{said}");
}
