//! boto3: paginators and exceptions by class, and the calls that the Terraform provider makes for
//! a repository and its policy (ecr-public.md 3 and 8).

use std::process::Command;

use crate::support::program;
use crate::support::server::Server;

fn run(script: &str, part: &str) {
    let server = Server::start_with_public_name();
    let aws = server.aws();
    let mut command: Command = program::limited(program::tool("TEST_PYTHON"));
    command.envs(aws.environment()).args(["-c", script, part]);
    program::run(&mut command).expect_success();
}

#[test]
fn paginators() {
    run(include_str!("public.py"), "paginators");
}

#[test]
fn exceptions_by_class() {
    run(include_str!("public.py"), "exceptions");
}

#[test]
fn exceptions_of_pushes_by_class() {
    run(include_str!("public.py"), "pushes");
}

#[test]
fn what_terraform_does_with_a_repository() {
    run(include_str!("terraform.py"), "repository");
}

#[test]
fn what_terraform_does_with_a_policy() {
    run(include_str!("terraform.py"), "policy");
}

#[test]
fn what_the_data_sources_of_terraform_read() {
    run(include_str!("terraform.py"), "data_sources");
}
