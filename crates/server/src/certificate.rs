//! The files of the certificate: read at the start, and again when they change or SIGHUP asks.
//!
//! A file that is no good changes nothing and says so. Must never keep a key longer than it takes
//! to read it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use roadstead_http::server::Certificates;
use tokio::signal::unix::Signal;
use zeroize::Zeroizing;

use crate::config::Tls;

/// A certificate that is kept as its files have it.
#[derive(Debug)]
pub struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    /// The state of the files when they were last read.
    stamp: Stamp,
    shown: Certificates,
}

/// What changes when a file is written, replaced or made readable; none while it cannot be seen.
type Stamp = [Option<(u64, u64, u64, i64, i64)>; 2];

impl Certificate {
    /// Reads the files of the settings, if they name any.
    ///
    /// # Errors
    ///
    /// They cannot be read, or cannot be shown.
    pub fn open(tls: &Tls) -> Result<Option<Self>> {
        let (Some(chain), Some(key)) = (&tls.certificate, &tls.key) else {
            return Ok(None);
        };
        let stamp = stamp(chain, key);
        let shown = with_files(chain, key, |chain, key| Ok(Certificates::new(chain, key)?))?;
        Ok(Some(Self {
            chain: chain.clone(),
            key: key.clone(),
            stamp,
            shown,
        }))
    }

    /// What connections are shown.
    pub fn shown(&self) -> Certificates {
        self.shown.clone()
    }

    /// Reads the files again if they have changed, or in any case.
    fn renew(&mut self, is_asked: bool) {
        let stamp = stamp(&self.chain, &self.key);
        if stamp == self.stamp && !is_asked {
            return;
        }
        self.stamp = stamp;
        let replaced = with_files(&self.chain, &self.key, |chain, key| {
            Ok(self.shown.replace(chain, key)?)
        });
        let certificate = self.chain.display();
        match replaced {
            Ok(()) => tracing::info!(%certificate, "the certificate was read again"),
            Err(error) => tracing::error!(
                "the certificate was not read again, the one before stays: {error:#}"
            ),
        }
    }
}

fn with_files<T>(
    chain: &Path,
    key: &Path,
    make: impl FnOnce(&[u8], &[u8]) -> Result<T>,
) -> Result<T> {
    let read = |name: &str, path: &Path| {
        fs::read(path).with_context(|| format!("reading tls.{name} {}", path.display()))
    };
    let (chain_text, key_text) = (
        read("certificate", chain)?,
        Zeroizing::new(read("key", key)?),
    );
    make(&chain_text, &key_text).with_context(|| {
        let (chain, key) = (chain.display(), key.display());
        format!("tls.certificate {chain} with tls.key {key}")
    })
}

fn stamp(chain: &Path, key: &Path) -> Stamp {
    [chain, key].map(|path| {
        let found = fs::metadata(path).ok()?;
        let (seconds, nanoseconds) = (found.ctime(), found.ctime_nsec());
        Some((found.dev(), found.ino(), found.size(), seconds, nanoseconds))
    })
}

/// Keeps a certificate as its files have it; every SIGHUP is a reason to read them. Never ends.
pub async fn keep(certificate: Option<Certificate>, every: Duration, mut hangups: Signal) {
    let Some(mut certificate) = certificate else {
        // Unheard, the signal would end the process.
        loop {
            hangups.recv().await;
            tracing::info!("SIGHUP: there is no certificate to read again");
        }
    };
    loop {
        let is_asked = tokio::select! {
            _ = hangups.recv() => true,
            () = tokio::time::sleep(every) => false,
        };
        // Files may be far away.
        let renewed = tokio::task::spawn_blocking(move || {
            certificate.renew(is_asked);
            certificate
        });
        certificate = match renewed.await {
            Ok(certificate) => certificate,
            Err(_) => return,
        };
    }
}
