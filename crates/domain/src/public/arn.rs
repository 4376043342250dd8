//! Amazon Resource Names of public repositories and registries; their region is empty (Service
//! Authorization Reference, "Amazon ECR Public").

use crate::arn::PARTITION;
use crate::ids::{AccountId, Malformed};
use crate::name::RepositoryName;

/// `arn:aws:ecr-public::<account>:repository/<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicRepositoryArn {
    /// The account part.
    pub account: AccountId,
    /// The name after `repository/`.
    pub name: RepositoryName,
}

impl PublicRepositoryArn {
    /// Parses an ARN of a public repository in this partition.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed("public repository ARN");
        let rest = text.strip_prefix(&format!("arn:{PARTITION}:ecr-public::"));
        let (account, resource) = rest
            .and_then(|rest| rest.split_once(':'))
            .ok_or_else(malformed)?;
        let name = resource.strip_prefix("repository/").ok_or_else(malformed)?;
        Ok(Self {
            account: AccountId::parse(account)?,
            name: RepositoryName::parse(name)?,
        })
    }
}

impl std::fmt::Display for PublicRepositoryArn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { account, name } = self;
        write!(f, "arn:{PARTITION}:ecr-public::{account}:repository/{name}")
    }
}

/// `registryArn`.
pub fn registry_arn(account: &AccountId) -> String {
    format!("arn:{PARTITION}:ecr-public::{account}:registry/{account}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusals() {
        let text = "arn:aws:ecr-public::123456789012:repository/team/app";
        assert_eq!(PublicRepositoryArn::parse(text).unwrap().to_string(), text);
        for bad in [
            "",
            "arn:aws:ecr:us-east-1:123456789012:repository/app",
            "arn:aws:ecr-public:us-east-1:123456789012:repository/app",
            "arn:aws:ecr-public::1234:repository/app",
            "arn:aws:ecr-public::123456789012:registry/123456789012",
            "arn:aws:ecr-public::123456789012:repository/",
        ] {
            assert!(PublicRepositoryArn::parse(bad).is_err(), "{bad}");
        }
    }
}
