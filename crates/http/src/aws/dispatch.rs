//! From `X-Amz-Target` to the function that answers.
//!
//! The checks that every operation has in common are made here, in one order: types, access,
//! members. What is offered is the table below; a test holds it against `models/offered.toml`.

use std::pin::Pin;

use roadstead_api_model::{Operation, Refusal, Rule, check, first_reported};
use roadstead_domain::name::RepositoryKey;
use roadstead_registry::access::Authorized;
use roadstead_registry::repositories::RegistryKey;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ecr::{authorization, images, layers, listings, registry, repositories, resource_tags};
use super::error::Failure;
use super::{Call, access, envelope};

/// The bytes of an answer, on their way.
pub(super) type Answering<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, Failure>> + Send + 'a>>;

/// Answers one operation.
pub(super) type Handler = for<'a> fn(Call<'a>, Value) -> Answering<'a>;

/// The operation that a target names.
pub(super) fn operation(target: &str) -> Result<Operation, Failure> {
    Operation::from_target(target).ok_or_else(|| Failure::UnknownTarget(target.to_owned()))
}

/// What answers the operation; none if it is not offered.
pub(super) fn handler(operation: Operation) -> Option<Handler> {
    let handler: Handler = match operation {
        Operation::EcrCreateRepository => |c, b| of_repository(c, b, repositories::create),
        Operation::EcrDescribeRepositories => |c, b| of_registry(c, b, repositories::describe),
        Operation::EcrDeleteRepository => |c, b| of_repository(c, b, repositories::delete),
        Operation::EcrPutImageTagMutability => {
            |c, b| of_repository(c, b, repositories::put_tag_mutability)
        }
        Operation::EcrTagResource => |c, b| of_repository(c, b, resource_tags::tag),
        Operation::EcrUntagResource => |c, b| of_repository(c, b, resource_tags::untag),
        Operation::EcrListTagsForResource => |c, b| of_repository(c, b, resource_tags::list),
        Operation::EcrInitiateLayerUpload => |c, b| of_repository(c, b, layers::initiate),
        Operation::EcrUploadLayerPart => |c, b| of_repository(c, b, layers::upload_part),
        Operation::EcrCompleteLayerUpload => |c, b| of_repository(c, b, layers::complete),
        Operation::EcrBatchCheckLayerAvailability => {
            |c, b| of_repository(c, b, layers::check_availability)
        }
        Operation::EcrGetDownloadUrlForLayer => |c, b| of_repository(c, b, layers::download_url),
        Operation::EcrPutImage => |c, b| of_repository(c, b, images::put),
        Operation::EcrBatchGetImage => |c, b| of_repository(c, b, images::batch_get),
        Operation::EcrListImages => |c, b| of_repository(c, b, listings::list),
        Operation::EcrDescribeImages => |c, b| of_repository(c, b, listings::describe),
        Operation::EcrListImageReferrers => |c, b| of_repository(c, b, listings::list_referrers),
        Operation::EcrBatchDeleteImage => |c, b| of_repository(c, b, images::batch_delete),
        Operation::EcrGetAuthorizationToken => |c, b| of_registry(c, b, authorization::token),
        Operation::EcrDescribeRegistry => |c, b| of_registry(c, b, registry::describe),
        _ => return None,
    };
    Some(handler)
}

fn of_repository<'a, I, O, F>(
    call: Call<'a>,
    body: Value,
    handle: impl FnOnce(Call<'a>, Authorized<RepositoryKey>, I) -> F + Send + 'a,
) -> Answering<'a>
where
    I: DeserializeOwned + Send,
    O: Serialize + Send,
    F: Future<Output = Result<O, Failure>> + Send + 'a,
{
    Box::pin(async move {
        let refusals = check_types(call.operation, &body)?;
        let key = access::repository(call, &body)?;
        let input = members(call.operation, body, &refusals)?;
        envelope::output(call.operation, &handle(call, key?, input).await?)
    })
}

fn of_registry<'a, I, O, F>(
    call: Call<'a>,
    body: Value,
    handle: impl FnOnce(Call<'a>, Authorized<RegistryKey>, I) -> F + Send + 'a,
) -> Answering<'a>
where
    I: DeserializeOwned + Send,
    O: Serialize + Send,
    F: Future<Output = Result<O, Failure>> + Send + 'a,
{
    Box::pin(async move {
        let refusals = check_types(call.operation, &body)?;
        let key = access::registry(call, &body)?;
        let input = members(call.operation, body, &refusals)?;
        envelope::output(call.operation, &handle(call, key, input).await?)
    })
}

/// Everything that the model refuses; a wrong type is part of reading the request and refused
/// here, before access.
fn check_types(operation: Operation, body: &Value) -> Result<Vec<Refusal>, Failure> {
    let refusals = check(operation.service(), operation.input_shape(), body);
    match first_reported(&refusals) {
        Some(first) if matches!(first.rule, Rule::WrongType(_)) => Err(Failure::Serialization(
            roadstead_api_model::message(operation.service(), first),
        )),
        _ => Ok(refusals),
    }
}

/// The typed request, if the model refuses nothing.
fn members<I: DeserializeOwned>(
    operation: Operation,
    body: Value,
    refusals: &[Refusal],
) -> Result<I, Failure> {
    if let Some(first) = first_reported(refusals) {
        let message = roadstead_api_model::message(operation.service(), first);
        return Err(Failure::Constraint(message));
    }
    // What passes the check deserialises (a law of the model crate).
    serde_json::from_value(body).map_err(|error| Failure::Serialization(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_is_what_is_offered() {
        for operation in Operation::ALL {
            let is_answered = handler(operation).is_some();
            assert_eq!(is_answered, operation.is_offered(), "{operation:?}");
        }
    }

    #[test]
    fn targets_are_compared_exactly() {
        let target = Operation::EcrPutImage.target();
        assert_eq!(operation(target).unwrap(), Operation::EcrPutImage);
        for target in [
            "",
            "PutImage",
            &target.to_lowercase(),
            &format!("{target} "),
        ] {
            assert!(operation(target).is_err(), "{target}");
        }
    }
}
