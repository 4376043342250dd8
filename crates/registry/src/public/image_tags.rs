//! Tags with their images, which only ECR Public lists (DescribeImageTags).

use roadstead_domain::limits::{PAGE_DEFAULT, PAGE_MAX};
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::reference::ImageTag;
use roadstead_store::metadata::TaggedImage;

use crate::Registry;
use crate::access::Authorized;
use crate::error::Error;
use crate::loading;
use crate::paging::{Page, PageRequest};

impl Registry {
    /// The tags of a repository by name, each with its image, in pages.
    pub async fn tagged_images(
        &self,
        key: Authorized<RepositoryKey>,
        request: &PageRequest,
    ) -> Result<Page<TaggedImage>, Error> {
        let scope = format!("image tags {key:?}");
        let limit = request.limit.unwrap_or(PAGE_DEFAULT).min(PAGE_MAX);
        let after = match &request.token {
            None => None,
            Some(token) => match self.open_cursor(&scope, token)?.as_slice() {
                [tag] => ImageTag::parse(tag).ok(),
                _ => None,
            },
        };
        let tagged = self
            .metadata
            .read(
                (key.into_inner(), after, limit + 1),
                |tx, (key, after, limit)| {
                    Box::pin(async move {
                        let repository = loading::repository(tx, key).await?.id;
                        let tagged = tx.tagged_images(repository, after.as_ref(), *limit);
                        Ok::<_, Error>(tagged.await?)
                    })
                },
            )
            .await?;
        let cursor = |last: &TaggedImage| vec![last.tag.to_string()];
        Ok(self.page(&scope, limit, tagged, cursor))
    }
}
