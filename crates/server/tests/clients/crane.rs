//! crane.

use crate::bench::{Bench, lines};
use crate::support::images::digest_of;

const LOGIN: &str = "crane auth login $REGISTRY --username AWS --password-stdin";

#[test]
fn an_index_goes_in_and_comes_back() {
    let bench = Bench::logged_in(LOGIN);
    let top = bench.top();
    bench.ok("crane push --index layout $REGISTRY/app:v1");
    assert_eq!(bench.ok("crane digest $REGISTRY/app:v1").trim(), top);
    let manifest = bench.ok("crane manifest $REGISTRY/app@$INDEX");
    assert_eq!(manifest.as_bytes(), bench.index.bytes);
    for reference in [":v1", &format!("@{top}")] {
        bench.ok(&format!(
            "rm -rf back; crane pull --format oci $REGISTRY/app{reference} back"
        ));
        bench.assert_whole("back");
    }
    let blob = &bench.images[1].layers[0];
    bench.ok(&format!("crane blob $REGISTRY/app@{} > layer", blob.digest));
    assert_eq!(digest_of(&bench.read("layer")), blob.digest);
    assert_eq!(lines(&bench.ok("crane ls $REGISTRY/app")), ["v1"]);
    assert_eq!(lines(&bench.ok("crane catalog $REGISTRY")), ["app", "copy"]);
    assert_eq!(bench.digest("app", "v1"), top);
}

#[test]
fn copies_mount_what_the_registry_has() {
    let bench = Bench::logged_in(LOGIN);
    bench.ok("crane push --index layout $REGISTRY/app:v1");
    let said = bench.all_said("crane copy $REGISTRY/app@$INDEX $REGISTRY/copy:v1");
    assert!(said.contains("mounted blob: sha256:"), "{said}");
    assert!(!said.contains("pushed blob: sha256:"), "{said}");
    bench.assert_described("copy", "v1");
}

#[test]
fn images_made_of_layers_are_valid() {
    let bench = Bench::logged_in(LOGIN);
    bench.ok("
        echo one > one; echo two > two; tar -cf one.tar one; tar -cf two.tar two
        crane append --oci-empty-base --new_layer one.tar --new_tag $REGISTRY/app:base
        crane append --base $REGISTRY/app:base --new_layer two.tar --new_tag $REGISTRY/app:both
        crane mutate $REGISTRY/app:both --label by=crane --tag $REGISTRY/app:labelled
        crane validate --remote $REGISTRY/app:labelled
        crane index append -m $REGISTRY/app:base -m $REGISTRY/app:both --tag $REGISTRY/app:index
        crane validate --remote $REGISTRY/app:index");
    let files = bench.ok("crane export $REGISTRY/app:labelled - | tar -xO one two | sort");
    assert_eq!(lines(&files), ["one", "two"]);
    assert_eq!(bench.tags("app"), ["base", "both", "index", "labelled"]);
}

#[test]
fn tags_and_images_are_deleted() {
    let bench = Bench::logged_in(LOGIN);
    bench.ok("crane push --index layout $REGISTRY/app:v1; crane tag $REGISTRY/app:v1 v2");
    assert_eq!(lines(&bench.ok("crane ls $REGISTRY/app")), ["v1", "v2"]);
    bench.ok("crane delete $REGISTRY/app:v1");
    assert_eq!(bench.tags("app"), ["v2"]);
    // An index keeps what it lists.
    let said = bench.refused("crane delete $REGISTRY/app@$INDEX");
    assert!(said.contains(&bench.top()), "{said}");
    bench.ok("crane delete $REGISTRY/app@$(crane digest $REGISTRY/app:v2)");
    bench.ok("for digest in $INDEX $FIRST $SECOND; do crane delete $REGISTRY/app@$digest; done");
    assert!(bench.image_ids("app").is_empty());
    let said = bench.refused("crane manifest $REGISTRY/app:v2");
    assert!(said.contains("MANIFEST_UNKNOWN"), "{said}");
}

#[test]
fn only_with_a_login() {
    let bench = Bench::new();
    let said = bench.refused("crane push --index layout $REGISTRY/app:v1");
    assert!(said.contains("401"), "{said}");
    bench.ok(&format!("echo wrong | {LOGIN}"));
    let said = bench.refused("crane ls $REGISTRY/app");
    assert!(said.contains("401"), "{said}");
}
