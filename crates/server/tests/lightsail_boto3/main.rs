//! Black box: boto3's Lightsail client against the real server, whose own workers move services:
//! exceptions by class, typed answers, and the calls that the Terraform provider makes
//! (lightsail-containers.md 1.1, 5.3, 6.1, 8).

#[path = "../support/mod.rs"]
mod support;

use std::process::Command;

use support::images::Image;
use support::program;
use support::server::Server;

/// Long enough for a second call to come in between on a slow machine.
const SLOW: (&str, &str) = ("ROADSTEAD_LIGHTSAIL_DWELL_MILLISECONDS", "3000");
const FAILING: (&str, &str) = ("ROADSTEAD_LIGHTSAIL_RECORDED_END", "failed");

fn run(server: &Server, script: &str, args: &[&str]) {
    let aws = server.aws();
    let mut command: Command = program::limited(program::tool("TEST_PYTHON"));
    command
        .envs(aws.environment())
        .args(["-c", script])
        .args(args);
    program::run(&mut command).expect_success();
}

fn boto3(part: &str) {
    run(&Server::start(), include_str!("lightsail.py"), &[part]);
}

fn terraform(part: &str) {
    run(&Server::start(), include_str!("terraform.py"), &[part]);
}

#[test]
fn exceptions_have_their_classes() {
    boto3("exceptions");
}

#[test]
fn texts_that_clients_match() {
    let server = Server::start_with_settings(&[SLOW]);
    run(&server, include_str!("lightsail.py"), &["texts"]);
}

#[test]
fn answers_have_their_types() {
    boto3("answers");
}

#[test]
fn without_credentials_or_with_bad_ones() {
    boto3("credentials");
}

/// A push as boto3's users do it by hand: any client of the OCI specification and the login.
#[test]
fn an_image_pushed_registered_and_deployed() {
    let server = Server::start();
    let image = Image::new("boto3", "amd64");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for blob in image.blobs().into_iter().chain([&image.manifest]) {
        let name = blob.digest.trim_start_matches("sha256:");
        std::fs::write(folder.path().join(name), &blob.bytes).expect("a file");
    }
    let folder = support::server::utf8(folder.path());
    let script = include_str!("lightsail.py");
    run(&server, script, &["push", folder, image.digest()]);
}

#[test]
fn terraform_makes_changes_and_deletes_a_service() {
    terraform("service");
}

#[test]
fn terraform_makes_a_disabled_service() {
    terraform("disabled");
}

#[test]
fn terraform_changes_tags_by_name() {
    terraform("tags");
}

#[test]
fn terraform_deploys_version_after_version() {
    terraform("deployments");
}

#[test]
fn terraform_comes_again_where_it_was_told_to() {
    let server = Server::start_with_settings(&[SLOW]);
    run(&server, include_str!("terraform.py"), &["retries"]);
}

#[test]
fn terraform_sees_what_went_wrong() {
    terraform("refusals");
}

#[test]
fn terraform_sees_a_failed_deployment() {
    let server = Server::start_with_settings(&[FAILING]);
    run(&server, include_str!("terraform.py"), &["failure"]);
}
