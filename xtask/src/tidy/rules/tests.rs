//! Good and bad samples for every rule that looks at one file.

use super::{SourceFile, check, check_decisions};

fn findings(path: &str, text: &str) -> Vec<String> {
    check(&SourceFile {
        path: path.to_owned(),
        text: text.to_owned(),
    })
}

fn rust(body: &str) -> Vec<String> {
    findings("crates/http/src/a.rs", &format!("//! Header.\n{body}\n"))
}

#[test]
fn plain_code_passes() {
    let none: Vec<String> = Vec::new();
    assert_eq!(
        rust("fn due(now: Timestamp) -> bool { clock.now() < now }"),
        none
    );
    assert_eq!(
        rust("// Instant::now is for ambient.rs only\nlet operand::A = b;"),
        none
    );
    assert_eq!(
        findings("docs/a.md", "see crates/registry/src/work/sweep.rs"),
        none
    );
}

#[test]
fn headers_and_sizes() {
    let bare = findings("crates/http/src/a.rs", "use std::fs;\n");
    assert_eq!(
        bare,
        ["crates/http/src/a.rs:1: does not open with a //! header"]
    );
    let long = format!("//! Header.\n{}", "\n".repeat(700));
    let path = "crates/http/src/a.rs";
    assert_eq!(
        findings(path, &long),
        ["crates/http/src/a.rs: 701 lines, at most 700"]
    );
    let generated = format!("// Written by `cargo xtask codegen`.\n{long}");
    assert!(findings("crates/api-model/src/generated/ecr.rs", &generated).is_empty());
    assert_eq!(
        findings("crates/api-model/src/generated/ecr.rs", &long).len(),
        1
    );
    let fits = format!("//! Header.\n{}", "\n".repeat(699));
    assert!(findings(path, &fits).is_empty());
}

#[test]
fn ambient_names_are_found_outside_their_home() {
    for call in [
        "let t = std::time::SystemTime::now();",
        "let t = Instant::now();",
        "let t = jiff::Timestamp::now();",
        "let id = Uuid::new_v4();",
        "let n = rand::random::<u8>();",
        "let r = SystemRandom::new();",
        "getrandom::fill(&mut bytes)?;",
    ] {
        assert_eq!(rust(call).len(), 1, "{call}");
        let text = format!("//! Header.\n{call}\n");
        assert!(
            findings("crates/server/src/ambient.rs", &text).is_empty(),
            "{call}"
        );
        assert!(
            findings("crates/server/tests/docker.rs", &text).is_empty(),
            "{call}"
        );
        assert!(
            rust(&format!("#[cfg(test)]\nmod tests {{\n{call}\n}}")).is_empty(),
            "{call}"
        );
    }
}

#[test]
fn sql_takes_no_time_or_chance_from_the_database() {
    let path = "crates/store-sql/src/schema/0001_first.sql";
    for bad in [
        "DEFAULT CURRENT_TIMESTAMP",
        "select NOW()",
        "order by random()",
    ] {
        assert_eq!(findings(path, bad).len(), 1, "{bad}");
    }
    assert!(findings(path, "create table t (created_at bigint not null)").is_empty());
    let rust = "//! Header.\nlet now = clock.now();\nlet sql = \"insert into t values (now())\";\n";
    let found = findings("crates/store-sql/src/statements/images.rs", rust);
    assert_eq!(
        found,
        ["crates/store-sql/src/statements/images.rs:3: ambient SQL: now()"]
    );
}

#[test]
fn unfinished_code_is_found() {
    for bad in [
        "todo!()",
        "unimplemented!()",
        "dbg!(a)",
        "// FIXME later",
        "#[ignore = \"slow\"]",
    ] {
        assert_eq!(rust(bad).len(), 1, "{bad}");
    }
    assert!(rust("let pattern = \"XXXX\";").is_empty());
}

#[test]
fn paths_of_one_machine_are_found_in_any_text() {
    for bad in ["cd /work/main", "(/root/.cargo)", "`/home/me/x`", "/work/x"] {
        assert_eq!(findings("docs/a.md", bad).len(), 1, "{bad}");
    }
    assert!(findings("docs/a.md", "src/work/a and $HOME/home/b and ../work/c").is_empty());
}

#[test]
fn decisions_are_numbered_without_gaps() {
    let good = [
        "decisions/0001-a.md",
        "decisions/0002-b.md",
        "decisions/README.md",
        "docs/9.md",
    ];
    assert!(check_decisions(good.into_iter()).is_empty());
    let gap = ["decisions/0001-a.md", "decisions/0003-c.md"];
    assert_eq!(
        check_decisions(gap.into_iter()),
        ["decisions/0003-c.md: the next number is 0002-"]
    );
    let twice = ["decisions/0001-a.md", "decisions/0001-b.md"];
    assert_eq!(check_decisions(twice.into_iter()).len(), 1);
}
