//! What the caller accepts: one value per face, made from the configuration.
//! Read by `parse`; it must never carry anything that depends on the request.

use crate::PathStyle;
use crate::limits::REGION_BYTES_MAX;

/// Regions that a scope may name.
#[derive(Clone, Copy, Debug)]
pub enum Regions<'a> {
    /// Any name made of lower-case letters, digits and `-`, at most
    /// [`REGION_BYTES_MAX`] bytes.
    Any,
    /// Exactly these.
    OneOf(&'a [&'a str]),
}

impl Regions<'_> {
    pub(crate) fn allow(&self, region: &str) -> bool {
        match self {
            Regions::OneOf(names) => names.contains(&region),
            Regions::Any => {
                (1..=REGION_BYTES_MAX).contains(&region.len())
                    && region
                        .bytes()
                        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            }
        }
    }
}

/// The rules a presented signature is held against before its key is known.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// Signing name the scope must carry: the one of the target the request asks for.
    pub expected_service: &'a str,
    /// Regions the scope may carry.
    pub regions: Regions<'a>,
    /// Tolerance around `now`, in minutes, both ways. AWS: 15.
    pub window_minutes: u32,
    /// Accept `x-amz-content-sha256: UNSIGNED-PAYLOAD`, leaving the body unauthenticated.
    pub allow_unsigned_payload: bool,
    /// How the path is made canonical.
    pub path_style: PathStyle,
}

impl<'a> Policy<'a> {
    /// AWS's own settings for a JSON or Query service: any region, 15 minutes, signed payloads.
    pub fn new(expected_service: &'a str) -> Self {
        Policy {
            expected_service,
            regions: Regions::Any,
            window_minutes: 15,
            allow_unsigned_payload: false,
            path_style: PathStyle::Normalized,
        }
    }
}
