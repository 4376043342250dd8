//! `roadstead lifecycle explain`: prints image by image, as they come, so that a million of them need
//! no more memory than one.

use std::io::{BufWriter, Stdout, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use serde_json::Value;

use super::{Command, ExplainArgs, Output, control, number, read_policy, short, tags, text};

/// `--against` this is the policy of the repository.
const IN_FORCE: &str = "in-force";

pub(super) fn run(args: &ExplainArgs) -> Result<ExitCode> {
    let (config, place) = args.place.load()?;
    let mut policies = vec![policy(args.policy.as_deref())?];
    if let Some(against) = &args.against {
        let against = Some(against.as_path()).filter(|path| path.as_os_str() != IN_FORCE);
        policies.push(policy(against)?);
    }
    if policies == [None, None] {
        bail!("--against {IN_FORCE} compares with the policy that --policy names");
    }
    let command = Command::LifecycleExplain {
        place,
        at: args.at.clone(),
        policies,
    };
    let name =
        |path: Option<&Path>| path.map_or(IN_FORCE.into(), |path| path.display().to_string());
    let mut printer = Printer {
        out: BufWriter::new(std::io::stdout()),
        is_json: args.place.output == Output::Json,
        names: [name(args.policy.as_deref()), name(args.against.as_deref())],
        is_compared: args.against.is_some(),
        head: None,
        images: 0,
    };
    let done = control::run(&config, &command, |line| printer.line(line))?;
    printer.end(&done)?;
    Ok(ExitCode::SUCCESS)
}

fn policy(file: Option<&Path>) -> Result<Option<String>> {
    file.map(|file| Ok(read_policy(file)?.0)).transpose()
}

struct Printer {
    out: BufWriter<Stdout>,
    is_json: bool,
    /// Of the policies.
    names: [String; 2],
    is_compared: bool,
    /// Everything but the images.
    head: Option<Value>,
    images: u64,
}

impl Printer {
    fn line(&mut self, line: &Value) -> Result<()> {
        if self.head.is_none() {
            self.head = Some(line.clone());
            return self.begin(line);
        }
        self.images += 1;
        match (self.is_json, self.is_compared) {
            (true, _) => {
                let comma = if self.images > 1 { "," } else { "" };
                write!(self.out, "{comma}\n{line}")?;
            }
            (false, false) => self.row(line)?,
            (false, true) => self.compared_row(line)?,
        }
        Ok(())
    }

    fn begin(&mut self, head: &Value) -> Result<()> {
        let out = &mut self.out;
        if self.is_json {
            let head = head.to_string();
            write!(
                out,
                "{},\"images\":[",
                head.strip_suffix('}').unwrap_or(&head)
            )?;
        } else if self.is_compared {
            let [first, second] = &self.names;
            writeln!(out, "first: {first}\nsecond: {second}\n")?;
            writeln!(
                out,
                "{:<13} {:<13} {:<19} TAGS",
                "FIRST", "SECOND", "DIGEST"
            )?;
        } else {
            writeln!(
                out,
                "{:<10} {:<20} {:<19} {:<20} WHY",
                "ACTION", "PUSHED", "DIGEST", "TAGS"
            )?;
        }
        Ok(())
    }

    fn row(&mut self, image: &Value) -> Result<()> {
        let (digest, tags) = (short(text(image, "digest")), tags(image));
        let (action, pushed) = (action(image), text(image, "pushedAt"));
        let why = text(image, "why");
        writeln!(
            self.out,
            "{action:<10} {pushed:<20} {digest:<19} {tags:<20} {why}"
        )?;
        Ok(())
    }

    fn compared_row(&mut self, image: &Value) -> Result<()> {
        let (digest, tags) = (short(text(image, "digest")), tags(image));
        let none = Value::Null;
        let against = image.get("against").unwrap_or(&none);
        let (first, second) = (action_by(image), action_by(against));
        writeln!(self.out, "{first:<13} {second:<13} {digest:<19} {tags}")?;
        writeln!(self.out, "    first:  {}", text(image, "why"))?;
        writeln!(self.out, "    second: {}", text(against, "why"))?;
        Ok(())
    }

    fn end(mut self, done: &Value) -> Result<()> {
        if self.is_json {
            let differing = match done.get("differing").filter(|count| !count.is_null()) {
                Some(count) => format!(",\"differing\":{count}"),
                None => String::new(),
            };
            writeln!(self.out, "\n]{differing}}}")?;
        } else if let Some(head) = self.head.take() {
            writeln!(self.out)?;
            if self.is_compared {
                let differing = self.images;
                writeln!(
                    self.out,
                    "{differing} images differ.\n\nFirst, {}:",
                    self.names[0]
                )?;
            }
            self.summary(&head)?;
            if let Some(against) = head.get("against") {
                writeln!(self.out, "\nSecond, {}:", self.names[1])?;
                self.summary(against)?;
            }
        }
        self.out.flush()?;
        Ok(())
    }

    fn summary(&mut self, of: &Value) -> Result<()> {
        let none = Value::Null;
        let totals = of.get("totals").unwrap_or(&none);
        let count = |member| number(totals, member);
        writeln!(
            self.out,
            "{} images: {} expire, {} move to the archive, {} go with their subject, {} have lost \
             their subject, {} stay",
            count("images"),
            count("expiring"),
            count("transitioning"),
            count("following"),
            count("orphaned"),
            count("kept"),
        )?;
        for rule in list(of, "rules") {
            writeln!(
                self.out,
                "rule {}: selects {}, owns {}, acts upon {}",
                number(rule, "rule"),
                number(rule, "matched"),
                number(rule, "owned"),
                number(rule, "acted"),
            )?;
        }
        for warning in list(of, "warnings") {
            writeln!(
                self.out,
                "warning: rule {}: {}: {}",
                number(warning, "rule"),
                text(warning, "code"),
                text(warning, "message"),
            )?;
        }
        Ok(())
    }
}

fn list<'v>(value: &'v Value, member: &str) -> impl Iterator<Item = &'v Value> {
    let list = value.get(member).and_then(Value::as_array);
    list.into_iter().flatten()
}

fn action(image: &Value) -> &str {
    match text(image, "action") {
        "TRANSITION" => "ARCHIVE",
        "NONE" => "KEEP",
        action => action,
    }
}

fn action_by(image: &Value) -> String {
    match image.get("rule").and_then(Value::as_i64) {
        Some(rule) => format!("{} by {rule}", action(image)),
        None => action(image).to_owned(),
    }
}
