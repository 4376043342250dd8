//! Docker's `buildx`: `build`, by the BuildKit within Docker Engine, and `imagetools`, which puts images
//! of several platforms together in the registry.

use serde_json::Value;

use crate::bench::{Bench, INDEX, list};

/// Docker's own login asks its daemon; this one writes the same file.
const LOGIN: &str = "crane auth login $REGISTRY --username AWS --password-stdin";

fn raw(bench: &Bench, name: &str) -> Value {
    let script = format!("docker buildx imagetools inspect --raw $REGISTRY/{name}");
    serde_json::from_str(&bench.ok(&script)).expect("JSON")
}

fn platforms(index: &Value) -> Vec<String> {
    let name = |one: &Value| {
        one["platform"]["architecture"]
            .as_str()
            .expect("one")
            .to_owned()
    };
    let mut names: Vec<String> = list(&index["manifests"]).iter().map(name).collect();
    names.sort();
    names
}

#[test]
fn an_image_is_built_and_pushed() {
    let bench = Bench::logged_in(LOGIN);
    bench.ok("
        mkdir context
        head -c 300000 /dev/urandom > context/layer
        printf 'FROM scratch\\nCOPY layer /\\nLABEL by=buildx\\n' > context/Dockerfile
        docker buildx build --builder default --provenance=false --push \
            --tag $REGISTRY/app:built context
        crane pull --format oci $REGISTRY/app:built pulled
        crane export $REGISTRY/app:built - | tar -x -O layer > exported
        cmp exported context/layer");
    assert_eq!(bench.tags("app"), ["built"]);
    // Built anew from the same context, nothing new is stored.
    let first = bench.digest("app", "built");
    bench.ok(
        "docker buildx build --builder default --provenance=false --push \
        --tag $REGISTRY/app:again context",
    );
    assert_eq!(bench.digest("app", "again"), first);
}

#[test]
fn images_of_two_platforms_become_one() {
    let bench = Bench::logged_in(LOGIN);
    bench.ok("
        crane push --index layout $REGISTRY/app:parts
        docker buildx imagetools create --tag $REGISTRY/app:v1 \
            $REGISTRY/app@$FIRST $REGISTRY/app@$SECOND");
    let index = raw(&bench, "app:v1");
    assert_eq!(index["mediaType"], INDEX);
    assert_eq!(platforms(&index), ["amd64", "arm64"]);
    let shown = bench.ok("docker buildx imagetools inspect $REGISTRY/app:v1");
    assert!(shown.contains(&bench.digest("app", "v1")), "{shown}");
    assert!(shown.contains("linux/arm64"), "{shown}");
}

#[test]
fn across_repositories_and_one_by_one() {
    let bench = Bench::logged_in(LOGIN);
    bench.ok("
        crane push --index layout $REGISTRY/app:parts
        docker buildx imagetools create --tag $REGISTRY/copy:all $REGISTRY/app@$INDEX
        docker buildx imagetools create --tag $REGISTRY/copy:grown $REGISTRY/app@$FIRST
        docker buildx imagetools create --append --tag $REGISTRY/copy:grown $REGISTRY/app@$SECOND");
    assert_eq!(platforms(&raw(&bench, "copy:all")), ["amd64", "arm64"]);
    assert_eq!(platforms(&raw(&bench, "copy:grown")), ["amd64", "arm64"]);
    assert_eq!(bench.tags("copy"), ["all", "grown"]);
    // Both images are whole there, layers and all.
    bench.ok("crane pull --format oci $REGISTRY/copy@$FIRST first");
    bench.ok("crane pull --format oci $REGISTRY/copy@$SECOND second");
}

#[test]
fn only_with_a_login() {
    let bench = Bench::logged_in(LOGIN);
    bench.ok("crane push --index layout $REGISTRY/app:v1; crane auth logout $REGISTRY");
    let said = bench.refused("docker buildx imagetools inspect $REGISTRY/app:v1");
    assert!(
        said.contains("no basic auth credentials") || said.contains("401"),
        "{said}"
    );
}
