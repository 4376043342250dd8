//! `roadstead lifecycle test` and `lint`: policies as files, with no server and no data directory.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use roadstead_domain::lifecycle::cases::{Case, CaseFile, CaseOutcome, Difference};
use roadstead_domain::lifecycle::lint::lint as warnings_of;
use serde_json::{Map, Value, json};

use super::{FOUND, LintArgs, Output, TestArgs, UNREADABLE, read, read_policy};

/// What came of all files.
#[derive(Default)]
struct Tally {
    passed: u64,
    failed: u64,
    /// Cases that say nothing of what should come out.
    just_run: u64,
    is_unreadable: bool,
}

/// Runs files of cases. Ends with 1 if something differs, with 2 if something cannot be read.
pub(super) fn test(args: &TestArgs) -> Result<ExitCode> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut tally = Tally::default();
    for path in &args.files {
        let file = read(path).and_then(|text| Ok(CaseFile::parse(&text)?));
        match file {
            Ok(file) => test_file(&file, args.output, &mut tally, &mut out)?,
            Err(error) => {
                tally.is_unreadable = true;
                out.flush()?;
                eprintln!("{}: {error:#}", path.display());
            }
        }
    }
    let mut total = format!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.just_run > 0 {
        total = format!("{total}, {} without an expectation", tally.just_run);
    }
    match args.output {
        Output::Table => writeln!(out, "{total}")?,
        Output::Json => eprintln!("{total}"),
    }
    out.flush()?;
    Ok(match tally {
        Tally {
            is_unreadable: true,
            ..
        } => ExitCode::from(UNREADABLE),
        Tally { failed: 0, .. } => ExitCode::SUCCESS,
        _ => ExitCode::from(FOUND),
    })
}

fn test_file(
    file: &CaseFile,
    output: Output,
    tally: &mut Tally,
    out: &mut impl Write,
) -> Result<()> {
    let mut found = Vec::new();
    for (case, outcome) in file.cases.iter().zip(file.run()) {
        // What differs is for people, whoever gets the outcomes.
        let mut said = Vec::new();
        match outcome {
            Ok(outcome) => {
                match outcome.passed() {
                    true if expects(case) => tally.passed += 1,
                    true => tally.just_run += 1,
                    false => tally.failed += 1,
                }
                say(case, &outcome, &mut said)?;
                if output == Output::Json {
                    found.push(as_case(case, &outcome)?);
                }
            }
            Err(error) => {
                tally.failed += 1;
                tally.is_unreadable = true;
                writeln!(said, "FAILED {}\n    {error}", case.id)?;
                found.push(json!({ "id": case.id, "error": error.to_string() }));
            }
        }
        match output {
            Output::Table => out.write_all(&said)?,
            Output::Json if said.starts_with(b"FAILED") => std::io::stderr().write_all(&said)?,
            Output::Json => {}
        }
    }
    if output == Output::Json {
        let now = file.now.map(roadstead_domain::time::Timestamp::rfc3339);
        let document = json!({ "schemaVersion": 1, "now": now, "cases": found });
        writeln!(out, "{document}")?;
    }
    Ok(())
}

/// Whether a case says what should come out; one that does not cannot fail.
fn expects(case: &Case) -> bool {
    ["expect", "expectExcluded", "summary", "summaryExcluded"]
        .iter()
        .any(|member| case.members.contains_key(*member))
}

fn say(case: &Case, outcome: &CaseOutcome, said: &mut Vec<u8>) -> Result<()> {
    let title = case.members.get("title").and_then(Value::as_str);
    let title = title.map(|title| format!(": {title}")).unwrap_or_default();
    let passed = match outcome.passed() {
        true if expects(case) => "passed",
        true => "ran, expecting nothing:",
        false => "FAILED",
    };
    writeln!(said, "{passed} {}{title}", case.id)?;
    for Difference {
        image,
        field,
        expected,
        found,
    } in &outcome.differences
    {
        let image = image.as_ref().map(|image| format!("image {image}: "));
        let image = image.unwrap_or_default();
        let found = found
            .as_ref()
            .map_or("nothing".into(), |found| found.to_string());
        writeln!(
            said,
            "    {image}{field}: expected {expected}, found {found}"
        )?;
    }
    Ok(())
}

/// The case as it was written, with what was found in place of what was expected.
fn as_case(case: &Case, outcome: &CaseOutcome) -> Result<Value> {
    let mut members: Map<String, Value> = case.members.clone();
    for expectation in [
        "expect",
        "expectExcluded",
        "summary",
        "summaryExcluded",
        "altDiffers",
    ] {
        members.remove(expectation);
    }
    if let Value::Object(found) = serde_json::to_value(outcome)? {
        members.extend(found);
    }
    Ok(members.into())
}

/// Warns about a policy. Ends with 2 if it is not one: PutLifecyclePolicy would refuse it.
pub(super) fn lint(args: &LintArgs) -> Result<ExitCode> {
    let policy = match read_policy(&args.file) {
        Ok((_, policy)) => policy,
        Err(error) => {
            eprintln!("{error:#}");
            return Ok(ExitCode::from(UNREADABLE));
        }
    };
    let warnings = warnings_of(&policy);
    let mut out = BufWriter::new(std::io::stdout().lock());
    match args.output {
        Output::Json => {
            let warnings: Vec<Value> = warnings
                .iter()
                .map(|warning| {
                    json!({
                        "rule": warning.priority,
                        "code": warning.code.as_str(),
                        "message": warning.message,
                    })
                })
                .collect();
            writeln!(
                out,
                "{}",
                json!({ "schemaVersion": 1, "warnings": warnings })
            )?;
        }
        Output::Table => {
            let file = label(&args.file);
            for warning in &warnings {
                let (rule, code) = (warning.priority, warning.code.as_str());
                writeln!(out, "{file}: rule {rule}: {code}: {}", warning.message)?;
            }
            writeln!(out, "{file}: {} warnings", warnings.len())?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn label(path: &Path) -> String {
    path.display().to_string()
}
