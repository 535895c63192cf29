//! TLS as both binaries speak it: rustls with ring, and an authority of one's own where nobody bought certificates.
//!
//! ```text
//! authority ─ signs ─▶ server's certificate (in memory, renewed by itself) ─▶ server ─▶ serve
//!           └ signs ─▶ edges' certificates, for the requests that edges make (request)
//! ```

pub mod authority;
pub mod request;
pub mod server;

use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::config::ConfigError;
use crate::ids::EdgeId;

/// What a server's port speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Plain HTTP: on loopback, or behind a proxy that ends TLS.
    #[default]
    Off,
    /// TLS with a certificate of our own authority.
    Own,
    /// TLS with a certificate and key that somebody else keeps in files.
    Files,
}

/// What went wrong with a certificate or a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{what} {path}")]
    File { what: &'static str, path: String, source: std::io::Error },
    #[error("{path} holds no {what} in PEM")]
    Pem { what: &'static str, path: String },
    #[error("the certificate in {certificate} does not go with the key in {key}")]
    Pair { certificate: String, key: String, source: rustls::Error },
    #[error("{0} is no authority that SmartPick made")]
    Foreign(String),
    #[error("{0:?} is no name or address that a certificate can have")]
    Name(String),
    #[error("sign a certificate")]
    Sign(#[from] rcgen::Error),
    #[error("set up TLS")]
    Rustls(#[from] rustls::Error),
}

impl TlsError {
    /// The one file that it is about, if it is about one.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::File { path, .. } | Self::Pem { path, .. } => Some(path),
            _ => None,
        }
    }

    /// With its causes, as what is wrong with this key of a configuration.
    pub fn about(self, key: &str) -> ConfigError {
        ConfigError::of(key, format!("{:#}", anyhow::Error::new(self)))
    }
}

/// SHA-256 of a certificate: what people compare, and what pins it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

/// As browsers show it: `AB:CD:…`.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if index == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// The certificate that a client showed, checked against our authority; in a request's extensions.
#[derive(Debug, Clone)]
pub struct ClientCertificate(pub CertificateDer<'static>);

/// How an edge's certificate names it, as its subject alternative name.
pub fn edge_urn(edge: EdgeId) -> String {
    format!("urn:smartpick:edge:{edge}")
}

/// ring, which both binaries install for the whole process; named here so that tests need not.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The certificates in a PEM text.
///
/// # Errors
/// If there is none, or one cannot be read; `path` is for the message.
pub fn certificates(pem: &str, path: &str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let none = || TlsError::Pem { what: "certificate", path: path.to_owned() };
    read.ok().filter(|certificates| !certificates.is_empty()).ok_or_else(none)
}
