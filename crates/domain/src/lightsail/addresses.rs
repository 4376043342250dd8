//! The addresses and ARNs of a container service, made from values that the caller draws.
//!
//! Roles belong to an account of Lightsail itself, not to the caller's.

use super::names::ServiceName;
use crate::arn::PARTITION;
use crate::ids::{AccountId, ContainerServiceId, Malformed, Region, text_newtype};
use std::fmt;

/// The digits of a role id: base 32 as RFC 4648 section 7 has it, in lower case.
const ROLE_DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
/// The digits of an address part.
const ADDRESS_DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
/// Digits of a role id (seen in ARNs).
pub const ROLE_ID_DIGITS: usize = 52;
/// Digits of an address part (Lightsail guide, default domain of a container service).
pub const ADDRESS_PART_DIGITS: usize = 13;

text_newtype! {
    /// The last part of a role ARN: 52 digits of `[0-9a-v]`.
    RoleId
}

impl RoleId {
    /// Makes an id from random bytes, five bits of each.
    pub fn from_random(bytes: [u8; ROLE_ID_DIGITS]) -> Self {
        Self(digits(&bytes, ROLE_DIGITS).into())
    }

    /// Parses what [`RoleId::from_random`] makes.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.len() == ROLE_ID_DIGITS && text.bytes().all(|b| ROLE_DIGITS.contains(&b)) {
            Ok(Self(text.into()))
        } else {
            Err(Malformed("role id"))
        }
    }
}

text_newtype! {
    /// The part of default domains that tells accounts apart: 13 digits of `[0-9a-z]`, the same
    /// for all services of an account in a region.
    AddressPart
}

impl AddressPart {
    /// Makes a part from random bytes.
    pub fn from_random(bytes: [u8; ADDRESS_PART_DIGITS]) -> Self {
        Self(digits(&bytes, ADDRESS_DIGITS).into())
    }

    /// Parses what [`AddressPart::from_random`] makes.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.len() == ADDRESS_PART_DIGITS && text.bytes().all(|b| ADDRESS_DIGITS.contains(&b)) {
            Ok(Self(text.into()))
        } else {
            Err(Malformed("address part"))
        }
    }
}

fn digits(bytes: &[u8], alphabet: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()]))
        .collect()
}

/// The ARN of a service; it holds its id, not its name.
pub fn service_arn(region: &Region, account: &AccountId, id: &ContainerServiceId) -> String {
    format!("arn:{PARTITION}:lightsail:{region}:{account}:ContainerService/{id}")
}

/// `privateDomainName`.
pub fn private_domain_name(service: &ServiceName) -> String {
    format!("{service}.service.local")
}

/// `url`, with the slash at its end. AWS has the scheme `https` and the suffix
/// `cs.amazonlightsail.com`.
pub fn url(
    scheme: &str,
    service: &ServiceName,
    part: &AddressPart,
    region: &Region,
    suffix: &str,
) -> String {
    format!("{scheme}://{service}.{part}.{region}.{suffix}/")
}

/// `principalArn` of a service: the role that its containers have. Empty while it is PENDING.
pub fn service_role_arn(
    lightsail: &AccountId,
    region: &Region,
    service: &ServiceName,
    id: &RoleId,
) -> String {
    format!(
        "arn:{PARTITION}:iam::{lightsail}:role/amazon/lightsail/{region}/containers/{service}/{id}"
    )
}

/// The path, without its first slash, and name of the role that pulls from private repositories.
pub fn puller_role_name(region: &Region, service: &ServiceName, id: &RoleId) -> String {
    format!("amazon/lightsail/{region}/containers/{service}/private-repo-access/{id}")
}

/// `principalArn` of the role that pulls from private repositories.
pub fn puller_role_arn(
    lightsail: &AccountId,
    region: &Region,
    service: &ServiceName,
    id: &RoleId,
) -> String {
    let name = puller_role_name(region, service, id);
    format!("arn:{PARTITION}:iam::{lightsail}:role/{name}")
}
