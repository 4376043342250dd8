//! The images of a repository, read in pages from one snapshot and prepared for policies.

use roadstead_domain::ids::RepositoryId;
use roadstead_domain::lifecycle::images::{ImageFacts, Images};
use roadstead_domain::lifecycle::policy::LifecyclePolicy;
use roadstead_store::metadata::{
    ImageNumber, IndexMember, LifecycleImage, MetadataRead, StoreError,
};

/// Images, or entries of indexes, in one page.
const PAGE_ROWS: usize = 2_000;

/// The images of a repository, once for each policy.
pub(super) async fn load<R>(
    tx: &mut R,
    repository: RepositoryId,
    policies: &[LifecyclePolicy],
) -> Result<Vec<Images>, StoreError>
where
    R: MetadataRead + ?Sized,
{
    let mut prepared: Vec<Images> = policies.iter().map(Images::new).collect();
    let mut numbers: Vec<ImageNumber> = Vec::new();
    loop {
        let page = tx
            .lifecycle_images(repository, numbers.last().copied(), PAGE_ROWS)
            .await?;
        for image in &page {
            numbers.push(image.number);
            with_facts(image, |facts| {
                for images in &mut prepared {
                    images.push(facts);
                }
            });
        }
        if page.len() < PAGE_ROWS {
            break;
        }
    }
    let mut after: Option<IndexMember> = None;
    loop {
        let page = tx
            .index_members(repository, after.as_ref(), PAGE_ROWS)
            .await?;
        for member in &page {
            // Places count up with the numbers.
            let Ok(place) = numbers.binary_search(&member.index) else {
                continue;
            };
            for images in &mut prepared {
                images.list_member(place as u32, member.child.as_str());
            }
        }
        let is_full = page.len() == PAGE_ROWS;
        after = page.into_iter().next_back();
        if !is_full {
            return Ok(prepared);
        }
    }
}

/// Shows an image to the engine.
pub(super) fn with_facts<T>(image: &LifecycleImage, see: impl FnOnce(&ImageFacts<'_>) -> T) -> T {
    let tags: Vec<&str> = image.tags.iter().map(|tag| tag.as_str()).collect();
    see(&ImageFacts {
        name: image.digest.as_str(),
        tags: &tags,
        status: image.status,
        pushed_at: image.pushed_at,
        push_seq: image.push_seq,
        last_pulled_at: image.last_pulled_at,
        archived_at: image.archived_at,
        activated_at: image.activated_at,
        orphaned_at: image.orphaned_at,
        subject: image.subject.as_ref().map(|subject| subject.as_str()),
    })
}
