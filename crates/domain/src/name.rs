//! Repository names and the key under which a repository is found.

use std::fmt;

use crate::ids::{AccountId, Malformed, Region, text_newtype};

text_newtype! {
    /// A repository name: path components joined by `/`, each of lower-case letters and digits
    /// with single `.`, `_`, `__` or any run of `-` between them. 2 to 256 characters
    /// (`RepositoryName` in the ECR API model; the same grammar as OCI distribution-spec `<name>`).
    RepositoryName
}

/// Fewest characters of a repository name (ECR API model).
pub const NAME_CHARACTERS_MIN: usize = 2;
/// Most characters of a repository name (ECR API model).
pub const NAME_CHARACTERS_MAX: usize = 256;

impl RepositoryName {
    /// Parses a name; nothing is normalised, so `a/../b` is refused rather than resolved.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let is_valid = (NAME_CHARACTERS_MIN..=NAME_CHARACTERS_MAX).contains(&text.len())
            && text.split('/').all(is_component);
        if is_valid {
            Ok(Self(text.into()))
        } else {
            Err(Malformed("repository name"))
        }
    }
}

fn is_component(text: &str) -> bool {
    let is_alphanumeric = |b: &u8| b.is_ascii_digit() || b.is_ascii_lowercase();
    let mut rest = text.as_bytes();
    loop {
        let word = rest.iter().take_while(|b| is_alphanumeric(b)).count();
        if word == 0 {
            return false;
        }
        rest = &rest[word..];
        let separator = rest.iter().take_while(|b| !is_alphanumeric(b)).count();
        match &rest[..separator] {
            [] => return true,
            b"." | b"_" | b"__" => {}
            run if run.iter().all(|b| *b == b'-') => {}
            _ => return false,
        }
        rest = &rest[separator..];
    }
}

/// Which of the three services a repository belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RepositoryKind {
    /// Amazon ECR.
    Private,
    /// Amazon ECR Public; such a repository has no region.
    Public,
    /// The images of all Lightsail container services of an account in a region.
    Lightsail,
}

/// Names one repository in the whole server.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryKey {
    /// The service it belongs to.
    pub kind: RepositoryKind,
    /// The account that owns it (`registryId`).
    pub account: AccountId,
    /// The region, none for public repositories.
    pub region: Option<Region>,
    /// Its name in that registry.
    pub name: RepositoryName,
}

impl RepositoryKey {
    /// The key of a private (ECR) repository.
    pub fn private(account: AccountId, region: Region, name: RepositoryName) -> Self {
        Self {
            kind: RepositoryKind::Private,
            account,
            region: Some(region),
            name,
        }
    }

    /// The key of a public repository.
    pub fn public(account: AccountId, name: RepositoryName) -> Self {
        Self {
            kind: RepositoryKind::Public,
            account,
            region: None,
            name,
        }
    }

    /// The key of the one repository that holds the images of all Lightsail container services of
    /// an account in a region. The name is a part of the protocol: `lightsailctl` pushes to it.
    pub fn containers(account: AccountId, region: Region) -> Self {
        Self {
            kind: RepositoryKind::Lightsail,
            account,
            region: Some(region),
            name: RepositoryName("sr".into()),
        }
    }
}

impl fmt::Debug for RepositoryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let region = self.region.as_ref().map_or("-", Region::as_str);
        write!(
            f,
            "{:?}:{}:{}:{}",
            self.kind, self.account, region, self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammar() {
        // ecr.md 1.4: captured from the service.
        for good in [
            "app",
            "a__b",
            "a--b",
            "a---b",
            "a/b",
            "a.b_c",
            "project-a/amazon-ecs-sample",
            "x/blobs/uploads",
        ] {
            assert!(RepositoryName::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "", "a", "a___b", "a_-b", "_a", "a_", "Team/App", "a//b", "/ab", "ab/", "a..b",
            "a/../b", "é1", "a b", "a\0b",
        ] {
            assert!(RepositoryName::parse(bad).is_err(), "{bad}");
        }
        assert!(RepositoryName::parse(&"a".repeat(256)).is_ok());
        assert!(RepositoryName::parse(&"a".repeat(257)).is_err());
    }
}
