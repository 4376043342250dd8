//! `cargo xtask torture --mutants [NAME...]`: applies each patch of `crates/torture/mutants` to a
//! copy of the sources and demands that the parts which it names find something; and that they
//! find nothing in the copy as it is.
//!
//! Works on a copy below the target folder alone. A patch opens with two lines, `breaks: ` and what
//! it breaks, `caught by: ` and parts with their amounts, `PART AMOUNT, PART AMOUNT`; without an
//! amount a part does its short one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{cargo, output, target_dir, workspace};

/// How long one part may take on one mutant. What does not end has found nothing.
const PATIENCE_SECONDS: u32 = 300;
/// How much is shown of what a part said that could not judge.
const SAID_LINES: usize = 3;

/// A patch that breaks the product.
struct Mutant {
    name: String,
    patch: PathBuf,
    breaks: String,
    caught_by: Vec<Caught>,
}

/// A part with an amount, if not its short one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Caught {
    part: String,
    amount: Option<u64>,
}

/// What a part came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Clean,
    Found,
    Hung,
    Failed,
}

/// # Errors
/// When a mutant is not caught, does not apply or does not compile, or the copy is not clean.
pub fn run(names: &[String]) -> Result<()> {
    let all = load(&workspace().join("crates/torture/mutants"))?;
    if let Some(name) = names
        .iter()
        .find(|name| !all.iter().any(|one| one.name == **name))
    {
        bail!("no mutant {name}");
    }
    let mutants: Vec<&Mutant> = all
        .iter()
        .filter(|one| names.is_empty() || names.contains(&one.name))
        .collect();
    let place = Place::new();
    place.copy_sources()?;
    println!("the sources as they are");
    place.build()?;
    for caught in largest(&mutants) {
        let (verdict, said) = place.run(&caught)?;
        ensure!(verdict == Verdict::Clean, "{caught:?} {verdict:?}\n{said}");
    }
    let mut missed = 0;
    let mut table = Vec::new();
    for mutant in mutants {
        println!("{}: {}", mutant.name, mutant.breaks);
        let outcomes = place.try_out(mutant);
        place.copy_sources()?;
        let line = match outcomes {
            Ok(outcomes) => outcomes,
            Err(error) => vec![format!("NOT TRIED: {error:#}")],
        };
        let is_missed = line.iter().any(|one| one.starts_with("NOT"));
        missed += usize::from(is_missed);
        println!("  {}", line.join(", "));
        table.push((mutant, line.join(", ")));
    }
    println!();
    for (mutant, line) in &table {
        println!("{:24} {:60} {line}", mutant.name, mutant.breaks);
    }
    ensure!(missed == 0, "{missed} of {} not caught", table.len());
    println!("{} mutants, all caught", table.len());
    Ok(())
}

/// Each part once, with the largest of its amounts.
fn largest(mutants: &[&Mutant]) -> Vec<Caught> {
    let mut largest: BTreeMap<&str, Option<u64>> = BTreeMap::new();
    for caught in mutants.iter().flat_map(|mutant| &mutant.caught_by) {
        let amount = largest.entry(&caught.part).or_default();
        *amount = (*amount).max(caught.amount);
    }
    largest
        .into_iter()
        .map(|(part, amount)| Caught {
            part: part.into(),
            amount,
        })
        .collect()
}

fn load(folder: &Path) -> Result<Vec<Mutant>> {
    let mut mutants = Vec::new();
    for entry in fs::read_dir(folder)? {
        let patch = entry?.path();
        if patch.extension().is_some_and(|ending| ending == "patch") {
            let text = fs::read_to_string(&patch)?;
            let name = patch.file_stem().context("a name")?.to_string_lossy();
            let (breaks, caught_by) =
                parse(&text).with_context(|| format!("{name}: its first lines"))?;
            mutants.push(Mutant {
                name: name.into_owned(),
                patch,
                breaks,
                caught_by,
            });
        }
    }
    mutants.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(mutants)
}

fn parse(text: &str) -> Option<(String, Vec<Caught>)> {
    let mut lines = text.lines();
    let breaks = lines.next()?.strip_prefix("breaks: ")?.to_owned();
    let caught_by = lines.next()?.strip_prefix("caught by: ")?;
    let caught = |one: &str| {
        let mut words = one.split_whitespace();
        let part = words.next()?.to_owned();
        let amount = words.next().map(str::parse).transpose().ok()?;
        Some(Caught { part, amount })
    };
    let caught_by = caught_by.split(',').map(caught).collect::<Option<_>>()?;
    Some((breaks, caught_by))
}

/// Where mutants are built: a copy of the sources and a target folder that all share.
struct Place {
    source: PathBuf,
    target: PathBuf,
}

impl Place {
    fn new() -> Self {
        let place = target_dir().join("mutants");
        Self {
            source: place.join("source"),
            target: place.join("target"),
        }
    }

    /// Makes the copy equal to the workspace; what is equal already keeps its time, so that little
    /// is built anew.
    fn copy_sources(&self) -> Result<()> {
        let list = ["ls-files", "--cached", "--others", "--exclude-standard"];
        let listed = output(Command::new("git").current_dir(workspace()).args(list))?;
        for name in listed.lines() {
            let (from, to) = (workspace().join(name), self.source.join(name));
            let Ok(bytes) = fs::read(&from) else { continue };
            if fs::read(&to).is_ok_and(|there| there == bytes) {
                continue;
            }
            fs::create_dir_all(to.parent().context("a folder")?)?;
            fs::write(&to, bytes).with_context(|| format!("writing {}", to.display()))?;
        }
        Ok(())
    }

    fn build(&self) -> Result<()> {
        let mut build = cargo();
        build
            .current_dir(&self.source)
            .env("CARGO_TARGET_DIR", &self.target)
            .args(["build", "--quiet", "-p", "roadstead-torture"]);
        output(&mut build).map(drop)
    }

    /// Applies, builds and runs: what each part said of it.
    fn try_out(&self, mutant: &Mutant) -> Result<Vec<String>> {
        let mut apply = Command::new("git");
        // The copy may lie inside a repository, which is none of its business.
        apply
            .current_dir(&self.source)
            .env(
                "GIT_CEILING_DIRECTORIES",
                self.source.parent().context("a folder")?,
            )
            .arg("apply")
            .arg(&mutant.patch);
        output(&mut apply)?;
        self.build()?;
        let mut outcomes = Vec::new();
        for caught in &mutant.caught_by {
            let (verdict, said) = self.run(caught)?;
            outcomes.push(match verdict {
                Verdict::Found => format!("caught by {}", caught.part),
                Verdict::Hung => format!("NOT judged by {}: it does not end", caught.part),
                Verdict::Clean => format!("NOT caught by {}", caught.part),
                Verdict::Failed => {
                    let said: Vec<&str> = said.lines().take(SAID_LINES).collect();
                    format!("NOT judged by {}: {}", caught.part, said.join(" / "))
                }
            });
        }
        Ok(outcomes)
    }

    fn run(&self, caught: &Caught) -> Result<(Verdict, String)> {
        let mut part = Command::new(self.target.join("debug/roadstead-torture"));
        part.current_dir(&self.source).arg(&caught.part);
        if let Some(amount) = caught.amount {
            part.args(["--amount", &amount.to_string()]);
        }
        let log = self.target.join("said");
        let said = fs::File::create(&log)?;
        let mut running = part
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        let mut status = None;
        for _ in 0..PATIENCE_SECONDS * 10 {
            status = running.try_wait()?;
            if status.is_some() {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        let Some(status) = status else {
            running.kill()?;
            running.wait()?;
            return Ok((Verdict::Hung, String::new()));
        };
        let said = fs::read_to_string(&log)?;
        let has_found = said.lines().any(|line| line.starts_with("  FOUND "));
        let verdict = match (status.success(), has_found) {
            (true, _) => Verdict::Clean,
            (false, true) => Verdict::Found,
            (false, false) => Verdict::Failed,
        };
        Ok((verdict, said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_lines_say_what_breaks_and_who_notices() {
        let text = "breaks: a rule\ncaught by: model 30, crash\n\ndiff --git a/x b/x\n";
        let caught = |part: &str, amount| Caught {
            part: part.into(),
            amount,
        };
        let expected = vec![caught("model", Some(30)), caught("crash", None)];
        assert_eq!(parse(text), Some(("a rule".into(), expected)));
        assert_eq!(parse("diff --git a/x b/x\n"), None);
        assert_eq!(parse("breaks: a rule\ncaught by: model thirty\n"), None);
    }

    #[test]
    fn every_mutant_names_who_notices_it() {
        let mutants = load(&workspace().join("crates/torture/mutants")).expect("the mutants");
        assert!(mutants.len() >= 10, "{}", mutants.len());
    }
}
