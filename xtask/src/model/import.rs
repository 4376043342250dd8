//! Downloads a botocore wheel and reduces its three service models to facts.
//! Unknown traits in a model stop the import: a new kind of fact must be looked at, not dropped.
//! It must never keep documentation text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor};
use sha2::{Digest, Sha256};

use super::shape::{Kind, MemberFacts, Metadata, Model, OperationFacts, Paginator, ShapeFacts};
use super::{SERVICES, print, root};

/// The container part of Lightsail, and what its clients call beside it; the rest of that service is
/// not ours.
const LIGHTSAIL_OPERATIONS: [&str; 17] = [
    "CreateContainerService",
    "CreateContainerServiceDeployment",
    "CreateContainerServiceRegistryLogin",
    "DeleteContainerImage",
    "DeleteContainerService",
    "GetContainerAPIMetadata",
    "GetContainerImages",
    "GetContainerLog",
    "GetContainerServiceDeployments",
    "GetContainerServiceMetricData",
    "GetContainerServicePowers",
    "GetContainerServices",
    "GetRegions",
    "RegisterContainerImage",
    "TagResource",
    "UntagResource",
    "UpdateContainerService",
];

/// A release of botocore, reduced to facts.
pub struct Release {
    /// Its version.
    pub version: String,
    /// The services' models by file stem.
    pub models: Vec<(&'static str, Model)>,
    /// The text of `SOURCE.toml`.
    source: String,
}

/// Imports `version`, or the newest release.
pub fn run(version: Option<&str>) -> Result<()> {
    let release = fetch(version)?;
    let models = root().join("models");
    for (stem, model) in &release.models {
        println!(
            "{stem}: {} operations, {} shapes",
            model.operations.len(),
            model.shapes.len()
        );
        std::fs::write(models.join(format!("{stem}.json")), print::to_text(model)?)?;
    }
    std::fs::write(models.join("SOURCE.toml"), release.source)?;
    println!("now run `cargo xtask codegen`");
    Ok(())
}

/// Downloads `version`, or the newest release.
pub fn fetch(version: Option<&str>) -> Result<Release> {
    let dir = tempfile::tempdir()?;
    let wheel = download(dir.path(), version)?;
    let tree = dir.path().join("tree");
    python(&["-m", "zipfile", "-e", path_str(&wheel)?, path_str(&tree)?])?;
    let mut models = Vec::new();
    for (stem, folder) in SERVICES {
        let model = reduce(&tree.join("botocore/data").join(folder), stem)?;
        models.push((stem, model));
    }
    Ok(Release {
        version: version_of(&wheel)?.to_owned(),
        models,
        source: source(&wheel)?,
    })
}

fn download(dir: &Path, version: Option<&str>) -> Result<PathBuf> {
    let wanted = version.map_or_else(|| "botocore".to_owned(), |v| format!("botocore=={v}"));
    python(&[
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "-d",
        path_str(dir)?,
        &wanted,
    ])?;
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "whl") {
            return Ok(path);
        }
    }
    bail!("pip left no wheel in {}", dir.display())
}

fn python(args: &[&str]) -> Result<()> {
    let status = Command::new("python3")
        .args(args)
        .status()
        .context("python3")?;
    ensure!(status.success(), "python3 {args:?} failed");
    Ok(())
}

fn path_str(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}

fn name_of(wheel: &Path) -> Result<&str> {
    let name = wheel.file_name().and_then(|name| name.to_str());
    name.context("wheel name")
}

fn version_of(wheel: &Path) -> Result<&str> {
    let version = name_of(wheel)?.split('-').nth(1);
    version.context("wheel name without a version")
}

/// The text of `SOURCE.toml`: what the facts were taken from.
fn source(wheel: &Path) -> Result<String> {
    let (name, version) = (name_of(wheel)?, version_of(wheel)?);
    let digest = hex::encode(Sha256::digest(std::fs::read(wheel)?));
    Ok(format!(
        "# Written by `cargo xtask model import`.\n\
         package = \"botocore\"\nversion = \"{version}\"\nwheel = \"{name}\"\nsha256 = \"{digest}\"\n"
    ))
}

/// Reads the newest version in a service's folder and keeps the facts.
fn reduce(folder: &Path, stem: &str) -> Result<Model> {
    let dated = std::fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<BTreeSet<_>>>()?
        .pop_last()
        .context("no model version")?;
    let raw: RawModel = read_json(&dated, "service-2.json")?;
    let pages: RawPages = read_json(&dated, "paginators-1.json")?;
    let kept = |name: &str| stem != "lightsail" || LIGHTSAIL_OPERATIONS.contains(&name);
    let operations: BTreeMap<_, _> = raw
        .operations
        .into_iter()
        .filter(|(name, _)| kept(name))
        .map(|(name, operation)| (name, operation.facts()))
        .collect();
    let paginators = pages
        .pagination
        .into_iter()
        .filter(|(name, _)| kept(name))
        .map(|(name, page)| (name, page.facts()))
        .collect();
    let shapes = reachable(&operations, &raw.shapes.into_iter().collect())?;
    Ok(Model {
        metadata: raw.metadata.facts(),
        operations,
        paginators,
        shapes,
    })
}

/// Reads `name`, or `name.gz` where only that is there.
fn read_json<T: DeserializeOwned>(dir: &Path, name: &str) -> Result<T> {
    let plain = dir.join(name);
    if !plain.exists() {
        python(&[
            "-m",
            "gzip",
            "-d",
            path_str(&dir.join(format!("{name}.gz")))?,
        ])?;
    }
    let text = std::fs::read_to_string(&plain)?;
    serde_json::from_str(&text).with_context(|| plain.display().to_string())
}

/// The shapes that `operations` reach, as facts.
fn reachable(
    operations: &BTreeMap<String, OperationFacts>,
    raw: &BTreeMap<String, RawShape>,
) -> Result<BTreeMap<String, ShapeFacts>> {
    let mut shapes = BTreeMap::new();
    let mut waiting: Vec<String> = operations
        .values()
        .flat_map(|o| [&o.input, &o.output].into_iter().chain(&o.errors))
        .cloned()
        .collect();
    while let Some(name) = waiting.pop() {
        if shapes.contains_key(&name) {
            continue;
        }
        let facts = raw
            .get(&name)
            .with_context(|| format!("no shape {name}"))?
            .facts(&name)?;
        waiting.extend(facts.members.iter().map(|m| m.shape.clone()));
        waiting.extend(
            [&facts.element, &facts.key, &facts.value]
                .into_iter()
                .flatten()
                .cloned(),
        );
        shapes.insert(name, facts);
    }
    Ok(shapes)
}

/// A JSON object read in the order of the text.
struct Ordered<V>(Vec<(String, V)>);

impl<V> Default for Ordered<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Ordered<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for InOrder<V> {
            type Value = Ordered<V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered<V>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

#[derive(Deserialize)]
struct RawModel {
    metadata: RawMetadata,
    operations: BTreeMap<String, RawOperation>,
    shapes: BTreeMap<String, RawShape>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMetadata {
    api_version: String,
    endpoint_prefix: String,
    json_version: String,
    service_id: String,
    signing_name: Option<String>,
    target_prefix: String,
}

impl RawMetadata {
    fn facts(self) -> Metadata {
        Metadata {
            api_version: self.api_version,
            json_version: self.json_version,
            service_id: self.service_id,
            // A model without a signing name signs with its endpoint's.
            signing_name: self.signing_name.unwrap_or(self.endpoint_prefix),
            target_prefix: self.target_prefix,
        }
    }
}

#[derive(Deserialize)]
struct ShapeName {
    shape: String,
}

#[derive(Deserialize)]
struct RawOperation {
    input: ShapeName,
    output: ShapeName,
    #[serde(default)]
    errors: Vec<ShapeName>,
}

impl RawOperation {
    fn facts(self) -> OperationFacts {
        OperationFacts {
            input: self.input.shape,
            output: self.output.shape,
            errors: self.errors.into_iter().map(|e| e.shape).collect(),
        }
    }
}

#[derive(Deserialize)]
struct RawPages {
    pagination: BTreeMap<String, RawPage>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPage {
    input_token: String,
    output_token: String,
    limit_key: Option<String>,
    result_key: OneOrMany,
    #[serde(default)]
    non_aggregate_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl RawPage {
    fn facts(self) -> Paginator {
        Paginator {
            input_token: self.input_token,
            output_token: self.output_token,
            limit_key: self.limit_key,
            result_keys: match self.result_key {
                OneOrMany::One(key) => vec![key],
                OneOrMany::Many(keys) => keys,
            },
            non_aggregate_keys: self.non_aggregate_keys,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawShape {
    #[serde(rename = "type")]
    kind: Kind,
    min: Option<i64>,
    max: Option<i64>,
    pattern: Option<String>,
    #[serde(default, rename = "enum")]
    enum_values: Vec<String>,
    member: Option<RawMember>,
    key: Option<RawMember>,
    value: Option<RawMember>,
    timestamp_format: Option<String>,
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    exception: bool,
    #[serde(default)]
    fault: bool,
    #[serde(default)]
    members: Ordered<RawMember>,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default, rename = "documentation")]
    _prose: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawMember {
    shape: String,
    #[serde(default, rename = "documentation")]
    _prose: IgnoredAny,
    #[serde(default, rename = "deprecated")]
    _deprecated: IgnoredAny,
    #[serde(default, rename = "deprecatedMessage")]
    _deprecated_prose: IgnoredAny,
}

impl RawShape {
    fn facts(&self, name: &str) -> Result<ShapeFacts> {
        for required in &self.required {
            let known = self.members.0.iter().any(|(member, _)| member == required);
            ensure!(known, "{name} requires {required}, which it does not have");
        }
        let shape_of = |member: &Option<RawMember>| member.as_ref().map(|m| m.shape.clone());
        let members = self.members.0.iter().map(|(member, raw)| MemberFacts {
            name: member.clone(),
            shape: raw.shape.clone(),
            required: self.required.contains(member),
        });
        Ok(ShapeFacts {
            kind: self.kind,
            min: self.min,
            max: self.max,
            pattern: self.pattern.clone(),
            enum_values: self.enum_values.clone(),
            element: shape_of(&self.member),
            key: shape_of(&self.key),
            value: shape_of(&self.value),
            timestamp_format: self.timestamp_format.clone(),
            sensitive: self.sensitive,
            exception: self.exception,
            fault: self.fault,
            members: members.collect(),
        })
    }
}
