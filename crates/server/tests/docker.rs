//! Black box: the Docker client and daemon against the real server, from login to the last
//! byte leaving the disk.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use support::aws::AwsCli;
use support::docker::Docker;
use support::images::stored_copies;
use support::server::{Key, Server};

#[test]
fn login_build_push_pull_delete_and_sweep() {
    let server = Server::start();
    let aws = server.aws();
    let docker = Docker::new();
    let repository = format!("{}/app", server.address);
    let tagged = format!("{repository}:v1");
    aws.create_repository("app");
    docker.login(&aws, &server.address);
    docker.build(&tagged, "life of an image");
    docker.expect(&["push", &tagged]);

    let details = aws.ecr(&["describe-images", "--repository-name", "app"]);
    assert_eq!(details["imageDetails"][0]["imageTags"], json!(["v1"]));
    let digest = details["imageDetails"][0]["imageDigest"]
        .as_str()
        .expect("a digest");
    let exact = format!("{repository}@{digest}");
    docker.expect(&["rmi", "--force", &tagged]);
    docker.expect(&["pull", &exact]);
    docker.expect(&["rmi", "--force", &exact]);
    // Asks the registry, not the daemon.
    let look = ["manifest", "inspect", "--insecure", &exact];
    docker.expect(&look);
    let blobs = blobs_of(&aws, "app", digest);
    assert_eq!(counts(&server, &blobs), vec![1; blobs.len()]);

    let deleted = aws.delete_images("app", &[&format!("imageDigest={digest}")]);
    let gone = json!([{"imageDigest": digest, "imageTag": "v1"}]);
    assert_eq!(deleted, json!({"failures": [], "imageIds": gone}));
    docker.run(&look).expect_failure();
    let by_tag = docker.run(&["pull", &tagged]).expect_failure();
    assert!(by_tag.contains("not found"), "{by_tag}");
    server.sweep();
    assert_eq!(counts(&server, &blobs), vec![0; blobs.len()]);
    // The daemon keeps manifests it has seen, so that only the missing bytes tell it by digest.
    docker.run(&["pull", &exact]).expect_failure();
}

#[test]
fn a_layer_used_in_two_repositories_outlives_the_first() {
    let server = Server::start();
    let aws = server.aws();
    let docker = Docker::new();
    docker.login(&aws, &server.address);
    let name = |repository: &str| format!("{}/{repository}:v1", server.address);
    aws.create_repository("one");
    aws.create_repository("two");
    docker.build(&name("one"), "shared between repositories");
    docker.expect(&["push", &name("one")]);
    docker.expect(&["tag", &name("one"), &name("two")]);
    docker.expect(&["push", &name("two")]);
    let digest = digest_of_tag(&aws, "two", "v1");
    let blobs = blobs_of(&aws, "two", &digest);
    server.sweep();
    assert_eq!(
        counts(&server, &blobs),
        vec![1; blobs.len()],
        "one copy serves both"
    );

    aws.delete_images("one", &["imageTag=v1"]);
    server.sweep();
    docker.expect(&["rmi", "--force", &name("one"), &name("two")]);
    docker.run(&["pull", &name("one")]).expect_failure();
    docker.expect(&["pull", &name("two")]);
    docker.expect(&["rmi", "--force", &name("two")]);

    aws.delete_images("two", &["imageTag=v1"]);
    server.sweep();
    assert_eq!(counts(&server, &blobs), vec![0; blobs.len()]);
}

#[test]
fn without_a_login_nothing_is_pushed_or_pulled() {
    let server = Server::start();
    let aws = server.aws();
    let docker = Docker::new();
    let name = format!("{}/app:v1", server.address);
    aws.create_repository("app");
    docker.build(&name, "no login");
    docker.run(&["push", &name]).expect_failure();
    docker.run(&["pull", &name]).expect_failure();
    docker.expect(&["rmi", "--force", &name]);
    let images = aws.ecr(&["list-images", "--repository-name", "app"]);
    assert_eq!(images["imageIds"], json!([]));
}

#[test]
fn a_repository_must_exist_before_the_push() {
    let server = Server::start();
    let docker = Docker::new();
    docker.login(&server.aws(), &server.address);
    let name = format!("{}/missing:v1", server.address);
    docker.build(&name, "no repository");
    let said = docker.run(&["push", &name]).expect_failure();
    assert!(
        said.contains("The repository with name 'missing' does not exist"),
        "{said}"
    );
    docker.expect(&["rmi", "--force", &name]);
}

#[test]
fn dev_needs_neither_login_nor_repository() {
    let server = Server::start_with(&["--dev"]);
    let docker = Docker::new();
    let name = format!("{}/team/app:v1", server.address);
    docker.build(&name, "development");
    docker.expect(&["push", &name]);
    docker.expect(&["rmi", "--force", &name]);
    docker.expect(&["pull", &name]);
    docker.expect(&["rmi", "--force", &name]);
    // Any key is accepted; one that is an account's number speaks for that account.
    let anybody = Key {
        access_key_id: "000000000000".to_owned(),
        secret_access_key: "any".to_owned(),
    };
    let aws = AwsCli::new(server.url(), anybody);
    let made = aws.ecr(&["describe-repositories"]);
    assert_eq!(made["repositories"][0]["repositoryName"], "team/app");
}

fn digest_of_tag(aws: &AwsCli, repository: &str, tag: &str) -> String {
    let id = format!("imageTag={tag}");
    let got = aws.ecr(&[
        "describe-images",
        "--repository-name",
        repository,
        "--image-ids",
        &id,
    ]);
    got["imageDetails"][0]["imageDigest"]
        .as_str()
        .expect("a digest")
        .to_owned()
}

/// The digests of configuration and layers that the image's manifest names.
fn blobs_of(aws: &AwsCli, repository: &str, digest: &str) -> Vec<String> {
    let id = format!("imageDigest={digest}");
    let got = aws.ecr(&[
        "batch-get-image",
        "--repository-name",
        repository,
        "--image-ids",
        &id,
    ]);
    let text = got["images"][0]["imageManifest"]
        .as_str()
        .expect("a manifest");
    let manifest: Value = serde_json::from_str(text).expect("a manifest in JSON");
    let layers = manifest["layers"].as_array().expect("layers");
    let all = layers.iter().chain([&manifest["config"]]);
    all.map(|one| one["digest"].as_str().expect("a digest").to_owned())
        .collect()
}

/// How many files hold each of these blobs.
fn counts(server: &Server, blobs: &[String]) -> Vec<usize> {
    let digests: Vec<&str> = blobs.iter().map(String::as_str).collect();
    let copies: BTreeMap<String, usize> = stored_copies(server.data(), &digests);
    blobs.iter().map(|digest| copies[digest]).collect()
}
