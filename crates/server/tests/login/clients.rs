//! Docker, skopeo and Podman, none of which ever logs in.

use serde_json::json;

use crate::helper::Home;
use crate::support::docker::Docker;
use crate::support::images::{Image, index_of, write_layout};
use crate::support::program::{self, Said};
use crate::support::server::{Server, create_key, utf8};

/// A home whose clients ask the helper about this server.
fn home(server: &Server) -> Home {
    let home = Home::with_key(&create_key(server.data()));
    let helpers = json!({ "credHelpers": { &server.address: "roadstead" } }).to_string();
    home.write("auth.json", &helpers);
    home.write("docker/config.json", &helpers);
    home
}

fn client(home: &Home, variable: &str, args: &[&str]) -> Said {
    let mut command = program::limited(program::tool(variable));
    command
        .envs(home.environment())
        .env("REGISTRY_AUTH_FILE", home.path().join("auth.json"))
        .args(args);
    program::run(&mut command)
}

/// Pushes a small index with skopeo and gives its name.
fn pushed(home: &Home, server: &Server) -> String {
    server.aws().create_repository("app");
    let images = [Image::new("left", "amd64"), Image::new("right", "arm64")];
    let layout = tempfile::tempdir().expect("a layout folder");
    write_layout(layout.path(), "v1", &index_of(&images), &images);
    let from = format!("oci:{}:v1", utf8(layout.path()));
    let name = format!("docker://{}/app:v1", server.address);
    let args = ["copy", "--all", "--dest-tls-verify=false", &from, &name];
    client(home, "TEST_SKOPEO", &args).expect_success();
    name
}

#[test]
fn skopeo_and_podman_never_log_in() {
    let server = Server::start();
    let home = home(&server);
    let name = pushed(&home, &server);
    let args = ["inspect", "--raw", "--tls-verify=false", &name];
    client(&home, "TEST_SKOPEO", &args).expect_success();
    let repository = format!("{}/app", server.address);
    let path = |name: &str| utf8(&home.path().join(name)).to_owned();
    let args = [
        "--root",
        &path("root"),
        "--runroot",
        &path("run"),
        "--storage-driver",
        "vfs",
        "search",
        "--list-tags",
        "--tls-verify=false",
        &repository,
    ];
    let tags = client(&home, "TEST_PODMAN", &args).expect_success();
    assert!(tags.contains("v1"), "{tags}");
    let nobody = Home::new();
    nobody.write("auth.json", "{}");
    let args = ["inspect", "--raw", "--tls-verify=false", &name];
    client(&nobody, "TEST_SKOPEO", &args).expect_failure();
}

#[test]
fn docker_never_logs_in() {
    let server = Server::start();
    let home = home(&server);
    server.aws().create_repository("app");
    let docker = Docker::new();
    let image = format!("{}/app:v1", server.address);
    docker.build(&image, "login");
    let push = |home: &Home| {
        let mut command = program::limited(program::tool("TEST_DOCKER"));
        command
            .env_remove("DOCKER_CONTEXT")
            .envs(docker.environment())
            .envs(home.environment())
            .env("DOCKER_CONFIG", home.path().join("docker"))
            .args(["push", &image]);
        program::run(&mut command)
    };
    push(&Home::new()).expect_failure();
    push(&home).expect_success();
    docker.expect(&["rmi", "--force", &image]);
}
