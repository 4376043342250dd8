//! The actions that policies of repositories and registries may name.
//!
//! The operations of the two API models (a test holds them equal) and the permissions without an
//! operation (Service Authorization Reference, "Amazon ECR"). In alphabetical order. Nothing here
//! knows what the actions do.

/// The operations of ECR.
pub(super) const ECR: &[&str] = &[
    "BatchCheckLayerAvailability",
    "BatchDeleteImage",
    "BatchGetImage",
    "BatchGetRepositoryScanningConfiguration",
    "CompleteLayerUpload",
    "CreatePullThroughCacheRule",
    "CreateRepository",
    "CreateRepositoryCreationTemplate",
    "DeleteLifecyclePolicy",
    "DeletePullThroughCacheRule",
    "DeleteRegistryPolicy",
    "DeleteRepository",
    "DeleteRepositoryCreationTemplate",
    "DeleteRepositoryPolicy",
    "DeleteSigningConfiguration",
    "DeregisterPullTimeUpdateExclusion",
    "DescribeImageReplicationStatus",
    "DescribeImageScanFindings",
    "DescribeImageSigningStatus",
    "DescribeImages",
    "DescribePullThroughCacheRules",
    "DescribeRegistry",
    "DescribeReplicationBackfillResults",
    "DescribeRepositories",
    "DescribeRepositoryCreationTemplates",
    "GetAccountSetting",
    "GetAuthorizationToken",
    "GetDownloadUrlForLayer",
    "GetLifecyclePolicy",
    "GetLifecyclePolicyPreview",
    "GetRegistryPolicy",
    "GetRegistryScanningConfiguration",
    "GetRepositoryPolicy",
    "GetSigningConfiguration",
    "InitiateLayerUpload",
    "ListImageReferrers",
    "ListImages",
    "ListPullTimeUpdateExclusions",
    "ListReplicationBackfills",
    "ListTagsForResource",
    "PutAccountSetting",
    "PutImage",
    "PutImageScanningConfiguration",
    "PutImageTagMutability",
    "PutLifecyclePolicy",
    "PutRegistryPolicy",
    "PutRegistryScanningConfiguration",
    "PutReplicationConfiguration",
    "PutSigningConfiguration",
    "RegisterPullTimeUpdateExclusion",
    "SetRepositoryPolicy",
    "StartImageScan",
    "StartLifecyclePolicyPreview",
    "StartReplicationBackfill",
    "StopReplicationBackfill",
    "TagResource",
    "UntagResource",
    "UpdateImageStorageClass",
    "UpdatePullThroughCacheRule",
    "UpdateRepositoryCreationTemplate",
    "UploadLayerPart",
    "ValidatePullThroughCacheRule",
];

/// Permissions of ECR that are no operations.
pub(super) const ECR_PERMISSIONS: &[&str] = &[
    "BatchImportUpstreamImage",
    "GetImageCopyStatus",
    "ReplicateImage",
];

/// Permissions of ECR Public that are no operations: what its pulls and listings would be called.
/// They change nothing, since everybody may pull, but policies in use name them (the acceptance
/// tests of Terraform's aws_ecrpublic_repository_policy do).
pub(super) const ECR_PUBLIC_PERMISSIONS: &[&str] =
    &["BatchGetImage", "GetDownloadUrlForLayer", "ListImages"];

/// The operations of ECR Public.
pub(super) const ECR_PUBLIC: &[&str] = &[
    "BatchCheckLayerAvailability",
    "BatchDeleteImage",
    "CompleteLayerUpload",
    "CreateRepository",
    "DeleteRepository",
    "DeleteRepositoryPolicy",
    "DescribeImageTags",
    "DescribeImages",
    "DescribeRegistries",
    "DescribeRepositories",
    "GetAuthorizationToken",
    "GetRegistryCatalogData",
    "GetRepositoryCatalogData",
    "GetRepositoryPolicy",
    "InitiateLayerUpload",
    "ListTagsForResource",
    "PutImage",
    "PutRegistryCatalogData",
    "PutRepositoryCatalogData",
    "SetRepositoryPolicy",
    "TagResource",
    "UntagResource",
    "UploadLayerPart",
];

/// All that a registry policy of scope V1 may name (ECR user guide, "Private registry permissions").
pub(super) const REGISTRY_V1: &[&str] = &[
    "BatchImportUpstreamImage",
    "CreateRepository",
    "ReplicateImage",
];

#[cfg(test)]
mod tests {
    use super::{ECR, ECR_PUBLIC};

    #[test]
    fn the_operations_are_those_of_the_models() {
        for (known, model) in [
            (ECR, include_str!("../../../../models/ecr.json")),
            (
                ECR_PUBLIC,
                include_str!("../../../../models/ecr_public.json"),
            ),
        ] {
            let model: serde_json::Value = serde_json::from_str(model).unwrap();
            let mut names: Vec<&String> = model["operations"].as_object().unwrap().keys().collect();
            names.sort();
            assert_eq!(known, names);
        }
    }
}
