//! buildah.

use crate::bench::{Bench, INDEX, MANIFEST};

/// Logged in, with the image `built` of one layer in its own store.
fn with_an_image() -> Bench {
    let bench = Bench::new();
    bench.ok("
        aws ecr get-login-password |
            buildah login --tls-verify=false --username AWS --password-stdin $REGISTRY
        head -c 100000 /dev/urandom > payload
        container=$(buildah from scratch)
        buildah copy $container payload /payload
        buildah config --label by=buildah $container
        buildah commit --format oci $container built
        buildah commit --format docker $container built-for-docker");
    bench
}

#[test]
fn images_of_both_formats_are_pushed_and_pulled() {
    let bench = with_an_image();
    bench.ok("
        buildah push --tls-verify=false --digestfile digest built docker://$REGISTRY/app:oci
        buildah push --tls-verify=false built-for-docker docker://$REGISTRY/app:docker
        buildah rmi --all --force
        buildah pull --tls-verify=false $REGISTRY/app:oci
        buildah pull --tls-verify=false $REGISTRY/app:docker");
    let oci = bench.detail("app", "imageTag=oci");
    assert_eq!(oci["imageManifestMediaType"], MANIFEST);
    let pushed = String::from_utf8(bench.read("digest")).expect("a digest");
    assert_eq!(oci["imageDigest"], pushed.trim());
    let docker = bench.detail("app", "imageTag=docker");
    let schema2 = "application/vnd.docker.distribution.manifest.v2+json";
    assert_eq!(docker["imageManifestMediaType"], schema2);
    // From the registry's bytes alone, by the digest.
    bench.ok("
        buildah rmi --all --force
        container=$(buildah from --tls-verify=false $REGISTRY/app@$(cat digest))
        cmp payload $(buildah mount $container)/payload
        buildah umount $container");
}

#[test]
fn a_list_of_manifests_goes_across_repositories() {
    let bench = with_an_image();
    bench.ok("
        buildah push --tls-verify=false built docker://$REGISTRY/app:v1
        buildah manifest create all
        buildah manifest add --tls-verify=false all docker://$REGISTRY/app:v1
        buildah manifest push --all --tls-verify=false all docker://$REGISTRY/copy:all");
    assert_eq!(
        bench.detail("copy", "imageTag=all")["imageManifestMediaType"],
        INDEX
    );
    assert_eq!(bench.image_ids("copy").len(), 2, "the index and its image");
}

#[test]
fn only_with_a_login() {
    let bench = with_an_image();
    bench.ok("buildah logout $REGISTRY");
    let said = bench.refused("buildah push --tls-verify=false built docker://$REGISTRY/app:v1");
    assert!(said.contains("authentication required"), "{said}");
    bench
        .refused("echo wrong | buildah login --tls-verify=false -u AWS --password-stdin $REGISTRY");
}
