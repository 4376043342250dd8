//! `cargo xtask model import [VERSION]`: reads botocore's models from PyPI into `models/`; `model
//! drift` compares ours with the newest.
//! Keeps facts only (names, types, bounds, errors), never documentation text.
//! The files it writes are the only source for `codegen` and for the constraint checker.

mod drift;
mod import;
mod print;
#[path = "../../crates/api-model/src/facts/shape.rs"]
pub mod shape;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use shape::Model;

/// The services in the order in which everything lists them: file stem, folder in botocore.
pub const SERVICES: [(&str, &str); 3] = [
    ("ecr", "ecr"),
    ("ecr_public", "ecr-public"),
    ("lightsail", "lightsail"),
];

/// Dispatches the `model` commands.
pub fn run(args: &[String]) -> Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["import"] => import::run(None),
        ["import", version] => import::run(Some(version)),
        ["drift"] => drift::run(None),
        ["drift", version] => drift::run(Some(version)),
        _ => bail!("usage: cargo xtask model import|drift [VERSION]"),
    }
}

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Reads one service's facts from `models/`.
pub fn read(stem: &str) -> Result<Model> {
    let path = root().join("models").join(format!("{stem}.json"));
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} (run `cargo xtask model import`)", path.display()))?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}
