//! Rows against rows, each page within one snapshot.

use roadstead_domain::ids::RepositoryId;
use roadstead_store::metadata::{InspectedRepository, MetadataRead, Needer, StoreError};

use super::finding::{Finding, Kind};
use super::{Examination, Stage, verdicts};
use crate::error::Error;

/// Images of a page: each may have a manifest of 4 MiB.
const IMAGES: usize = 16;
/// Tags or links of a page.
const ROWS: usize = 500;

type Stepped = Result<(Stage, Vec<Finding>), Error>;

fn place(repository: &InspectedRepository) -> String {
    let InspectedRepository {
        account,
        region,
        name,
        ..
    } = repository;
    let parts = [account, region, name].into_iter();
    let parts: Vec<&str> = parts
        .map(String::as_str)
        .filter(|p| !p.is_empty())
        .collect();
    parts.join("/")
}

/// Whether the rows of a repository still say anything.
async fn is_whole(tx: &mut dyn MetadataRead, id: RepositoryId) -> Result<bool, StoreError> {
    let found = tx.inspected_repository(id).await?;
    Ok(found.is_some_and(|repository| !repository.is_reaped))
}

impl Examination<'_> {
    pub(super) async fn next_repository(&mut self, after: RepositoryId) -> Stepped {
        let page = self
            .registry
            .metadata
            .survey(after, |tx, after| {
                Box::pin(async move { Ok::<_, Error>(tx.inspected_repositories(*after, 1).await?) })
            })
            .await?;
        let next = match page.into_iter().next() {
            None => Stage::Blobs(String::new(), std::collections::VecDeque::new()),
            Some(repository) => {
                self.looked.repositories += 1;
                Stage::Images(repository, String::new())
            }
        };
        Ok((next, Vec::new()))
    }

    pub(super) async fn images(
        &mut self,
        repository: InspectedRepository,
        after: String,
    ) -> Stepped {
        let page = self
            .registry
            .metadata
            .survey((repository.id, after), |tx, (id, after)| {
                Box::pin(async move {
                    match is_whole(tx, *id).await? {
                        true => Ok::<_, Error>(tx.inspected_images(*id, after, IMAGES).await?),
                        false => Ok(Vec::new()),
                    }
                })
            })
            .await?;
        self.looked.images += page.len() as u64;
        let place = place(&repository);
        let mut found = Vec::new();
        for image in &page {
            for (kind, detail) in verdicts::image(image) {
                let subject = format!("image {place}@{}", image.digest);
                let mut finding = Finding::new(kind, subject, detail);
                if kind != Kind::TagCountWrong {
                    finding.images.push(Needer {
                        repository: place.clone(),
                        digest: image.digest.clone(),
                        tags: image.tags.clone(),
                    });
                }
                found.push(finding);
            }
        }
        let next = match page.into_iter().nth(IMAGES - 1) {
            Some(last) => Stage::Images(repository, last.digest),
            None => Stage::Tags(repository, String::new()),
        };
        Ok((next, found))
    }

    pub(super) async fn tags(&mut self, repository: InspectedRepository, after: String) -> Stepped {
        let page = self
            .registry
            .metadata
            .survey((repository.id, after), |tx, (id, after)| {
                Box::pin(async move {
                    match is_whole(tx, *id).await? {
                        true => Ok::<_, Error>(tx.inspected_tags(*id, after, ROWS).await?),
                        false => Ok(Vec::new()),
                    }
                })
            })
            .await?;
        let mut found = Vec::new();
        for row in &page {
            if let Some((kind, detail)) = verdicts::tag(repository.id, row) {
                let subject = format!("tag {}:{}", place(&repository), row.tag);
                found.push(Finding::new(kind, subject, detail));
            }
        }
        let next = match page.into_iter().nth(ROWS - 1) {
            Some(last) => Stage::Tags(repository, last.tag),
            None => Stage::Links(repository, String::new()),
        };
        Ok((next, found))
    }

    pub(super) async fn links(
        &mut self,
        repository: InspectedRepository,
        after: String,
    ) -> Stepped {
        let page = self
            .registry
            .metadata
            .survey((repository.id, after), |tx, (id, after)| {
                Box::pin(async move {
                    match is_whole(tx, *id).await? {
                        true => Ok::<_, Error>(tx.inspected_links(*id, after, ROWS).await?),
                        false => Ok(Vec::new()),
                    }
                })
            })
            .await?;
        let mut found = Vec::new();
        for row in &page {
            for (kind, detail) in verdicts::link(row) {
                let subject = format!("link {}@{}", place(&repository), row.digest);
                let mut finding = Finding::new(kind, subject, detail);
                if kind == Kind::LinkAstray {
                    finding.images = self.needers(&row.key).await?;
                }
                found.push(finding);
            }
        }
        let next = match page.into_iter().nth(ROWS - 1) {
            Some(last) => Stage::Links(repository, last.digest),
            None => Stage::Repositories(repository.id),
        };
        Ok((next, found))
    }
}
