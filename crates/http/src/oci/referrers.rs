//! `/v2/<name>/referrers/<digest>`: an image index of what refers to a manifest (OCI
//! distribution-spec, "Listing Referrers"), in pages.

use std::collections::BTreeMap;

use http::HeaderValue;
use roadstead_domain::digest::Digest;
use roadstead_domain::limits::REFERRERS_PAGE_MAX;
use roadstead_domain::media_type::OCI_INDEX;
use roadstead_domain::name::RepositoryName;
use roadstead_registry::images::Referrer;
use serde::Serialize;

use super::percent::encode;
use super::tags::{last, next, to_json};
use super::{Call, Outcome, digest, json};

/// A page that would be longer ends early: clients take manifests of 4 MiB (OCI image-spec).
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u32,
    media_type: &'a str,
    manifests: Vec<Descriptor<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'a str,
    digest: &'a str,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact_type: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// One page of referrers; a manifest that nothing refers to, or that is not there, has none.
pub(super) async fn list(call: &Call<'_>, name: RepositoryName, text: &str) -> Outcome {
    let key = call
        .authorize_either(["ListImageReferrers", "BatchGetImage"], &name)
        .await?;
    let subject = digest(text)?;
    let types: Vec<String> = call
        .query
        .all("artifactType")
        .into_iter()
        .filter(|wanted| !wanted.is_empty())
        .map(str::to_owned)
        .collect();
    let after = last(call, Digest::parse)?;
    let found = call
        .registry()
        .referrers_after(
            key,
            subject.clone(),
            types.clone(),
            after,
            REFERRERS_PAGE_MAX,
        )
        .await?;
    let shown = page(&found.entries);
    let has_more = found.has_more || shown.len() < found.entries.len();
    let index = Index {
        schema_version: 2,
        media_type: OCI_INDEX,
        manifests: shown.iter().map(descriptor).collect(),
    };
    let mut response = json(OCI_INDEX, to_json(&index));
    if !types.is_empty() {
        let filters = HeaderValue::from_static("artifactType");
        response
            .headers_mut()
            .insert("oci-filters-applied", filters);
    }
    if let Some(last) = shown.last().filter(|_| has_more) {
        let filters: String = types
            .iter()
            .map(|wanted| format!("&artifactType={}", encode(wanted)))
            .collect();
        let last = encode(last.image.digest.as_str());
        let path = format!(
            "{}/referrers/{subject}?last={last}{filters}",
            call.path(&name)
        );
        next(&mut response, &path);
    }
    Ok(response)
}

/// The first referrers that fit on one page, at least one.
fn page(found: &[Referrer]) -> &[Referrer] {
    let mut bytes = 0;
    let fitting = found.iter().take_while(|one| {
        let is_first = bytes == 0;
        let annotations = one.annotations.iter();
        bytes += 512 + annotations.map(|(k, v)| k.len() + v.len()).sum::<usize>();
        is_first || bytes <= PAGE_BYTES_MAX
    });
    let count = fitting.count();
    &found[..count]
}

fn descriptor(referrer: &Referrer) -> Descriptor<'_> {
    let image = &referrer.image;
    Descriptor {
        media_type: image.media_type.as_str(),
        digest: image.digest.as_str(),
        size: image.manifest_size_bytes,
        artifact_type: image.artifact_type.as_deref(),
        annotations: &referrer.annotations,
    }
}
