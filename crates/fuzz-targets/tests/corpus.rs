//! Every parser's property over its corpus in `fuzz/corpus`, and over mutations of it that are the
//! same in every run. What fuzzing finds joins the corpus as a file, and so this test.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use roadstead_fuzz_targets::mutate::Seeded;
use roadstead_fuzz_targets::{TARGETS, Target};

/// Of each target.
const MUTATIONS: u64 = 4000;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The inputs of a target with their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = fuzz().join("corpus").join(target);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).expect("a file");
        (path.display().to_string(), bytes)
    };
    files.into_iter().map(read).collect()
}

/// The words of the dictionary of a target: lines of `"…"` with `\xHH`, `\"` and `\\`.
fn dictionary(target: &str) -> Vec<Vec<u8>> {
    let path = fuzz().join("dictionaries").join(format!("{target}.dict"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let words = text.lines().filter(|line| line.starts_with('"'));
    let unquoted = words.filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    unquoted.map(unescaped).collect()
}

fn unescaped(word: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), word.as_bytes());
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [b'x', high, low, tail @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).expect("digits");
                bytes.push(u8::from_str_radix(digits, 16).expect("hex"));
                tail
            }
            (b'\\', [byte, tail @ ..]) => {
                bytes.push(*byte);
                tail
            }
            (byte, tail) => {
                bytes.push(*byte);
                tail
            }
        };
    }
    bytes
}

fn holds(target: &Target, name: &str, data: &[u8]) {
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.check)(data)));
    let shown = || String::from_utf8_lossy(data).into_owned();
    assert!(outcome.is_ok(), "{}: {name}: {:?}", target.name, shown());
}

#[test]
fn every_target_has_a_corpus_and_a_program() {
    for target in &TARGETS {
        assert!(corpus(target.name).len() >= 5, "{}", target.name);
        let program = fuzz().join(format!("fuzz_targets/{}.rs", target.name));
        assert!(program.is_file(), "{}", program.display());
    }
    let programs = std::fs::read_dir(fuzz().join("fuzz_targets")).expect("the programs");
    assert_eq!(programs.count(), TARGETS.len());
}

#[test]
fn what_was_found_holds() {
    for target in &TARGETS {
        for (name, data) in corpus(target.name) {
            holds(target, &name, &data);
        }
    }
}

#[test]
fn mutations_hold() {
    for target in &TARGETS {
        let corpus: Vec<Vec<u8>> = corpus(target.name)
            .into_iter()
            .map(|(_, data)| data)
            .collect();
        let dictionary = dictionary(target.name);
        for seed in 1..=MUTATIONS {
            // Neighbouring seeds must not give neighbouring streams.
            let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let data = Seeded::new(mixed).mutated(&corpus, &dictionary);
            holds(target, &format!("seed {seed}"), &data);
        }
    }
}

#[test]
fn a_dictionary_is_read_as_libfuzzer_reads_it() {
    assert_eq!(unescaped(r#"a\"b\\c\x00\xfF"#), b"a\"b\\c\0\xff");
}
