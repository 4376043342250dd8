//! The format of `models/*.json`: the facts of one AWS API model, without its prose.
//! Shared: `xtask model import` writes these types, `xtask codegen` and `facts.rs` read them.
//! It must hold no behaviour, so that both sides stay in step by construction.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One service's model.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Model {
    /// The service as a whole.
    pub metadata: Metadata,
    /// Operations by name.
    pub operations: BTreeMap<String, OperationFacts>,
    /// How the paged operations page, by operation name.
    pub paginators: BTreeMap<String, Paginator>,
    /// Shapes by name: only those that an operation reaches.
    pub shapes: BTreeMap<String, ShapeFacts>,
}

/// What identifies a service on the wire.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Date of the API version, `2015-09-21`.
    pub api_version: String,
    /// Version of the AWS JSON protocol, `1.1`.
    pub json_version: String,
    /// Name of the service in SDKs.
    pub service_id: String,
    /// Service part of a SigV4 scope.
    pub signing_name: String,
    /// What precedes the dot in `X-Amz-Target`.
    pub target_prefix: String,
}

/// One operation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationFacts {
    /// Name of the request structure.
    pub input: String,
    /// Name of the result structure.
    pub output: String,
    /// Names of the declared exceptions, in model order.
    pub errors: Vec<String>,
}

/// How one operation pages.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Paginator {
    /// Request member that takes the token.
    pub input_token: String,
    /// Result member that gives the token.
    pub output_token: String,
    /// Request member that bounds a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_key: Option<String>,
    /// Result members that hold the items.
    pub result_keys: Vec<String>,
    /// Result members repeated on each page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub non_aggregate_keys: Vec<String>,
}

/// The JSON kind behind a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// JSON `true` or `false`.
    Boolean,
    /// JSON string holding base64.
    Blob,
    /// JSON number, 64-bit floating point.
    Double,
    /// JSON number, kept as 64-bit floating point.
    Float,
    /// JSON number, 32-bit signed.
    Integer,
    /// JSON array.
    List,
    /// JSON number, 64-bit signed.
    Long,
    /// JSON object with free keys.
    Map,
    /// JSON string.
    String,
    /// JSON object with known members.
    Structure,
    /// JSON number: seconds since the epoch, with fraction.
    Timestamp,
}

/// One shape. Fields that do not apply to its kind are empty.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShapeFacts {
    /// The JSON kind.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Least length (strings: characters, blobs: bytes, lists and maps: entries) or value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// Greatest length or value, in the unit of `min`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// Regular expression for a string; it must match the whole string.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Permitted strings, in model order; empty means any.
    #[serde(default, rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub enum_values: Vec<String>,
    /// Shape of a list's elements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<String>,
    /// Shape of a map's keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Shape of a map's values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Form of a timestamp where it departs from the protocol's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_format: Option<String>,
    /// Whether logs must not show the value.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sensitive: bool,
    /// Whether the structure is an error.
    #[serde(default, skip_serializing_if = "is_false")]
    pub exception: bool,
    /// Whether the error is the service's fault (HTTP 500).
    #[serde(default, skip_serializing_if = "is_false")]
    pub fault: bool,
    /// Members of a structure, in model order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberFacts>,
}

/// One member of a structure.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MemberFacts {
    /// Name on the wire.
    pub name: String,
    /// Name of its shape.
    pub shape: String,
    /// Whether it must be present and not null.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature serde asks for"
)]
fn is_false(claim: &bool) -> bool {
    !*claim
}
