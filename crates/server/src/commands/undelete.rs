//! `roadstead undelete`: brings deleted images and repositories back while their window is open.

use std::io::Write as _;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use super::lifecycle::PlaceArgs;
use super::{Output, text};
use crate::control::{self, Command, Place};

/// `roadstead undelete`.
#[derive(Debug, Args)]
pub struct UndeleteArgs {
    /// Where.
    #[command(flatten)]
    pub place: PlaceArgs,
    /// The repository is one of the public registry.
    #[arg(long, conflicts_with = "region")]
    pub public: bool,
    /// The images to bring back, by digest, each with the images that it lists and the tags that
    /// nobody took meanwhile. Without any, a deleted repository comes back with all that it held.
    #[arg(value_name = "DIGEST", conflicts_with = "list")]
    pub digests: Vec<String>,
    /// List what can be brought back into the repository.
    #[arg(long)]
    pub list: bool,
}

/// Runs the command.
pub fn run(args: &UndeleteArgs) -> Result<()> {
    let (config, place) = args.place.load()?;
    let place = Place {
        public: args.public,
        ..place
    };
    let command = match args.list {
        true => Command::UndeleteList { place },
        false => Command::Undelete {
            place,
            digests: args.digests.clone(),
        },
    };
    let done = control::run(&config, &command, |_| Ok(()))?;
    let mut out = std::io::stdout();
    if args.place.output == Output::Json {
        return Ok(writeln!(out, "{done}")?);
    }
    for image in entries(&done, "deleted") {
        let (digest, until) = (text(image, "digest"), text(image, "keptUntil"));
        let at = text(image, "deletedAt");
        let tags = joined(image, "tags");
        writeln!(out, "{digest}  deleted {at}, kept until {until}  {tags}")?;
    }
    for image in entries(&done, "undeleted") {
        let digest = text(image, "digest");
        match image.get("wasThere").and_then(Value::as_bool) {
            Some(true) => writeln!(out, "{digest}  was there")?,
            _ => writeln!(out, "{digest}  is back  {}", joined(image, "tags"))?,
        }
        let elsewhere = joined(image, "tagsElsewhere");
        if !elsewhere.is_empty() {
            writeln!(out, "  tags that point elsewhere by now: {elsewhere}")?;
        }
    }
    if let Some(name) = done.get("repository").and_then(Value::as_str) {
        writeln!(out, "the repository '{name}' is back with all that it held")?;
    }
    Ok(())
}

fn entries<'v>(value: &'v Value, member: &str) -> impl Iterator<Item = &'v Value> {
    let list = value.get(member).and_then(Value::as_array);
    list.into_iter().flatten()
}

fn joined(value: &Value, member: &str) -> String {
    let tags = entries(value, member).filter_map(Value::as_str);
    tags.collect::<Vec<_>>().join(", ")
}
