//! Everything that code generation reads: facts, quirks, the list of offered operations.
//! Names that do not exist in the facts stop the run, so that these lists cannot rot.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::model::shape::{Model, ShapeFacts};
use crate::model::{self, SERVICES, root};

/// All inputs.
pub struct Sources {
    /// Version of botocore that the facts came from.
    pub botocore: String,
    /// The services in the order of `SERVICES`.
    pub services: Vec<Service>,
    /// `models/quirks.toml`.
    pub quirks: Quirks,
}

/// One service's inputs.
pub struct Service {
    /// Name of its files.
    pub stem: &'static str,
    /// Its facts.
    pub model: Model,
    /// Names of the offered operations.
    pub offered: Vec<String>,
}

#[derive(Deserialize)]
struct Origin {
    version: String,
}

/// `models/quirks.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quirks {
    pub pattern: Vec<PatternQuirk>,
    pub member_pattern: Vec<MemberPatternQuirk>,
    pub enum_order: Vec<EnumOrderQuirk>,
    pub plain_wording: Vec<PlainWordingQuirk>,
    pub sensitive: Vec<SensitiveQuirk>,
    pub rule: Vec<RuleQuirk>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternQuirk {
    pub service: String,
    pub shape: String,
    pub pattern: String,
    pub evidence: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberPatternQuirk {
    pub service: String,
    pub structure: String,
    pub member: String,
    pub pattern: String,
    pub evidence: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnumOrderQuirk {
    pub service: String,
    pub shape: String,
    pub order: Vec<String>,
    pub evidence: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlainWordingQuirk {
    pub service: String,
    pub member: String,
    pub evidence: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensitiveQuirk {
    pub service: String,
    pub shape: String,
    pub evidence: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleQuirk {
    pub name: String,
    pub evidence: String,
}

impl Sources {
    /// Reads and cross-checks all inputs.
    pub fn read() -> Result<Self> {
        let origin: Origin = toml_file("SOURCE.toml")?;
        let quirks: Quirks = toml_file("quirks.toml")?;
        let mut offered: BTreeMap<String, Vec<String>> = toml_file("offered.toml")?;
        let mut services = Vec::new();
        for (stem, _) in SERVICES {
            let model = model::read(stem)?;
            let offered = offered
                .remove(stem)
                .with_context(|| format!("offered.toml: {stem}"))?;
            for name in &offered {
                ensure!(
                    model.operations.contains_key(name),
                    "offered.toml: no {stem} {name}"
                );
            }
            services.push(Service {
                stem,
                model,
                offered,
            });
        }
        ensure!(offered.is_empty(), "offered.toml names an unknown service");
        let sources = Self {
            botocore: origin.version,
            services,
            quirks,
        };
        sources.check_quirks()?;
        Ok(sources)
    }

    fn check_quirks(&self) -> Result<()> {
        let quirks = &self.quirks;
        for quirk in &quirks.pattern {
            ensure!(self.shape(&quirk.service, &quirk.shape)?.pattern.is_some());
        }
        for quirk in &quirks.sensitive {
            self.shape(&quirk.service, &quirk.shape)?;
        }
        for quirk in &quirks.member_pattern {
            let structure = self.shape(&quirk.service, &quirk.structure)?;
            let known = structure.members.iter().any(|m| m.name == quirk.member);
            ensure!(
                known,
                "quirks.toml: {} has no {}",
                quirk.structure,
                quirk.member
            );
        }
        for quirk in &quirks.enum_order {
            let mut model = self
                .shape(&quirk.service, &quirk.shape)?
                .enum_values
                .clone();
            let mut live = quirk.order.clone();
            model.sort();
            live.sort();
            ensure!(
                model == live,
                "quirks.toml: {} is not a reordering",
                quirk.shape
            );
        }
        for quirk in &quirks.plain_wording {
            let mut members = self.service(&quirk.service)?.model.shapes.values();
            let known = members.any(|s| s.members.iter().any(|m| m.name == quirk.member));
            ensure!(known, "quirks.toml: no member {}", quirk.member);
        }
        let evidence = [
            quirks
                .pattern
                .iter()
                .map(|q| &q.evidence)
                .collect::<Vec<_>>(),
            quirks.member_pattern.iter().map(|q| &q.evidence).collect(),
            quirks.enum_order.iter().map(|q| &q.evidence).collect(),
            quirks.plain_wording.iter().map(|q| &q.evidence).collect(),
            quirks.sensitive.iter().map(|q| &q.evidence).collect(),
            quirks
                .rule
                .iter()
                .flat_map(|q| [&q.name, &q.evidence])
                .collect(),
        ];
        ensure!(
            !evidence.concat().iter().any(|e| e.is_empty()),
            "quirks.toml: no evidence"
        );
        Ok(())
    }

    fn service(&self, stem: &str) -> Result<&Service> {
        self.services
            .iter()
            .find(|s| s.stem == stem)
            .with_context(|| format!("no service {stem}"))
    }

    fn shape(&self, stem: &str, name: &str) -> Result<&ShapeFacts> {
        let shapes = &self.service(stem)?.model.shapes;
        shapes
            .get(name)
            .with_context(|| format!("quirks.toml: no {stem} shape {name}"))
    }
}

fn toml_file<T: DeserializeOwned>(name: &str) -> Result<T> {
    let text =
        std::fs::read_to_string(root().join("models").join(name)).context(name.to_owned())?;
    toml::from_str(&text).context(name.to_owned())
}
