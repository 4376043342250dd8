//! What a case works with: each port call as its own transaction, and records made from labels.
//!
//! Digests, keys and ids are derived from the case's account and a label, so that equal labels of
//! different cases never name the same bytes.

use bytes::Bytes;
use roadstead_domain::digest::Digest;
use roadstead_domain::ids::{AccountId, BlobKey, Region, RepositoryId, UploadId};
use roadstead_domain::image::{Image, ImageStatus};
use roadstead_domain::media_type::{self, MediaType};
use roadstead_domain::name::{RepositoryKey, RepositoryName};
use roadstead_domain::public::alias::{Alias, RegistryAlias};
use roadstead_domain::public::catalog_data::CatalogData;
use roadstead_domain::public::logo::LogoId;
use roadstead_domain::reference::ImageTag;
use roadstead_domain::resource_tag::ResourceTag;
use roadstead_domain::tagging::TagMutability;
use roadstead_domain::time::Timestamp;
use roadstead_domain::upload::Upload;

use crate::metadata::{
    AccessKey, BlobEdge, BlobLink, DeletedImage, Event, Garbage, ImageCursor, ImageEntry,
    ImageFilter, ImageNumber, ImageWithTags, IndexMember, LifecycleImage, MetadataStore, NewEvent,
    NewImage, NewRepository, PublicRegistry, RegistryKey, Repository, StoreError,
    StoredLifecyclePolicy, StoredPage, StoredPreview, StoredRun, TaggedImage,
};

/// More rows than any case makes.
pub(super) const ALL: usize = 1_000_000;

/// The instant `n` microseconds into a case.
pub(super) fn at(n: i64) -> Timestamp {
    Timestamp(1_700_000_000_000_000 + n)
}

/// A tag.
pub(super) fn tag(text: &str) -> ImageTag {
    ImageTag::parse(text).expect("a tag")
}

/// Several tags.
pub(super) fn tags(texts: &[&str]) -> Vec<ImageTag> {
    texts.iter().map(|text| tag(text)).collect()
}

/// A repository name.
pub(super) fn name(text: &str) -> RepositoryName {
    RepositoryName::parse(text).expect("a name")
}

/// A region.
pub(super) fn region(text: &str) -> Region {
    Region::parse(text).expect("a region")
}

/// The store and account of one case.
pub(super) struct Bench<'s> {
    pub(super) store: &'s dyn MetadataStore,
    pub(super) account: AccountId,
}

impl<'s> Bench<'s> {
    pub(super) fn new(store: &'s dyn MetadataStore, account: AccountId) -> Self {
        Self { store, account }
    }

    /// A second account that only this case uses.
    pub(super) fn neighbour(&self) -> AccountId {
        AccountId::parse(&format!("9{}", &self.account.as_str()[1..])).expect("twelve digits")
    }

    pub(super) fn digest(&self, label: &str) -> Digest {
        Digest::sha256(format!("{}/{label}", self.account).as_bytes())
    }

    fn bits(&self, label: &str) -> u128 {
        let digest = self.digest(label);
        u128::from_str_radix(&digest.as_str()[7..39], 16).expect("hex")
    }

    pub(super) fn blob_key(&self, label: &str) -> BlobKey {
        BlobKey::from_random(self.bits(label))
    }

    pub(super) fn registry(&self) -> RegistryKey {
        let key = self.key("any-name");
        RegistryKey {
            kind: key.kind,
            account: key.account,
            region: key.region,
        }
    }

    pub(super) fn key(&self, text: &str) -> RepositoryKey {
        RepositoryKey::private(self.account.clone(), region("eu-west-1"), name(text))
    }

    pub(super) fn new_repository(&self, text: &str) -> NewRepository {
        NewRepository {
            key: self.key(text),
            created_at: at(0),
            tag_mutability: TagMutability::default(),
            scan_on_push: false,
            resource_tags: vec![],
        }
    }

    /// A repository that is there.
    pub(super) async fn made(&self, text: &str) -> RepositoryId {
        let made = self.insert_repository(&self.new_repository(text)).await;
        made.expect("the name is free")
    }

    pub(super) fn image(&self, label: &str) -> NewImage {
        let manifest = Bytes::from(format!("manifest {label}"));
        NewImage {
            image: Image {
                digest: self.digest(label),
                media_type: MediaType::new(media_type::OCI_MANIFEST),
                size_bytes: 10,
                manifest_size_bytes: manifest.len() as u64,
                artifact_type: None,
                subject: None,
                pushed_at: at(0),
                push_seq: 0,
                status: ImageStatus::Active,
                last_pulled_at: None,
                archived_at: None,
                activated_at: None,
            },
            manifest,
            blobs: vec![],
            children: vec![],
        }
    }

    /// An image that refers to these blobs.
    pub(super) fn image_of(&self, label: &str, blobs: &[&str]) -> NewImage {
        let edge = |blob: &&str| BlobEdge {
            digest: self.digest(blob),
            media_type: MediaType::new("application/vnd.oci.image.layer.v1.tar+gzip"),
        };
        NewImage {
            blobs: blobs.iter().map(edge).collect(),
            ..self.image(label)
        }
    }

    /// An index that lists these manifests.
    pub(super) fn index_of(&self, label: &str, children: &[&str]) -> NewImage {
        let mut index = self.image(label);
        index.image.media_type = MediaType::new(media_type::OCI_INDEX);
        index.children = children.iter().map(|child| self.digest(child)).collect();
        index
    }

    /// An image of this subject and type.
    pub(super) fn referrer(&self, label: &str, subject: &str, artifact_type: &str) -> NewImage {
        let mut referrer = self.image(label);
        referrer.image.subject = Some(self.digest(subject));
        referrer.image.artifact_type = Some(artifact_type.into());
        referrer
    }

    pub(super) fn new_upload(&self, repository: RepositoryId, label: &str) -> Upload {
        Upload {
            id: UploadId::from_random(self.bits(label)),
            repository,
            key: self.blob_key(label),
            received_bytes: 0,
            parts: 0,
            has_short_part: false,
            is_last_part_short: false,
            created_at: at(0),
            expires_at: at(100),
            hash_state: None,
        }
    }

    /// Stores bytes under the key `label` and links them, in one transaction.
    pub(super) async fn stored_blob(&self, repository: RepositoryId, label: &str, now: Timestamp) {
        self.stored_bytes(repository, label, label, now).await;
    }

    /// Stores bytes of the digest `digest` under the key `key` and links them.
    pub(super) async fn stored_bytes(
        &self,
        repository: RepositoryId,
        digest: &str,
        key: &str,
        now: Timestamp,
    ) {
        let input = (repository, self.digest(digest), self.blob_key(key), now);
        let done: Result<(), StoreError> = self
            .store
            .write(input, |tx, (repository, digest, key, now)| {
                Box::pin(async move {
                    tx.insert_blob(key, digest, 7).await?;
                    tx.link_blob(*repository, digest, key, *now).await
                })
            })
            .await;
        done.expect("stored_bytes");
    }

    /// Since when this link is unreferenced; outer none if there is no link.
    pub(super) async fn unreferenced_since(
        &self,
        repository: RepositoryId,
        blob: &str,
    ) -> Option<Option<Timestamp>> {
        let link = self.blob_link(&repository, &self.digest(blob)).await;
        link.map(|link| link.unreferenced_since)
    }

    /// Whether the bytes under the key `label` wait to be removed.
    pub(super) async fn is_garbage(&self, label: &str) -> bool {
        let key = self.blob_key(label);
        self.garbage(&None, &ALL).await.iter().any(|g| g.key == key)
    }

    /// The unreferenced links of one repository.
    pub(super) async fn unreferenced(
        &self,
        repository: RepositoryId,
        before: Timestamp,
    ) -> Vec<Digest> {
        let links = self.unreferenced_links(&before, &ALL).await;
        let own = links.into_iter().filter(|l| l.repository == repository);
        own.map(|link| link.digest).collect()
    }
}

macro_rules! steps {
    ($($kind:ident $name:ident($($arg:ident: $type:ty),*) -> $out:ty = |$tx:ident| $call:expr;)*) => {
        /// Each call of the port as its own transaction, which has to succeed.
        #[allow(clippy::ptr_arg)] // One shape for every input: what is cloned is what is named.
        impl Bench<'_> {
            $(
                pub(super) async fn $name(&self, $($arg: &$type),*) -> $out {
                    let input = ($($arg.clone(),)*);
                    let done: Result<$out, StoreError> = self
                        .store
                        .$kind(input, |$tx, ($($arg,)*)| Box::pin($call))
                        .await;
                    done.expect(stringify!($name))
                }
            )*
        }
    };
}

steps! {
    read repository(key: RepositoryKey) -> Option<Repository> = |tx| tx.repository(key);
    read repositories(registry: RegistryKey, after: Option<RepositoryName>, limit: usize)
        -> Vec<Repository> = |tx| tx.repositories(registry, after.as_ref(), *limit);
    read resource_tags(id: RepositoryId) -> Vec<ResourceTag> = |tx| tx.resource_tags(*id);
    read is_in_image(id: RepositoryId, digest: Digest) -> bool = |tx| tx.is_in_image(*id, digest);
    read repository_policy(id: RepositoryId) -> Option<String> = |tx| tx.repository_policy(*id);
    read tagged_images(id: RepositoryId, after: Option<ImageTag>, limit: usize)
        -> Vec<TaggedImage> = |tx| tx.tagged_images(*id, after.as_ref(), *limit);
    read public_registry(account: AccountId) -> Option<PublicRegistry>
        = |tx| tx.public_registry(account);
    read aliases(account: AccountId) -> Vec<Alias> = |tx| tx.aliases(account);
    read alias_owner(name: RegistryAlias) -> Option<AccountId> = |tx| tx.alias_owner(name);
    read catalog_data(id: RepositoryId) -> Option<CatalogData> = |tx| tx.catalog_data(*id);
    read logo(registry: String, id: LogoId) -> Option<Bytes> = |tx| tx.logo(registry, id);
    write set_repository_policy(id: RepositoryId, text: Option<String>) -> ()
        = |tx| tx.set_repository_policy(*id, text.as_deref());
    write insert_public_registry(new: PublicRegistry) -> bool = |tx| tx.insert_public_registry(new);
    write set_display_name(account: AccountId, name: Option<String>) -> ()
        = |tx| tx.set_display_name(account, name.as_deref());
    write insert_alias(account: AccountId, new: Alias) -> bool = |tx| tx.insert_alias(account, new);
    write set_catalog_data(id: RepositoryId, data: CatalogData) -> ()
        = |tx| tx.set_catalog_data(*id, data);
    write set_logo(id: RepositoryId, logo: Option<(LogoId, Bytes)>) -> ()
        = |tx| tx.set_logo(*id, logo.as_ref().map(|(id, bytes)| (id, &bytes[..])));
    read deleted_repositories(limit: usize) -> Vec<RepositoryId>
        = |tx| tx.deleted_repositories(Timestamp(i64::MAX), *limit);
    read image_at(id: RepositoryId, digest: Digest) -> Option<Image> = |tx| tx.image(*id, digest);
    read tagged(id: RepositoryId, tag: ImageTag) -> Option<Digest> = |tx| tx.tagged(*id, tag);
    read tags_of(id: RepositoryId, digest: Digest) -> Vec<ImageTag>
        = |tx| tx.tags_of(*id, digest);
    read manifest(id: RepositoryId, digest: Digest) -> Option<Bytes>
        = |tx| tx.manifest(*id, digest);
    read parents_of(id: RepositoryId, digest: Digest) -> Vec<Digest>
        = |tx| tx.parents_of(*id, digest);
    read has_images(id: RepositoryId) -> bool = |tx| tx.has_images(*id);
    read image_entries(id: RepositoryId, filter: ImageFilter, after: Option<ImageEntry>,
        limit: usize) -> Vec<ImageEntry>
        = |tx| tx.image_entries(*id, *filter, after.as_ref(), *limit);
    read images(id: RepositoryId, filter: ImageFilter, after: Option<ImageCursor>, limit: usize)
        -> Vec<ImageWithTags> = |tx| tx.images(*id, *filter, after.as_ref(), *limit);
    read tags(id: RepositoryId, after: Option<ImageTag>, limit: usize) -> Vec<ImageTag>
        = |tx| tx.tags(*id, after.as_ref(), *limit);
    read referrers(id: RepositoryId, subject: Digest, types: Vec<String>, after: Option<Digest>,
        limit: usize) -> Vec<Image>
        = |tx| tx.referrers(*id, subject, types, after.as_ref(), *limit);
    read blob_link(id: RepositoryId, digest: Digest) -> Option<BlobLink>
        = |tx| tx.blob_link(*id, digest);
    read blob_with_digest(digest: Digest) -> Option<(BlobKey, u64)>
        = |tx| tx.blob_with_digest(digest);
    read holders_of_blob(registry: RegistryKey, digest: Digest, limit: usize)
        -> Vec<RepositoryName> = |tx| tx.holders_of_blob(registry, digest, *limit);
    read upload(id: RepositoryId, upload: UploadId) -> Option<Upload> = |tx| tx.upload(*id, upload);
    read unreferenced_links(before: Timestamp, limit: usize) -> Vec<BlobLink>
        = |tx| tx.unreferenced_links(*before, *limit);
    read expired_uploads(now: Timestamp, limit: usize) -> Vec<Upload>
        = |tx| tx.expired_uploads(*now, *limit);
    read garbage(after: Option<BlobKey>, limit: usize) -> Vec<Garbage>
        = |tx| tx.garbage(after.as_ref(), *limit);
    read lifecycle_policy(id: RepositoryId) -> Option<StoredLifecyclePolicy>
        = |tx| tx.lifecycle_policy(*id);
    read lifecycle_due(now: Timestamp, limit: usize) -> Vec<Repository>
        = |tx| tx.lifecycle_due(*now, *limit);
    read lifecycle_next_due() -> Option<Timestamp> = |tx| tx.lifecycle_next_due();
    read preview(id: RepositoryId) -> Option<StoredPreview> = |tx| tx.preview(*id);
    read previews_in_progress(limit: usize) -> Vec<Repository>
        = |tx| tx.previews_in_progress(*limit);
    read preview_pages(preview: String, from: i64, limit: usize) -> Vec<StoredPage>
        = |tx| tx.preview_pages(preview, *from, *limit);
    read preview_page_at(preview: String, place: i64) -> Option<StoredPage>
        = |tx| tx.preview_page_at(preview, *place);
    read lifecycle_images(id: RepositoryId, after: Option<ImageNumber>, limit: usize)
        -> Vec<LifecycleImage> = |tx| tx.lifecycle_images(*id, *after, *limit);
    read lifecycle_image(id: RepositoryId, digest: Digest) -> Option<LifecycleImage>
        = |tx| tx.lifecycle_image(*id, digest);
    read index_members(id: RepositoryId, after: Option<IndexMember>, limit: usize)
        -> Vec<IndexMember> = |tx| tx.index_members(*id, after.as_ref(), *limit);
    read lifecycle_runs(id: RepositoryId, before: Option<i64>, limit: usize) -> Vec<StoredRun>
        = |tx| tx.lifecycle_runs(*id, *before, *limit);
    read run_pages(run: i64, from: i64, limit: usize) -> Vec<StoredPage>
        = |tx| tx.run_pages(*run, *from, *limit);
    read deleted_images(id: RepositoryId, limit: usize) -> Vec<DeletedImage>
        = |tx| tx.deleted_images(*id, *limit);
    read deleted_image(id: RepositoryId, digest: Digest) -> Option<DeletedImage>
        = |tx| tx.deleted_image(*id, digest);
    read expired_deletions(now: Timestamp, limit: usize) -> Vec<DeletedImage>
        = |tx| tx.expired_deletions(*now, *limit);
    read deleted_repository(key: RepositoryKey) -> Option<Repository>
        = |tx| tx.deleted_repository(key);
    read events(destination: String, after: Option<i64>, limit: usize) -> Vec<Event>
        = |tx| tx.events(destination, *after, *limit);
    read event_destinations() -> Vec<String> = |tx| tx.event_destinations();
    read access_key(id: String) -> Option<AccessKey> = |tx| tx.access_key(id);
    read access_keys(account: Option<AccountId>) -> Vec<AccessKey>
        = |tx| tx.access_keys(account.as_ref());

    write insert_repository(new: NewRepository) -> Option<RepositoryId>
        = |tx| tx.insert_repository(new);
    write set_tag_mutability(id: RepositoryId, setting: TagMutability) -> ()
        = |tx| tx.set_tag_mutability(*id, setting);
    write delete_repository(id: RepositoryId, now: Timestamp) -> ()
        = |tx| tx.delete_repository(*id, *now);
    write reap_repository(id: RepositoryId, limit: usize) -> bool
        = |tx| tx.reap_repository(*id, *limit);
    write set_resource_tags(id: RepositoryId, tags: Vec<ResourceTag>) -> ()
        = |tx| tx.set_resource_tags(*id, tags);
    write insert_image(id: RepositoryId, new: NewImage) -> bool = |tx| tx.insert_image(*id, new);
    write delete_image(id: RepositoryId, digest: Digest, now: Timestamp) -> ()
        = |tx| tx.delete_image(*id, digest, *now, None);
    write keep_deleted(id: RepositoryId, digest: Digest, now: Timestamp, kept_until: Timestamp)
        -> () = |tx| tx.delete_image(*id, digest, *now, Some(*kept_until));
    write restore_image(id: RepositoryId, number: ImageNumber, activated_at: Timestamp) -> bool
        = |tx| tx.restore_image(*id, *number, *activated_at);
    write purge_deleted_image(id: RepositoryId, number: ImageNumber, now: Timestamp) -> ()
        = |tx| tx.purge_deleted_image(*id, *number, *now);
    write restore_repository(id: RepositoryId) -> bool = |tx| tx.restore_repository(*id);
    write put_lifecycle_policy(id: RepositoryId, policy: StoredLifecyclePolicy) -> ()
        = |tx| tx.put_lifecycle_policy(*id, policy);
    write delete_lifecycle_policy(id: RepositoryId) -> () = |tx| tx.delete_lifecycle_policy(*id);
    write lifecycle_evaluated(id: RepositoryId, policy: String, evaluated_at: Option<Timestamp>,
        next_run_at: Timestamp) -> ()
        = |tx| tx.lifecycle_evaluated(*id, policy, *evaluated_at, *next_run_at);
    write put_preview(id: RepositoryId, preview: StoredPreview) -> ()
        = |tx| tx.put_preview(*id, preview);
    write put_preview_page(id: RepositoryId, preview: String, page: StoredPage) -> ()
        = |tx| tx.put_preview_page(*id, preview, page);
    write prune_preview_pages(id: RepositoryId, limit: usize) -> bool
        = |tx| tx.prune_preview_pages(*id, *limit);
    write insert_run(id: RepositoryId, started_at: Timestamp, text: String) -> i64
        = |tx| tx.insert_run(*id, *started_at, text);
    write update_run(run: i64, text: String) -> () = |tx| tx.update_run(*run, text);
    write insert_run_page(id: RepositoryId, run: i64, page: StoredPage) -> ()
        = |tx| tx.insert_run_page(*id, *run, page);
    write prune_runs(id: RepositoryId, keep: usize) -> () = |tx| tx.prune_runs(*id, *keep);
    write append_events(at: Timestamp, events: Vec<NewEvent>) -> ()
        = |tx| tx.append_events(*at, events);
    write forget_events(seqs: Vec<i64>) -> () = |tx| tx.forget_events(seqs);
    write drop_events(destination: String, before: Timestamp, limit: usize) -> u64
        = |tx| tx.drop_events(destination, *before, *limit);
    write put_tag(id: RepositoryId, tag: ImageTag, digest: Digest, tagged_at: Timestamp, seq: i64)
        -> () = |tx| tx.put_tag(*id, tag, digest, *tagged_at, *seq);
    write delete_tag(id: RepositoryId, tag: ImageTag) -> () = |tx| tx.delete_tag(*id, tag);
    write record_pull(id: RepositoryId, digest: Digest, at: Timestamp) -> ()
        = |tx| tx.record_pull(*id, digest, *at);
    write set_image_status(id: RepositoryId, digest: Digest, status: ImageStatus, at: Timestamp)
        -> () = |tx| tx.set_image_status(*id, digest, *status, *at);
    write link_blob(id: RepositoryId, digest: Digest, key: BlobKey, now: Timestamp) -> ()
        = |tx| tx.link_blob(*id, digest, key, *now);
    write touch_link(id: RepositoryId, digest: Digest, now: Timestamp) -> ()
        = |tx| tx.touch_link(*id, digest, *now);
    write unlink_blob(id: RepositoryId, digest: Digest, before: Timestamp) -> bool
        = |tx| tx.unlink_blob(*id, digest, *before);
    write insert_upload(upload: Upload) -> () = |tx| tx.insert_upload(upload);
    write update_upload(upload: Upload) -> bool = |tx| tx.update_upload(upload);
    write delete_upload(id: UploadId) -> bool = |tx| tx.delete_upload(id);
    write insert_garbage(key: BlobKey, size_bytes: u64) -> ()
        = |tx| tx.insert_garbage(key, *size_bytes);
    write delete_garbage(keys: Vec<BlobKey>) -> () = |tx| tx.delete_garbage(keys);
    write insert_access_key(key: AccessKey) -> bool = |tx| tx.insert_access_key(key);
    write disable_access_key(id: String, at: Timestamp) -> bool
        = |tx| tx.disable_access_key(id, *at);
    write claim_lease(name: String, holder: String, now: Timestamp, until: Timestamp) -> bool
        = |tx| tx.claim_lease(name, holder, *now, *until);
    write release_lease(name: String, holder: String) -> () = |tx| tx.release_lease(name, holder);
}
