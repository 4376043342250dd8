//! The Docker client and daemon: the public registry is `127.0.0.1:port`, the private one of the
//! same server `localhost:port`.

use crate::support::docker::Docker;
use crate::support::program;
use crate::support::server::utf8;
use crate::{NAME, Registry, STRANGER};

#[test]
fn a_push_after_a_login_and_pulls_with_and_without() {
    let registry = Registry::start();
    let (owner, nobody) = (Docker::new(), Docker::new());
    let tagged = registry.tagged("v1");
    owner.login_publicly(&registry.aws, &registry.server.address);
    owner.build(&tagged, "pushed publicly");
    let said = owner.expect(&["push", &tagged]);
    let digest = registry.digest_of("v1");
    assert!(said.contains(&digest), "{said}");
    let exact = format!("{}@{digest}", registry.repository());
    for docker in [&nobody, &owner] {
        for name in [&tagged, &exact] {
            docker.run(&["rmi", "--force", &tagged, &exact]);
            docker.expect(&["pull", name]);
        }
        docker.expect(&["manifest", "inspect", "--insecure", &tagged]);
    }
    owner.run(&["rmi", "--force", &tagged, &exact]);
}

#[test]
fn a_login_by_the_name_of_a_registry() {
    let registry = Registry::start();
    let docker = Docker::new();
    let by_alias = format!("{}/{}", registry.server.address, registry.alias);
    docker.login_publicly(&registry.aws, &by_alias);
    let wrong = login_with(&docker, &registry.server.address, "wrong");
    let said = wrong.expect_failure();
    assert!(!said.contains("Login Succeeded"), "{said}");
    // What opens the private registry does not open this one.
    let password = registry.aws.login_password();
    login_with(&docker, &registry.server.address, &password).expect_failure();
}

fn login_with(docker: &Docker, registry: &str, password: &str) -> program::Said {
    let tool = program::tool("TEST_DOCKER");
    let args = ["login", "--username", "AWS", "--password-stdin", registry];
    let mut command = program::limited(utf8(&tool));
    command.envs(docker.environment()).args(args);
    program::run_with_input(&mut command, password.as_bytes())
}

#[test]
fn whoever_may_not_push() {
    let registry = Registry::start();
    let (stranger, nobody) = (Docker::new(), Docker::new());
    let tagged = registry.tagged("v1");
    let aws = registry.server.aws_of(STRANGER);
    stranger.login_publicly(&aws, &registry.server.address);
    stranger.build(&tagged, "not allowed");
    let said = stranger.run(&["push", &tagged]).expect_failure();
    let sentence = format!(
        "denied: User: arn:aws:iam::{STRANGER}:root is not authorized to perform: \
         ecr-public:InitiateLayerUpload on resource: \
         arn:aws:ecr-public::123456789012:repository/{NAME}"
    );
    assert!(said.contains(&sentence), "{said}");
    nobody.run(&["push", &tagged]).expect_failure();
    assert_eq!(registry.tags(), [""; 0]);
    stranger.expect(&["rmi", "--force", &tagged]);

    // Until its owner lets them.
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{STRANGER}"}},"Action":["ecr-public:BatchCheckLayerAvailability","ecr-public:InitiateLayerUpload","ecr-public:UploadLayerPart","ecr-public:CompleteLayerUpload","ecr-public:PutImage"]}}]}}"#
    );
    let set = ["set-repository-policy", "--repository-name", NAME];
    let set = [&set[..], &["--policy-text", &policy]].concat();
    registry.aws.public(&set);
    stranger.build(&tagged, "allowed");
    stranger.expect(&["push", &tagged]);
    assert_eq!(registry.tags(), ["v1"]);
    stranger.expect(&["rmi", "--force", &tagged]);
}

#[test]
fn a_repository_must_exist_before_the_push() {
    let registry = Registry::start();
    let docker = Docker::new();
    docker.login_publicly(&registry.aws, &registry.server.address);
    let missing = format!("{}/{}/missing:v1", registry.server.address, registry.alias);
    docker.build(&missing, "no repository");
    let said = docker.run(&["push", &missing]).expect_failure();
    let sentence = format!(
        "name unknown: The repository with name 'missing' does not exist in the registry with \
         id '{}'",
        registry.alias
    );
    assert!(said.contains(&sentence), "{said}");
    docker.expect(&["rmi", "--force", &missing]);
    docker.run(&["pull", &missing]).expect_failure();
    let by_account = format!("{}/123456789012/{NAME}:v1", registry.server.address);
    docker.build(&by_account, "by account");
    let said = docker.run(&["push", &by_account]).expect_failure();
    let sentence = "unsupported: Invalid parameter at 'registryAliasName' failed to satisfy \
                    constraint: 'Member must satisfy regular expression pattern: \
                    [a-z][a-z0-9]+(?:[._-][a-z0-9]+)*'";
    assert!(said.contains(sentence), "{said}");
    docker.expect(&["rmi", "--force", &by_account]);
}

/// Both registries of one server, at the same time.
#[test]
fn the_private_registry_beside_it() {
    let registry = Registry::start();
    let docker = Docker::new();
    let private = registry.server.private_name();
    docker.login_publicly(&registry.aws, &registry.server.address);
    docker.login(&registry.aws, &private);
    registry.aws.create_repository(NAME);
    let (public, private) = (registry.tagged("v1"), format!("{private}/{NAME}:v1"));
    docker.build(&public, "twice");
    docker.expect(&["tag", &public, &private]);
    docker.expect(&["push", &public]);
    docker.expect(&["push", &private]);
    docker.expect(&["rmi", "--force", &public, &private]);
    docker.expect(&["pull", &private]);
    docker.expect(&["rmi", "--force", &private]);
    Docker::new().run(&["pull", &private]).expect_failure();
    docker.expect(&["pull", &public]);
    docker.expect(&["rmi", "--force", &public]);

    // Deleted in public, it stays in private.
    let delete = ["batch-delete-image", "--repository-name", NAME];
    let delete = [&delete[..], &["--image-ids", "imageTag=v1"]].concat();
    registry.aws.public(&delete);
    registry.server.sweep();
    docker.run(&["pull", &public]).expect_failure();
    docker.expect(&["pull", &private]);
    docker.expect(&["rmi", "--force", &private]);
}
