//! Which endpoint of the OCI distribution API a path names: pure.
//!
//! Repository names hold slashes and may look like endpoints, so paths are read from the right.
//! Each segment is decoded once; nothing is normalised, so `a/../b` is a bad name, never `b`.

use std::borrow::Cow;

use roadstead_domain::name::RepositoryName;

use super::percent::decode;

/// An endpoint. References, digests and upload ids are decoded text, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `/v2/`
    Base,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/<name>/tags/list`
    Tags(RepositoryName),
    /// `/v2/<name>/manifests/<reference>`
    Manifest(RepositoryName, String),
    /// `/v2/<name>/blobs/<digest>`
    Blob(RepositoryName, String),
    /// `/v2/<name>/blobs/uploads/`
    Uploads(RepositoryName),
    /// `/v2/<name>/blobs/uploads/<id>`
    Upload(RepositoryName, String),
    /// `/v2/<name>/referrers/<digest>`
    Referrers(RepositoryName, String),
}

/// A path that names no endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRoute {
    /// Nothing like it exists.
    Unknown,
    /// An endpoint of something that cannot be a repository.
    InvalidName(String),
}

impl Route {
    /// Reads a raw path that starts with `/v2`.
    pub fn parse(path: &str) -> Result<Self, NoRoute> {
        let rest = match path.strip_prefix("/v2") {
            Some("" | "/") => return Ok(Self::Base),
            Some(rest) => rest.strip_prefix('/').ok_or(NoRoute::Unknown)?,
            None => return Err(NoRoute::Unknown),
        };
        let decoded: Vec<Cow<'_, str>>;
        let segments: Vec<&str> = if rest.contains('%') {
            let found: Option<_> = rest.split('/').map(decode).collect();
            decoded = found.ok_or_else(|| NoRoute::InvalidName(rest.into()))?;
            decoded.iter().map(Cow::as_ref).collect()
        } else {
            rest.split('/').collect()
        };
        match segments.as_slice() {
            ["_catalog"] => Ok(Self::Catalog),
            [name @ .., "tags", "list"] => Ok(Self::Tags(repository(name)?)),
            [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => {
                Ok(Self::Uploads(repository(name)?))
            }
            [.., ""] => Err(NoRoute::Unknown),
            [name @ .., "manifests", reference] => {
                Ok(Self::Manifest(repository(name)?, (*reference).into()))
            }
            [name @ .., "blobs", "uploads", id] => {
                Ok(Self::Upload(repository(name)?, (*id).into()))
            }
            [name @ .., "blobs", digest] => Ok(Self::Blob(repository(name)?, (*digest).into())),
            [name @ .., "referrers", digest] => {
                Ok(Self::Referrers(repository(name)?, (*digest).into()))
            }
            _ if segments.iter().any(|segment| is_hiding(segment)) => {
                Err(NoRoute::InvalidName(segments.join("/")))
            }
            _ => Err(NoRoute::Unknown),
        }
    }

    /// The repository that it is about.
    pub fn name(&self) -> Option<&RepositoryName> {
        match self {
            Self::Base | Self::Catalog => None,
            Self::Tags(name)
            | Self::Manifest(name, _)
            | Self::Blob(name, _)
            | Self::Uploads(name)
            | Self::Upload(name, _)
            | Self::Referrers(name, _) => Some(name),
        }
    }

    /// The methods that it has, for `Allow`.
    pub fn methods(&self) -> &'static str {
        match self {
            Self::Base | Self::Catalog | Self::Tags(_) | Self::Referrers(..) => "GET, HEAD",
            Self::Blob(..) => "GET, HEAD, DELETE",
            Self::Manifest(..) => "GET, HEAD, PUT, DELETE",
            Self::Uploads(_) => "POST",
            Self::Upload(..) => "GET, HEAD, PATCH, PUT, DELETE",
        }
    }
}

fn repository(segments: &[&str]) -> Result<RepositoryName, NoRoute> {
    if segments.is_empty() {
        return Err(NoRoute::Unknown);
    }
    let text = segments.join("/");
    // A slash that was encoded would join to a name that was never in the path.
    if segments.iter().any(|segment| segment.contains('/')) {
        return Err(NoRoute::InvalidName(text));
    }
    RepositoryName::parse(&text).map_err(|_| NoRoute::InvalidName(text))
}

/// Whether a segment tries to be more than one, or to walk.
fn is_hiding(segment: &str) -> bool {
    matches!(segment, "." | "..") || segment.contains(|c: char| c == '/' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(path: &str) -> String {
        match Route::parse(path) {
            Ok(Route::Base) => "base".into(),
            Ok(Route::Catalog) => "catalog".into(),
            Ok(Route::Tags(name)) => format!("tags of {name}"),
            Ok(Route::Manifest(name, reference)) => format!("manifest {reference} of {name}"),
            Ok(Route::Blob(name, digest)) => format!("blob {digest} of {name}"),
            Ok(Route::Uploads(name)) => format!("uploads of {name}"),
            Ok(Route::Upload(name, id)) => format!("upload {id} of {name}"),
            Ok(Route::Referrers(name, digest)) => format!("referrers {digest} of {name}"),
            Err(NoRoute::Unknown) => "unknown".into(),
            Err(NoRoute::InvalidName(_)) => "invalid name".into(),
        }
    }

    fn check(table: &[(&str, &str)]) {
        for (path, expected) in table {
            assert_eq!(shown(path), *expected, "{path}");
        }
    }

    #[test]
    fn endpoints() {
        check(&[
            ("/v2", "base"),
            ("/v2/", "base"),
            ("/v2/_catalog", "catalog"),
            ("/v2/team/app/tags/list", "tags of team/app"),
            ("/v2/team/app/manifests/v1", "manifest v1 of team/app"),
            ("/v2/app/blobs/sha256:ab", "blob sha256:ab of app"),
            ("/v2/app/blobs/uploads/", "uploads of app"),
            ("/v2/app/blobs/uploads", "uploads of app"),
            ("/v2/app/blobs/uploads/id", "upload id of app"),
            ("/v2/app/referrers/sha256:ab", "referrers sha256:ab of app"),
        ]);
    }

    #[test]
    fn b3_names_that_look_like_endpoints() {
        check(&[
            (
                "/v2/x/blobs/uploads/blobs/uploads/",
                "uploads of x/blobs/uploads",
            ),
            (
                "/v2/x/blobs/uploads/blobs/uploads/id",
                "upload id of x/blobs/uploads",
            ),
            (
                "/v2/x/blobs/uploads/manifests/v1",
                "manifest v1 of x/blobs/uploads",
            ),
            ("/v2/x/blobs/uploads/tags/list", "tags of x/blobs/uploads"),
            (
                "/v2/x/manifests/latest/manifests/v1",
                "manifest v1 of x/manifests/latest",
            ),
            (
                "/v2/x/tags/list/blobs/sha256:ab",
                "blob sha256:ab of x/tags/list",
            ),
            ("/v2/x/tags/list/tags/list", "tags of x/tags/list"),
            ("/v2/v2/v2/manifests/v1", "manifest v1 of v2/v2"),
            (
                "/v2/referrers/y/referrers/sha256:ab",
                "referrers sha256:ab of referrers/y",
            ),
            (
                "/v2/foo/blobs/bar/manifests/v1",
                "manifest v1 of foo/blobs/bar",
            ),
            ("/v2/_catalog/tags/list", "invalid name"),
        ]);
    }

    #[test]
    fn b1_b2_nothing_is_normalised() {
        check(&[
            ("/v2/../../etc/passwd/manifests/x", "invalid name"),
            ("/v2/a1/../b1/manifests/x", "invalid name"),
            ("/v2/a1/%2e%2e/b1/manifests/x", "invalid name"),
            ("/v2/a1/..%2fb1/manifests/x", "invalid name"),
            ("/v2/a1/%252e%252e/b1/manifests/x", "invalid name"),
            ("/v2/a1%2fb1/manifests/x", "invalid name"),
            ("/v2/a1%2fmanifests%2fx", "invalid name"),
            ("/v2//a1/manifests/x", "invalid name"),
            ("/v2/a1//manifests/x", "invalid name"),
            ("/v2/./a1/manifests/x", "invalid name"),
            ("/v2/a1\\b1/manifests/x", "invalid name"),
            ("/v2/A1/manifests/x", "invalid name"),
            ("/v2/a%00b/manifests/x", "invalid name"),
            ("/v2/a%0ab/manifests/x", "invalid name"),
            ("/v2/%C3%A9e/manifests/x", "invalid name"),
            ("/v2/a%zzb/manifests/x", "invalid name"),
            ("/v2/a%ffb/manifests/x", "invalid name"),
            ("/v2/a1/../b1/", "unknown"),
            ("/v2/..", "invalid name"),
        ]);
        let long = |characters| format!("/v2/{}/tags/list", "a".repeat(characters));
        assert_eq!(shown(&long(257)), "invalid name");
        assert_ne!(shown(&long(256)), "invalid name");
    }

    #[test]
    fn b5_an_encoded_colon_is_a_colon() {
        check(&[
            ("/v2/app/blobs/sha256%3Aab", "blob sha256:ab of app"),
            ("/v2/%61pp/manifests/v%31", "manifest v1 of app"),
        ]);
    }

    #[test]
    fn no_endpoint() {
        check(&[
            ("/v2/app", "unknown"),
            ("/v2/app/", "unknown"),
            ("/v2/tags/list", "unknown"),
            ("/v2/manifests/v1", "unknown"),
            ("/v2/blobs/uploads/", "unknown"),
            ("/v2/app/manifests/", "unknown"),
            ("/v2/app/blobs/", "unknown"),
            ("/v2/app/tags/list/", "unknown"),
            ("/v2/app/signatures/x", "unknown"),
            ("/v2x", "unknown"),
        ]);
    }
}
