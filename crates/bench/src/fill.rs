//! A data directory with one repository of many tagged images, stored through the port: a million
//! pushes would take longer than what is to be measured.

use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use bytes::Bytes;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, BlobKey, Region, RepositoryId};
use roadstead_domain::image::{Image, ImageStatus};
use roadstead_domain::media_type::{self, MediaType};
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_domain::reference::ImageTag;
use roadstead_domain::tagging::TagMutability;
use roadstead_domain::time::{Span, Timestamp};
use roadstead_store::metadata::{
    BlobEdge, MetadataStore, MetadataWrite, NewImage, NewRepository, StoreError,
};
use roadstead_store_sql::{SqliteOptions, SqliteStore};
use serde_json::{Value, json};

/// The default account and region of a server.
const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";
const BLOB: &[u8] = b"{}";
/// Images in one transaction.
const BATCH: u64 = 500;

/// Stores `images` images, each with one tag and pushed a second after the one before.
pub async fn fill(directory: &Path, repository: &str, images: u64) -> Result<Value> {
    std::fs::create_dir_all(directory)?;
    let store: Box<dyn MetadataStore> = Box::new(SqliteStore::open(
        &directory.join("metadata.sqlite"),
        &SqliteOptions::default(),
    )?);
    let since = SystemTime::UNIX_EPOCH.elapsed()?;
    let now = Timestamp(i64::try_from(since.as_micros())?);
    let first = now - Span::seconds(i64::try_from(images)?);
    let new = NewRepository {
        key: RepositoryKey::private(
            AccountId::parse(ACCOUNT)?,
            Region::parse(REGION)?,
            RepositoryName::parse(repository)?,
        ),
        created_at: first,
        tag_mutability: TagMutability::default(),
        scan_on_push: false,
        resource_tags: Vec::new(),
    };
    let made: Result<RepositoryId, StoreError> = store
        .write(new, |tx, new| {
            Box::pin(async move {
                let id = tx.insert_repository(new).await?;
                let id = id.ok_or_else(|| StoreError::Failed("the name is taken".into()))?;
                let digest = Digest::sha256(BLOB);
                let key = BlobKey::from_random(u128::from(new.created_at.0.unsigned_abs()));
                tx.insert_blob(&key, &digest, BLOB.len() as u64).await?;
                tx.link_blob(id, &digest, &key, new.created_at).await?;
                Ok(id)
            })
        })
        .await;
    let id = made?;
    for from in (0..images).step_by(usize::try_from(BATCH)?) {
        let input = (id, from..(from + BATCH).min(images), first);
        let done: Result<(), StoreError> = store
            .write(input, |tx, (id, range, first)| {
                Box::pin(async move {
                    for number in range.clone() {
                        insert(tx, *id, number, *first).await?;
                    }
                    Ok(())
                })
            })
            .await;
        done?;
    }
    Ok(json!({ "images": images }))
}

async fn insert(
    tx: &mut dyn MetadataWrite,
    repository: RepositoryId,
    number: u64,
    first: Timestamp,
) -> Result<(), StoreError> {
    let manifest = Bytes::from(format!("{{\"image\":{number:0380}}}"));
    let digest = Digest::sha256(&manifest);
    let seq = i64::try_from(number).unwrap_or(i64::MAX);
    let pushed_at = first + Span::seconds(seq);
    let new = NewImage {
        image: Image {
            digest: digest.clone(),
            media_type: MediaType::new(media_type::OCI_MANIFEST),
            size_bytes: 2,
            manifest_size_bytes: manifest.len() as u64,
            artifact_type: None,
            subject: None,
            pushed_at,
            push_seq: seq,
            status: ImageStatus::Active,
            last_pulled_at: None,
            archived_at: None,
            activated_at: None,
        },
        manifest,
        blobs: vec![BlobEdge {
            digest: Digest::sha256(BLOB),
            media_type: MediaType::new("application/vnd.oci.image.config.v1+json"),
        }],
        children: Vec::new(),
    };
    tx.insert_image(repository, &new).await?;
    let tag = ImageTag::parse(&format!("v{number:07}"));
    let tag = tag.map_err(|error| StoreError::Failed(error.to_string()))?;
    tx.put_tag(repository, &tag, &digest, pushed_at, seq).await
}
