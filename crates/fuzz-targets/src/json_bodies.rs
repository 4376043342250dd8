//! Bodies of the AWS APIs. The first byte chooses the operation.

use roadstead_api_model::{Operation, REFUSALS_MAX, check as conforms, ecr, ecr_public};
use roadstead_api_model::{first_reported, lightsail, message};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Whatever is JSON is refused in words, at most so many, or is a request of the operation.
pub fn check(data: &[u8]) {
    let (choice, body) = crate::choice(data);
    let operation = Operation::ALL[choice % Operation::ALL.len()];
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    let refusals = conforms(operation.service(), operation.input_shape(), &value);
    assert!(refusals.len() <= REFUSALS_MAX);
    assert_eq!(first_reported(&refusals).is_none(), refusals.is_empty());
    for refusal in &refusals {
        assert!(!message(operation.service(), refusal).is_empty());
    }
    if refusals.is_empty() {
        reads(operation, &value);
    }
}

/// A value that passes is one of the struct that handlers get.
fn reads(operation: Operation, value: &Value) {
    fn is_a<T: DeserializeOwned>(value: &Value) {
        let read = serde_json::from_value::<T>(value.clone());
        assert!(
            read.is_ok(),
            "{}",
            read.err().map(|e| e.to_string()).unwrap_or_default()
        );
    }
    match operation {
        Operation::EcrBatchDeleteImage => is_a::<ecr::BatchDeleteImageRequest>(value),
        Operation::EcrBatchGetImage => is_a::<ecr::BatchGetImageRequest>(value),
        Operation::EcrCompleteLayerUpload => is_a::<ecr::CompleteLayerUploadRequest>(value),
        Operation::EcrCreateRepository => is_a::<ecr::CreateRepositoryRequest>(value),
        Operation::EcrDescribeImages => is_a::<ecr::DescribeImagesRequest>(value),
        Operation::EcrListImages => is_a::<ecr::ListImagesRequest>(value),
        Operation::EcrPutImage => is_a::<ecr::PutImageRequest>(value),
        Operation::EcrPutLifecyclePolicy => is_a::<ecr::PutLifecyclePolicyRequest>(value),
        Operation::EcrUploadLayerPart => is_a::<ecr::UploadLayerPartRequest>(value),
        Operation::EcrPublicCreateRepository => {
            is_a::<ecr_public::CreateRepositoryRequest>(value);
        }
        Operation::LightsailCreateContainerService => {
            is_a::<lightsail::CreateContainerServiceRequest>(value);
        }
        Operation::LightsailCreateContainerServiceDeployment => {
            is_a::<lightsail::CreateContainerServiceDeploymentRequest>(value);
        }
        _ => {}
    }
}
