//! Podman, with a store and a run folder of its own and the plainest storage driver.

use std::fs;

use tempfile::TempDir;

use crate::support::images::content;
use crate::support::program::{self, Said};
use crate::support::server::utf8;
use crate::{NAME, Registry, STRANGER};

/// A Podman; its images and logins end with it.
struct Podman {
    folder: TempDir,
}

impl Podman {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Podman wants the file, though nobody has logged in.
        fs::write(folder.path().join("auth.json"), "{}").expect("a file of logins");
        Self { folder }
    }

    fn run(&self, args: &[&str]) -> Said {
        self.run_with_input(args, b"")
    }

    fn run_with_input(&self, args: &[&str], input: &[u8]) -> Said {
        let path = |name: &str| utf8(&self.folder.path().join(name)).to_owned();
        let mut command = program::limited(program::tool("TEST_PODMAN"));
        command
            .env_remove("CONTAINER_HOST")
            .env("HOME", self.folder.path())
            .env("REGISTRY_AUTH_FILE", path("auth.json"))
            .args(["--root", &path("root"), "--runroot", &path("run")])
            .args(["--tmpdir", &path("tmp"), "--storage-driver", "vfs"])
            .args(["--cgroup-manager", "cgroupfs", "--events-backend", "none"])
            .args(args);
        program::run_with_input(&mut command, input)
    }

    fn expect(&self, args: &[&str]) -> String {
        self.run(args).expect_success()
    }

    fn login(&self, registry: &str, password: &str) -> Said {
        let plain = "--tls-verify=false";
        let user = ["--username", "AWS", "--password-stdin"];
        let args = [&["login", plain], &user[..], &[registry]].concat();
        self.run_with_input(&args, password.as_bytes())
    }

    fn push(&self, name: &str) -> Said {
        self.run(&["push", "--tls-verify=false", name])
    }

    fn pull(&self, name: &str) -> Said {
        self.run(&["pull", "--quiet", "--tls-verify=false", name])
    }

    /// Builds an image `FROM scratch` with one file that follows from `seed`.
    fn build(&self, name: &str, seed: &str) {
        let context = tempfile::tempdir().expect("a build context");
        let file = |name: &str, bytes: &[u8]| {
            fs::write(context.path().join(name), bytes).expect("a file of the build context");
        };
        file("Dockerfile", b"FROM scratch\nCOPY payload /payload\n");
        file("payload", &content(seed, 64 * 1024));
        let how = ["build", "--quiet", "--isolation", "chroot"];
        self.expect(&[&how[..], &["--tag", name, utf8(context.path())]].concat());
    }
}

#[test]
fn a_push_after_a_login_and_pulls_with_and_without() {
    let registry = Registry::start();
    let (owner, nobody) = (Podman::new(), Podman::new());
    let tagged = registry.tagged("v1");
    let password = registry.aws.public_login_password();
    let said = owner.login(&registry.server.address, &password);
    let said = said.expect_success();
    assert!(said.contains("Login Succeeded"), "{said}");
    owner.build(&tagged, "pushed by podman");
    owner.push(&tagged).expect_success();
    assert_eq!(registry.tags(), ["v1"]);
    let exact = format!("{}@{}", registry.repository(), registry.digest_of("v1"));
    for podman in [&owner, &nobody] {
        for name in [&tagged, &exact] {
            podman.run(&["rmi", "--all", "--force"]);
            podman.pull(name).expect_success();
        }
    }
}

#[test]
fn whoever_may_not_push() {
    let registry = Registry::start();
    let (stranger, nobody) = (Podman::new(), Podman::new());
    let tagged = registry.tagged("v1");
    let aws = registry.server.aws_of(STRANGER);
    let password = aws.public_login_password();
    stranger
        .login(&registry.server.address, &password)
        .expect_success();
    stranger.build(&tagged, "not allowed");
    let said = stranger.push(&tagged).expect_failure();
    let sentence = format!(
        "User: arn:aws:iam::{STRANGER}:root is not authorized to perform: \
         ecr-public:InitiateLayerUpload on resource: \
         arn:aws:ecr-public::123456789012:repository/{NAME}"
    );
    assert!(said.contains(&sentence), "{said}");
    nobody.build(&tagged, "nobody");
    nobody.push(&tagged).expect_failure();
    assert_eq!(registry.tags(), [""; 0]);
}

#[test]
fn logins_that_fail() {
    let registry = Registry::start();
    let podman = Podman::new();
    let address = &registry.server.address;
    for password in ["wrong", &registry.aws.login_password()] {
        let said = podman.login(address, password).expect_failure();
        assert!(!said.contains("Login Succeeded"), "{said}");
    }
}
