//! The checker on hand-made values: null, unknown members, units of length, result shapes, limits.

use roadstead_api_model::{
    Kind, Operation, Path, REFUSALS_MAX, Refusal, Rule, Segment, Service, check,
};
use serde_json::{Value, json};

fn refusals(operation: Operation, body: &Value) -> Vec<Refusal> {
    check(operation.service(), operation.input_shape(), body)
}

#[test]
fn null_is_absent_and_unknown_members_pass() {
    let body = json!({ "repositoryName": "ab", "tags": null, "registryId": null, "new": [1] });
    assert_eq!(refusals(Operation::EcrCreateRepository, &body), []);
}

#[test]
fn refusals_come_in_model_order() {
    let body = json!({ "imageIds": [], "registryId": "1" });
    let at: Vec<String> = refusals(Operation::EcrBatchDeleteImage, &body)
        .iter()
        .map(|r| r.at.to_string())
        .collect();
    assert_eq!(at, ["registryId", "repositoryName", "imageIds"]);
}

#[test]
fn string_length_counts_characters() {
    // One character each, but four bytes and two UTF-16 units.
    let body =
        |n| json!({ "repositoryName": "ab", "imageIds": [{ "imageTag": "\u{1F600}".repeat(n) }] });
    assert_eq!(refusals(Operation::EcrBatchGetImage, &body(300)), []);
    let refused = refusals(Operation::EcrBatchGetImage, &body(301));
    let rules: Vec<&Rule> = refused.iter().map(|r| &r.rule).collect();
    assert_eq!(rules, [&Rule::MaxLength(300)]);
}

#[test]
fn blob_length_counts_decoded_bytes() {
    let part = |blob: &str| {
        json!({
            "repositoryName": "ab",
            "uploadId": "01234567-89ab-cdef-0123-456789abcdef",
            "partFirstByte": 0,
            "partLastByte": 0,
            "layerPartBlob": blob,
        })
    };
    let upload = Operation::EcrUploadLayerPart;
    assert_eq!(refusals(upload, &part("")), []);
    assert_eq!(refusals(upload, &part("YQ==")), []);
    // 20 MiB is 27 962 027 base64 characters and a bit: only the decoded length is within bounds.
    assert_eq!(
        refusals(upload, &part(&"AAAA".repeat(20 * 1024 * 1024 / 3))),
        []
    );
    let refused = refusals(upload, &part("YQ=*"));
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].rule, Rule::WrongType(Kind::Blob));
}

#[test]
fn patterns_match_the_whole_string() {
    let body = |digest: &str| json!({ "repositoryName": "ab", "layerDigest": digest });
    let operation = Operation::EcrGetDownloadUrlForLayer;
    for digest in ["sha256:ab", "a-b_c+d.e:AB09"] {
        assert_eq!(refusals(operation, &body(digest)), [], "{digest}");
    }
    for digest in [
        "sha256:ab ",
        " sha256:ab",
        "sha256:xy",
        "sha256:",
        "x\nsha256:ab",
        "sha256:ab\n",
    ] {
        assert_eq!(refusals(operation, &body(digest)).len(), 1, "{digest:?}");
    }
}

#[test]
fn word_characters_are_ascii() {
    let body = |arn: &str| json!({ "principalArn": arn });
    let operation = Operation::EcrRegisterPullTimeUpdateExclusion;
    assert_eq!(
        refusals(operation, &body("arn:aws:iam::123456789012:role/a_b")),
        []
    );
    assert_eq!(
        refusals(operation, &body("arn:aws:iam::123456789012:role/\u{e9}")).len(),
        1
    );
}

#[test]
fn map_keys_and_values_are_checked() {
    let body = json!({
        "serviceName": "web",
        "containers": { "App": { "ports": { "80": "GOPHER" } } },
    });
    let refused = refusals(Operation::LightsailCreateContainerServiceDeployment, &body);
    let at: Vec<&Path> = refused.iter().map(|r| &r.at).collect();
    let key = Path(vec![
        Segment::Member("containers"),
        Segment::Key("App".to_owned()),
    ]);
    let port = Path(vec![
        Segment::Member("containers"),
        Segment::Value("App".to_owned()),
        Segment::Member("ports"),
        Segment::Value("80".to_owned()),
    ]);
    assert_eq!(at, [&key, &port]);
    assert!(matches!(refused[0].rule, Rule::Pattern(_)));
    assert!(matches!(refused[1].rule, Rule::Enum(_)));
}

#[test]
fn results_are_checked_too() {
    let shape = Operation::EcrCreateRepository.output_shape();
    let good = json!({ "repository": { "repositoryName": "ab", "createdAt": 1.5 } });
    assert_eq!(check(Service::Ecr, shape, &good), []);
    let bad =
        json!({ "repository": { "repositoryName": "ab", "createdAt": "2020-01-01T00:00:00Z" } });
    let refused = check(Service::Ecr, shape, &bad);
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].rule, Rule::WrongType(Kind::Timestamp));
    assert_eq!(refused[0].at.to_string(), "repository.createdAt");
}

#[test]
fn a_flood_of_refusals_is_cut_off() {
    let body = json!({ "repositoryName": "ab", "tags": vec![json!({}); 100_000] });
    assert_eq!(
        refusals(Operation::EcrCreateRepository, &body).len(),
        REFUSALS_MAX
    );
}

#[test]
fn an_unknown_shape_lets_nothing_through() {
    let refused = check(Service::Ecr, "NoSuchShape", &json!({}));
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].rule, Rule::UnknownShape);
}
