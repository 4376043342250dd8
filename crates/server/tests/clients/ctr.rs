//! containerd, by its client `ctr`, against the daemon that `cargo xtask test` started.

use std::ops::Deref;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bench::Bench;

/// One test at a time: containerd keeps the bytes of all namespaces in one place, and a reader in one
/// of them may find its bytes gone while another one lets go of the same.
static TURNS: Mutex<()> = Mutex::new(());

/// A bench whose turn it is.
struct Turn {
    bench: Bench,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for Turn {
    type Target = Bench;

    fn deref(&self) -> &Bench {
        &self.bench
    }
}

/// `ctr` has no login of its own: the password goes with every command.
fn typed(script: &str) -> String {
    format!("LOGIN=AWS:$(cat password)\n{script}")
}

/// The index is an image of containerd, and pushed to `app:v1`.
fn with_an_index() -> Turn {
    let turn = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    let bench = Bench::logged_in("cat > password");
    bench.ok(&typed(
        "
        tar -C layout -cf layout.tar .
        ctr images import --all-platforms --no-unpack --base-name $REGISTRY/app layout.tar
        ctr images push --plain-http --user $LOGIN $REGISTRY/app:v1",
    ));
    Turn { bench, _turn: turn }
}

/// Leaves nothing in containerd's store.
fn forget(bench: &Bench) {
    bench.ok(&typed(
        "ctr images ls --quiet | xargs -r -n 1 bash -c 'true'
        for image in $(ctr images ls --quiet); do ctr images rm --sync $image; done",
    ));
}

#[test]
fn an_index_is_pushed_and_pulled() {
    let bench = with_an_index();
    bench.assert_described("app", "v1");
    for name in ["app:v1", "app@$INDEX"] {
        forget(&bench);
        bench.ok(&typed(&format!(
            "
            ctr images pull --plain-http --user $LOGIN --all-platforms --snapshotter native \
                $REGISTRY/{name}
            ctr images export --all-platforms all.tar $REGISTRY/{name}
            rm -rf all; mkdir all; tar -C all -xf all.tar"
        )));
        bench.assert_whole("all");
    }
    forget(&bench);
}

#[test]
fn a_second_push_finds_everything_there() {
    let bench = with_an_index();
    bench.ok(&typed(
        "
        ctr images tag $REGISTRY/app:v1 $REGISTRY/app:v2
        ctr images push --plain-http --user $LOGIN $REGISTRY/app:v2
        ctr images tag $REGISTRY/app:v1 $REGISTRY/copy:v1
        ctr images push --plain-http --user $LOGIN $REGISTRY/copy:v1",
    ));
    assert_eq!(bench.tags("app"), ["v1", "v2"]);
    bench.assert_described("copy", "v1");
    forget(&bench);
}

#[test]
fn what_is_deleted_or_forbidden_is_not_pulled() {
    let bench = with_an_index();
    forget(&bench);
    let pull = "ctr content fetch --plain-http --user $LOGIN $REGISTRY/app:v1";
    let wrong = pull.replace("$LOGIN", "AWS:wrong");
    let said = bench.refused(&typed(&wrong));
    assert!(said.contains("401"), "{said}");
    bench.ok(&typed(pull));
    forget(&bench);
    bench.aws.delete_images("app", &["imageTag=v1"]);
    let said = bench.refused(&typed(pull));
    assert!(said.contains("not found"), "{said}");
}
