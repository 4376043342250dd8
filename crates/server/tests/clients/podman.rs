//! Podman against a private registry (`public_clients` has the public one).

use crate::bench::{Bench, INDEX};

/// Logged in, with the image `built` of two layers in its own store.
fn with_an_image() -> Bench {
    let bench = Bench::new();
    bench.ok("
        aws ecr get-login-password |
            podman login --tls-verify=false --username AWS --password-stdin $REGISTRY
        mkdir context
        for name in one two; do head -c 50000 /dev/urandom > context/$name; done
        printf 'FROM scratch\\nCOPY one /one\\nCOPY two /two\\n' > context/Dockerfile
        podman build --quiet --layers --isolation chroot --tag built context");
    bench
}

#[test]
fn an_image_is_pushed_and_pulled() {
    let bench = with_an_image();
    bench.ok("
        podman push --tls-verify=false --digestfile digest built $REGISTRY/app:v1
        podman image inspect --format '{{.Id}}' built > before
        podman rmi --all --force
        podman pull --tls-verify=false $REGISTRY/app:v1
        podman image inspect --format '{{.Id}}' $REGISTRY/app:v1 > after
        cmp before after
        podman rmi --all --force
        podman pull --tls-verify=false $REGISTRY/app@$(cat digest)");
    let pushed = String::from_utf8(bench.read("digest")).expect("a digest");
    assert_eq!(bench.digest("app", "v1"), pushed.trim());
    let found = bench.ok("podman search --tls-verify=false --list-tags $REGISTRY/app");
    assert_eq!(found.lines().count(), 2, "a heading and one tag: {found}");
    assert!(found.trim_end().ends_with("v1"), "{found}");
}

#[test]
fn a_list_of_manifests_is_pushed() {
    let bench = with_an_image();
    bench.ok("
        podman push --tls-verify=false built $REGISTRY/app:v1
        podman manifest create all
        podman manifest add --tls-verify=false all docker://$REGISTRY/app:v1
        podman manifest push --all --tls-verify=false all docker://$REGISTRY/app:all
        podman rmi --all --force
        podman pull --tls-verify=false $REGISTRY/app:all");
    assert_eq!(
        bench.detail("app", "imageTag=all")["imageManifestMediaType"],
        INDEX
    );
}

#[test]
fn only_with_a_login() {
    let bench = with_an_image();
    bench.ok("podman logout $REGISTRY");
    bench.refused("podman push --tls-verify=false built $REGISTRY/app:v1");
    bench.refused(
        "echo wrong | podman login --tls-verify=false --username AWS --password-stdin $REGISTRY",
    );
}
