//! `cargo xtask layers`: crate arrows go one way. The table below is the whole design; what
//! `cargo metadata` says about normal and build dependencies must stay inside it.
//!
//! Development dependencies are free, so that tests may compose what the product may not.

use crate::process::{cargo, output};
use anyhow::{Context, Result, bail};
use serde_json::Value;

/// One crate: the workspace crates that it may use, and outside crates that it must not.
struct Row {
    name: &'static str,
    may_use: &'static [&'static str],
    must_not_use: &'static [&'static str],
}

/// No asynchronous runtime, no protocol, no ambient clock, id or chance.
const PURE: &[&str] = &[
    "async-trait",
    "axum",
    "getrandom",
    "http",
    "hyper",
    "hyper-util",
    "rand",
    "tokio",
    "uuid",
];
const DATABASES: &[&str] = &["deadpool-postgres", "rusqlite", "tokio-postgres"];
const STORE: &str = "roadstead-store";
const DOMAIN: &str = "roadstead-domain";

const TABLE: &[Row] = &[
    Row {
        name: DOMAIN,
        may_use: &[],
        must_not_use: PURE,
    },
    Row {
        name: "roadstead-sigv4",
        may_use: &[],
        must_not_use: &["axum", "getrandom", "hyper", "rand", "tokio", "uuid"],
    },
    Row {
        name: "roadstead-api-model",
        may_use: &[],
        must_not_use: PURE,
    },
    Row {
        name: STORE,
        may_use: &[DOMAIN],
        must_not_use: &[
            "axum",
            "http",
            "hyper",
            "rand",
            "rusqlite",
            "tokio-postgres",
            "uuid",
        ],
    },
    Row {
        name: "roadstead-store-sql",
        may_use: &[STORE, DOMAIN],
        must_not_use: &["axum", "http", "hyper", "rand", "uuid"],
    },
    Row {
        name: "roadstead-store-blob",
        may_use: &[STORE, DOMAIN],
        must_not_use: &["axum", "rand", "rusqlite", "tokio-postgres"],
    },
    Row {
        name: "roadstead-registry",
        may_use: &[STORE, DOMAIN],
        must_not_use: &[
            "axum",
            "http",
            "http-body",
            "hyper",
            "hyper-util",
            "rand",
            "uuid",
        ],
    },
    Row {
        name: "roadstead-http",
        may_use: &[
            "roadstead-registry",
            "roadstead-api-model",
            "roadstead-sigv4",
            DOMAIN,
        ],
        must_not_use: DATABASES,
    },
    Row {
        name: "roadstead-engine",
        may_use: &["roadstead-registry", DOMAIN],
        must_not_use: &[
            "axum",
            "deadpool-postgres",
            "rand",
            "rusqlite",
            "tokio-postgres",
        ],
    },
    Row {
        name: "roadstead-server",
        may_use: &[
            "roadstead-engine",
            "roadstead-http",
            "roadstead-registry",
            "roadstead-api-model",
            "roadstead-sigv4",
            "roadstead-store-sql",
            "roadstead-store-blob",
            STORE,
            DOMAIN,
        ],
        must_not_use: &[],
    },
    Row {
        name: "roadstead-testkit",
        may_use: &[
            "roadstead-server",
            "roadstead-http",
            "roadstead-registry",
            "roadstead-api-model",
            "roadstead-sigv4",
            "roadstead-store-sql",
            "roadstead-store-blob",
            STORE,
            DOMAIN,
        ],
        must_not_use: &[],
    },
    Row {
        name: "roadstead-torture",
        may_use: &[
            "roadstead-testkit",
            "roadstead-server",
            "roadstead-http",
            "roadstead-registry",
            "roadstead-sigv4",
            "roadstead-store-sql",
            "roadstead-store-blob",
            STORE,
            DOMAIN,
        ],
        must_not_use: &[],
    },
    Row {
        name: "roadstead-bench",
        may_use: &[
            "roadstead-server",
            "roadstead-sigv4",
            "roadstead-store-sql",
            STORE,
            DOMAIN,
        ],
        must_not_use: &[],
    },
    Row {
        name: "roadstead-fuzz-targets",
        may_use: &[
            "roadstead-http",
            "roadstead-registry",
            "roadstead-api-model",
            "roadstead-sigv4",
            DOMAIN,
        ],
        must_not_use: &["hyper", "rand", "tokio"],
    },
    Row {
        name: "xtask",
        may_use: &[],
        must_not_use: &["tokio"],
    },
];

/// Compares the workspace with the table.
///
/// # Errors
/// Names every arrow that the table does not allow.
pub fn run(_args: &[String]) -> Result<()> {
    let text = output(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let wrong = check(&serde_json::from_str(&text)?)?;
    if !wrong.is_empty() {
        bail!("crate arrows:\n  {}", wrong.join("\n  "));
    }
    println!("crate arrows go one way");
    Ok(())
}

fn check(metadata: &Value) -> Result<Vec<String>> {
    let packages = metadata["packages"].as_array().context("no packages")?;
    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"]
            .as_str()
            .context("a package without a name")?;
        let Some(row) = TABLE.iter().find(|row| row.name == name) else {
            wrong.push(format!("{name} has no row in xtask/src/layers.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let used = dependency["name"].as_str().unwrap_or_default();
            if dependency["kind"] != "dev" && !allows(row, used) {
                wrong.push(format!("{name} must not depend on {used}"));
            }
        }
    }
    Ok(wrong)
}

/// Workspace crates are forbidden unless listed, outside crates allowed unless listed.
fn allows(row: &Row, used: &str) -> bool {
    if TABLE.iter().any(|row| row.name == used) || used.starts_with("roadstead-") {
        row.may_use.contains(&used)
    } else {
        !row.must_not_use.contains(&used)
    }
}

#[cfg(test)]
mod tests {
    use super::check;
    use serde_json::{Value, json};

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
        let list: Vec<Value> = dependencies
            .iter()
            .map(|(name, kind)| json!({"name": name, "kind": kind}))
            .collect();
        json!({"packages": [{"name": name, "dependencies": list}]})
    }

    fn complaints(name: &str, dependencies: &[(&str, Option<&str>)]) -> Vec<String> {
        check(&package(name, dependencies)).unwrap()
    }

    #[test]
    fn allowed_arrows_pass() {
        let none: Vec<String> = Vec::new();
        assert_eq!(
            complaints("roadstead-store", &[("roadstead-domain", None)]),
            none
        );
        assert_eq!(complaints("roadstead-http", &[("hyper", None)]), none);
        assert_eq!(
            complaints("roadstead-http", &[("roadstead-testkit", Some("dev"))]),
            none
        );
        assert_eq!(
            complaints("roadstead-server", &[("roadstead-store-sql", None)]),
            none
        );
    }

    #[test]
    fn forbidden_arrows_are_named() {
        for (name, used) in [
            ("roadstead-domain", "tokio"),
            ("roadstead-domain", "roadstead-store"),
            ("roadstead-registry", "http"),
            ("roadstead-registry", "roadstead-api-model"),
            ("roadstead-engine", "roadstead-store"),
            ("roadstead-http", "roadstead-engine"),
            ("roadstead-http", "roadstead-store"),
            ("roadstead-http", "roadstead-store-blob"),
            ("roadstead-store-sql", "roadstead-registry"),
            ("roadstead-sigv4", "roadstead-domain"),
            ("roadstead-server", "roadstead-testkit"),
        ] {
            let expected = vec![format!("{name} must not depend on {used}")];
            assert_eq!(complaints(name, &[(used, None)]), expected);
            assert_eq!(complaints(name, &[(used, Some("build"))]), expected);
        }
    }

    #[test]
    fn a_crate_without_a_row_is_refused() {
        assert_eq!(complaints("roadstead-annex", &[]).len(), 1);
    }
}
