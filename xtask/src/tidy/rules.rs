//! The rules that look at one file at a time, and the numbering of decisions.
//!
//! Words are searched as text, outside of comment lines; a rule that needs to understand Rust
//! belongs into clippy instead.

use super::SourceFile;

const LINES_MAX: usize = 700;

/// Names of clocks, ids and chance; only these places may say them.
const AMBIENT: [&str; 11] = [
    "SystemTime::now",
    "Instant::now",
    "Utc::now",
    "Timestamp::now",
    "Zoned::now",
    "new_v4",
    "now_v7",
    "rand::",
    "thread_rng",
    "getrandom",
    "SystemRandom",
];
const AMBIENT_HOME: &str = "crates/server/src/ambient.rs";

/// What SQL must not say: values that the database would take from its surroundings.
const SQL_AMBIENT: [&str; 6] = [
    "now()",
    "random()",
    "gen_random_uuid()",
    "current_timestamp",
    "localtimestamp",
    "clock_timestamp()",
];

/// Unfinished or switched off code.
const UNFINISHED: [&str; 6] = [
    "todo!",
    "unimplemented!",
    "dbg!",
    "FIXME",
    "XXX",
    "#[ignore",
];

/// Where working copies and home folders live; nothing checked in may name one.
const MACHINE_PATHS: [&str; 4] = ["/work/", "/root/", "/home/", "/Users/"];

/// All findings in one file.
pub fn check(file: &SourceFile) -> Vec<String> {
    let mut found = Vec::new();
    let is_checker = file.path.starts_with("xtask/src/tidy/");
    if file.path.ends_with(".rs") {
        check_shape(file, &mut found);
        if !is_checker {
            find_words(file, &file.text, &UNFINISHED, "unfinished code", &mut found);
        }
        if !may_be_ambient(&file.path) {
            let product = without_tests(&file.text);
            find_words(
                file,
                product,
                &AMBIENT,
                "ambient clock, id or chance",
                &mut found,
            );
        }
    }
    if file.path.ends_with(".sql") || file.path.starts_with("crates/store-sql/src/") {
        find_words(
            file,
            &file.text.to_lowercase(),
            &SQL_AMBIENT,
            "ambient SQL",
            &mut found,
        );
    }
    if !is_checker {
        find_machine_paths(file, &mut found);
    }
    found
}

/// Decisions are `decisions/NNNN-title.md`, numbered from 1 without gaps.
pub fn check_decisions<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<&str> = paths
        .filter_map(|path| path.strip_prefix("decisions/"))
        .filter(|name| name.ends_with(".md") && *name != "README.md")
        .collect();
    names.sort_unstable();
    let mut found = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let expected = format!("{:04}-", index + 1);
        if !name.starts_with(&expected) {
            found.push(format!("decisions/{name}: the next number is {expected}"));
        }
    }
    found
}

fn check_shape(file: &SourceFile, found: &mut Vec<String>) {
    let path = &file.path;
    let lines = file.text.lines().count();
    if path.contains("/generated/") {
        let first = file.text.lines().next().unwrap_or_default();
        if !(first.starts_with("//") && first.contains("cargo xtask codegen")) {
            found.push(format!("{path}:1: does not name the command that wrote it"));
        }
        return;
    }
    if lines > LINES_MAX {
        found.push(format!("{path}: {lines} lines, at most {LINES_MAX}"));
    }
    if !file.text.starts_with("//!") {
        found.push(format!("{path}:1: does not open with a //! header"));
    }
}

fn may_be_ambient(path: &str) -> bool {
    path == AMBIENT_HOME
        || path.starts_with("xtask/")
        || path.starts_with("crates/testkit/")
        || path.starts_with("crates/bench/")
        || path.contains("/tests/")
        || path.ends_with("/tests.rs")
}

/// By habit the test module is the last item of a file.
fn without_tests(text: &str) -> &str {
    text.split_once("#[cfg(test)]\nmod ")
        .map_or(text, |(product, _)| product)
}

fn find_words(file: &SourceFile, text: &str, words: &[&str], what: &str, found: &mut Vec<String>) {
    for (index, line) in text.lines().enumerate() {
        let is_comment = line.trim_start().starts_with("//");
        for word in words {
            // Reminders hide in comments; everything else there is talk.
            let is_reminder = word.chars().all(|c| c.is_ascii_uppercase());
            if (!is_comment || is_reminder) && occurs(line, word) {
                found.push(format!("{}:{}: {what}: {word}", file.path, index + 1));
            }
        }
    }
}

/// Whether `word` occurs in `line` as the beginning of a word, not as a method or a tail; a
/// word that ends in a letter must also end there.
fn occurs(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let begins = !line[..at].ends_with(|c| is_part(c) || c == '.');
        let ends = !word.ends_with(is_part) || !line[at + word.len()..].starts_with(is_part);
        begins && ends
    })
}

/// A path counts where it begins at its slash: `registry/work/sweep.rs` is none.
fn find_machine_paths(file: &SourceFile, found: &mut Vec<String>) {
    for (index, line) in file.text.lines().enumerate() {
        for root in MACHINE_PATHS {
            let begins = line.match_indices(root).any(|(at, _)| {
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-.}>*/".contains(c))
            });
            if begins {
                found.push(format!(
                    "{}:{}: path of one machine: {root}",
                    file.path,
                    index + 1
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests;
