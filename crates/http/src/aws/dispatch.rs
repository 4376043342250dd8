//! From `X-Amz-Target` to the function that answers.
//!
//! The checks that every operation has in common are made here, in one order: types, access,
//! members. The tables of the services name what they answer; a test holds them against
//! `models/offered.toml`.

use std::pin::Pin;

use roadstead_api_model::{Operation, Refusal, Rule, Service, check, first_reported};
use roadstead_domain::name::RepositoryKey;
use roadstead_registry::access::Authorized;
use roadstead_registry::access::containers::{ContainerServiceKey, ContainersKey};
use roadstead_registry::repositories::RegistryKey;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::access::{self, By};
use super::error::Failure;
use super::{Call, ecr, ecr_public, envelope, lightsail};

/// The bytes of an answer, on their way.
pub(super) type Answering<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, Failure>> + Send + 'a>>;

/// Answers one operation.
pub(super) type Handler = for<'a> fn(Call<'a>, Value) -> Answering<'a>;

/// The operation that a target names.
pub(super) fn operation(target: &str) -> Result<Operation, Failure> {
    Operation::from_target(target).ok_or_else(|| Failure::UnknownTarget(target.to_owned()))
}

/// What answers the operation; none if it is not offered. Each service has its own table.
pub(super) fn handler(operation: Operation) -> Option<Handler> {
    match operation.service() {
        Service::Ecr => ecr::handler(operation),
        Service::EcrPublic => ecr_public::handler(operation),
        Service::Lightsail => lightsail::handler(operation),
    }
}

/// Answers an operation on a repository.
pub(super) fn of_repository<'a, I, O, F>(
    call: Call<'a>,
    body: Value,
    by: By,
    handle: impl FnOnce(Call<'a>, Authorized<RepositoryKey>, I) -> F + Send + 'a,
) -> Answering<'a>
where
    I: DeserializeOwned + Send,
    O: Serialize + Send,
    F: Future<Output = Result<O, Failure>> + Send + 'a,
{
    Box::pin(async move {
        let refusals = check_types(call.operation, &body)?;
        let key = access::repository(call, &body, by).await?;
        let input = members(call.operation, body, &refusals)?;
        envelope::output(call.operation, &handle(call, key?, input).await?)
    })
}

/// Answers an operation on a registry as a whole.
pub(super) fn of_registry<'a, I, O, F>(
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
        let key = access::registry(call, &body).await?;
        let input = members(call.operation, body, &refusals)?;
        envelope::output(call.operation, &handle(call, key, input).await?)
    })
}

/// Answers an operation on the caller's container services as a whole.
pub(super) fn of_services<'a, I, O, F>(
    call: Call<'a>,
    body: Value,
    handle: impl FnOnce(Call<'a>, Authorized<ContainersKey>, I) -> F + Send + 'a,
) -> Answering<'a>
where
    I: DeserializeOwned + Send,
    O: Serialize + Send,
    F: Future<Output = Result<O, Failure>> + Send + 'a,
{
    Box::pin(async move {
        let refusals = lightsail::without_parsed(check_types(call.operation, &body)?);
        let key = lightsail::services(call)?;
        let input = members(call.operation, body, &refusals)?;
        envelope::output(call.operation, &handle(call, key, input).await?)
    })
}

/// Answers an operation on a container service.
pub(super) fn of_service<'a, I, O, F>(
    call: Call<'a>,
    body: Value,
    handle: impl FnOnce(Call<'a>, Authorized<ContainerServiceKey>, I) -> F + Send + 'a,
) -> Answering<'a>
where
    I: DeserializeOwned + Send,
    O: Serialize + Send,
    F: Future<Output = Result<O, Failure>> + Send + 'a,
{
    Box::pin(async move {
        let refusals = lightsail::without_parsed(check_types(call.operation, &body)?);
        let key = lightsail::service(call, &body, "serviceName")?;
        let input = members(call.operation, body, &refusals)?;
        envelope::output(call.operation, &handle(call, key?, input).await?)
    })
}

/// As [`of_service`], for the two operations whose answer has a part that the model does not know.
pub(super) fn of_tags<'a, I, F>(
    call: Call<'a>,
    body: Value,
    handle: impl FnOnce(Call<'a>, Authorized<ContainerServiceKey>, I) -> F + Send + 'a,
) -> Answering<'a>
where
    I: DeserializeOwned + Send,
    F: Future<Output = Result<lightsail::resource_tags::Tagged, Failure>> + Send + 'a,
{
    Box::pin(async move {
        let refusals = lightsail::without_parsed(check_types(call.operation, &body)?);
        let key = lightsail::service(call, &body, "resourceName")?;
        let input = members(call.operation, body, &refusals)?;
        let tagged = handle(call, key?, input).await?;
        envelope::output_beyond_model(call.operation, &tagged.modelled(), &tagged)
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

    /// Members and their types, without constraints: what a handler of both services relies on.
    fn outline(service: Service, shape: &str, seen: &mut Vec<String>) -> Value {
        let (file, own) = match service {
            Service::Ecr => (include_str!("../../../../models/ecr.json"), "ecr"),
            _ => (include_str!("../../../../models/ecr_public.json"), "public"),
        };
        let model: Value = serde_json::from_str(file).unwrap();
        let found = &model["shapes"][shape];
        assert!(found.is_object(), "{own} has no shape {shape}");
        seen.push(shape.to_owned());
        let mut outline = serde_json::Map::new();
        outline.insert("type".into(), found["type"].clone());
        for member in found["members"].as_array().into_iter().flatten() {
            let [name, inner] = ["name", "shape"].map(|key| member[key].as_str().unwrap());
            let is_required = member["required"].as_bool().unwrap_or_default();
            let inner = outline_once(service, inner, seen);
            outline.insert(name.into(), serde_json::json!([is_required, inner]));
        }
        if let Some(inner) = found["element"].as_str() {
            outline.insert("[]".into(), outline_once(service, inner, seen));
        }
        Value::Object(outline)
    }

    fn outline_once(service: Service, shape: &str, seen: &mut Vec<String>) -> Value {
        match seen.iter().any(|one| one == shape) {
            true => Value::Null,
            false => outline(service, shape, seen),
        }
    }

    #[test]
    fn handlers_of_both_services_have_the_same_messages() {
        for operation in ecr_public::SHARED {
            let private = Operation::ALL
                .into_iter()
                .find(|one| one.service() == Service::Ecr && one.name() == operation.name())
                .unwrap();
            for shape in [Operation::input_shape, Operation::output_shape] {
                let outline = |one: Operation| outline(one.service(), shape(one), &mut vec![]);
                assert_eq!(outline(private), outline(*operation), "{operation:?}");
            }
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
