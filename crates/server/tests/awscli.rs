//! Black box: the stock AWS CLI against the real server, without any other client. Expected
//! answers come from the BatchDeleteImage page of the ECR API reference and from texts that
//! clients recorded from ECR.

mod support;

use serde_json::{Value, json};
use support::aws::AwsCli;
use support::images::{Image, digest_of};
use support::server::{ACCOUNT, Server};

#[test]
fn documented_example_of_deleting_a_tag() {
    let server = Server::start();
    let aws = server.aws();
    let image = Image::new("xenial", "amd64");
    aws.create_repository("ubuntu");
    aws.push("ubuntu", &image, &["xenial"]);
    assert_eq!(
        aws.delete_images("ubuntu", &["imageTag=xenial"]),
        json!({
            "failures": [],
            "imageIds": [{"imageDigest": image.digest(), "imageTag": "xenial"}],
        })
    );
    // The last tag took the image with it.
    assert_eq!(list_images(&server, "ubuntu"), json!([]));
}

#[test]
fn documented_example_of_deleting_a_digest() {
    let server = Server::start();
    let aws = server.aws();
    let image = Image::new("xenial", "amd64");
    aws.create_repository("ubuntu");
    aws.push("ubuntu", &image, &["xenial", "latest"]);
    assert_eq!(
        aws.delete_images("ubuntu", &[&format!("imageDigest={}", image.digest())]),
        json!({
            "failures": [],
            "imageIds": [
                {"imageDigest": image.digest(), "imageTag": "xenial"},
                {"imageDigest": image.digest(), "imageTag": "latest"},
            ],
        })
    );
    assert_eq!(list_images(&server, "ubuntu"), json!([]));
}

/// Answers are compact and their members in the documented order, so that even the two lengths
/// that the page prints, 138 and 248 bytes, are met.
#[test]
fn documented_answers_to_the_byte() {
    let server = Server::start();
    let aws = server.aws();
    let image = Image::new("xenial", "amd64");
    let digest = image.digest();
    aws.create_repository("ubuntu");
    aws.push("ubuntu", &image, &["xenial"]);
    let one = format!(r#"{{"imageDigest":"{digest}","imageTag":"xenial"}}"#);
    let (length, body) = wire_answer(&aws, "imageTag=xenial");
    assert_eq!(body, format!(r#"{{"failures":[],"imageIds":[{one}]}}"#));
    assert_eq!(length, "138");

    let image = Image::new("two tags", "amd64");
    let digest = image.digest();
    aws.push("ubuntu", &image, &["xenial", "latest"]);
    let one = format!(r#"{{"imageDigest":"{digest}","imageTag":"xenial"}}"#);
    let two = format!(r#"{{"imageDigest":"{digest}","imageTag":"latest"}}"#);
    let (length, body) = wire_answer(&aws, &format!("imageDigest={digest}"));
    assert_eq!(
        body,
        format!(r#"{{"failures":[],"imageIds":[{one},{two}]}}"#)
    );
    assert_eq!(length, "248");
}

/// `Content-Length` and body of a successful deletion, from the CLI's own log of the exchange.
fn wire_answer(aws: &AwsCli, image_id: &str) -> (String, String) {
    let head = [
        "--debug",
        "ecr",
        "batch-delete-image",
        "--repository-name",
        "ubuntu",
    ];
    let said = aws.run(&[&head[..], &["--image-ids", image_id]].concat());
    assert_eq!(said.code, Some(0), "{said}");
    let log = &said.stderr;
    let after = |mark: &str| {
        let rest = log.split_once(mark).map(|(_, rest)| rest);
        rest.unwrap_or_else(|| panic!("no {mark} in {log}"))
            .lines()
            .next()
            .unwrap_or_default()
    };
    assert!(
        log.contains("'Content-Type': 'application/x-amz-json-1.1'"),
        "{log}"
    );
    let length = after(r#""POST / HTTP/1.1" 200 "#).to_owned();
    let body = after("Response body:\nb'")
        .trim_end_matches('\'')
        .to_owned();
    (length, body)
}

#[test]
fn one_of_two_tags_leaves_the_image() {
    let server = Server::start();
    let aws = server.aws();
    let image = Image::new("two tags", "amd64");
    aws.create_repository("app");
    aws.push("app", &image, &["a", "b"]);
    let answer = aws.delete_images("app", &["imageTag=a"]);
    let gone = json!([{"imageDigest": image.digest(), "imageTag": "a"}]);
    assert_eq!(answer, json!({"failures": [], "imageIds": gone}));
    let left = aws.ecr(&["describe-images", "--repository-name", "app"]);
    assert_eq!(left["imageDetails"][0]["imageDigest"], image.digest());
    assert_eq!(left["imageDetails"][0]["imageTags"], json!(["b"]));
    assert_eq!(left["imageDetails"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_is_not_there_is_a_failure_inside_of_a_success() {
    let server = Server::start();
    let aws = server.aws();
    aws.create_repository("app");
    let unknown = digest_of(b"never pushed");
    let ids = [
        "imageTag=nope",
        &format!("imageDigest={unknown}"),
        "imageDigest=sha256:zz",
    ];
    let answer = aws.delete_images("app", &ids);
    let not_found = |id: Value| {
        json!({
            "failureCode": "ImageNotFound",
            "failureReason": "Requested image not found",
            "imageId": id,
        })
    };
    let bad_digest = json!({
        "failureCode": "InvalidImageDigest",
        "failureReason": "Invalid request parameters: image digest should satisfy the regex \
                          '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
        "imageId": {"imageDigest": "sha256:zz"},
    });
    assert_eq!(answer["imageIds"], json!([]));
    assert_eq!(
        answer["failures"],
        json!([
            not_found(json!({"imageTag": "nope"})),
            not_found(json!({"imageDigest": unknown})),
            bad_digest,
        ])
    );
}

#[test]
fn repository_not_found_exception() {
    let server = Server::start();
    let said = server.aws().ecr_refused(&[
        "batch-delete-image",
        "--repository-name",
        "ghost",
        "--image-ids",
        "imageTag=xenial",
    ]);
    assert_eq!(
        said,
        format!(
            "An error occurred (RepositoryNotFoundException) when calling the BatchDeleteImage \
             operation: The repository with name 'ghost' does not exist in the registry with id \
             '{ACCOUNT}'"
        )
    );
}

#[test]
fn invalid_parameter_exception() {
    let server = Server::start();
    let aws = server.aws();
    let image = Image::new("kept", "amd64");
    aws.create_repository("app");
    aws.push("app", &image, &["kept"]);
    // One more than the page's maximum; the first of them exists.
    let mut ids = vec!["imageTag=kept".to_owned()];
    ids.extend((1..=100).map(|n| format!("imageTag=t{n}")));
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let head = [
        "batch-delete-image",
        "--repository-name",
        "app",
        "--image-ids",
    ];
    let said = aws.ecr_refused(&[&head, &ids[..]].concat());
    assert_eq!(
        said,
        "An error occurred (InvalidParameterException) when calling the BatchDeleteImage \
         operation: Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must \
         have length less than or equal to 100'"
    );
    let left = json!([{"imageDigest": image.digest(), "imageTag": "kept"}]);
    assert_eq!(list_images(&server, "app"), left);
}

#[test]
fn repositories_are_created_described_and_deleted() {
    let server = Server::start();
    let aws = server.aws();
    let made = aws.create_repository("team/app");
    assert_eq!(made["repositoryName"], "team/app");
    assert_eq!(made["registryId"], ACCOUNT);
    assert_eq!(
        made["repositoryArn"],
        format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/app")
    );
    assert_eq!(
        made["repositoryUri"],
        format!("{}/team/app", server.address)
    );
    assert_eq!(made["imageTagMutability"], "MUTABLE");
    assert_eq!(
        made["imageScanningConfiguration"],
        json!({"scanOnPush": false})
    );
    assert_eq!(
        made["encryptionConfiguration"],
        json!({"encryptionType": "AES256"})
    );
    let again = aws.ecr_refused(&["create-repository", "--repository-name", "team/app"]);
    assert!(
        again.contains("(RepositoryAlreadyExistsException)"),
        "{again}"
    );
    let described = aws.ecr(&["describe-repositories", "--repository-names", "team/app"]);
    assert_eq!(described, json!({"repositories": [made]}));
    aws.push("team/app", &Image::new("inside", "amd64"), &["v1"]);
    let refused = aws.ecr_refused(&["delete-repository", "--repository-name", "team/app"]);
    assert!(
        refused.contains("(RepositoryNotEmptyException)"),
        "{refused}"
    );
    aws.ecr(&[
        "delete-repository",
        "--repository-name",
        "team/app",
        "--force",
    ]);
    assert_eq!(
        aws.ecr(&["describe-repositories"]),
        json!({"repositories": []})
    );
}

#[test]
fn resource_tags() {
    let server = Server::start();
    let aws = server.aws();
    let made = aws.create_repository("app");
    let arn = made["repositoryArn"].as_str().expect("an ARN");
    aws.ecr(&[
        "tag-resource",
        "--resource-arn",
        arn,
        "--tags",
        "Key=team,Value=blue",
    ]);
    let listed = aws.ecr(&["list-tags-for-resource", "--resource-arn", arn]);
    assert_eq!(listed, json!({"tags": [{"Key": "team", "Value": "blue"}]}));
    aws.ecr(&[
        "untag-resource",
        "--resource-arn",
        arn,
        "--tag-keys",
        "team",
    ]);
    let listed = aws.ecr(&["list-tags-for-resource", "--resource-arn", arn]);
    assert_eq!(listed, json!({"tags": []}));
}

#[test]
fn pages_are_walked_to_the_end() {
    let server = Server::start();
    let aws = server.aws();
    let names = ["p/1", "p/2", "p/3"];
    for name in names {
        aws.create_repository(name);
    }
    let found = |args: &[&str]| -> (Vec<String>, Value) {
        let answer = aws.ecr(&[&["describe-repositories"], args].concat());
        let list = answer["repositories"].as_array().expect("a list");
        let names = list
            .iter()
            .map(|one| one["repositoryName"].as_str().expect("a name").to_owned());
        (names.collect(), answer["NextToken"].clone())
    };
    let (all, token) = found(&["--page-size", "1"]);
    assert_eq!(
        (all, token),
        (names.map(str::to_owned).to_vec(), Value::Null)
    );
    let (first, token) = found(&["--page-size", "1", "--max-items", "2"]);
    assert_eq!(first, ["p/1", "p/2"]);
    let token = token.as_str().expect("more to come").to_owned();
    let (rest, token) = found(&["--page-size", "1", "--starting-token", &token]);
    assert_eq!((rest, token), (vec!["p/3".to_owned()], Value::Null));

    let image = Image::new("paged", "amd64");
    aws.push("p/1", &image, &["a", "b", "c"]);
    let listed = aws.ecr(&[
        "list-images",
        "--repository-name",
        "p/1",
        "--page-size",
        "2",
    ]);
    let tags: Vec<&str> = listed["imageIds"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|id| id["imageTag"].as_str())
        .collect();
    assert_eq!(tags, ["a", "b", "c"]);
}

#[test]
fn the_caller_is_known_and_strangers_are_not() {
    let server = Server::start();
    let aws = server.aws();
    let identity = aws.run(&["sts", "get-caller-identity"]).expect_json();
    assert_eq!(identity["Account"], ACCOUNT);
    let password = aws.login_password();
    assert!(
        !password.is_empty() && !password.contains([':', ' ']),
        "{password}"
    );

    let mut stranger = server.aws();
    stranger.key.secret_access_key = "not the secret of this key".to_owned();
    let said = stranger.ecr_refused(&["describe-repositories"]);
    assert!(said.contains("(InvalidSignatureException)"), "{said}");
    stranger.key.access_key_id = "AKIAIOSFODNN7EXAMPLE".to_owned();
    let said = stranger.ecr_refused(&["describe-repositories"]);
    assert!(said.contains("(UnrecognizedClientException)"), "{said}");
}

fn list_images(server: &Server, repository: &str) -> Value {
    let answer = server
        .aws()
        .ecr(&["list-images", "--repository-name", repository]);
    answer["imageIds"].clone()
}

/// The policy of the DeleteLifecyclePolicy page.
const FOURTEEN_DAYS: &str = r#"{"rules":[{"rulePriority":1,"description":"Expire images older than 14 days","selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days","countNumber":14},"action":{"type":"expire"}}]}"#;

#[test]
fn documented_example_of_deleting_a_lifecycle_policy() {
    let server = Server::start();
    let aws = server.aws();
    let name = "project-a/amazon-ecs-sample";
    let named = |operation| vec![operation, "--repository-name", name];
    aws.create_repository(name);
    let text = ["--lifecycle-policy-text", FOURTEEN_DAYS];
    let mut told = json!({
        "registryId": ACCOUNT, "repositoryName": name, "lifecyclePolicyText": FOURTEEN_DAYS,
    });
    let put = [named("put-lifecycle-policy"), text.to_vec()].concat();
    assert_eq!(aws.ecr(&put), told);
    // Until it runs for the first time (AWS CLI examples, get-lifecycle-policy).
    told["lastEvaluatedAt"] = json!(0.0);
    assert_eq!(aws.ecr(&named("get-lifecycle-policy")), told);
    assert_eq!(aws.ecr(&named("delete-lifecycle-policy")), told);
    for operation in ["get-lifecycle-policy", "delete-lifecycle-policy"] {
        let said = aws.ecr_refused(&named(operation));
        assert!(
            said.contains("(LifecyclePolicyNotFoundException)"),
            "{said}"
        );
        let why = format!(
            "Lifecycle policy does not exist for the repository with name '{name}' in the registry \
             with id '{ACCOUNT}'"
        );
        assert!(said.ends_with(&why), "{said}");
    }
}

#[test]
fn a_lifecycle_policy_is_previewed() {
    let server = Server::start();
    let aws = server.aws();
    aws.create_repository("app");
    let (old, young) = (Image::new("old", "amd64"), Image::new("young", "amd64"));
    aws.push("app", &old, &["v1"]);
    aws.push("app", &young, &["v2"]);
    let named = |operation| vec![operation, "--repository-name", "app"];
    let said = aws.ecr_refused(&named("get-lifecycle-policy-preview"));
    assert!(
        said.contains("(LifecyclePolicyPreviewNotFoundException)"),
        "{said}"
    );
    let text = r#"{ "rules": [ { "rulePriority": 1, "selection": { "tagStatus": "any",
        "countType": "imageCountMoreThan", "countNumber": 1 }, "action": { "type": "expire" } } ] }"#;
    let start = [
        named("start-lifecycle-policy-preview"),
        vec!["--lifecycle-policy-text", text],
    ];
    let started = json!({
        "registryId": ACCOUNT, "repositoryName": "app", "lifecyclePolicyText": text,
        "status": "IN_PROGRESS",
    });
    assert_eq!(aws.ecr(&start.concat()), started);
    let preview = (0..60)
        .map(|_| aws.ecr(&named("get-lifecycle-policy-preview")))
        .find(|preview| preview["status"] != "IN_PROGRESS");
    let preview = preview.expect("a preview that ends");
    assert_eq!(preview["status"], "COMPLETE");
    assert_eq!(preview["lifecyclePolicyText"], text);
    assert_eq!(preview["summary"], json!({ "expiringImageTotalCount": 1 }));
    let mut results = preview["previewResults"].clone();
    let pushed_at = results[0]["imagePushedAt"].take();
    assert!(
        pushed_at.as_f64().is_some_and(|at| at > 1.7e9),
        "{pushed_at}"
    );
    let result = json!({
        "imageDigest": old.digest(), "imageTags": ["v1"], "imagePushedAt": null,
        "action": { "type": "EXPIRE" }, "appliedRulePriority": 1, "storageClass": "STANDARD",
    });
    assert_eq!(results, json!([result]));
    assert_eq!(
        list_images(&server, "app").as_array().map(Vec::len),
        Some(2)
    );
}
