//! Black box: boto3 against the real server, whose own worker evaluates: waiter, paginator, and the
//! calls that the Terraform provider makes (lifecycle.md 4).

#[path = "../support/mod.rs"]
mod support;

use std::process::Command;

use support::program;
use support::server::Server;

fn run(part: &str) {
    let server = Server::start();
    let aws = server.aws();
    let mut command: Command = program::limited(program::tool("TEST_PYTHON"));
    command
        .envs(aws.environment())
        .args(["-c", include_str!("lifecycle.py"), part]);
    program::run(&mut command).expect_success();
}

#[test]
fn the_waiter_and_the_paginator_of_previews() {
    run("previews");
}

#[test]
fn what_terraform_does_with_a_policy() {
    run("terraform");
}

#[test]
fn the_archive() {
    run("archive");
}
