//! Every case of a contract suite must be named in the list that its macro expands: a case
//! outside of the list is never run by any back end.

use super::SourceFile;

/// Findings over all `contract` folders and files of the store crate.
pub fn check(files: &[SourceFile]) -> Vec<String> {
    let mut findings = Vec::new();
    for port in ports(files) {
        let suite: Vec<&SourceFile> = files
            .iter()
            .filter(|file| belongs(&file.path, port))
            .collect();
        let lists: String = suite.iter().map(|file| macro_bodies(&file.text)).collect();
        for file in suite {
            for (line, case) in cases(&file.text) {
                if !has_word(&lists, case) {
                    findings.push(format!(
                        "{}:{line}: the contract macro does not list the case {case}",
                        file.path
                    ));
                }
            }
        }
    }
    findings
}

const STORE: &str = "crates/store/src/";

/// `metadata` for `crates/store/src/metadata/contract/…` and `…/metadata/contract.rs`.
fn ports(files: &[SourceFile]) -> Vec<&str> {
    let mut ports: Vec<&str> = files
        .iter()
        .filter_map(|file| file.path.strip_prefix(STORE)?.split_once("/contract"))
        .map(|(port, _)| port)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn belongs(path: &str, port: &str) -> bool {
    path.strip_prefix(STORE)
        .and_then(|rest| rest.strip_prefix(port))
        .is_some_and(|rest| rest == "/contract.rs" || rest.starts_with("/contract/"))
}

fn cases(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let rest = line.trim_start().strip_prefix("pub async fn ")?;
        let end = rest.find(|c: char| !is_word(c))?;
        Some((index + 1, &rest[..end]))
    })
}

/// The text between the braces of each `macro_rules!` definition, without comments: a case that
/// is commented out is not run.
fn macro_bodies(text: &str) -> String {
    let text: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n")
        .collect();
    let mut bodies = String::new();
    for part in text.split("macro_rules!").skip(1) {
        let mut depth = 0_usize;
        for c in part.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth > 0 {
                bodies.push(c);
            } else if c == '}' {
                break;
            }
        }
        bodies.push('\n');
    }
    bodies
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c| !is_word(c)).any(|other| other == word)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::{SourceFile, check};

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    const LIST: &str =
        "macro_rules! metadata_contract { ($b:ident) => { one!($b, images::push); } }\n";

    #[test]
    fn listed_cases_pass() {
        let files = [
            file("crates/store/src/metadata/contract/mod.rs", LIST),
            file(
                "crates/store/src/metadata/contract/images.rs",
                "pub async fn push(s: &S) {}\n",
            ),
            file(
                "crates/store/src/metadata/tx.rs",
                "pub async fn other(s: &S) {}\n",
            ),
        ];
        assert_eq!(check(&files), Vec::<String>::new());
    }

    #[test]
    fn a_case_outside_of_the_list_is_found() {
        let files = [
            file("crates/store/src/metadata/contract/mod.rs", LIST),
            file(
                "crates/store/src/metadata/contract/images.rs",
                "// push_twice push\npub async fn push_twice(s: &S) {}\n",
            ),
        ];
        assert_eq!(
            check(&files),
            [
                "crates/store/src/metadata/contract/images.rs:2: the contract macro does not list the case push_twice"
            ]
        );
    }

    #[test]
    fn a_case_commented_out_is_found() {
        let list =
            "macro_rules! metadata_contract {\n ($b:ident) => {\n  // images::push,\n };\n}\n";
        let files = [
            file("crates/store/src/metadata/contract/mod.rs", list),
            file(
                "crates/store/src/metadata/contract/images.rs",
                "pub async fn push(s: &S) {}\n",
            ),
        ];
        assert_eq!(check(&files).len(), 1);
    }

    #[test]
    fn the_list_of_another_port_does_not_count() {
        let files = [
            file("crates/store/src/metadata/contract/mod.rs", LIST),
            file(
                "crates/store/src/blobs/contract.rs",
                "pub async fn push(s: &S) {}\n",
            ),
        ];
        assert_eq!(check(&files).len(), 1);
    }
}
