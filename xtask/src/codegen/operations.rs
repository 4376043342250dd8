//! The `Operation` enum and its table of facts.
//! One row per operation, in the order of the enum: the enum's number is the row's index.

use std::fmt::Write;

use super::names;
use super::sources::Sources;

/// The module with the enum and the table.
pub fn module(sources: &Sources) -> String {
    let mut variants = String::new();
    let mut all = String::new();
    let mut rows = String::new();
    for service in &sources.services {
        let prefix = names::camel(service.stem);
        for (name, operation) in &service.model.operations {
            let target = format!("{}.{name}", service.model.metadata.target_prefix);
            let _ = writeln!(variants, "/// `{target}`.\n{prefix}{name},");
            let _ = write!(all, "Self::{prefix}{name}, ");
            let _ = writeln!(
                rows,
                "Row {{ service: Service::{prefix}, name: {name:?}, target: {target:?}, input: {:?}, output: {:?}, errors: &{:?}, offered: {} }},",
                operation.input,
                operation.output,
                operation.errors,
                service.offered.contains(name),
            );
        }
    }
    let count: usize = sources
        .services
        .iter()
        .map(|s| s.model.operations.len())
        .sum();
    format!(
        "use crate::operation::{{Row, Service}};\n\n\
         /// Every operation of the three services. Matches on it are exhaustive on purpose: a new\n\
         /// operation does not compile until somebody decides about it.\n\
         #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]\n\
         pub enum Operation {{\n{variants}}}\n\n\
         impl Operation {{\n\
         /// Every operation, by service and then by name.\n\
         pub const ALL: [Self; {count}] = [{all}];\n}}\n\n\
         /// One row per operation, in the order of the enum.\n\
         pub(crate) static ROWS: [Row; {count}] = [\n{rows}];\n"
    )
}
