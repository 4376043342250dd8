//! The Docker client with a configuration of its own, talking to the daemon that
//! `cargo xtask test` started.

use super::aws::AwsCli;
use super::images::content;
use super::program::{self, Said};
use super::server::utf8;
use std::fs;
use std::process::Command;
use tempfile::TempDir;

/// A Docker client; its logins end with it.
pub struct Docker {
    config: TempDir,
}

impl Docker {
    pub fn new() -> Self {
        Self {
            config: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// The settings as environment variables, also for scripts.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let host = program::tool("TEST_DOCKER_HOST");
        vec![
            ("DOCKER_HOST", utf8(&host).to_owned()),
            ("DOCKER_CONFIG", utf8(self.config.path()).to_owned()),
            // The classic builder is part of every client; BuildKit's client is a plug-in.
            ("DOCKER_BUILDKIT", "0".to_owned()),
        ]
    }

    /// Runs `docker <args>`.
    pub fn run(&self, args: &[&str]) -> Said {
        let mut command = program::limited(program::tool("TEST_DOCKER"));
        command.env_remove("DOCKER_CONTEXT");
        program::run(command.envs(self.environment()).args(args))
    }

    /// Runs `docker <args>`, which must succeed.
    pub fn expect(&self, args: &[&str]) -> String {
        self.run(args).expect_success()
    }

    /// `aws ecr get-login-password | docker login …`, as the AWS documentation has it.
    pub fn login(&self, aws: &AwsCli, registry: &str) {
        self.login_by("ecr", aws, registry);
    }

    /// The same with `aws ecr-public`.
    pub fn login_publicly(&self, aws: &AwsCli, registry: &str) {
        self.login_by("ecr-public", aws, registry);
    }

    fn login_by(&self, service: &str, aws: &AwsCli, registry: &str) {
        let script = format!(
            "set -o pipefail; '{}' {service} get-login-password \
             | '{}' login --username AWS --password-stdin {registry}",
            utf8(&program::tool("TEST_AWS")),
            utf8(&program::tool("TEST_DOCKER")),
        );
        let mut command: Command = program::limited("bash");
        command
            .args(["-c", &script])
            .envs(aws.environment())
            .envs(self.environment());
        let said = program::run(&mut command).expect_success();
        assert!(said.contains("Login Succeeded"), "{said}");
    }

    /// `docker login` with a user name and a password on standard input.
    pub fn login_with(&self, registry: &str, user: &str, password: &str) -> Said {
        let mut command = program::limited(program::tool("TEST_DOCKER"));
        command
            .env_remove("DOCKER_CONTEXT")
            .envs(self.environment())
            .args(["login", "--username", user, "--password-stdin", registry]);
        program::run_with_input(&mut command, password.as_bytes())
    }

    /// Builds an image `FROM scratch` of two layers of 256 KiB: one that follows from `shared`, and
    /// one from `own`.
    pub fn build_upon(&self, name: &str, shared: &str, own: &str) {
        let context = tempfile::tempdir().expect("a build context");
        let file = |name: &str, bytes: &[u8]| {
            fs::write(context.path().join(name), bytes).expect("a file of the build context");
        };
        file(
            "Dockerfile",
            b"FROM scratch\nCOPY shared /shared\nCOPY own /own\n",
        );
        file("shared", &content(shared, 256 * 1024));
        file("own", &content(own, 256 * 1024));
        self.expect(&["build", "--quiet", "--tag", name, utf8(context.path())]);
    }

    /// Builds an image `FROM scratch` with one file of 256 KiB that follows from `seed`.
    pub fn build(&self, name: &str, seed: &str) {
        let context = tempfile::tempdir().expect("a build context");
        let file = |name: &str, bytes: &[u8]| {
            fs::write(context.path().join(name), bytes).expect("a file of the build context");
        };
        file("Dockerfile", b"FROM scratch\nCOPY payload /payload\n");
        file("payload", &content(seed, 256 * 1024));
        self.expect(&["build", "--quiet", "--tag", name, utf8(context.path())]);
    }
}
