//! The certificate that a server shows, which can be replaced while it runs.
//!
//! TLS 1.2 and 1.3, `h2` and `http/1.1` by ALPN. Where the files are and when they are read again
//! is not known here. Must never show a part of a key in an error.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use thiserror::Error;

/// Why a certificate cannot be shown.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum Unfit {
    /// The text has no certificate.
    #[error("there is no certificate in PEM (\"-----BEGIN CERTIFICATE-----\") in it")]
    NoCertificate,
    /// A certificate cannot be read.
    #[error("a certificate in it is broken")]
    BrokenCertificate,
    /// The text has no private key.
    #[error("there is no private key in PEM (PKCS #8, PKCS #1 or SEC 1, not encrypted) in it")]
    NoKey,
    /// The key cannot be used.
    #[error("the private key is of a kind that is not supported")]
    UnknownKey,
    /// The key is another one's.
    #[error("the private key does not belong to the first certificate")]
    Mismatch,
    /// The library has no protocol in common with these settings.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// A certificate with its key, and how TLS is spoken with it.
#[derive(Debug, Clone)]
pub struct Certificates {
    config: Arc<ServerConfig>,
    shown: Arc<Shown>,
}

/// What the next handshake shows.
struct Shown(RwLock<Arc<CertifiedKey>>);

impl Certificates {
    /// Shows the chain, own certificate first, with its key, both in PEM.
    ///
    /// # Errors
    ///
    /// One of them is not what it should be, or they do not belong together.
    pub fn new(chain: &[u8], key: &[u8]) -> Result<Self, Unfit> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let certified = certified(chain, key, &provider)?;
        let shown = Arc::new(Shown(RwLock::new(Arc::new(certified))));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Unfit::Setup(error.to_string()))?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            shown,
        })
    }

    /// Shows another one from the next handshake on; connections that stand go on.
    ///
    /// # Errors
    ///
    /// As [`Certificates::new`]; then the one before stays.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), Unfit> {
        let certified = certified(chain, key, self.config.crypto_provider())?;
        let mut shown = self.shown.0.write().unwrap_or_else(PoisonError::into_inner);
        *shown = Arc::new(certified);
        Ok(())
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }
}

fn certified(chain: &[u8], key: &[u8], provider: &CryptoProvider) -> Result<CertifiedKey, Unfit> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
        .collect::<Result<_, _>>()
        .map_err(|_| Unfit::BrokenCertificate)?;
    if chain.is_empty() {
        return Err(Unfit::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Unfit::NoKey)?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => Unfit::Mismatch,
        rustls::Error::InvalidCertificate(_) => Unfit::BrokenCertificate,
        _ => Unfit::UnknownKey,
    })
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(shown.clone())
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["registry.example".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn refused(chain: &str, key: &str) -> Unfit {
        let (good, its_key) = made();
        let shown = Certificates::new(good.as_bytes(), its_key.as_bytes()).unwrap();
        let replaced = shown.replace(chain.as_bytes(), key.as_bytes());
        let new = Certificates::new(chain.as_bytes(), key.as_bytes());
        let unfit = new.unwrap_err();
        assert_eq!(replaced, Err(unfit.clone()));
        unfit
    }

    #[test]
    fn what_is_unfit_is_named() {
        let ((chain, key), (_, other)) = (made(), made());
        assert_eq!(refused("", &key), Unfit::NoCertificate);
        assert_eq!(refused(&key, &key), Unfit::NoCertificate);
        assert_eq!(refused(&chain, ""), Unfit::NoKey);
        assert_eq!(refused(&chain, &chain), Unfit::NoKey);
        assert_eq!(refused(&chain, &other), Unfit::Mismatch);
        let cut = &chain[..chain.len() / 2];
        assert_eq!(refused(cut, &key), Unfit::BrokenCertificate);
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(refused(garbage, &key), Unfit::BrokenCertificate);
    }
}
