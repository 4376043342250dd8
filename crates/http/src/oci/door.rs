//! Through which door a request to `/v2` came: that of private registries, or that of the public
//! one, which has a host of its own and on any other host a path of its own. Pure.
//!
//! A public path names a registry by its alias before the repository. Behind the door paths look
//! the same: [`Door::route`] is what `Route` reads.

use std::borrow::Cow;

use super::percent::decode;
use crate::Settings;
use crate::host::is_public_host;

/// A door, and the path behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door<'p> {
    /// Which one.
    pub kind: DoorKind,
    /// The path as seen behind the door; starts with `/v2`.
    pub route: Cow<'p, str>,
    /// What stands before it in addresses: `/v2`, or with the alias `/v2/<alias>`.
    pub base: Cow<'static, str>,
}

/// The doors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DoorKind {
    /// Private registries, and what container images are pushed to.
    Private,
    /// The public registry.
    Public {
        /// The part of the path that should be an alias; none if the path ends before it.
        alias: Option<String>,
        /// Whether it is the path on a host that is a private registry as well.
        is_shared: bool,
    },
}

impl<'p> Door<'p> {
    /// The door of a raw path that starts with `/v2`, on a host.
    pub fn of(settings: &Settings, authority: &str, path: &'p str) -> Self {
        let rest = path.strip_prefix("/v2").unwrap_or_default();
        if is_public_host(settings, authority) {
            return Self::public("/v2", rest, false);
        }
        let below = rest.strip_prefix('/');
        let below = below.and_then(|rest| rest.strip_prefix(settings.public_path.as_str()));
        match below {
            Some(below) if below.starts_with('/') => {
                Self::public(&format!("/v2/{}", settings.public_path), below, true)
            }
            _ => Self {
                kind: DoorKind::Private,
                route: path.into(),
                base: "/v2".into(),
            },
        }
    }

    fn public(base: &str, below: &str, is_shared: bool) -> Self {
        let segments = below.strip_prefix('/').unwrap_or_default();
        let (alias, route) = match segments.split_once('/') {
            Some((alias, rest)) => (Some(alias), format!("/v2/{rest}")),
            None if segments.is_empty() => (None, "/v2/".to_owned()),
            None => (None, format!("/v2/{segments}")),
        };
        let base = match alias {
            Some(alias) => format!("{base}/{alias}"),
            None => base.to_owned(),
        };
        Self {
            kind: DoorKind::Public {
                alias: alias.map(|text| decode(text).unwrap_or_default().into_owned()),
                is_shared,
            },
            route: route.into(),
            base: base.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use roadstead_domain::ids::{AccountId, Region};

    use super::*;

    fn settings() -> Settings {
        Settings {
            public_host: Some("127.0.0.1:5080".into()),
            ..Settings::new(
                AccountId::parse("123456789012").unwrap(),
                Region::parse("us-east-1").unwrap(),
            )
        }
    }

    #[test]
    fn doors() {
        let private = "private";
        for (host, path, kind, base, route) in [
            ("localhost:5080", "/v2/", private, "/v2", "/v2/"),
            (
                "localhost:5080",
                "/v2/a/tags/list",
                private,
                "/v2",
                "/v2/a/tags/list",
            ),
            (
                "localhost:5080",
                "/v2/public.ecr.aws",
                private,
                "/v2",
                "/v2/public.ecr.aws",
            ),
            (
                "localhost:5080",
                "/v2/public.ecr.aws/k5n6o2s4/team/app/tags/list",
                "shared k5n6o2s4",
                "/v2/public.ecr.aws/k5n6o2s4",
                "/v2/team/app/tags/list",
            ),
            ("127.0.0.1:5080", "/v2/", "public", "/v2", "/v2/"),
            ("127.0.0.1:5080", "/v2", "public", "/v2", "/v2/"),
            (
                "127.0.0.1:5080",
                "/v2/_catalog",
                "public",
                "/v2",
                "/v2/_catalog",
            ),
            (
                "127.0.0.1:5080",
                "/v2/k5n6o2s4/app/manifests/v1",
                "public k5n6o2s4",
                "/v2/k5n6o2s4",
                "/v2/app/manifests/v1",
            ),
            (
                "public.ecr.example:443",
                "/v2/docker/library/alpine/manifests/v1",
                "public docker",
                "/v2/docker",
                "/v2/library/alpine/manifests/v1",
            ),
            (
                "public.ecr.aws",
                "/v2/%zz/app/manifests/v1",
                "public ",
                "/v2/%zz",
                "/v2/app/manifests/v1",
            ),
        ] {
            let door = Door::of(&settings(), host, path);
            let shown = match &door.kind {
                DoorKind::Private => private.to_owned(),
                DoorKind::Public { alias, is_shared } => {
                    let kind = if *is_shared { "shared" } else { "public" };
                    alias
                        .as_ref()
                        .map_or(kind.into(), |alias| format!("{kind} {alias}"))
                }
            };
            let seen = (shown.as_str(), &*door.base, &*door.route);
            assert_eq!(seen, (kind, base, route), "{host} {path}");
        }
    }
}
