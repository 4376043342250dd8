//! Every command of `docs/clients.md`.

use std::fs;
use std::path::Path;

use crate::bench::Bench;
use crate::support::guide::{shell_blocks, with_address};

#[test]
fn every_command_of_the_guide_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guide = fs::read_to_string(root.join("docs/clients.md")).expect("docs/clients.md");
    let bench = Bench::new();
    let guide = with_address(&guide, &bench.server.address);
    // One shell for each client: a time limit for each, and a name where one fails.
    let parts: Vec<&str> = guide.split("\n## ").collect();
    assert_eq!(
        parts.len(),
        13,
        "what is common, and a part for each client"
    );
    for part in parts {
        let commands = shell_blocks(part);
        assert!(!commands.is_empty(), "no command: {part}");
        bench.ok(&commands);
    }
}
