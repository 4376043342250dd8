//! The public endpoint of a deployment and its health check.
//!
//! Ranges and defaults are those of `ContainerServiceHealthCheckConfig` in the API reference. The
//! endpoint has to name a container of its deployment and a port that is open there for HTTP.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use super::names::ContainerName;
use super::refusal::Refusal;
use super::requests::{EndpointRequest, HealthCheckRequest};
use super::spec::{Container, Protocol};

/// Consecutive checks that change a node's health. The reference gives no bounds; ours.
const THRESHOLD: RangeInclusive<i64> = 1..=i32::MAX as i64;
/// `timeoutSeconds`.
const TIMEOUT_SECS: RangeInclusive<i64> = 2..=60;
/// `intervalSeconds`.
const INTERVAL_SECS: RangeInclusive<i64> = 5..=300;
/// Codes of `successCodes`.
const SUCCESS_CODES: RangeInclusive<u16> = 200..=499;
/// Most entries of `successCodes`: each code once.
const SUCCESS_CODES_MAX: usize = 300;

/// Which container answers the public address, and how its health is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicEndpoint {
    /// A container of the same deployment.
    pub container: ContainerName,
    /// A port that it opens as HTTP or HTTPS.
    pub port: u16,
    /// The health check, every member filled.
    pub health_check: HealthCheck,
}

impl PublicEndpoint {
    /// Checks an endpoint against the containers that it is deployed with.
    pub fn check(
        request: &EndpointRequest,
        containers: &BTreeMap<ContainerName, Container>,
    ) -> Result<Self, Refusal> {
        let (name, container) = containers
            .iter()
            .find(|(name, _)| name.as_str() == request.container_name)
            .ok_or_else(|| Refusal::EndpointContainer(request.container_name.clone()))?;
        let port = u16::try_from(request.container_port)
            .ok()
            .filter(|port| {
                matches!(
                    container.ports.get(port),
                    Some(Protocol::Http | Protocol::Https)
                )
            })
            .ok_or_else(|| Refusal::EndpointPort {
                container: name.clone(),
                port: request.container_port,
            })?;
        Ok(Self {
            container: name.clone(),
            port,
            health_check: HealthCheck::check(&request.health_check)?,
        })
    }
}

/// When a node counts as healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// Successes in a row that make a node healthy.
    pub healthy_threshold: i64,
    /// Failures in a row that make a node unhealthy.
    pub unhealthy_threshold: i64,
    /// Seconds without an answer that count as a failure: 2 to 60.
    pub timeout_secs: i64,
    /// Seconds between checks: 5 to 300.
    pub interval_secs: i64,
    /// The path to ask for.
    pub path: String,
    /// The answers that count as success.
    pub success_codes: SuccessCodes,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            healthy_threshold: 2,
            unhealthy_threshold: 2,
            timeout_secs: 2,
            interval_secs: 5,
            path: "/".into(),
            success_codes: SuccessCodes::default(),
        }
    }
}

impl HealthCheck {
    /// Checks what is given; what is not has its default.
    pub fn check(request: &HealthCheckRequest) -> Result<Self, Refusal> {
        let default = Self::default();
        let number = |member, given: Option<i64>, default, allowed: RangeInclusive<i64>| {
            let value = given.unwrap_or(default);
            if allowed.contains(&value) {
                return Ok(value);
            }
            Err(Refusal::HealthCheckRange {
                member,
                value,
                min: *allowed.start(),
                max: *allowed.end(),
            })
        };
        let path = request.path.clone().unwrap_or(default.path);
        let is_path = path.starts_with('/') && !path.contains(|c: char| c.is_control() || c == ' ');
        Ok(Self {
            healthy_threshold: number(
                "healthyThreshold",
                request.healthy_threshold,
                default.healthy_threshold,
                THRESHOLD,
            )?,
            unhealthy_threshold: number(
                "unhealthyThreshold",
                request.unhealthy_threshold,
                default.unhealthy_threshold,
                THRESHOLD,
            )?,
            timeout_secs: number(
                "timeoutSeconds",
                request.timeout_secs,
                default.timeout_secs,
                TIMEOUT_SECS,
            )?,
            interval_secs: number(
                "intervalSeconds",
                request.interval_secs,
                default.interval_secs,
                INTERVAL_SECS,
            )?,
            path: if is_path {
                path
            } else {
                return Err(Refusal::HealthCheckPath(path));
            },
            success_codes: match &request.success_codes {
                Some(text) => SuccessCodes::parse(text)?,
                None => default.success_codes,
            },
        })
    }
}

/// The codes that count as success: codes and ranges from 200 to 499, separated by commas.
/// Displays as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuccessCodes {
    text: String,
    ranges: Vec<RangeInclusive<u16>>,
}

impl Default for SuccessCodes {
    fn default() -> Self {
        Self {
            text: "200-499".into(),
            ranges: vec![SUCCESS_CODES],
        }
    }
}

impl SuccessCodes {
    /// Parses `200`, `200,202`, `200-299` and lists of them.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let ranges: Option<Vec<_>> = text
            .split(',')
            .take(SUCCESS_CODES_MAX + 1)
            .map(parse_range)
            .collect();
        let ranges = ranges
            .filter(|ranges| ranges.len() <= SUCCESS_CODES_MAX)
            .ok_or_else(|| Refusal::SuccessCodes(text.into()))?;
        Ok(Self {
            text: text.into(),
            ranges,
        })
    }

    /// Whether an answer with this status is a success.
    pub fn accepts(&self, status: u16) -> bool {
        self.ranges.iter().any(|range| range.contains(&status))
    }
}

fn parse_range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = parse_code(first)?..=parse_code(last)?;
    (!range.is_empty()).then_some(range)
}

fn parse_code(text: &str) -> Option<u16> {
    let is_plain = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
    let code = text.parse().ok().filter(|_| is_plain)?;
    SUCCESS_CODES.contains(&code).then_some(code)
}

impl fmt::Display for SuccessCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
