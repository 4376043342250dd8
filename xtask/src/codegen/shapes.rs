//! One service's shapes as serde structs and closed enums.
//! Required members are plain, all others `Option`. Exceptions that carry only a message are left
//! out: the error envelope is not theirs. It must not encode constraints, only say them in comments.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::{Context, Result, ensure};

use super::names;
use super::sources::{Quirks, Service};
use crate::model::shape::{Kind, MemberFacts, ShapeFacts};

type Shapes = BTreeMap<String, ShapeFacts>;

/// The module for `service`.
pub fn module(service: &Service, quirks: &Quirks) -> Result<String> {
    let mut shapes: Shapes = service.model.shapes.clone();
    for quirk in quirks
        .sensitive
        .iter()
        .filter(|q| q.service == service.stem)
    {
        shapes
            .get_mut(&quirk.shape)
            .context("a quirk of no shape")?
            .sensitive = true;
    }
    let mut body = String::new();
    for (name, shape) in &shapes {
        match shape.kind {
            Kind::Structure if !is_plain_exception(shape) => {
                structure(&mut body, &shapes, name, shape)?
            }
            Kind::String if !shape.enum_values.is_empty() => closed_enum(&mut body, name, shape)?,
            _ => {}
        }
    }
    Ok(imports(&body) + &body)
}

fn imports(body: &str) -> String {
    let mut imports = String::new();
    if body.contains("BTreeMap<") {
        imports.push_str("use std::collections::BTreeMap;\n\n");
    }
    imports.push_str("use serde::{Deserialize, Serialize};\n\n");
    let wire: Vec<&str> = ["Blob", "Sensitive", "Timestamp"]
        .into_iter()
        .filter(|name| {
            [">", ","]
                .iter()
                .any(|end| body.contains(&format!("{name}{end}")))
        })
        .collect();
    if !wire.is_empty() {
        let _ = writeln!(imports, "use crate::wire::{{{}}};\n", wire.join(", "));
    }
    imports
}

fn is_plain_exception(shape: &ShapeFacts) -> bool {
    shape.exception && shape.members.iter().all(|m| m.name == "message")
}

fn structure(out: &mut String, shapes: &Shapes, name: &str, shape: &ShapeFacts) -> Result<()> {
    let camel = shape
        .members
        .iter()
        .all(|m| names::serde_camel(&names::field(&m.name)) == m.name);
    let default = has_default(shapes, name, &mut BTreeSet::new())?;
    let default = if default { "Default, " } else { "" };
    let _ = writeln!(out, "/// Wire shape `{name}`.");
    let _ = writeln!(
        out,
        "#[derive(Debug, Clone, {default}PartialEq, Serialize, Deserialize)]"
    );
    if camel && !shape.members.is_empty() {
        let _ = writeln!(out, "#[serde(rename_all = \"camelCase\")]");
    }
    let _ = writeln!(out, "pub struct {name} {{");
    // Real answers list their members by name (ecr.md 1.2), and serde writes fields in order.
    let mut members: Vec<&MemberFacts> = shape.members.iter().collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    for member in members {
        field(out, shapes, member, camel)?;
    }
    let _ = writeln!(out, "}}\n");
    Ok(())
}

fn field(out: &mut String, shapes: &Shapes, member: &MemberFacts, camel: bool) -> Result<()> {
    let rust_type = rust_type(shapes, &member.shape)?;
    let ident = names::field(&member.name);
    let _ = writeln!(out, "/// {}", sentence(shapes, member)?);
    if !camel {
        let _ = writeln!(out, "#[serde(rename = \"{}\")]", member.name);
    }
    if member.required {
        let _ = writeln!(out, "pub {ident}: {rust_type},");
    } else {
        let _ = writeln!(
            out,
            "#[serde(default, skip_serializing_if = \"Option::is_none\")]"
        );
        let _ = writeln!(out, "pub {ident}: Option<{rust_type}>,");
    }
    Ok(())
}

/// Whether the structure can derive `Default`: enums have none, so no required member may be one.
fn has_default(shapes: &Shapes, name: &str, open: &mut BTreeSet<String>) -> Result<bool> {
    ensure!(
        open.insert(name.to_owned()),
        "{name} contains itself; the generator has no box for it"
    );
    let shape = shape(shapes, name)?;
    let mut all = true;
    for member in &shape.members {
        let target = self::shape(shapes, &member.shape)?;
        if target.kind == Kind::Structure {
            let inner = has_default(shapes, &member.shape, open)?;
            all &= inner || !member.required;
        }
        all &= target.enum_values.is_empty() || !member.required;
    }
    open.remove(name);
    Ok(all)
}

fn rust_type(shapes: &Shapes, name: &str) -> Result<String> {
    let facts = shape(shapes, name)?;
    ensure!(
        facts.timestamp_format.is_none(),
        "{name} has a timestamp format we do not know"
    );
    let inner =
        |part: &Option<String>| rust_type(shapes, part.as_deref().context("no part shape")?);
    Ok(match facts.kind {
        Kind::Boolean => "bool".to_owned(),
        Kind::Blob => "Blob".to_owned(),
        Kind::Double | Kind::Float => "f64".to_owned(),
        Kind::Integer => "i32".to_owned(),
        Kind::Long => "i64".to_owned(),
        Kind::Timestamp => "Timestamp".to_owned(),
        Kind::List => format!("Vec<{}>", inner(&facts.element)?),
        Kind::Map => format!("BTreeMap<{}, {}>", inner(&facts.key)?, inner(&facts.value)?),
        Kind::String if facts.sensitive => "Sensitive".to_owned(),
        Kind::String if facts.enum_values.is_empty() => "String".to_owned(),
        Kind::String | Kind::Structure => name.to_owned(),
    })
}

fn shape<'a>(shapes: &'a Shapes, name: &str) -> Result<&'a ShapeFacts> {
    shapes.get(name).with_context(|| format!("no shape {name}"))
}

/// What the comment of a field says: its wire name and its constraints.
fn sentence(shapes: &Shapes, member: &MemberFacts) -> Result<String> {
    let facts = shape(shapes, &member.shape)?;
    let unit = match facts.kind {
        Kind::Blob => " bytes",
        Kind::String => " characters",
        Kind::List | Kind::Map => " entries",
        _ => "",
    };
    let bounds = match (facts.min, facts.max) {
        (Some(min), Some(max)) => format!("; {min} to {max}{unit}"),
        (Some(min), None) => format!("; at least {min}{unit}"),
        (None, Some(max)) => format!("; at most {max}{unit}"),
        (None, None) => String::new(),
    };
    let pattern = facts
        .pattern
        .as_ref()
        .map_or_else(String::new, |p| format!("; pattern `{p}`"));
    let required = if member.required { ", required" } else { "" };
    Ok(format!("`{}`{required}{bounds}{pattern}.", member.name))
}

fn closed_enum(out: &mut String, name: &str, shape: &ShapeFacts) -> Result<()> {
    let variants: Vec<(String, &str)> = shape
        .enum_values
        .iter()
        .map(|v| (names::variant(v), v.as_str()))
        .collect();
    let distinct: BTreeSet<&String> = variants.iter().map(|(variant, _)| variant).collect();
    ensure!(
        distinct.len() == variants.len(),
        "{name}: two values make one variant"
    );
    let _ = writeln!(out, "/// Wire enum `{name}`, closed.");
    let _ = writeln!(
        out,
        "#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]"
    );
    let _ = writeln!(out, "pub enum {name} {{");
    for (variant, value) in &variants {
        let _ = writeln!(
            out,
            "/// `{value}`.\n#[serde(rename = \"{value}\")]\n{variant},"
        );
    }
    let _ = writeln!(out, "}}\n\nimpl {name} {{");
    let list: Vec<String> = variants
        .iter()
        .map(|(variant, _)| format!("Self::{variant}"))
        .collect();
    let _ = writeln!(
        out,
        "/// Every value, in model order.\npub const ALL: &[Self] = &[{}];\n",
        list.join(", ")
    );
    let _ = writeln!(
        out,
        "/// The value on the wire.\n#[must_use]\npub const fn as_str(self) -> &'static str {{ match self {{"
    );
    for (variant, value) in &variants {
        let _ = writeln!(out, "Self::{variant} => \"{value}\",");
    }
    let _ = writeln!(out, "}} }} }}\n");
    Ok(())
}
