//! `aws ecr-public batch-delete-image` of the AWS CLI's command reference, with the four examples
//! of its page. Each of its flags is held in `public_clients`.

use serde_json::json;

use crate::error;
use crate::support::aws::AwsCli;
use crate::support::images::Image;
use crate::support::server::{ACCOUNT, Server};

const NAME: &str = "project-a/nginx-web-app";

/// A server with the repository of the examples, its image under these tags.
fn nginx(tags: &[&str]) -> (Server, AwsCli, Image) {
    let server = Server::start();
    let aws = server.aws();
    let image = Image::new("nginx", "amd64");
    aws.create_public_repository(NAME);
    aws.push_publicly(NAME, &image, tags);
    (server, aws, image)
}

fn delete(aws: &AwsCli, more: &[&str]) -> serde_json::Value {
    let head = ["batch-delete-image", "--repository-name", NAME];
    let mut answer = aws.public(&[&head[..], more].concat());
    // Rows come in any order.
    let rows = answer["imageIds"].as_array_mut().expect("a list");
    rows.sort_by_key(ToString::to_string);
    answer
}

fn is_empty(aws: &AwsCli) -> bool {
    let images = aws.public(&["describe-images", "--repository-name", NAME]);
    images == json!({ "imageDetails": [] })
}

#[test]
fn example_1_a_digest_takes_all_tags() {
    let (_server, aws, image) = nginx(&["_temp", "_temp2"]);
    let id = format!("imageDigest={}", image.digest());
    assert_eq!(
        delete(&aws, &["--image-ids", &id]),
        json!({
            "failures": [],
            "imageIds": [
                { "imageDigest": image.digest(), "imageTag": "_temp" },
                { "imageDigest": image.digest(), "imageTag": "_temp2" },
            ],
        })
    );
    assert!(is_empty(&aws));
}

#[test]
fn example_2_a_tag_with_its_image() {
    let (_server, aws, image) = nginx(&["_temp"]);
    assert_eq!(
        delete(&aws, &["--image-ids", "imageTag=_temp"]),
        json!({
            "failures": [],
            "imageIds": [{ "imageDigest": image.digest(), "imageTag": "_temp" }],
        })
    );
    assert!(is_empty(&aws));
}

#[test]
fn example_3_tags_and_digests_together() {
    let (_server, aws, image) = nginx(&["temp-tag"]);
    let other = Image::new("other", "amd64");
    aws.push_publicly(NAME, &other, &["moved"]);
    // The tag moves on: what it was on is untagged now.
    let third = Image::new("third", "amd64");
    aws.push_publicly(NAME, &third, &["moved"]);
    let by_digest = format!("imageDigest={}", other.digest());
    let mut rows = vec![
        json!({ "imageDigest": image.digest(), "imageTag": "temp-tag" }),
        json!({ "imageDigest": other.digest() }),
    ];
    rows.sort_by_key(ToString::to_string);
    assert_eq!(
        delete(&aws, &["--image-ids", "imageTag=temp-tag", &by_digest]),
        json!({ "failures": [], "imageIds": rows })
    );
}

#[test]
fn example_4_images_of_another_account() {
    let (server, aws, image) = nginx(&["temp-tag2"]);
    let other = server.aws_of("222222222222");
    let id = format!("imageDigest={}", image.digest());
    let args = [
        "--registry-id",
        ACCOUNT,
        "--image-ids",
        &id,
        "--region",
        "us-east-1",
    ];
    let head = ["batch-delete-image", "--repository-name", NAME];
    let said = other.public_refused(&[&head[..], &args].concat());
    let start = error("AccessDeniedException", "BatchDeleteImage");
    assert!(said.starts_with(&start), "{said}");
    let policy = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "AWS": "arn:aws:iam::222222222222:root" },
        "Action": "ecr-public:BatchDeleteImage",
    }] })
    .to_string();
    let set = ["set-repository-policy", "--repository-name", NAME];
    aws.public(&[&set[..], &["--policy-text", &policy]].concat());
    assert_eq!(
        delete(&other, &args),
        json!({
            "failures": [],
            "imageIds": [{ "imageDigest": image.digest(), "imageTag": "temp-tag2" }],
        })
    );
}

#[test]
fn invalid_parameter_exception() {
    let (_server, aws, _) = nginx(&["kept"]);
    let too_many: Vec<String> = (0..101).map(|n| format!("imageTag=t{n}")).collect();
    let too_many: Vec<&str> = too_many.iter().map(String::as_str).collect();
    let long = "a".repeat(206);
    let rows: [(&str, &[&str], &str); 3] = [
        (
            NAME,
            &too_many,
            "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have \
             length less than or equal to 100'",
        ),
        (
            "Project-A",
            &["imageTag=kept"],
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'Member must \
             satisfy regular expression pattern: \
             (?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'",
        ),
        (
            &long,
            &["imageTag=kept"],
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'Member must \
             have length less than or equal to 205'",
        ),
    ];
    for (name, ids, text) in rows {
        let head = ["batch-delete-image", "--repository-name", name];
        let said = aws.public_refused(&[&head[..], &["--image-ids"], ids].concat());
        let expected = error("InvalidParameterException", "BatchDeleteImage") + text;
        assert_eq!(said, expected);
    }
    assert!(!is_empty(&aws));
}

#[test]
fn repository_not_found_exception() {
    let (_server, aws, _) = nginx(&["kept"]);
    let head = ["batch-delete-image", "--repository-name", "ghost"];
    let said = aws.public_refused(&[&head[..], &["--image-ids", "imageTag=kept"]].concat());
    assert_eq!(
        said,
        error("RepositoryNotFoundException", "BatchDeleteImage")
            + "The repository with name 'ghost' does not exist in the registry with id \
               '123456789012'"
    );
}

#[test]
fn unsupported_command_exception() {
    let server = Server::start_with_settings(&[("ROADSTEAD_STRICT_ECR", "true")]);
    let head = ["batch-delete-image", "--repository-name", NAME];
    let far = ["--image-ids", "imageTag=kept", "--region", "eu-west-1"];
    let said = server.aws().public_refused(&[&head[..], &far].concat());
    let start = error("UnsupportedCommandException", "BatchDeleteImage");
    assert!(said.starts_with(&start), "{said}");
}
