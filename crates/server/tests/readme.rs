//! Black box: every command line of the README's `sh` blocks is run, in order, in one shell.
//! CONTRIBUTING.md tells what such a block may contain.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use support::docker::Docker;
use support::guide::{shell_blocks, with_address};
use support::program;
use support::server::{free_address, program_path, utf8};

/// Puts the program under test behind the names that a reader would type: `serve` goes to the
/// background and is waited for; `cargo run -- …` is the program; `cargo build` is done already.
const PRELUDE: &str = r#"
set -euo pipefail
wait_until_ready() {
  local left=600 line
  while true; do
    kill -0 "$server" || { echo "the server has ended" >&2; return 1; }
    if exec 9<>"/dev/tcp/${README_ADDRESS%:*}/${README_ADDRESS#*:}"; then
      printf 'GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&9
      IFS= read -r line <&9 || line=
      exec 9>&-
      case "$line" in *" 200 "*) return 0 ;; esac
    fi 2>/dev/null
    left=$((left - 1)); [ "$left" -gt 0 ] || { echo "the server is not ready" >&2; return 1; }
    sleep 0.1
  done
}
stop_server() { [ -z "${server:-}" ] || { kill -TERM "$server" && wait "$server"; } 2>/dev/null || true; }
trap stop_server EXIT
roadstead() {
  { local -; set +x; } 2>/dev/null
  if [ "${1:-}" = serve ]; then
    case " $* " in *" --listen "*) ;; *) set -- "$@" --listen "$README_ADDRESS" ;; esac
    stop_server
    command roadstead "$@" & server=$!
    wait_until_ready
  else
    command roadstead "$@"
  fi
}
cargo() {
  { local -; set +x; } 2>/dev/null
  case "$1" in
    build | install) ;;
    run) while [ "$1" != -- ]; do shift; done; shift; roadstead "$@" ;;
    *) echo "README: do not mark 'cargo $1' as sh" >&2; exit 64 ;;
  esac
}
set -x
"#;

#[test]
fn every_command_of_the_readme_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("README.md")).expect("README.md");
    let commands = shell_blocks(&readme);
    assert!(!commands.trim().is_empty(), "no block is marked sh");
    let address = free_address();
    let script = format!("{PRELUDE}\n{}", with_address(&commands, &address));

    let folder = tempfile::tempdir().expect("a folder");
    let bin = folder.path().join("bin");
    let work = folder.path().join("work");
    fs::create_dir(&bin).expect("a folder for programs");
    fs::create_dir(&work).expect("a folder to work in");
    let programs = [
        ("roadstead", program_path().into()),
        ("aws", program::tool("TEST_AWS")),
        ("docker", program::tool("TEST_DOCKER")),
        ("skopeo", program::tool("TEST_SKOPEO")),
    ];
    for (name, path) in programs {
        symlink(path, bin.join(name)).expect("a name for a program");
    }
    let path = format!(
        "{}:{}",
        utf8(&bin),
        std::env::var("PATH").unwrap_or_default()
    );
    let docker = Docker::new();
    let mut command = program::limited("bash");
    command
        .args(["-c", &script])
        .current_dir(&work)
        .env_clear()
        .envs(docker.environment())
        .env("PATH", path)
        .env("HOME", folder.path())
        .env("README_ADDRESS", &address);
    program::run(&mut command).expect_success();
}

#[test]
fn only_marked_blocks_are_commands() {
    let text =
        "a\n```sh\none\n```\n```text\ntwo\n```\n  ```sh\nthree\n  ```\n```toml\n[four]\n```\n";
    assert_eq!(shell_blocks(text), "one\nthree\n");
}

#[test]
fn a_command_may_be_marked_as_refused() {
    let text = "```sh\ndocker pull x  # refused\n```\n";
    assert_eq!(shell_blocks(text), "if docker pull x  ; then exit 65; fi\n");
}

#[test]
fn addresses_are_replaced() {
    assert_eq!(
        with_address(
            "push localhost:8080/a; get http://127.0.0.1:5000/v2/",
            "127.0.0.1:99"
        ),
        "push 127.0.0.1:99/a; get http://127.0.0.1:99/v2/"
    );
    assert_eq!(
        with_address("127.0.0.1: none", "127.0.0.1:99"),
        "127.0.0.1: none"
    );
}
