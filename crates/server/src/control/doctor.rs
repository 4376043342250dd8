//! Verifying a store, as lines of JSON: findings as they come, and progress between them.

use anyhow::{Result, bail};
use roadstead_registry::Registry;
use roadstead_registry::doctor::{Examination, Finding, Options};
use roadstead_store::metadata::Needer;
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;

use super::Command;

/// What is read in a second beside a running server, bytes, unless somebody says otherwise.
const BYTES_PER_SECOND: u64 = 100 * 1024 * 1024;

/// Makes a command leave the disk to others, which are served meanwhile.
pub(super) fn give_way(command: &mut Command) {
    if let Command::Doctor {
        bytes_per_second, ..
    } = command
    {
        bytes_per_second.get_or_insert(BYTES_PER_SECOND);
    }
}

/// Verifies the store. Ends when nobody listens any more.
pub(super) async fn examine(
    registry: &Registry,
    options: Options,
    progress: &Sender<Value>,
) -> Result<Value> {
    let mut examination = registry.examine(options);
    let mut findings = 0_u64;
    while let Some(found) = examination.step().await? {
        findings += found.len() as u64;
        let told = found.iter().map(|one| json!({ "finding": told(one) }));
        let lines = told.chain([json!({ "progress": progressed(&examination) })]);
        for line in lines {
            if progress.send(line).await.is_err() {
                bail!("nobody listens");
            }
        }
    }
    Ok(json!({
        "findings": findings,
        "dryRun": options.is_dry_run,
        "quick": options.is_quick,
        "checked": looked(&examination),
    }))
}

fn progressed(examination: &Examination<'_>) -> Value {
    json!({
        "phase": examination.phase(),
        "permille": examination.permille(),
        "checked": looked(examination),
    })
}

fn looked(examination: &Examination<'_>) -> Value {
    let looked = &examination.looked;
    json!({
        "repositories": looked.repositories,
        "images": looked.images,
        "blobs": looked.blobs,
        "bytes": looked.bytes,
        "uploads": looked.uploads,
        "files": looked.files,
    })
}

fn told(finding: &Finding) -> Value {
    let image = |one: &Needer| json!({ "repository": one.repository, "digest": one.digest, "tags": one.tags });
    json!({
        "kind": finding.kind.as_str(),
        "subject": finding.subject,
        "detail": finding.detail,
        "images": finding.images.iter().map(image).collect::<Vec<_>>(),
        "action": finding.action.as_str(),
    })
}
