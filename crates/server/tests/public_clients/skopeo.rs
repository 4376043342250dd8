//! skopeo: whole indexes in and out, and the public registry below a path of a server that has no
//! name for it.

use serde_json::{Value, json};

use crate::support::images::{Blob, Image, digest_of, index_of, stored_copies, write_layout};
use crate::support::program::{self, Said};
use crate::support::server::{Server, utf8};
use crate::{NAME, Registry, STRANGER};

pub fn skopeo(args: &[&str]) -> Said {
    let mut command = program::limited(program::tool("TEST_SKOPEO"));
    program::run(command.arg("--insecure-policy").args(args))
}

/// An index of two images, and the layout folder that holds it.
struct Index {
    folder: tempfile::TempDir,
    images: [Image; 2],
    index: Blob,
}

impl Index {
    fn new() -> Self {
        let images = [Image::new("left", "amd64"), Image::new("right", "arm64")];
        let index = index_of(&images);
        let folder = tempfile::tempdir().expect("a layout folder");
        write_layout(folder.path(), "v1", &index, &images);
        Self {
            folder,
            images,
            index,
        }
    }

    /// Copies it to a repository.
    fn copy(&self, to: &str, credentials: &[&str]) -> Said {
        let from = format!("oci:{}:v1", utf8(self.folder.path()));
        let flags = [
            "copy",
            "--all",
            "--preserve-digests",
            "--dest-tls-verify=false",
        ];
        skopeo(&[&flags[..], credentials, &[&from, to]].concat())
    }

    /// Copies what is there back, as nobody, and holds every byte against the original.
    fn is_at(&self, name: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let to = format!("oci:{}:back", utf8(folder.path()));
        let flags = [
            "copy",
            "--all",
            "--preserve-digests",
            "--src-tls-verify=false",
        ];
        let back = ["--src-no-creds", name, &to];
        skopeo(&[&flags[..], &back].concat()).expect_success();
        let blobs = self.images.iter().flat_map(Image::blobs);
        let mut digests: Vec<&str> = blobs.map(|blob| blob.digest.as_str()).collect();
        digests.extend(self.images.iter().map(Image::digest));
        digests.push(&self.index.digest);
        let copies = stored_copies(folder.path(), &digests);
        assert!(copies.values().all(|count| *count == 1), "{copies:?}");
    }
}

#[test]
fn an_index_in_and_out() {
    let registry = Registry::start();
    let index = Index::new();
    let name = format!("docker://{}", registry.tagged("v1"));
    let login = format!("AWS:{}", registry.aws.public_login_password());
    index
        .copy(&name, &["--dest-creds", &login])
        .expect_success();
    index.is_at(&name);

    let open = ["--tls-verify=false", "--no-creds"];
    let raw = skopeo(&[&["inspect", "--raw"], &open[..], &[&name]].concat());
    let raw = raw.expect_success();
    assert_eq!(digest_of(raw.as_bytes()), index.index.digest);
    let known = ["inspect", "--tls-verify=false", "--creds", &login, &name];
    skopeo(&known).expect_success();
    let repository = format!("docker://{}", registry.repository());
    let tags = skopeo(&[&["list-tags"], &open[..], &[&repository]].concat());
    assert_eq!(tags.expect_json()["Tags"], json!(["v1"]));

    // A child of the index stays as long as that does.
    let child = &index.images[0];
    let id = format!("imageDigest={}", child.digest());
    let delete = ["batch-delete-image", "--repository-name", NAME];
    let answer = registry
        .aws
        .public(&[&delete[..], &["--image-ids", &id]].concat());
    let failure = &answer["failures"][0];
    assert_eq!(failure["failureCode"], "ImageReferencedByManifestList");
    index.is_at(&name);
}

#[test]
fn whoever_may_not_push() {
    let registry = Registry::start();
    let index = Index::new();
    let name = format!("docker://{}", registry.tagged("v1"));
    index.copy(&name, &["--dest-no-creds"]).expect_failure();
    index
        .copy(&name, &["--dest-creds", "AWS:wrong"])
        .expect_failure();
    let aws = registry.server.aws_of(STRANGER);
    let login = format!("AWS:{}", aws.public_login_password());
    let said = index
        .copy(&name, &["--dest-creds", &login])
        .expect_failure();
    assert!(said.contains("is not authorized to perform"), "{said}");
    assert_eq!(registry.tags(), [""; 0]);
    // A wrong login is not taken for none, even where none is needed.
    let login = format!("AWS:{}", registry.aws.public_login_password());
    index
        .copy(&name, &["--dest-creds", &login])
        .expect_success();
    let wrong = ["inspect", "--tls-verify=false", "--creds", "AWS:wrong"];
    skopeo(&[&wrong[..], &[&name]].concat()).expect_failure();
}

/// `host/public.ecr.aws/alias/repository`, on a server with no name of its own.
#[test]
fn below_a_path_of_any_server() {
    let server = Server::start();
    let aws = server.aws();
    let alias = aws.create_public_repository(NAME);
    let repository = format!("{}/public.ecr.aws/{alias}/{NAME}", server.address);
    let described: Value = aws.public(&["describe-repositories"]);
    assert_eq!(described["repositories"][0]["repositoryUri"], repository);
    let index = Index::new();
    let name = format!("docker://{repository}:v1");
    index.copy(&name, &["--dest-no-creds"]).expect_failure();
    let login = format!("AWS:{}", aws.public_login_password());
    index
        .copy(&name, &["--dest-creds", &login])
        .expect_success();
    index.is_at(&name);
}
