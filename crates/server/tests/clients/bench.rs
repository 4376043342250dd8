//! What the clients share: a server with two repositories, an image of two platforms in an OCI
//! layout, and a shell in which every client keeps its logins and files in a folder of its own.
//!
//! Must never read or write the home folder of whoever runs the tests.

use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

use crate::support::aws::AwsCli;
use crate::support::images::{Blob, Image, digest_of, index_of, stored_copies, write_layout};
use crate::support::program::{self, Said};
use crate::support::server::{Server, utf8};

/// The media type of image manifests and of indexes (OCI image specification 1.1).
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What a shell ends with when it does not find a program: no refusal.
const NO_SUCH_PROGRAM: i32 = 127;

/// Settings of whoever runs the tests that would lead clients elsewhere.
const STRANGE: [&str; 5] = [
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "CONTAINER_HOST",
    "DOCKER_CONTEXT",
];

/// A server with the repositories `app` and `copy`, and a folder in which the clients run.
pub struct Bench {
    pub server: Server,
    pub aws: AwsCli,
    folder: TempDir,
    /// For two platforms, with one layer in common.
    pub images: [Image; 2],
    pub index: Blob,
}

impl Bench {
    /// The layout lies in the folder `layout`, its index under the name `v1`.
    pub fn new() -> Self {
        let server = Server::start();
        let aws = server.aws();
        for name in ["app", "copy"] {
            aws.create_repository(name);
        }
        // No two benches have a byte in common: what one client lets go of is never what another reads,
        // though a daemon keeps one copy for all.
        let layer = |name: &str| format!("{name} of {}", server.address);
        let image = |own: &str, platform: &'static str| {
            Image::of_layers(&[&layer("shared"), &layer(own)], platform)
        };
        let images = [image("left", "amd64"), image("right", "arm64")];
        let index = index_of(&images);
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_layout(&folder.path().join("layout"), "v1", &index, &images);
        let bench = Self {
            server,
            aws,
            folder,
            images,
            index,
        };
        bench.keep_stores_apart();
        bench
    }

    /// Gives the clients that keep images on the machine a store of their own, under their own names.
    fn keep_stores_apart(&self) {
        let home = utf8(self.folder.path());
        let stores = format!("--root {home}/root --runroot {home}/run --storage-driver vfs");
        let podman = format!(
            "podman {stores} --tmpdir {home}/tmp --cgroup-manager cgroupfs --events-backend none"
        );
        let containerd = program::tool("TEST_CONTAINERD");
        let space = self.server.address.replace(['.', ':'], "-");
        let ctr = format!("ctr --address {} --namespace at-{space}", utf8(&containerd));
        let buildah = format!("buildah {stores}");
        let clients = program::tool("TEST_CLIENTS");
        fs::create_dir(self.path("bin")).expect("a folder of programs");
        for (name, line) in [("podman", podman), ("buildah", buildah), ("ctr", ctr)] {
            let place = self.path("bin").join(name);
            let script = format!("#!/bin/sh\nexec {}/{line} \"$@\"\n", utf8(&clients));
            fs::write(&place, script).expect("a program");
            fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).expect("its mode");
        }
        self.write("auth.json", "{}");
        // Docker finds its plug-ins in its configuration.
        fs::create_dir_all(self.path("docker/cli-plugins")).expect("a folder of plug-ins");
        symlink(
            clients.join("docker-buildx"),
            self.path("docker/cli-plugins/docker-buildx"),
        )
        .expect("a plug-in");
    }

    /// A server to which `login` has logged in: a client's command that reads the password.
    pub fn logged_in(login: &str) -> Self {
        let bench = Self::new();
        bench.ok(&format!("aws ecr get-login-password | {login}"));
        bench
    }

    /// Runs a script, as a user would type it. It finds the registry's address in `$REGISTRY` and
    /// the digests of the index and its two images in `$INDEX`, `$FIRST` and `$SECOND`.
    pub fn run(&self, script: &str) -> Said {
        let mut command: Command = program::limited("bash");
        for name in STRANGE {
            command.env_remove(name);
        }
        command
            .envs(self.aws.environment())
            .env("PATH", self.search_path())
            .env("HOME", self.folder.path())
            .env("DOCKER_CONFIG", self.path("docker"))
            .env("DOCKER_HOST", program::tool("TEST_DOCKER_HOST"))
            // The classic builder is part of every client.
            .env("DOCKER_BUILDKIT", "0")
            .env("REGISTRY_AUTH_FILE", self.path("auth.json"))
            .env("REGISTRY", &self.server.address)
            .env("INDEX", &self.index.digest)
            .env("FIRST", self.images[0].digest())
            .env("SECOND", self.images[1].digest())
            .current_dir(self.folder.path())
            .args(["-c", &format!("set -euo pipefail\n{script}")]);
        program::run(&mut command)
    }

    /// Runs a script that must succeed; its standard output.
    pub fn ok(&self, script: &str) -> String {
        self.run(script).expect_success()
    }

    /// Runs a script that must succeed; both its outputs.
    pub fn all_said(&self, script: &str) -> String {
        self.ok(&format!("{{ {script}\n}} 2>&1"))
    }

    /// Runs a script that must fail by itself; both its outputs.
    pub fn refused(&self, script: &str) -> String {
        let said = self.run(script);
        assert_ne!(said.code, Some(NO_SUCH_PROGRAM), "{said}");
        said.expect_failure()
    }

    /// The stores of this bench, the clients, the AWS CLI, then whatever the tests began with.
    fn search_path(&self) -> String {
        let clients = program::tool("TEST_CLIENTS");
        let aws = program::tool("TEST_AWS");
        let aws = aws.parent().expect("the folder of the AWS CLI");
        let rest = std::env::var("PATH").expect("a search path");
        let own = self.path("bin");
        format!("{}:{}:{}:{rest}", utf8(&own), utf8(&clients), utf8(aws))
    }

    /// A file or folder of the clients.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// The digest of the layout's own top, which some clients push as it is.
    pub fn top(&self) -> String {
        digest_of(&self.read("layout/index.json"))
    }

    /// The blobs and manifests of the image of both platforms lie once each in the folder `name`,
    /// byte for byte.
    pub fn assert_whole(&self, name: &str) {
        let manifests = [
            &self.index,
            &self.images[0].manifest,
            &self.images[1].manifest,
        ];
        let blobs = self.images.iter().flat_map(Image::blobs).chain(manifests);
        let digests: Vec<&str> = blobs.map(|blob| blob.digest.as_str()).collect();
        let copies = stored_copies(&self.path(name), &digests);
        assert_eq!(copies.len(), 8, "five blobs and three manifests");
        assert!(copies.values().all(|count| *count == 1), "{copies:?}");
    }

    /// What DescribeImages says about one image (`imageTag=…` or `imageDigest=…`).
    pub fn detail(&self, repository: &str, id: &str) -> Value {
        let named = ["describe-images", "--repository-name", repository];
        let answer = self.aws.ecr(&[&named[..], &["--image-ids", id]].concat());
        answer["imageDetails"][0].clone()
    }

    /// The digest that DescribeImages has for a tag.
    pub fn digest(&self, repository: &str, tag: &str) -> String {
        let detail = self.detail(repository, &format!("imageTag={tag}"));
        detail["imageDigest"].as_str().expect("a digest").to_owned()
    }

    /// DescribeImages knows the index under `tag`, and both images below it.
    pub fn assert_described(&self, repository: &str, tag: &str) {
        let index = self.detail(repository, &format!("imageTag={tag}"));
        assert_eq!(index["imageDigest"], self.index.digest);
        assert_eq!(index["imageManifestMediaType"], INDEX);
        for image in &self.images {
            let detail = self.detail(repository, &format!("imageDigest={}", image.digest()));
            assert_eq!(detail["imageManifestMediaType"], MANIFEST);
            let size: usize = image.blobs().iter().map(|blob| blob.bytes.len()).sum();
            assert_eq!(detail["imageSizeInBytes"], json!(size));
        }
    }

    /// The tags that ListImages knows, sorted.
    pub fn tags(&self, repository: &str) -> Vec<String> {
        let mut tags: Vec<String> = self
            .image_ids(repository)
            .iter()
            .filter_map(|id| id["imageTag"].as_str().map(str::to_owned))
            .collect();
        tags.sort();
        tags
    }

    /// All that ListImages says.
    pub fn image_ids(&self, repository: &str) -> Vec<Value> {
        let named = ["list-images", "--repository-name", repository];
        list(&self.aws.ecr(&named)["imageIds"])
    }

    /// The artifact types of what refers to an image, by ListImageReferrers, sorted.
    pub fn referrers(&self, repository: &str, digest: &str) -> Vec<String> {
        let subject = format!("imageDigest={digest}");
        let named = ["list-image-referrers", "--repository-name", repository];
        let answer = self
            .aws
            .ecr(&[&named[..], &["--subject-id", &subject]].concat());
        let text = |one: &Value| one["artifactType"].as_str().expect("a type").to_owned();
        let mut types: Vec<String> = list(&answer["referrers"]).iter().map(text).collect();
        types.sort();
        types
    }
}

/// The elements of a list; what is no list has none.
pub fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// The lines of an output, trimmed.
pub fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).collect()
}
