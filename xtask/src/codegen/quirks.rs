//! `models/quirks.toml` as Rust tables.
//! Evidence stays in the TOML file; only what the checker and the wording need comes along.

use std::fmt::Write;

use super::names::camel;
use super::sources::Quirks;

/// The module with the tables.
pub fn module(quirks: &Quirks) -> String {
    let mut out = "use crate::operation::Service;\n\n".to_owned();
    let patterns = quirks
        .pattern
        .iter()
        .map(|q| (&q.service, format!("{:?}, {:?}", q.shape, q.pattern)));
    table(
        &mut out,
        "Service, shape, pattern: the live text of a shape's pattern.",
        "PATTERNS",
        "&str, &str",
        patterns,
    );
    let members = quirks.member_pattern.iter().map(|q| {
        (
            &q.service,
            format!("{:?}, {:?}, {:?}", q.structure, q.member, q.pattern),
        )
    });
    table(
        &mut out,
        "Service, structure, member, pattern: patterns that the model lacks.",
        "MEMBER_PATTERNS",
        "&str, &str, &str",
        members,
    );
    let orders = quirks
        .enum_order
        .iter()
        .map(|q| (&q.service, format!("{:?}, &{:?}", q.shape, q.order)));
    table(
        &mut out,
        "Service, shape, values in the order in which they are printed.",
        "ENUM_ORDERS",
        "&str, &[&str]",
        orders,
    );
    let plain = quirks
        .plain_wording
        .iter()
        .map(|q| (&q.service, format!("{:?}", q.member)));
    table(
        &mut out,
        "Service, member: constraint texts without the word Member.",
        "PLAIN_WORDINGS",
        "&str",
        plain,
    );
    out
}

fn table<'a>(
    out: &mut String,
    doc: &str,
    name: &str,
    columns: &str,
    rows: impl Iterator<Item = (&'a String, String)>,
) {
    let rows: Vec<String> = rows
        .map(|(service, row)| format!("(Service::{}, {row})", camel(service)))
        .collect();
    let _ = writeln!(
        out,
        "/// {doc}\npub(crate) static {name}: &[(Service, {columns})] = &[{}];\n",
        rows.join(", ")
    );
}
