//! A test's dispatch from operation to typed structs.
//! It must stay out of the library: only tests need to go from a name to a type.

use std::fmt::Write;

use super::names::camel;
use super::sources::Sources;

/// The module with one match arm per operation.
pub fn module(sources: &Sources) -> String {
    let mut arms = String::new();
    for service in &sources.services {
        let (prefix, stem) = (camel(service.stem), service.stem);
        for (name, operation) in &service.model.operations {
            let _ = writeln!(
                arms,
                "Operation::{prefix}{name} => (through::<{stem}::{}>, through::<{stem}::{}>),",
                operation.input, operation.output
            );
        }
    }
    format!(
        "use roadstead_api_model::{{Operation, ecr, ecr_public, lightsail}};\n\n\
         use super::{{Through, through}};\n\n\
         /// Reads and writes a request, and a result, of `operation`.\n\
         #[allow(clippy::too_many_lines)]\n\
         pub fn of(operation: Operation) -> (Through, Through) {{ match operation {{\n{arms}}} }}\n"
    )
}
