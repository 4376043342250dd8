//! Amazon Resource Names of repositories (Service Authorization Reference, "Amazon ECR").

use crate::ids::{AccountId, Malformed, Region};
use crate::name::RepositoryName;

/// The partition of every ARN that this server makes or accepts.
pub const PARTITION: &str = "aws";

/// `arn:aws:ecr:<region>:<account>:repository/<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryArn {
    /// The region part.
    pub region: Region,
    /// The account part.
    pub account: AccountId,
    /// The name after `repository/`.
    pub name: RepositoryName,
}

impl RepositoryArn {
    /// Parses an ARN of a private repository in this partition.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let malformed = || Malformed("repository ARN");
        let mut parts = text.splitn(6, ':');
        let head = [parts.next(), parts.next(), parts.next()];
        if head != [Some("arn"), Some(PARTITION), Some("ecr")] {
            return Err(malformed());
        }
        let region = Region::parse(parts.next().ok_or_else(malformed)?)?;
        let account = AccountId::parse(parts.next().ok_or_else(malformed)?)?;
        let resource = parts.next().ok_or_else(malformed)?;
        let name = resource.strip_prefix("repository/").ok_or_else(malformed)?;
        Ok(Self {
            region,
            account,
            name: RepositoryName::parse(name)?,
        })
    }
}

impl std::fmt::Display for RepositoryArn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "arn:{PARTITION}:ecr:{}:{}:repository/{}",
            self.region, self.account, self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusals() {
        let text = "arn:aws:ecr:us-east-1:123456789012:repository/team/app";
        assert_eq!(RepositoryArn::parse(text).unwrap().to_string(), text);
        for bad in [
            "",
            "arn",
            "arn:aws-cn:ecr:us-east-1:123456789012:repository/app",
            "arn:aws:s3:us-east-1:123456789012:repository/app",
            "arn:aws:ecr:us-east-1:1234:repository/app",
            "arn:aws:ecr:us-east-1:123456789012:app",
            "arn:aws:ecr:us-east-1:123456789012:repository/",
        ] {
            assert!(RepositoryArn::parse(bad).is_err(), "{bad}");
        }
    }
}
