//! `roadstead lifecycle run` and `runs`: a run now, and what runs did.

use std::io::{BufWriter, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use serde_json::Value;

use super::{Command, FOUND, Output, RunArgs, RunsArgs, control, number, short, tags, text};

/// Runs a policy. Ends with 1 if the run did not do all that the policy asks for.
pub(super) fn run(args: &RunArgs) -> Result<ExitCode> {
    let (config, place) = args.place.load()?;
    let command = Command::LifecycleRun {
        place,
        above_ceiling: args.above_ceiling,
    };
    let record = control::run(&config, &command, |_| Ok(()))?;
    let mut out = std::io::stdout();
    match args.place.output {
        Output::Json => writeln!(out, "{record}")?,
        Output::Table => writeln!(out, "run {}: {}", number(&record, "run"), told(&record))?,
    }
    Ok(match text(&record, "ended") {
        "complete" => ExitCode::SUCCESS,
        _ => ExitCode::from(FOUND),
    })
}

/// Lists runs, or what one did.
pub(super) fn list(args: &RunsArgs) -> Result<ExitCode> {
    let (config, place) = args.place.load()?;
    let is_json = args.place.output == Output::Json;
    let command = Command::LifecycleRuns {
        place,
        run: args.run,
    };
    let mut out = BufWriter::new(std::io::stdout());
    let mut entries = 0_u64;
    if is_json && args.run.is_some() {
        write!(out, "{{\"schemaVersion\":1,\"entries\":[")?;
    }
    let done = control::run(&config, &command, |entry| {
        entries += 1;
        if is_json {
            let comma = if entries > 1 { "," } else { "" };
            return Ok(write!(out, "{comma}\n{entry}")?);
        }
        let (digest, tags) = (short(text(entry, "digest")), tags(entry));
        let pushed = text(entry, "pushedAt");
        Ok(writeln!(
            out,
            "{pushed:<20} {digest:<19} {tags:<20} {}",
            became(entry)
        )?)
    })?;
    match (is_json, args.run) {
        (true, Some(_)) => writeln!(out, "\n],\"run\":{done}}}")?,
        (true, None) => writeln!(out, "{done}")?,
        (false, Some(run)) => writeln!(out, "run {run}: {}", told(&done))?,
        (false, None) => {
            for record in done
                .get("runs")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let (run, at) = (number(record, "run"), text(record, "startedAt"));
                let by = text(record, "trigger");
                writeln!(out, "{run:<6} {at:<20} by {by:<9} {}", told(record))?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// A run in one line.
fn told(record: &Value) -> String {
    let count = |member| number(record, member);
    let did = format!(
        "{} of {} images expired, {} archived, {} went with their subject, {} had changed, {} held \
         by an index",
        count("expired"),
        count("images"),
        count("transitioned"),
        count("followed"),
        count("changed"),
        count("referenced"),
    );
    match text(record, "ended") {
        "complete" => did,
        "above-ceiling" => format!(
            "nothing done: {} % of the images would go, the ceiling is {} % (--above-ceiling lifts \
             it)",
            count("percent"),
            count("percentMax"),
        ),
        "policy-changed" => {
            format!("{did}; stopped: the policy or the repository was changed or deleted")
        }
        "taken-over" => format!("{did}; stopped: another node took over"),
        "failed" => format!("{did}; failed: the log of the server says why"),
        "overtaken" => {
            format!("{did}; the rest is left to the next run: the repository kept changing")
        }
        _ => format!("{did}; not finished"),
    }
}

/// What became of one image.
fn became(entry: &Value) -> String {
    let by = match entry.get("rule").and_then(Value::as_i64) {
        Some(rule) => format!("by rule {rule}"),
        None => "without a rule: it follows its subject".into(),
    };
    let is_expired = entry.get("expires").and_then(Value::as_bool) == Some(true);
    let (did, to_be) = match is_expired {
        true => ("expired", "to expire"),
        false => ("archived", "to be archived"),
    };
    match text(entry, "outcome") {
        "done" => format!("{did} {by}"),
        "changed" => format!("left alone, was {to_be} {by}: it changed meanwhile"),
        _ => format!("left alone, was {to_be} {by}: an index holds it"),
    }
}
