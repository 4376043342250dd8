//! Kept logins: one owner-only file each, sealed under the secret of whoever signed in, so that the
//! file alone is of no use, and other credentials never get it.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use roadstead_registry::context::Ids as _;
use roadstead_registry::keyring::{KeyRing, Purpose, RingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Login;
use super::aws::Credentials;
use super::place::{Place, folder};
use crate::ambient::SystemIds;

/// A login is not used in its last ten minutes, or in the last tenth of its life if that is less: a
/// push that begins with it should end with it.
const MARGIN_SECONDS: i64 = 600;

#[derive(Serialize, Deserialize)]
struct Kept {
    host: String,
    user: String,
    /// Seconds since the Unix epoch.
    kept_at: i64,
    expires_at: i64,
    /// The password, sealed, in hex.
    sealed: String,
}

fn home() -> Result<PathBuf> {
    Ok(folder("XDG_CACHE_HOME", ".cache")?.join("roadstead/logins"))
}

/// The file of a registry; who signs in, and for what, is in the seal.
fn file(host: &str) -> Result<PathBuf> {
    let name = hex::encode(Sha256::digest(host.as_bytes()));
    Ok(home()?.join(&name[..32]))
}

fn ring(place: &Place, credentials: &Credentials) -> Option<KeyRing> {
    let mut hash = Sha256::new();
    let token = credentials.session_token.as_ref();
    let parts = [
        "roadstead login",
        &place.url,
        &credentials.region,
        &credentials.access_key_id,
        &credentials.secret_access_key,
        token.map_or("", |token| token.as_str()),
        if place.is_public { "public" } else { "private" },
    ];
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let key = RingKey {
        id: 1,
        key: Zeroizing::new(hash.finalize().into()),
    };
    KeyRing::new(&[key])
}

fn is_good(kept: &Kept, now: i64) -> bool {
    let margin = MARGIN_SECONDS.min((kept.expires_at - kept.kept_at) / 10);
    // A clock that was set back says nothing about how old it is.
    kept.kept_at <= now && now < kept.expires_at - margin
}

/// The kept login of a registry, if it is good for these credentials. A file that cannot be read is
/// as good as none.
pub(super) fn find(place: &Place, credentials: &Credentials, now: i64) -> Option<Login> {
    let text = fs::read(file(&place.host).ok()?).ok()?;
    let kept: Kept = serde_json::from_slice(&text).ok()?;
    if !is_good(&kept, now) {
        return None;
    }
    let sealed = hex::decode(&kept.sealed).ok()?;
    let opened = ring(place, credentials)?
        .open(Purpose::Token, &sealed)
        .ok()?;
    Some(Login {
        user: kept.user,
        password: String::from_utf8(opened.to_vec()).ok()?,
        expires_at: kept.expires_at,
    })
}

/// Keeps a login. The file has its name once it is whole.
pub(super) fn keep(
    place: &Place,
    credentials: &Credentials,
    login: &Login,
    now: i64,
) -> Result<()> {
    let ids = SystemIds::default();
    let mut nonce = [0; 12];
    ids.fill(&mut nonce);
    let ring = ring(place, credentials).context("no key to seal with")?;
    let sealed = ring.seal(Purpose::Token, nonce, login.password.as_bytes());
    let kept = Kept {
        host: place.host.clone(),
        user: login.user.clone(),
        kept_at: now,
        expires_at: login.expires_at,
        sealed: hex::encode(sealed),
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(home()?)?;
    let path = file(&place.host)?;
    let staged = path.with_extension(hex::encode(nonce));
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&staged)
        .and_then(|mut file| file.write_all(serde_json::to_string(&kept)?.as_bytes()))
        .and_then(|()| fs::rename(&staged, &path));
    if written.is_err() {
        // Nobody looks at it again.
        let _ = fs::remove_file(&staged);
    }
    Ok(written?)
}

/// Forgets the kept login of a registry.
pub(super) fn erase(host: &str) -> Result<()> {
    match fs::remove_file(file(host)?) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// The registries that have a kept login, good or not, with the user of each.
pub(super) fn list() -> Result<Vec<(String, String)>> {
    let entries = match fs::read_dir(home()?) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut listed = Vec::new();
    for entry in entries {
        let text = fs::read(entry?.path()).unwrap_or_default();
        if let Ok(kept) = serde_json::from_slice::<Kept>(&text) {
            listed.push((kept.host, kept.user));
        }
    }
    listed.sort();
    listed.dedup();
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_good_until_shortly_before_its_end() {
        let good = |life: i64, now: i64| {
            let kept = Kept {
                host: String::new(),
                user: String::new(),
                kept_at: 1000,
                expires_at: 1000 + life,
                sealed: String::new(),
            };
            is_good(&kept, now)
        };
        assert!(good(43_200, 1000) && good(43_200, 1000 + 43_200 - 601));
        assert!(!good(43_200, 1000 + 43_200 - 600));
        assert!(good(60, 1000 + 53) && !good(60, 1000 + 54));
        assert!(!good(60, 999), "kept in the future");
    }
}
