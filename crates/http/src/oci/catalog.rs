//! `/v2/_catalog`: the repositories of the registry that was addressed, by name (ecr.md 9.7).
//!
//! Never shows what the caller may not list.

use roadstead_domain::name::RepositoryName;
use roadstead_registry::access;
use serde::Serialize;

use super::percent::encode;
use super::tags::{last, list_type, next, page_size, to_json};
use super::{Call, Outcome, json};

#[derive(Serialize)]
struct Catalog<'a> {
    repositories: Vec<&'a str>,
}

/// One page of names.
pub(super) async fn list(call: &Call<'_>) -> Outcome {
    let account = call.private_account()?;
    let key = access::registry(&call.context, "DescribeRepositories", account)?;
    let limit = page_size(call)?;
    let after = last(call, RepositoryName::parse)?;
    let found = call.registry().repositories_after(key, after, limit + 1);
    let mut repositories = found.await?;
    let has_more = repositories.len() > limit;
    repositories.truncate(limit);
    let names = repositories.iter().map(|one| one.key.name.as_str());
    let catalog = Catalog {
        repositories: names.collect(),
    };
    let mut response = json(list_type(call), to_json(&catalog));
    if let Some(last) = repositories.last().filter(|_| has_more) {
        let last = encode(last.key.name.as_str());
        next(
            &mut response,
            &format!("/v2/_catalog?last={last}&n={limit}"),
        );
    }
    Ok(response)
}
