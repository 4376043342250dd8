//! `/v2/<name>/tags/list`: lexical order, pages by the last tag seen (ecr.md 9.7).
//!
//! Also how every listing of this face turns pages: by name, never by a position that other
//! requests could shift.

use http::header;
use roadstead_domain::limits::{PAGE_DEFAULT, PAGE_MAX};
use roadstead_domain::name::RepositoryName;
use roadstead_domain::reference::ImageTag;
use roadstead_registry::error::Error;
use serde::Serialize;

use super::error::{Code, Failure, Refused};
use super::percent::encode;
use super::{Call, Outcome, json, link};

#[derive(Serialize)]
struct TagList<'a> {
    name: &'a str,
    tags: Vec<&'a str>,
}

/// One page of tags.
pub(super) async fn list(call: &Call<'_>, name: RepositoryName) -> Outcome {
    let key = call.authorize("ListImages", &name).await?;
    let limit = page_size(call)?;
    let after = last(call, ImageTag::parse)?;
    let mut tags = call.registry().tags(key, after, limit + 1).await?;
    let has_more = tags.len() > limit;
    tags.truncate(limit);
    let shown = call.shown(&name);
    let list = TagList {
        name: &shown,
        tags: tags.iter().map(ImageTag::as_str).collect(),
    };
    let mut response = json(list_type(call), to_json(&list));
    if let Some(last) = tags.last().filter(|_| has_more) {
        let path = format!(
            "{}/tags/list?last={}&n={limit}",
            call.path(&name),
            encode(last.as_str())
        );
        next(&mut response, &path);
    }
    Ok(response)
}

/// What lists are sent as: JSON, by ECR as plain text (ecr.md 9.1).
pub(super) fn list_type(call: &Call<'_>) -> &'static str {
    match call.is_strict_ecr() {
        true => "text/plain; charset=utf-8",
        false => "application/json",
    }
}

/// `n`: at most 1,000, more is taken for that; ECR refuses more in the words of its API. Without
/// it, 100.
pub(super) fn page_size(call: &Call<'_>) -> Result<usize, Failure> {
    let Some(text) = call.query.get("n") else {
        return Ok(PAGE_DEFAULT);
    };
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad_page("n has to be a number").into());
    }
    let size: usize = text.parse().unwrap_or(usize::MAX);
    if size > PAGE_MAX && call.is_strict_ecr() {
        let constraint = format!("Member must have value less than or equal to {PAGE_MAX}");
        return Err(Error::invalid("maxResults", constraint).into());
    }
    Ok(size.min(PAGE_MAX))
}

/// `last`, where a listing goes on. The entry itself need not exist.
pub(super) fn last<T, E>(
    call: &Call<'_>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, Refused> {
    let Some(text) = call.query.get("last").filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    parse(text)
        .map(Some)
        .map_err(|_| bad_page("last is not an entry of this list"))
}

fn bad_page(message: &str) -> Refused {
    Refused::bad_request(Code::PaginationNumberInvalid, message)
}

/// Lists of texts always serialise.
pub(super) fn to_json(list: &impl Serialize) -> String {
    serde_json::to_string(list).unwrap_or_default()
}

/// Adds where the next page is.
pub(super) fn next(response: &mut http::Response<crate::body::Body>, path: &str) {
    if let Ok(value) = link(path).try_into() {
        response.headers_mut().insert(header::LINK, value);
    }
}
