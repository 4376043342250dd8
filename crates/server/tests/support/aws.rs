//! The stock AWS CLI, pointed at one server with one key and nothing from the caller's machine.

use super::images::Image;
use super::program::{self, Said};
use super::server::{Key, utf8};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// The region of all suites.
pub const REGION: &str = "us-east-1";

/// An AWS CLI.
pub struct AwsCli {
    endpoint: String,
    pub key: Key,
    /// For files given as arguments.
    folder: TempDir,
}

impl AwsCli {
    pub fn new(endpoint: String, key: Key) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            endpoint,
            key,
            folder,
        }
    }

    /// The settings as environment variables, also for scripts.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", self.key.access_key_id.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.key.secret_access_key.clone()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_MAX_ATTEMPTS", "1".to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// Runs `aws <args>`.
    pub fn run(&self, args: &[&str]) -> Said {
        let mut command: Command = program::limited(program::tool("TEST_AWS"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .envs(self.environment())
            .args(args)
            .args(["--output", "json"]);
        program::run(&mut command)
    }

    /// Runs `aws ecr <args>`, which must succeed.
    pub fn ecr(&self, args: &[&str]) -> Value {
        self.ok("ecr", args)
    }

    /// Runs `aws ecr <args>`, which must be refused; what the CLI says about it.
    pub fn ecr_refused(&self, args: &[&str]) -> String {
        self.refused("ecr", args)
    }

    /// Runs `aws ecr-public <args>`, which must succeed.
    pub fn public(&self, args: &[&str]) -> Value {
        self.ok("ecr-public", args)
    }

    /// Runs `aws ecr-public <args>`, which must be refused; what the CLI says about it.
    pub fn public_refused(&self, args: &[&str]) -> String {
        self.refused("ecr-public", args)
    }

    /// Runs `aws <service> <args>`, which must succeed.
    pub fn ok(&self, service: &str, args: &[&str]) -> Value {
        self.run(&[&[service], args].concat()).expect_json()
    }

    /// Runs `aws <service> <args>`, which must be refused; what the CLI says about it.
    pub fn refused(&self, service: &str, args: &[&str]) -> String {
        self.run(&[&[service], args].concat())
            .expect_failure()
            .trim()
            .to_owned()
    }

    /// Makes a public repository, and gives its registry's alias.
    pub fn create_public_repository(&self, name: &str) -> String {
        self.public(&["create-repository", "--repository-name", name]);
        let registries = self.public(&["describe-registries"]);
        let alias = &registries["registries"][0]["aliases"][0]["name"];
        alias.as_str().expect("an alias").to_owned()
    }

    /// The password for a login to the public registry.
    pub fn public_login_password(&self) -> String {
        let said = self.run(&["ecr-public", "get-login-password"]);
        said.expect_success().trim().to_owned()
    }

    /// Runs `aws lightsail <args>`, which must succeed.
    pub fn lightsail(&self, args: &[&str]) -> Value {
        self.run(&[&["lightsail"], args].concat()).expect_json()
    }

    /// Runs `aws lightsail <args>`, which must be refused; what the CLI says about it.
    pub fn lightsail_refused(&self, args: &[&str]) -> String {
        self.run(&[&["lightsail"], args].concat())
            .expect_failure()
            .trim()
            .to_owned()
    }

    /// Makes a repository.
    pub fn create_repository(&self, name: &str) -> Value {
        self.ecr(&["create-repository", "--repository-name", name])["repository"].clone()
    }

    /// The password for `docker login` and the like.
    pub fn login_password(&self) -> String {
        let said = self.run(&["ecr", "get-login-password"]);
        said.expect_success().trim().to_owned()
    }

    /// `batch-delete-image` with the CLI's short form (`imageTag=x`, `imageDigest=y`).
    pub fn delete_images(&self, repository: &str, image_ids: &[&str]) -> Value {
        let head = [
            "batch-delete-image",
            "--repository-name",
            repository,
            "--image-ids",
        ];
        self.ecr(&[&head, image_ids].concat())
    }

    /// Pushes blobs and manifest through the ECR API alone, under each tag in turn.
    pub fn push(&self, repository: &str, image: &Image, tags: &[&str]) {
        self.push_by("ecr", repository, image, tags);
    }

    /// The same to a public repository.
    pub fn push_publicly(&self, repository: &str, image: &Image, tags: &[&str]) {
        self.push_by("ecr-public", repository, image, tags);
    }

    fn push_by(&self, service: &str, repository: &str, image: &Image, tags: &[&str]) {
        for blob in image.blobs() {
            self.push_layer(service, repository, &blob.digest, &blob.bytes);
        }
        for tag in tags {
            self.put_image_by(service, repository, image, tag);
        }
    }

    /// `put-image` with the exact manifest bytes.
    pub fn put_image(&self, repository: &str, image: &Image, tag: &str) -> Value {
        self.put_image_by("ecr", repository, image, tag)
    }

    fn put_image_by(&self, service: &str, repository: &str, image: &Image, tag: &str) -> Value {
        let manifest = self.file("manifest.json", &image.manifest.bytes);
        let manifest = format!("file://{}", utf8(&manifest));
        let named = ["--repository-name", repository, "--image-tag", tag];
        let image = ["--image-manifest", &manifest];
        self.ok(service, &[&["put-image"], &named[..], &image[..]].concat())
    }

    fn push_layer(&self, service: &str, repository: &str, digest: &str, bytes: &[u8]) {
        let named = ["initiate-layer-upload", "--repository-name", repository];
        let upload = self.ok(service, &named);
        let id = upload["uploadId"].as_str().expect("an upload id");
        let part = self.file("part", bytes);
        let named = ["--repository-name", repository, "--upload-id", id];
        let last_byte = (bytes.len() - 1).to_string();
        let blob = format!("fileb://{}", utf8(&part));
        let part = [
            "--part-first-byte",
            "0",
            "--part-last-byte",
            &last_byte,
            "--layer-part-blob",
            &blob,
        ];
        self.ok(
            service,
            &[&["upload-layer-part"], &named[..], &part[..]].concat(),
        );
        let digests = ["--layer-digests", digest];
        let complete = [&["complete-layer-upload"], &named[..], &digests[..]].concat();
        assert_eq!(self.ok(service, &complete)["layerDigest"], digest);
    }

    /// A file for an argument `file://…`.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).expect("a file for the CLI");
        path
    }
}
