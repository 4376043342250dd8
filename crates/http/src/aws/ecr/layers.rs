//! The layer operations: availability, download links, uploads (ecr.md 6.5, 6.6).
//!
//! A part is judged by its length here, since only the wire says it; its place in the upload is
//! judged by the use case.

use bytes::Bytes;
use futures_util::stream;
use roadstead_api_model::ecr::{
    BatchCheckLayerAvailabilityRequest, BatchCheckLayerAvailabilityResponse,
    CompleteLayerUploadRequest, CompleteLayerUploadResponse, GetDownloadUrlForLayerRequest,
    GetDownloadUrlForLayerResponse, InitiateLayerUploadRequest, InitiateLayerUploadResponse, Layer,
    LayerAvailability, LayerFailure, LayerFailureCode, UploadLayerPartRequest,
    UploadLayerPartResponse,
};
use roadstead_domain::digest::Digest;
use roadstead_domain::limits::LAYER_PART_BYTES;
use roadstead_domain::name::RepositoryKey;
use roadstead_registry::access::{self, Authorized};
use roadstead_registry::error::{Error, Place};
use roadstead_registry::layers::Availability;
use roadstead_registry::uploads::{Claimed, Part, Plane};

use super::ids::long;
use crate::aws::Call;
use crate::aws::error::{Failure, PartLength};
use crate::{host, oci};

pub(in crate::aws) async fn check_availability(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: BatchCheckLayerAvailabilityRequest,
) -> Result<BatchCheckLayerAvailabilityResponse, Failure> {
    let registry = &call.faces.registry;
    let push = registry.authorize(call.context, "InitiateLayerUpload", (*key).clone());
    let sees_unreferenced = access::is_allowed(push.await)?;
    let key = (key, sees_unreferenced);
    let found = registry.layer_availability(call.context, key, input.layer_digests);
    let (mut layers, mut failures) = (Vec::new(), Vec::new());
    for one in found.await? {
        match layer(one) {
            Ok(layer) => layers.push(layer),
            Err(failure) => failures.push(failure),
        }
    }
    Ok(BatchCheckLayerAvailabilityResponse {
        layers: Some(layers),
        failures: Some(failures),
    })
}

fn layer(one: Availability) -> Result<Layer, LayerFailure> {
    let failed = |digest: String, code, reason: &str| LayerFailure {
        layer_digest: Some(digest),
        failure_code: Some(code),
        failure_reason: Some(reason.to_owned()),
    };
    match one {
        Availability::Available(link) => Ok(Layer {
            layer_digest: Some(link.digest.to_string()),
            layer_availability: Some(LayerAvailability::Available),
            layer_size: Some(long(link.size_bytes)),
            media_type: link.media_type.as_ref().map(ToString::to_string),
        }),
        Availability::Unavailable(digest) => Ok(Layer {
            layer_digest: Some(digest),
            layer_availability: Some(LayerAvailability::Unavailable),
            layer_size: None,
            media_type: None,
        }),
        Availability::Missing => Err(failed(
            String::new(),
            LayerFailureCode::MissingLayerDigest,
            "Invalid request parameters: layer digest cannot be empty",
        )),
        Availability::Invalid(digest) => Err(failed(
            digest,
            LayerFailureCode::InvalidLayerDigest,
            "Invalid request parameters: layer digest is not supported",
        )),
    }
}

pub(in crate::aws) async fn download_url(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: GetDownloadUrlForLayerRequest,
) -> Result<GetDownloadUrlForLayerResponse, Failure> {
    let registry = &call.faces.registry;
    let link = registry.download_link(call.context, key, input.layer_digest);
    let (digest, text) = link.await?;
    let origin = host::own_address(&call.faces.settings, &call.arrived.arrival);
    Ok(GetDownloadUrlForLayerResponse {
        download_url: Some(format!("{origin}{}{text}", oci::DOWNLOAD_PREFIX)),
        layer_digest: Some(digest.to_string()),
    })
}

pub(in crate::aws) async fn initiate(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    _input: InitiateLayerUploadRequest,
) -> Result<InitiateLayerUploadResponse, Failure> {
    let id = call.faces.registry.start_upload(call.context, key).await?;
    Ok(InitiateLayerUploadResponse {
        upload_id: Some(id.to_string()),
        part_size: Some(long(LAYER_PART_BYTES)),
    })
}

pub(in crate::aws) async fn upload_part(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: UploadLayerPartRequest,
) -> Result<UploadLayerPartResponse, Failure> {
    let Place { name, registry } = Place::from(&*key);
    let first_byte = u64::try_from(input.part_first_byte).unwrap_or(0);
    if !has_declared_length(&input) {
        return Err(wrong_length(call, &key, &input, first_byte).await);
    }
    let bytes = Bytes::from(input.layer_part_blob.0);
    let part = Part {
        plane: Plane::Api,
        first_byte: Some(first_byte),
        body: stream::iter([Ok::<_, String>(bytes)]),
    };
    let (uploads, id) = (&call.faces.registry, &input.upload_id);
    uploads.append_upload(call.context, key, id, part).await?;
    Ok(UploadLayerPartResponse {
        registry_id: Some(registry.to_string()),
        repository_name: Some(name.to_string()),
        upload_id: Some(input.upload_id),
        last_byte_received: Some(input.part_last_byte),
    })
}

/// `partLastByte` is inclusive (ecr.md 6.6).
fn has_declared_length(input: &UploadLayerPartRequest) -> bool {
    let declared = i128::from(input.part_last_byte) - i128::from(input.part_first_byte) + 1;
    i128::try_from(input.layer_part_blob.0.len()).is_ok_and(|actual| actual == declared)
}

/// An upload that is not there, or a part that is out of place, is reported before its length.
async fn wrong_length(
    call: Call<'_>,
    key: &RepositoryKey,
    input: &UploadLayerPartRequest,
    first_byte: u64,
) -> Failure {
    let upload = match call
        .faces
        .registry
        .upload(call.context, key, &input.upload_id)
        .await
    {
        Ok(upload) => upload,
        Err(error) => return error.into(),
    };
    if let Err(wrong) = upload.check_offset(first_byte) {
        return Failure::from(Error::InvalidLayerPart {
            first_byte: wrong.first_byte,
            expected_byte: wrong.expected_byte,
            id: upload.id,
            place: Place::from(key),
        });
    }
    Failure::PartLength(Box::new(PartLength {
        registry_id: key.account.to_string(),
        repository_name: key.name.to_string(),
        upload_id: upload.id.to_string(),
        received_bytes: upload.received_bytes,
        first_byte: input.part_first_byte,
        last_byte: input.part_last_byte,
        part_bytes: input.layer_part_blob.0.len(),
    }))
}

pub(in crate::aws) async fn complete(
    call: Call<'_>,
    key: Authorized<RepositoryKey>,
    input: CompleteLayerUploadRequest,
) -> Result<CompleteLayerUploadResponse, Failure> {
    let claimed = claimed(&input.layer_digests)?;
    let place = Place::from(&*key);
    let nothing = Part {
        plane: Plane::Api,
        first_byte: None,
        body: stream::empty::<Result<Bytes, String>>(),
    };
    let (registry, id) = (&call.faces.registry, &input.upload_id);
    let finished = registry
        .finish_upload(call.context, key, id, nothing, claimed)
        .await?;
    if finished.was_there {
        return Err(Failure::from(Error::LayerAlreadyExists {
            digest: finished.digest,
            place,
        }));
    }
    Ok(CompleteLayerUploadResponse {
        registry_id: Some(place.registry.to_string()),
        repository_name: Some(place.name.to_string()),
        upload_id: Some(input.upload_id),
        layer_digest: Some(finished.digest.to_string()),
    })
}

/// The model admits 1 to 100 digests; any that is right suffices (ecr-public.md 3.5).
fn claimed(digests: &[String]) -> Result<Claimed, Error> {
    let parse = |digest: &String| {
        Digest::parse(digest)
            .map_err(|_| Error::invalid("layerDigests", format!("'{digest}' is not supported")))
    };
    let parsed: Vec<Digest> = digests.iter().map(parse).collect::<Result<_, _>>()?;
    let mut parsed = parsed.into_iter();
    let first = parsed
        .next()
        .ok_or_else(|| Error::invalid("layerDigests", "Must hold a digest"))?;
    Ok(Claimed {
        first,
        others: parsed.collect(),
    })
}
