//! Certificates for a server under test, in files.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

/// A folder with a certificate for 127.0.0.1 and its key, which clients trust as it is.
pub struct Pki {
    folder: TempDir,
}

impl Pki {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let pki = Self { folder };
        pki.renew();
        pki
    }

    /// Puts a new certificate and key in place of those before.
    pub fn renew(&self) {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        fs::write(self.key(), made.signing_key.serialize_pem()).expect("a key");
        fs::write(self.certificate(), made.cert.pem()).expect("a certificate");
    }

    /// A folder that clients of containers take certificates of authorities from.
    pub fn folder_of_authorities(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::copy(self.certificate(), folder.path().join("ca.crt")).expect("a copy");
        folder
    }

    /// A copy of the certificate as it is now.
    pub fn copy(&self, name: &str) -> PathBuf {
        let copy = self.folder.path().join(name);
        fs::copy(self.certificate(), &copy).expect("a copy");
        copy
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }
}
