//! Names of services, labels, containers and registered images.
//!
//! The API model's pattern is an alternation that lacks its anchors; this is the pattern that the
//! service itself prints in its refusals. Each type can only hold a well-formed value.

use std::fmt;

use super::limits::{
    CONTAINER_NAME_CHARACTERS_MAX, LABEL_CHARACTERS_MAX, SERVICE_NAME_CHARACTERS_MAX,
    VERSION_DIGITS_MAX,
};
use super::refusal::{NameKind, Refusal};
use crate::ids::{Malformed, text_newtype};

/// The pattern of every name here, as Lightsail prints it.
pub const NAME_PATTERN: &str = "^(?:[a-z0-9]{1,2}|[a-z0-9][a-z0-9-]+[a-z0-9])$";

text_newtype! {
    /// The name of a container service: [`NAME_PATTERN`], at most 63 characters.
    ServiceName
}

text_newtype! {
    /// The label of a registered image: [`NAME_PATTERN`], at most 53 characters.
    ImageLabel
}

text_newtype! {
    /// The name of a container in a deployment: [`NAME_PATTERN`], at most 53 characters.
    ContainerName
}

impl ServiceName {
    /// Parses a service name; the refusal names it.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        check(NameKind::Service, text, SERVICE_NAME_CHARACTERS_MAX)?;
        Ok(Self(text.into()))
    }
}

impl ImageLabel {
    /// Parses a label; the refusal names it.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        check(NameKind::Label, text, LABEL_CHARACTERS_MAX)?;
        Ok(Self(text.into()))
    }
}

impl ContainerName {
    /// Parses a container name; the refusal names it.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        check(NameKind::Container, text, CONTAINER_NAME_CHARACTERS_MAX)?;
        Ok(Self(text.into()))
    }
}

fn check(kind: NameKind, text: &str, characters_max: usize) -> Result<(), Refusal> {
    if !matches_pattern(text.as_bytes()) {
        return Err(Refusal::NamePattern {
            kind,
            name: text.into(),
        });
    }
    if text.len() > characters_max {
        return Err(Refusal::NameLength {
            kind,
            name: text.into(),
            characters_max,
        });
    }
    Ok(())
}

fn matches_pattern(text: &[u8]) -> bool {
    let is_edge = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    match text {
        [] => false,
        [only] => is_edge(only),
        [first, middle @ .., last] => {
            is_edge(first) && is_edge(last) && middle.iter().all(|b| is_edge(b) || *b == b'-')
        }
    }
}

/// A version that a registered image has: 1, 2, 3 and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageVersion(pub u64);

/// The name of one stored image, `:<service>.<label>.<version>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RegisteredImage {
    /// The service that stores it.
    pub service: ServiceName,
    /// Its label.
    pub label: ImageLabel,
    /// Its version under that label.
    pub version: ImageVersion,
}

impl fmt::Display for RegisteredImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ":{}.{}.{}", self.service, self.label, self.version.0)
    }
}

/// What a deployment may write for a registered image: one version of a label, or its newest.
/// Displays exactly as it was parsed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ImageReference {
    /// `:<service>.<label>.<version>`.
    Version(RegisteredImage),
    /// `:<service>.<label>.latest`: the highest version that the label has at that moment.
    Latest {
        /// The service that stores it.
        service: ServiceName,
        /// The label.
        label: ImageLabel,
    },
}

impl ImageReference {
    /// Parses `:<service>.<label>.<N|latest>`. Versions have no leading zero and at most
    /// [`VERSION_DIGITS_MAX`] digits; `latest` is lower case.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed("registered image name");
        let mut parts = text.strip_prefix(':').ok_or_else(malformed)?.split('.');
        let (Some(service), Some(label), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed());
        };
        let service = ServiceName::parse(service).map_err(|_| malformed())?;
        let label = ImageLabel::parse(label).map_err(|_| malformed())?;
        if version == "latest" {
            return Ok(Self::Latest { service, label });
        }
        Ok(Self::Version(RegisteredImage {
            service,
            label,
            version: parse_version(version).ok_or_else(malformed)?,
        }))
    }

    /// The service part.
    pub fn service(&self) -> &ServiceName {
        match self {
            Self::Version(image) => &image.service,
            Self::Latest { service, .. } => service,
        }
    }

    /// The label part.
    pub fn label(&self) -> &ImageLabel {
        match self {
            Self::Version(image) => &image.label,
            Self::Latest { label, .. } => label,
        }
    }
}

fn parse_version(text: &str) -> Option<ImageVersion> {
    let is_canonical = (1..=VERSION_DIGITS_MAX).contains(&text.len())
        && !text.starts_with('0')
        && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_canonical)?;
    Some(ImageVersion(number))
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(image) => image.fmt(f),
            Self::Latest { service, label } => write!(f, ":{service}.{label}.latest"),
        }
    }
}
