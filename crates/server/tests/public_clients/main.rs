//! Black box: stock clients against the public registry of the real server: the AWS CLI, boto3,
//! what Terraform's provider sends, Docker, Podman and skopeo.

#[path = "../public_api/png.rs"]
mod png;
#[path = "../support/mod.rs"]
mod support;

mod aliases;
mod awscli;
mod awscli_flags;
mod boto3;
mod docker;
mod podman;
mod skopeo;

use support::aws::AwsCli;
use support::server::Server;

/// A repository of the account.
const NAME: &str = "team/app";
/// An account that owns nothing.
const STRANGER: &str = "222222222222";

/// A server whose own name is the public registry's, with the repository `team/app`.
struct Registry {
    server: Server,
    aws: AwsCli,
    /// The account's name in the registry.
    alias: String,
}

impl Registry {
    fn start() -> Self {
        let server = Server::start_with_public_name();
        let aws = server.aws();
        let alias = aws.create_public_repository(NAME);
        Self { server, aws, alias }
    }

    /// `host:port/alias/team/app`.
    fn repository(&self) -> String {
        format!("{}/{}/{NAME}", self.server.address, self.alias)
    }

    fn tagged(&self, tag: &str) -> String {
        format!("{}:{tag}", self.repository())
    }

    /// The tags that the API knows, sorted.
    fn tags(&self) -> Vec<String> {
        let named = ["describe-image-tags", "--repository-name", NAME];
        let answer = self.aws.public(&named);
        let rows = answer["imageTagDetails"].as_array().expect("rows").iter();
        let tag = |row: &serde_json::Value| row["imageTag"].as_str().expect("a tag").to_owned();
        let mut tags: Vec<String> = rows.map(tag).collect();
        tags.sort();
        tags
    }

    fn digest_of(&self, tag: &str) -> String {
        let id = format!("imageTag={tag}");
        let named = [
            "describe-images",
            "--repository-name",
            NAME,
            "--image-ids",
            &id,
        ];
        let digest = self.aws.public(&named)["imageDetails"][0]["imageDigest"].clone();
        digest.as_str().expect("a digest").to_owned()
    }
}
