//! Black box: skopeo with a multi-platform index against the real server. An index protects
//! its children; once everything is deleted and swept, no blob is left.

mod support;

use serde_json::{Value, json};
use support::aws::AwsCli;
use support::images::{Blob, Image, digest_of, index_of, stored_copies, write_layout};
use support::program::{self, Said};
use support::server::{Server, utf8};

struct World {
    server: Server,
    aws: AwsCli,
    images: [Image; 2],
    index: Blob,
}

impl World {
    /// The index of two platforms lies in the repository `multi` under the tag `v1`.
    fn with_a_pushed_index() -> Self {
        let server = Server::start();
        let aws = server.aws();
        aws.create_repository("multi");
        let images = [Image::new("left", "amd64"), Image::new("right", "arm64")];
        let index = index_of(&images);
        let world = Self {
            server,
            aws,
            images,
            index,
        };
        let layout = tempfile::tempdir().expect("a layout folder");
        write_layout(layout.path(), "v1", &world.index, &world.images);
        let from = format!("oci:{}:v1", utf8(layout.path()));
        world.copy(
            &["--all", "--dest-tls-verify=false"],
            "--dest-creds",
            &from,
            &world.name("v1"),
        );
        world
    }

    fn name(&self, tag: &str) -> String {
        format!("docker://{}/multi:{tag}", self.server.address)
    }

    fn credentials(&self) -> String {
        format!("AWS:{}", self.aws.login_password())
    }

    /// With the same digests on both sides: left to itself, skopeo compresses plain layers.
    fn copy(&self, flags: &[&str], credentials: &str, from: &str, to: &str) {
        let login = self.credentials();
        let tail = [credentials, &login, from, to];
        skopeo(&[&["copy", "--preserve-digests"], flags, &tail[..]].concat()).expect_success();
    }

    fn expect(&self, command: &str, flags: &[&str], name: &str) -> String {
        let login = self.credentials();
        let tail = ["--tls-verify=false", "--creds", &login, name];
        skopeo(&[&[command], flags, &tail[..]].concat()).expect_success()
    }

    fn blobs(&self) -> Vec<&str> {
        let blobs = self.images.iter().flat_map(Image::blobs);
        blobs.map(|blob| blob.digest.as_str()).collect()
    }

    fn copies(&self) -> Vec<usize> {
        stored_copies(self.server.data(), &self.blobs())
            .into_values()
            .collect()
    }

    fn delete_by_digest(&self, digest: &str) -> Value {
        self.aws
            .delete_images("multi", &[&format!("imageDigest={digest}")])
    }
}

fn skopeo(args: &[&str]) -> Said {
    let mut command = program::limited(program::tool("TEST_SKOPEO"));
    program::run(command.arg("--insecure-policy").args(args))
}

fn gone(id: &Value) -> Value {
    json!({"failures": [], "imageIds": [id]})
}

#[test]
fn an_index_protects_its_children_until_it_is_deleted() {
    let world = World::with_a_pushed_index();
    for child in &world.images {
        let reason = format!(
            "Requested image referenced by manifest list: [{}]",
            world.index.digest
        );
        let failure = json!({
            "failureCode": "ImageReferencedByManifestList",
            "failureReason": reason,
            "imageId": {"imageDigest": child.digest()},
        });
        let refused = json!({"failures": [failure], "imageIds": []});
        assert_eq!(world.delete_by_digest(child.digest()), refused);
    }
    world.server.sweep();
    assert_eq!(world.copies(), [1; 4]);

    let index = json!({"imageDigest": world.index.digest, "imageTag": "v1"});
    assert_eq!(world.delete_by_digest(&world.index.digest), gone(&index));
    world.server.sweep();
    assert_eq!(
        world.copies(),
        [1; 4],
        "children stay when their index goes"
    );
    for child in &world.images {
        let id = json!({"imageDigest": child.digest()});
        assert_eq!(world.delete_by_digest(child.digest()), gone(&id));
    }
    world.server.sweep();
    assert_eq!(world.copies(), [0; 4]);
}

#[test]
fn an_index_before_its_children_in_one_request_lets_all_go() {
    let world = World::with_a_pushed_index();
    let ids: Vec<String> = [&world.index.digest]
        .into_iter()
        .chain(world.images.iter().map(|image| &image.manifest.digest))
        .map(|digest| format!("imageDigest={digest}"))
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let answer = world.aws.delete_images("multi", &ids);
    assert_eq!(answer["failures"], json!([]));
    assert_eq!(answer["imageIds"].as_array().map(Vec::len), Some(3));
    world.server.sweep();
    assert_eq!(world.copies(), [0; 4]);
}

#[test]
fn what_was_copied_in_comes_out_byte_for_byte() {
    let world = World::with_a_pushed_index();
    let raw = world.expect("inspect", &["--raw"], &world.name("v1"));
    assert_eq!(digest_of(raw.as_bytes()), world.index.digest);
    let inspected = world.expect("inspect", &["--override-arch", "arm64"], &world.name("v1"));
    let inspected: Value = serde_json::from_str(&inspected).expect("JSON");
    assert_eq!(inspected["Architecture"], "arm64");
    assert_eq!(
        inspected["Layers"],
        json!([world.images[1].layers[0].digest])
    );

    let folder = tempfile::tempdir().expect("a folder");
    let to = format!("oci:{}:back", utf8(folder.path()));
    world.copy(
        &["--all", "--src-tls-verify=false"],
        "--src-creds",
        &world.name("v1"),
        &to,
    );
    let digests = [world.blobs(), vec![&world.index.digest]].concat();
    let copies: Vec<usize> = stored_copies(folder.path(), &digests)
        .into_values()
        .collect();
    assert_eq!(copies, [1; 5]);
}

#[test]
fn tags_are_listed_and_deleted() {
    let world = World::with_a_pushed_index();
    world.copy(
        &[
            "--all",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
            "--src-creds",
            &world.credentials(),
        ],
        "--dest-creds",
        &world.name("v1"),
        &world.name("v2"),
    );
    let repository = format!("docker://{}/multi", world.server.address);
    let listed = world.expect("list-tags", &[], &repository);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed["Tags"], json!(["v1", "v2"]));

    // skopeo looks the tag up and deletes by digest: both tags go, the children stay.
    world.expect("delete", &[], &world.name("v1"));
    let left = world
        .aws
        .ecr(&["list-images", "--repository-name", "multi"]);
    let mut children: Vec<&str> = world.images.iter().map(Image::digest).collect();
    children.sort_unstable();
    let children: Vec<Value> = children
        .iter()
        .map(|one| json!({"imageDigest": one}))
        .collect();
    assert_eq!(left["imageIds"], json!(children));
}
