//! Names: of repositories, tags, digests, accounts, regions, registries, services and ARNs.

use roadstead_api_model::{Service, check as conforms};
use roadstead_domain::arn::RepositoryArn;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, BlobKey, Region, UploadId};
use roadstead_domain::lightsail::names::{ContainerName, ImageLabel, ImageReference, ServiceName};
use roadstead_domain::name::RepositoryName;
use roadstead_domain::public::alias::RegistryAlias;
use roadstead_domain::public::arn::PublicRepositoryArn;
use roadstead_domain::reference::{ImageTag, Reference};
use serde_json::json;

/// Each prints as it was written, and ours agree with the models.
pub fn check(data: &[u8]) {
    let Some(text) = crate::text(data) else {
        return;
    };
    macro_rules! prints_as_written {
        ($($parse:path),* $(,)?) => {
            $(if let Ok(parsed) = $parse(text) {
                assert_eq!(parsed.to_string(), text, stringify!($parse));
            })*
        };
    }
    prints_as_written!(
        RepositoryName::parse,
        ImageTag::parse,
        ImageTag::parse_oci,
        Reference::parse,
        Digest::parse,
        AccountId::parse,
        Region::parse,
        UploadId::parse,
        BlobKey::parse,
        RegistryAlias::parse,
        RepositoryArn::parse,
        PublicRepositoryArn::parse,
        ServiceName::parse,
        ImageLabel::parse,
        ContainerName::parse,
        ImageReference::parse,
    );
    if ImageTag::parse_oci(text).is_ok() {
        assert!(
            ImageTag::parse(text).is_ok(),
            "the grammar of /v2 is the narrower one"
        );
    }
    let is_modelled = |shape| conforms(Service::Ecr, shape, &json!(text)).is_empty();
    assert_eq!(
        RepositoryName::parse(text).is_ok(),
        is_modelled("RepositoryName")
    );
    if Digest::parse(text).is_ok() {
        assert!(is_modelled("ImageDigest"));
    }
    if RepositoryName::parse(text).is_ok() {
        let walks = |part: &str| part.is_empty() || part == "." || part == "..";
        assert!(!text.split('/').any(walks), "{text}");
    }
}
