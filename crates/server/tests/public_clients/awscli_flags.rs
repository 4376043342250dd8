//! Every flag that the page of `aws ecr-public batch-delete-image` lists, as version 1 of the AWS
//! CLI has them.
//!
//! `--cli-input-yaml` and the value `yaml-input` of `--generate-cli-skeleton` are version 2's,
//! which no package registry has: what version 1 says of them is held instead.

use serde_json::{Value, json};

use crate::support::aws::AwsCli;
use crate::support::images::Image;
use crate::support::server::{ACCOUNT, Key, utf8};
use crate::{NAME, Registry};

fn head() -> Vec<&'static str> {
    vec!["batch-delete-image", "--repository-name", NAME]
}

fn deleted(image: &Image, tag: &str) -> Value {
    json!({
        "failures": [],
        "imageIds": [{ "imageDigest": image.digest(), "imageTag": tag }],
    })
}

fn not_found(tag: &str) -> Value {
    json!({
        "failureCode": "ImageNotFound",
        "failureReason": "Requested image not found",
        "imageId": { "imageTag": tag },
    })
}

/// A registry with an image of many tags.
fn with_tags(tags: &[&str]) -> (Registry, Image) {
    let registry = Registry::start();
    let image = Image::new("flags", "amd64");
    registry.aws.push_publicly(NAME, &image, tags);
    (registry, image)
}

#[test]
fn image_ids_in_short_form_in_json_and_in_a_file() {
    let (registry, image) = with_tags(&["a", "b", "c", "d", "e", "f", "kept"]);
    let aws = &registry.aws;
    let delete = |ids: &[&str]| {
        let flag = ["--image-ids"];
        aws.public(&[&head()[..], &flag, ids].concat())
    };
    assert_eq!(delete(&["imageTag=a"]), deleted(&image, "a"));
    let both = format!("imageDigest={},imageTag=b", image.digest());
    assert_eq!(delete(&[&both]), deleted(&image, "b"));
    let answer = delete(&["imageTag=c", "imageTag=nope"]);
    let mut expected = deleted(&image, "c");
    expected["failures"] = json!([not_found("nope")]);
    assert_eq!(answer, expected);
    assert_eq!(delete(&[r#"[{"imageTag":"d"}]"#]), deleted(&image, "d"));
    let ids = json!([{ "imageDigest": image.digest(), "imageTag": "e" }]);
    assert_eq!(delete(&[&ids.to_string()]), deleted(&image, "e"));
    let file = aws.file("ids.json", br#"[ { "imageTag": "f" } ]"#);
    let file = format!("file://{}", utf8(&file));
    assert_eq!(delete(&[&file]), deleted(&image, "f"));
    let by_digest = format!("imageDigest={}", image.digest());
    assert_eq!(delete(&[&by_digest]), deleted(&image, "kept"));
    assert_eq!(registry.tags(), [""; 0]);
}

#[test]
fn the_registry_by_account_and_by_alias() {
    let (registry, image) = with_tags(&["a", "b", "c"]);
    let aws = &registry.aws;
    for (id, tag) in [(ACCOUNT, "a"), (registry.alias.as_str(), "b")] {
        let tag_id = format!("imageTag={tag}");
        let ids = ["--registry-id", id, "--image-ids", &tag_id];
        let answer = aws.public(&[&head()[..], &ids].concat());
        assert_eq!(answer, deleted(&image, tag));
    }
    let ids = ["--registry-id", "z9z9z9z9", "--image-ids", "imageTag=c"];
    let said = aws.public_refused(&[&head()[..], &ids].concat());
    assert_eq!(
        said,
        format!(
            "An error occurred (RepositoryNotFoundException) when calling the BatchDeleteImage \
             operation: The repository with name '{NAME}' does not exist in the registry with \
             id 'z9z9z9z9'"
        )
    );
    // Where only an account is a registry.
    let describe = ["describe-images", "--repository-name", NAME];
    let by = |id| [&describe[..], &["--registry-id", id]].concat();
    aws.public(&by(ACCOUNT));
    let said = aws.public_refused(&by(&registry.alias));
    assert!(said.contains("(InvalidParameterException)"), "{said}");
}

#[test]
fn arguments_from_json_and_over_them() {
    let (registry, image) = with_tags(&["a", "b", "c", "d"]);
    let aws = &registry.aws;
    let input = |tag: &str| {
        json!({ "repositoryName": NAME, "imageIds": [{ "imageTag": tag }] }).to_string()
    };
    let operation = ["batch-delete-image", "--cli-input-json"];
    let answer = aws.public(&[&operation[..], &[&input("a")]].concat());
    assert_eq!(answer, deleted(&image, "a"));
    let file = aws.file("input.json", input("b").as_bytes());
    let file = format!("file://{}", utf8(&file));
    let answer = aws.public(&[&operation[..], &[&file]].concat());
    assert_eq!(answer, deleted(&image, "b"));
    // What else is on the line wins.
    let over = [&input("nope"), "--image-ids", "imageTag=c"];
    let answer = aws.public(&[&operation[..], &over].concat());
    assert_eq!(answer, deleted(&image, "c"));
    let ghost = input("d").replace(NAME, "ghost");
    let over = [ghost.as_str(), "--repository-name", NAME];
    let answer = aws.public(&[&operation[..], &over].concat());
    assert_eq!(answer, deleted(&image, "d"));
    let said = aws.public_refused(&[&operation[..], &[&ghost]].concat());
    assert!(said.contains("(RepositoryNotFoundException)"), "{said}");
}

/// An AWS CLI whose every request would fail.
fn without_a_server() -> AwsCli {
    let key = Key {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: "secret".to_owned(),
    };
    // Nothing listens on port 1.
    AwsCli::new("http://127.0.0.1:1".to_owned(), key)
}

#[test]
fn skeletons_are_printed_without_a_request() {
    let aws = without_a_server();
    let input = json!({
        "imageIds": [{ "imageDigest": "", "imageTag": "" }],
        "registryId": "",
        "repositoryName": "",
    });
    let skeleton = ["batch-delete-image", "--generate-cli-skeleton"];
    assert_eq!(aws.public(&skeleton), input);
    let with_value = [&skeleton[..], &["input"]].concat();
    assert_eq!(aws.public(&with_value), input);
    let output = [
        "--image-ids",
        "imageTag=a",
        "--generate-cli-skeleton",
        "output",
    ];
    let answer = aws.public(&[&head()[..], &output].concat());
    let id = json!({ "imageDigest": "imageDigest", "imageTag": "imageTag" });
    assert_eq!(
        answer,
        json!({
            "failures": [{
                "failureCode": "failureCode",
                "failureReason": "failureReason",
                "imageId": id,
            }],
            "imageIds": [id],
        })
    );
    // It checks what it was given.
    let missing = ["batch-delete-image", "--generate-cli-skeleton", "output"];
    let said = aws.public_refused(&missing);
    assert!(said.contains("--repository-name"), "{said}");
    let said = aws.public_refused(&["batch-delete-image", "--repository-name", NAME]);
    assert!(said.contains("--image-ids"), "{said}");
    let said = aws.public_refused(&[&head()[..], &["--image-ids", "imageTag=a"]].concat());
    assert!(
        said.contains("Could not connect to the endpoint URL"),
        "{said}"
    );
}

/// The input skeleton, filled in, is an argument.
#[test]
fn a_skeleton_is_the_input() {
    let (registry, image) = with_tags(&["a"]);
    let aws = &registry.aws;
    let skeleton = ["batch-delete-image", "--generate-cli-skeleton"];
    let mut input = aws.public(&skeleton);
    input["registryId"] = registry.alias.as_str().into();
    input["repositoryName"] = NAME.into();
    input["imageIds"] = json!([{ "imageTag": "a" }]);
    let given = ["batch-delete-image", "--cli-input-json", &input.to_string()];
    assert_eq!(aws.public(&given), deleted(&image, "a"));
}

#[test]
fn yaml_is_for_version_2() {
    let aws = without_a_server();
    let ids = ["--image-ids", "imageTag=a"];
    let yaml = ["--cli-input-yaml", "repositoryName: app"];
    let said = aws.public_refused(&[&head()[..], &ids, &yaml].concat());
    assert!(said.contains("Unknown options: --cli-input-yaml"), "{said}");
    let skeleton = [
        "batch-delete-image",
        "--generate-cli-skeleton",
        "yaml-input",
    ];
    let said = aws.public_refused(&skeleton);
    let choices = "argument --generate-cli-skeleton: Invalid choice, valid choices are:";
    assert!(said.contains(choices), "{said}");
}
