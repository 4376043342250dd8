//! BatchDeleteImage of the Amazon ECR API reference.

use serde_json::{Value, json};

use crate::error;
use crate::support::aws::AwsCli;
use crate::support::images::Image;
use crate::support::server::{ACCOUNT, Server};

/// A server with the repository `ubuntu`, its image under these tags.
fn ubuntu(tags: &[&str]) -> (Server, AwsCli, Image) {
    let server = Server::start();
    let aws = server.aws();
    let image = Image::new("ubuntu", "amd64");
    aws.create_repository("ubuntu");
    aws.push("ubuntu", &image, tags);
    (server, aws, image)
}

fn left(aws: &AwsCli) -> Value {
    aws.ecr(&["list-images", "--repository-name", "ubuntu"])["imageIds"].clone()
}

/// The first example: the body of its sample request to the byte, and that of its response.
#[test]
fn example_of_an_image_by_its_tag() {
    let (_server, aws, image) = ubuntu(&["xenial"]);
    let body = r#"{ "repositoryName": "ubuntu", "imageIds": [ { "imageTag": "xenial" } ] }"#;
    assert_eq!(
        aws.ecr(&["batch-delete-image", "--cli-input-json", body]),
        json!({
            "failures": [],
            "imageIds": [{ "imageDigest": image.digest(), "imageTag": "xenial" }],
        })
    );
    assert_eq!(left(&aws), json!([]));
}

/// The second example: an image with all of its tags, in the order of the sample response.
#[test]
fn example_of_an_image_by_its_digest() {
    let (_server, aws, image) = ubuntu(&["xenial", "latest"]);
    let digest = image.digest();
    let body = format!(
        r#"{{ "repositoryName": "ubuntu", "imageIds": [ {{ "imageDigest": "{digest}" }} ] }}"#
    );
    assert_eq!(
        aws.ecr(&["batch-delete-image", "--cli-input-json", &body]),
        json!({
            "failures": [],
            "imageIds": [
                { "imageDigest": digest, "imageTag": "xenial" },
                { "imageDigest": digest, "imageTag": "latest" },
            ],
        })
    );
    assert_eq!(left(&aws), json!([]));
}

/// "You can remove a tag from an image by specifying the image's tag in your request. When you
/// remove the last tag from an image, the image is deleted from your repository."
#[test]
fn a_tag_is_removed_and_the_last_one_takes_the_image() {
    let (_server, aws, image) = ubuntu(&["xenial", "latest"]);
    let digest = image.digest();
    aws.delete_images("ubuntu", &["imageTag=xenial"]);
    let latest = json!([{ "imageDigest": digest, "imageTag": "latest" }]);
    assert_eq!(left(&aws), latest);
    aws.delete_images("ubuntu", &["imageTag=latest"]);
    assert_eq!(left(&aws), json!([]));
}

#[test]
fn the_registry_may_be_named() {
    let (_server, aws, image) = ubuntu(&["xenial"]);
    let named = ["--registry-id", ACCOUNT, "--repository-name", "ubuntu"];
    let ids = ["--image-ids", "imageTag=xenial"];
    let answer = aws.ecr(&[&["batch-delete-image"], &named[..], &ids].concat());
    let gone = json!([{ "imageDigest": image.digest(), "imageTag": "xenial" }]);
    assert_eq!(answer, json!({ "failures": [], "imageIds": gone }));
}

#[test]
fn invalid_parameter_exception() {
    let (_server, aws, _) = ubuntu(&["xenial"]);
    let too_many: Vec<String> = (0..101).map(|n| format!("imageTag=t{n}")).collect();
    let too_many: Vec<&str> = too_many.iter().map(String::as_str).collect();
    let one = ["imageTag=xenial"];
    let long = "u".repeat(257);
    let rows: [(&str, &str, &[&str], &str); 4] = [
        (
            ACCOUNT,
            "ubuntu",
            &too_many,
            "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have \
             length less than or equal to 100'",
        ),
        (
            "12345",
            "ubuntu",
            &one,
            "Invalid parameter at 'registryId' failed to satisfy constraint: 'Member must \
             satisfy regular expression pattern: [0-9]{12}'",
        ),
        (
            ACCOUNT,
            "Ubuntu",
            &one,
            r"Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*''",
        ),
        (
            ACCOUNT,
            &long,
            &one,
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must have \
             length less than or equal to 256'",
        ),
    ];
    for (registry, name, ids, text) in rows {
        let named = ["--registry-id", registry, "--repository-name", name];
        let head = ["batch-delete-image"];
        let said = aws.ecr_refused(&[&head, &named[..], &["--image-ids"], ids].concat());
        let expected = error("InvalidParameterException", "BatchDeleteImage") + text;
        assert_eq!(said, expected);
    }
    assert_eq!(left(&aws).as_array().map(Vec::len), Some(1));
}

#[test]
fn repository_not_found_exception() {
    let (_server, aws, _) = ubuntu(&["xenial"]);
    let named = ["batch-delete-image", "--repository-name", "debian"];
    let ids = ["--image-ids", "imageTag=xenial"];
    assert_eq!(
        aws.ecr_refused(&[&named[..], &ids].concat()),
        error("RepositoryNotFoundException", "BatchDeleteImage")
            + "The repository with name 'debian' does not exist in the registry with id \
               '123456789012'"
    );
}

/// What is not there is no error of the call but one of its failures.
#[test]
fn failures_beside_deletions() {
    let (_server, aws, image) = ubuntu(&["xenial"]);
    let answer = aws.delete_images("ubuntu", &["imageTag=bionic", "imageTag=xenial"]);
    assert_eq!(
        answer,
        json!({
            "failures": [{
                "failureCode": "ImageNotFound",
                "failureReason": "Requested image not found",
                "imageId": { "imageTag": "bionic" },
            }],
            "imageIds": [{ "imageDigest": image.digest(), "imageTag": "xenial" }],
        })
    );
}
