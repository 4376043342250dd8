//! Layer availability and download links of the ECR API (ecr.md 6.5).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roadstead_domain::digest::Digest;
use roadstead_domain::name::RepositoryKey;
use roadstead_domain::time::Timestamp;
use roadstead_store::metadata::{BlobLink, MetadataWrite, StoreError};

use crate::Registry;
use crate::access::Authorized;
use crate::context::RequestContext;
use crate::error::{Error, Place};
use crate::keyring::Purpose;
use crate::loading;
use crate::pull::{SeenBlob, seen};

/// What is known of one digest that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// The repository holds it.
    Available(BlobLink),
    /// A digest that the repository does not hold.
    Unavailable(String),
    /// An empty text.
    Missing,
    /// Not a digest.
    Invalid(String),
}

/// The content of a download link, opened.
#[derive(Debug, Clone)]
pub struct Download {
    /// The repository that it was made for.
    pub key: RepositoryKey,
    /// The link to the blob.
    pub link: BlobLink,
}

/// Why a download link is not followed.
#[derive(Debug)]
pub enum LinkRefusal {
    /// It does not open, is over, or its blob is gone.
    Invalid,
    /// It could not be looked up; says nothing about the link.
    Failed(Error),
}

impl Registry {
    /// Which of the digests the repository holds. Being told "available" renews the grace of an
    /// unreferenced blob (F02); whether the caller sees such blobs comes with the repository.
    pub async fn layer_availability(
        &self,
        context: &RequestContext,
        (key, sees_unreferenced): (Authorized<RepositoryKey>, bool),
        digests: Vec<String>,
    ) -> Result<Vec<Availability>, Error> {
        let input = (key.into_inner(), digests, sees_unreferenced);
        let mut found = self
            .metadata
            .read(input, |tx, (key, digests, sees_all)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?.id;
                    let mut found = Vec::with_capacity(digests.len());
                    for digest in digests {
                        found.push(match Digest::parse(digest) {
                            _ if digest.is_empty() => Availability::Missing,
                            Err(_) => Availability::Invalid(digest.clone()),
                            Ok(parsed) => {
                                let found = seen(tx, repository, &parsed).await?;
                                match found.and_then(|found| found.link_for(*sees_all)) {
                                    Some(link) => Availability::Available(link),
                                    None => Availability::Unavailable(digest.clone()),
                                }
                            }
                        });
                    }
                    Ok::<_, Error>(found)
                })
            })
            .await?;
        for one in &mut found {
            if let Availability::Available(link) = one
                && !self.has_bytes(link).await?
            {
                *one = Availability::Unavailable(link.digest.to_string());
            }
        }
        let needs_touch = |one: &Availability| matches!(one, Availability::Available(link) if self.needs_touch(link, context.now));
        if !found.iter().any(needs_touch) {
            return Ok(found);
        }
        self.metadata
            .write((found, context.now), |tx, (found, now)| {
                Box::pin(async move { Ok(touch_all(tx, found, *now).await?) })
            })
            .await
    }

    /// The text of a link to a layer that some image of the repository refers to.
    pub async fn download_link(
        &self,
        context: &RequestContext,
        key: Authorized<RepositoryKey>,
        digest: String,
    ) -> Result<(Digest, String), Error> {
        let key = key.into_inner();
        let place = Place::from(&key);
        let not_found = |digest: &str| Error::LayerNotFound {
            digest: digest.into(),
            place: place.clone(),
        };
        let parsed = Digest::parse(&digest);
        let link = self
            .metadata
            .read((key.clone(), parsed.clone().ok()), |tx, (key, digest)| {
                Box::pin(async move {
                    let repository = loading::repository(tx, key).await?.id;
                    match digest {
                        Some(digest) => Ok::<_, Error>(seen(tx, repository, digest).await?),
                        None => Ok(None),
                    }
                })
            })
            .await?;
        let SeenBlob { link, is_in_image } = link.ok_or_else(|| not_found(&digest))?;
        if !is_in_image {
            return Err(Error::LayerInaccessible {
                digest: link.digest,
                place,
            });
        }
        let until = (context.now + self.rules.download_lifetime).0;
        let region = key.region.as_ref().map(ToString::to_string);
        let plain = serde_json::json!([
            key.account.as_str(),
            region,
            key.name.as_str(),
            link.digest.as_str(),
            until
        ]);
        let mut nonce = [0; 12];
        self.ids.fill(&mut nonce);
        let sealed = self
            .keyring
            .seal(Purpose::Download, nonce, plain.to_string().as_bytes());
        Ok((link.digest, URL_SAFE_NO_PAD.encode(sealed)))
    }

    /// Opens a download link. Whatever is wrong with it, the answer is the same.
    pub async fn open_download(&self, text: &str, now: Timestamp) -> Result<Download, LinkRefusal> {
        let invalid = || LinkRefusal::Invalid;
        let sealed = URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        let opened = self.keyring.open(Purpose::Download, &sealed);
        let plain = opened.map_err(|_| invalid())?;
        let (key, digest, until) = parse_download(&plain).ok_or_else(invalid)?;
        if now > until {
            return Err(invalid());
        }
        let link = self
            .metadata
            .read((key.clone(), digest), |tx, (key, digest)| {
                Box::pin(async move {
                    match tx.repository(key).await? {
                        Some(found) => Ok::<_, Error>(seen(tx, found.id, digest).await?),
                        None => Ok(None),
                    }
                })
            })
            .await
            .map_err(LinkRefusal::Failed)?;
        let seen = link.filter(|seen| seen.is_in_image);
        Ok(Download {
            key,
            link: seen.ok_or_else(invalid)?.link,
        })
    }
}

fn parse_download(plain: &[u8]) -> Option<(RepositoryKey, Digest, Timestamp)> {
    use roadstead_domain::ids::{AccountId, Region};
    use roadstead_domain::name::RepositoryName;
    let (account, region, name, digest, until): (String, String, String, String, i64) =
        serde_json::from_slice(plain).ok()?;
    let (account, region) = (
        AccountId::parse(&account).ok()?,
        Region::parse(&region).ok()?,
    );
    let key = RepositoryKey::private(account, region, RepositoryName::parse(&name).ok()?);
    Some((key, Digest::parse(&digest).ok()?, Timestamp(until)))
}

async fn touch_all(
    tx: &mut dyn MetadataWrite,
    found: &[Availability],
    now: Timestamp,
) -> Result<Vec<Availability>, StoreError> {
    let mut touched = Vec::with_capacity(found.len());
    for one in found {
        touched.push(match one {
            Availability::Available(link) => {
                tx.touch_link(link.repository, &link.digest, now).await?;
                match tx.blob_link(link.repository, &link.digest).await? {
                    Some(link) => Availability::Available(link),
                    None => Availability::Unavailable(link.digest.to_string()),
                }
            }
            other => other.clone(),
        });
    }
    Ok(touched)
}
