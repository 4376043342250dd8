//! Black box: images of a Lightsail container service by stock clients against the real server,
//! from the login to the last byte leaving the disk (lightsail-containers.md 3, 4).

mod support;

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use support::aws::AwsCli;
use support::docker::Docker;
use support::images::stored_copies;
use support::program;
use support::server::{Server, utf8};

const POLL: Duration = Duration::from_millis(100);
const POLLS_MAX: u32 = 100;

/// Digests and lengths of what an image's manifest names.
type Blobs = BTreeSet<(String, u64)>;

/// Makes the service `web` and waits until it is ready; nothing but PENDING is seen on the way.
fn create_service(aws: &AwsCli) {
    let args = ["--service-name", "web", "--power", "nano", "--scale", "1"];
    let made = aws.lightsail(&[&["create-container-service"], &args[..]].concat());
    assert_eq!(made["containerService"]["state"], "PENDING");
    wait_for_state(aws, &["PENDING"], "READY");
}

fn service(aws: &AwsCli) -> Value {
    let listed = aws.lightsail(&["get-container-services", "--service-name", "web"]);
    listed["containerServices"][0].clone()
}

fn wait_for_state(aws: &AwsCli, on_the_way: &[&str], target: &str) {
    for _ in 0..POLLS_MAX {
        let state = service(aws)["state"].clone();
        if state == target {
            return;
        }
        assert!(on_the_way.iter().any(|one| state == *one), "{state}");
        sleep(POLL);
    }
    panic!("not {target}: {}", service(aws));
}

fn registry_login(aws: &AwsCli) -> (String, String, String) {
    let login = aws.lightsail(&["create-container-service-registry-login"]);
    let text = |name: &str| {
        let text = login["registryLogin"][name].as_str();
        text.expect("a text").to_owned()
    };
    (text("registry"), text("username"), text("password"))
}

fn login(docker: &Docker, aws: &AwsCli) -> String {
    let (registry, user, password) = registry_login(aws);
    let said = docker.login_with(&registry, &user, &password);
    let said = said.expect_success();
    assert!(said.contains("Login Succeeded"), "{said}");
    registry
}

/// Pushes and gives the digest that Docker prints.
fn push(docker: &Docker, name: &str) -> String {
    let said = docker.expect(&["push", name]);
    let after = said.split_once("digest: ").map(|(_, rest)| rest);
    let digest = after.and_then(|rest| rest.split_whitespace().next());
    digest
        .unwrap_or_else(|| panic!("no digest in {said}"))
        .to_owned()
}

fn register(aws: &AwsCli, label: &str, digest: &str) -> String {
    let args = [
        "--service-name",
        "web",
        "--label",
        label,
        "--digest",
        digest,
    ];
    let made = aws.lightsail(&[&["register-container-image"], &args[..]].concat());
    assert_eq!(made["containerImage"]["digest"], digest);
    let name = made["containerImage"]["image"].as_str();
    name.expect("a name").to_owned()
}

/// Name and digest of each image of the service.
fn images(aws: &AwsCli) -> Vec<(String, String)> {
    let listed = aws.lightsail(&["get-container-images", "--service-name", "web"]);
    let images = listed["containerImages"].as_array().expect("a list");
    let text = |one: &Value| one.as_str().expect("a text").to_owned();
    images
        .iter()
        .map(|one| (text(&one["image"]), text(&one["digest"])))
        .collect()
}

fn deploy(aws: &AwsCli, image: &str) {
    let containers = json!({ "app": { "image": image, "ports": { "80": "HTTP" } } });
    let endpoint = json!({ "containerName": "app", "containerPort": 80 });
    let (containers, endpoint) = (containers.to_string(), endpoint.to_string());
    let answer = aws.lightsail(&[
        "create-container-service-deployment",
        "--service-name",
        "web",
        "--containers",
        &containers,
        "--public-endpoint",
        &endpoint,
    ]);
    let next = &answer["containerService"]["nextDeployment"];
    assert_eq!(next["state"], "ACTIVATING");
    wait_for_state(aws, &["DEPLOYING"], "RUNNING");
    let current = service(aws)["currentDeployment"].clone();
    assert_eq!(current["version"], next["version"]);
    assert_eq!(current["state"], "ACTIVE");
    assert_eq!(current["containers"]["app"]["image"], image);
}

/// An image in Docker's store.
struct Built {
    name: String,
    digest: String,
    blobs: Blobs,
}

/// Builds two images that share a layer. A server of its own tells what they consist of, since a
/// login of Lightsail cannot read.
fn two_images(docker: &Docker) -> [Built; 2] {
    let server = Server::start();
    let aws = server.aws();
    docker.login(&aws, &server.address);
    aws.create_repository("app");
    ["first", "second"].map(|seed| {
        let name = format!("{}/app:{seed}", server.address);
        docker.build_upon(&name, "shared", seed);
        let digest = push(docker, &name);
        let blobs = blobs_of(&aws, &digest);
        Built {
            name,
            digest,
            blobs,
        }
    })
}

fn blobs_of(aws: &AwsCli, digest: &str) -> Blobs {
    let id = format!("imageDigest={digest}");
    let args = ["batch-get-image", "--repository-name", "app", "--image-ids"];
    let got = aws.ecr(&[&args[..], &[&id]].concat());
    let text = got["images"][0]["imageManifest"].as_str();
    let manifest: Value = serde_json::from_str(text.expect("a manifest")).expect("JSON");
    let layers = manifest["layers"].as_array().expect("layers");
    let all = layers.iter().chain([&manifest["config"]]);
    all.map(|one| {
        let digest = one["digest"].as_str().expect("a digest").to_owned();
        (digest, one["size"].as_u64().expect("a size"))
    })
    .collect()
}

/// How many files hold each of these blobs.
#[track_caller]
fn assert_stored(server: &Server, blobs: &Blobs, copies: usize) {
    let digests: Vec<&str> = blobs.iter().map(|(digest, _)| digest.as_str()).collect();
    let found = stored_copies(server.data(), &digests);
    assert!(found.values().all(|count| *count == copies), "{found:?}");
}

#[test]
fn push_register_delete_sweep_and_deploy_what_is_left() {
    let docker = Docker::new();
    let [one, two] = two_images(&docker);
    let only_one: Blobs = one.blobs.difference(&two.blobs).cloned().collect();
    assert_eq!((one.blobs.len(), only_one.len()), (3, 2));

    let server = Server::start();
    let aws = server.aws();
    create_service(&aws);
    let registry = login(&docker, &aws);
    assert_eq!(registry, server.address);
    for (version, built) in [(1, &one), (2, &two)] {
        let name = format!("{registry}/sr:x{version}");
        docker.expect(&["tag", &built.name, &name]);
        assert_eq!(push(&docker, &name), built.digest);
        docker.expect(&["rmi", "--force", &name, &built.name]);
        let image = register(&aws, "www", &built.digest);
        assert_eq!(image, format!(":web.www.{version}"));
    }
    let both = [(":web.www.2", &two.digest), (":web.www.1", &one.digest)];
    let both = both.map(|(name, digest)| (name.to_owned(), digest.to_owned()));
    assert_eq!(images(&aws), both);
    let freed = server.sweep();
    assert_eq!(freed["bytesFreed"], 0, "{freed}");
    for blobs in [&one.blobs, &two.blobs] {
        assert_stored(&server, blobs, 1);
    }

    let name = ["--service-name", "web", "--image", ":web.www.1"];
    let gone = aws.lightsail(&[&["delete-container-image"], &name[..]].concat());
    assert!(gone.is_null() || gone == json!({}), "{gone}");
    let freed = server.sweep();
    let expected: u64 = only_one.iter().map(|(_, length)| length).sum();
    assert_eq!(freed["bytesFreed"], expected, "{freed}");
    assert_eq!(freed["blobsDeleted"], only_one.len(), "{freed}");
    assert_stored(&server, &only_one, 0);
    assert_stored(&server, &two.blobs, 1);

    deploy(&aws, ":web.www.2");
    let freed = server.sweep();
    assert_eq!(freed["bytesFreed"], 0, "{freed}");
    assert_stored(&server, &two.blobs, 1);
    // In use now.
    let name = ["--service-name", "web", "--image", ":web.www.2"];
    let said = aws.lightsail_refused(&[&["delete-container-image"], &name[..]].concat());
    assert!(said.contains("(InvalidInputException)"), "{said}");
    assert!(
        said.contains("\":web.www.2\" is in use by the current deployment"),
        "{said}"
    );

    assert_eq!(register(&aws, "www", &two.digest), ":web.www.3");
    let unknown = ["--service-name", "web", "--image", ":web.www.1"];
    let said = aws.lightsail_refused(&[&["delete-container-image"], &unknown[..]].concat());
    assert!(said.contains("(NotFoundException)"), "{said}");
}

#[test]
fn numbers_and_deployments_outlive_a_restart() {
    let docker = Docker::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let server = Server::start_on(&data, &[]);
    let key = server.aws().key;
    let aws = AwsCli::new(server.url(), key.clone());
    create_service(&aws);
    let name = format!("{}/sr:once", login(&docker, &aws));
    docker.build(&name, "outlives a restart");
    let digest = push(&docker, &name);
    docker.expect(&["rmi", "--force", &name]);
    for version in 1..=3 {
        assert_eq!(
            register(&aws, "www", &digest),
            format!(":web.www.{version}")
        );
    }
    for version in [2, 3] {
        let image = format!(":web.www.{version}");
        let name = ["--service-name", "web", "--image", &image];
        aws.lightsail(&[&["delete-container-image"], &name[..]].concat());
    }
    deploy(&aws, ":web.www.latest");
    let before = service(&aws);
    assert!(server.stop().success());

    let server = Server::start_on(&data, &[]);
    let aws = AwsCli::new(server.url(), key.clone());
    let mut after = service(&aws);
    // The address follows the server's, which has another port now.
    after["url"] = before["url"].clone();
    assert_eq!(after, before);
    assert_eq!(images(&aws), [(":web.www.1".to_owned(), digest.clone())]);
    // One and two were given, and three, which is gone.
    assert_eq!(register(&aws, "www", &digest), ":web.www.4");
    deploy(&aws, ":web.www.4");
    assert_eq!(service(&aws)["currentDeployment"]["version"], 2);
    // Stopped on the way, it goes on when it starts again.
    let containers = json!({ "app": { "image": ":web.www.4" } }).to_string();
    aws.lightsail(&[
        "create-container-service-deployment",
        "--service-name",
        "web",
        "--containers",
        &containers,
    ]);
    assert!(server.stop().success());
    let server = Server::start_on(&data, &[]);
    let aws = AwsCli::new(server.url(), key);
    wait_for_state(&aws, &["DEPLOYING"], "RUNNING");
    assert_eq!(service(&aws)["currentDeployment"]["version"], 3);
}

#[test]
fn numbers_are_not_given_again_when_they_are_counted_otherwise() {
    let docker = Docker::new();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let server = Server::start_on(&data, &[]);
    let key = server.aws().key;
    let aws = AwsCli::new(server.url(), key.clone());
    create_service(&aws);
    let name = format!("{}/sr:once", login(&docker, &aws));
    docker.build(&name, "counted otherwise");
    let digest = push(&docker, &name);
    docker.expect(&["rmi", "--force", &name]);
    let mut given = vec![];
    for label in ["www", "www", "api"] {
        given.push(register(&aws, label, &digest));
    }
    assert_eq!(given, [":web.www.1", ":web.www.2", ":web.api.1"]);
    let name = ["--service-name", "web", "--image", ":web.www.2"];
    aws.lightsail(&[&["delete-container-image"], &name[..]].concat());
    assert!(server.stop().success());
    for scope in ["service", "label", "service"] {
        let scope = ("ROADSTEAD_LIGHTSAIL_VERSION_SCOPE", scope);
        let server = Server::start_on_with_settings(&data, &[scope]);
        let aws = AwsCli::new(server.url(), key.clone());
        for label in ["www", "api", "www"] {
            let image = register(&aws, label, &digest);
            assert!(!given.contains(&image), "{image} again: {given:?}");
            given.push(image);
        }
        assert!(server.stop().success());
    }
    // Within a label they only grow.
    for label in ["www", "api"] {
        let of_label = format!(":web.{label}.");
        let numbers = given.iter().filter_map(|name| name.strip_prefix(&of_label));
        let numbers: Vec<u32> = numbers
            .map(|number| number.parse().expect("a number"))
            .collect();
        assert!(numbers.is_sorted(), "{given:?}");
    }
}

#[test]
fn the_login_pushes_to_one_repository_and_pulls_nothing() {
    let server = Server::start();
    let aws = server.aws();
    let said = aws.lightsail_refused(&["create-container-service-registry-login"]);
    let text = "You must create a container service before retrieving container registry login \
                credentials";
    assert!(said.contains(text), "{said}");
    create_service(&aws);
    let docker = Docker::new();
    let registry = login(&docker, &aws);
    let name = format!("{registry}/sr:123-abc");
    docker.build(&name, "push only");
    let digest = push(&docker, &name);
    docker.expect(&["rmi", "--force", &name]);
    for reference in [name.clone(), format!("{registry}/sr@{digest}")] {
        let said = docker.run(&["pull", &reference]).expect_failure();
        assert!(said.contains("denied"), "{said}");
    }
    let (_, user, password) = registry_login(&aws);
    let credentials = format!("{user}:{password}");
    let skopeo = |command: &str, args: &[&str]| {
        let mut skopeo = program::limited(program::tool("TEST_SKOPEO"));
        skopeo.args([command, "--creds", &credentials, "--tls-verify=false"]);
        program::run(skopeo.args(args)).expect_failure()
    };
    let source = format!("docker://{name}");
    for said in [
        skopeo("inspect", &[&source]),
        skopeo("list-tags", &[&format!("docker://{registry}/sr")]),
    ] {
        assert!(said.contains("denied") || said.contains("403"), "{said}");
    }
    aws.create_repository("app");
    let other = format!("{registry}/app:v1");
    docker.build(&other, "push only");
    let said = docker.run(&["push", &other]).expect_failure();
    assert!(said.contains("denied"), "{said}");
    docker.expect(&["rmi", "--force", &other]);
    let images = aws.ecr(&["list-images", "--repository-name", "app"]);
    assert_eq!(images["imageIds"], json!([]));
}

#[test]
fn a_login_that_has_ended_pushes_nothing() {
    let lifetime = ("ROADSTEAD_TOKENS_LIFETIME_SECONDS", "10");
    let server = Server::start_with_settings(&[lifetime]);
    let aws = server.aws();
    create_service(&aws);
    let docker = Docker::new();
    let name = format!("{}/sr:late", server.address);
    docker.build(&name, "too late");
    login(&docker, &aws);
    sleep(Duration::from_secs(11));
    let said = docker.run(&["push", &name]).expect_failure();
    assert!(said.contains("authorization token has expired"), "{said}");
    // A new login goes on where the old one ended.
    login(&docker, &aws);
    push(&docker, &name);
    docker.expect(&["rmi", "--force", &name]);
}

#[test]
fn logins_of_another_server_are_refused() {
    let (ours, theirs) = (Server::start(), Server::start());
    let (our_aws, their_aws) = (ours.aws(), theirs.aws());
    create_service(&our_aws);
    create_service(&their_aws);
    let (_, user, password) = registry_login(&their_aws);
    let docker = Docker::new();
    docker
        .login_with(&ours.address, &user, &password)
        .expect_failure();
    docker
        .login_with(&theirs.address, &user, &password)
        .expect_success();
    // A key of another account has services, logins and images of its own.
    let args = ["--data", utf8(ours.data()), "--account", "210987654321"];
    let said = support::server::run_roadstead(
        &[&["key", "create", "--output", "json"], &args[..]].concat(),
    );
    let made = said.expect_json();
    let text = |name: &str| made[name].as_str().expect("a text").to_owned();
    let key = support::server::Key {
        access_key_id: text("accessKeyId"),
        secret_access_key: text("secretAccessKey"),
    };
    let stranger = AwsCli::new(ours.url(), key);
    let said = stranger.lightsail_refused(&["create-container-service-registry-login"]);
    assert!(said.contains("(InvalidInputException)"), "{said}");
}
