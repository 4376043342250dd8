//! Runs of lifecycle policies, on command, and their records, as JSON (docs/lifecycle.md).

use anyhow::{Context as _, Result, bail};
use roadstead_domain::ids::{AccountId, Region};
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_domain::time::Timestamp;
use roadstead_registry::Registry;
use roadstead_registry::access::{self, Authorized};
use roadstead_registry::context::Clock;
use roadstead_registry::lifecycle::runs::{RunEnd, RunEntry, RunRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc::Sender;

/// Records that are listed; a repository keeps no more.
const RUNS_MAX: usize = 100;

/// A repository as a command names it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Place {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The name.
    pub repository: String,
    /// Whether it is a repository of the public registry, which has no region.
    #[serde(default)]
    pub public: bool,
}

impl Place {
    /// The repository for the operator, who may do everything.
    pub(super) fn key(&self) -> Result<Authorized<RepositoryKey>> {
        let account = AccountId::parse(&self.account).context("an account has 12 digits")?;
        let name = RepositoryName::parse(&self.repository).context("the repository's name")?;
        if self.public {
            return Ok(access::operator(RepositoryKey::public(account, name)));
        }
        let region = Region::parse(&self.region).context("the region")?;
        let key = RepositoryKey::private(account, region, name);
        Ok(access::operator(key))
    }
}

pub(super) async fn run(
    registry: &Registry,
    clock: &dyn Clock,
    place: &Place,
    above_ceiling: bool,
) -> Result<Value> {
    let (key, now) = (place.key()?, clock.now());
    record(&registry.run_lifecycle(key, now, above_ceiling).await?)
}

pub(super) async fn runs(registry: &Registry, place: &Place) -> Result<Value> {
    let records = registry.lifecycle_runs(place.key()?, RUNS_MAX).await?;
    let records = records.iter().map(record);
    Ok(json!({
        "schemaVersion": 1,
        "runs": records.collect::<Result<Vec<_>>>()?,
    }))
}

/// Sends the entries of a run, one a line; the record comes last.
pub(super) async fn entries(
    registry: &Registry,
    place: &Place,
    run: i64,
    progress: &Sender<Value>,
) -> Result<Value> {
    let records = registry.lifecycle_runs(place.key()?, RUNS_MAX).await?;
    let Some(found) = records.iter().find(|record| record.run == run) else {
        bail!("no record of a run {run} of '{}' is kept", place.repository);
    };
    for page in 0.. {
        let entries = registry
            .lifecycle_run_entries(place.key()?, run, page)
            .await?;
        let Some(entries) = entries else {
            break;
        };
        for found in &entries {
            if progress.send(entry(found)?).await.is_err() {
                bail!("nobody listens any more");
            }
        }
    }
    record(found)
}

fn record(record: &RunRecord) -> Result<Value> {
    let mut value = serde_json::to_value(record)?;
    value["startedAt"] = Timestamp(record.started_at).rfc3339().into();
    value["finishedAt"] = record.finished_at.map(|at| Timestamp(at).rfc3339()).into();
    if let RunEnd::AboveCeiling { percent_max, .. } = record.end
        && let Some(members) = value.as_object_mut()
    {
        members.remove("percent_max");
        members.insert("percentMax".into(), percent_max.into());
    }
    Ok(value)
}

fn entry(entry: &RunEntry) -> Result<Value> {
    let mut value = serde_json::to_value(entry)?;
    value["pushedAt"] = Timestamp(entry.pushed_at).rfc3339().into();
    value["tags"] = entry.tags.as_slice().into();
    Ok(value)
}
