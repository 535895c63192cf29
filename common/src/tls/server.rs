//! The certificate that a server shows, kept fresh while it runs: one of our own authority is renewed after two thirds of its
//! life, one out of files is read again when they change. A new one that cannot be used leaves the old one in place.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::authority::Authority;
use super::{TlsError, certificates, provider};
use crate::clock;

/// A file's age is two system calls; who replaced a certificate watches for it.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Signing is a matter of microseconds, so what failed may as well wait.
const TRY_AGAIN_AFTER: chrono::TimeDelta = chrono::TimeDelta::minutes(1);

/// Where the certificate comes from.
pub enum Source {
    Own { authority: Arc<Authority>, names: Vec<String> },
    Files(Files),
}

/// A certificate that somebody else renews.
#[derive(Debug, Clone)]
pub struct Files {
    /// The certificate, and those between it and its authority, in PEM.
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Of an authority that clients do not know by themselves, in PEM; shown behind the others.
    pub authority: Option<PathBuf>,
}

/// See the module.
pub struct ServerTls {
    source: Source,
    shown: Arc<Shown>,
    acceptor: TlsAcceptor,
    next: Mutex<Next>,
}

/// When to look for another certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Next {
    At(DateTime<Utc>),
    /// When the files are others than these: how old they are.
    Changed(Vec<Option<SystemTime>>),
}

#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl ServerTls {
    /// With `clients`, who connects may show a certificate of these authorities; whoever shows another one, or one that has
    /// expired, is refused, and whoever shows none comes in.
    ///
    /// # Errors
    /// If there is no usable certificate.
    pub fn new(source: Source, clients: Option<RootCertStore>, now: DateTime<Utc>) -> Result<Self, TlsError> {
        let (key, next) = load(&source, now)?;
        let shown = Arc::new(Shown(RwLock::new(Arc::new(key))));
        let config = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let config = match clients.map(Arc::new) {
            Some(roots) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider())
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| rustls::Error::General(error.to_string()))?;
                config.with_client_cert_verifier(verifier)
            }
            None => config.with_no_client_auth(),
        };
        let mut config = config.with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { source, shown, acceptor: TlsAcceptor::from(Arc::new(config)), next: Mutex::new(next) })
    }

    pub(crate) const fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Keeps the certificate fresh until `stop`.
    ///
    /// # Errors
    /// None; the type fits a lifecycle stage.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                // We stop.
                () = stop.cancelled() => return Ok(()),
                // Time to look.
                _ = looks.tick() => self.refresh(clock::now()),
            }
        }
    }

    /// Takes another certificate if one is due.
    pub fn refresh(&self, now: DateTime<Utc>) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let due = match (&*next, &self.source) {
            (Next::At(at), _) => *at <= now,
            (Next::Changed(ages), Source::Files(files)) => *ages != files.ages(),
            (Next::Changed(_), Source::Own { .. }) => true,
        };
        if !due {
            return;
        }
        match load(&self.source, now) {
            Ok((key, then)) => {
                *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                *next = then;
                info!("The server shows a new certificate");
            }
            Err(error) => {
                warn!("The old certificate stays: {:#}", anyhow::Error::new(error));
                *next = match &self.source {
                    Source::Own { .. } => Next::At(now + TRY_AGAIN_AFTER),
                    // Until they change again.
                    Source::Files(files) => Next::Changed(files.ages()),
                };
            }
        }
    }
}

fn load(source: &Source, now: DateTime<Utc>) -> Result<(CertifiedKey, Next), TlsError> {
    match source {
        Source::Own { authority, names } => {
            authority.server(names, now).map(|(key, renew_at)| (key, Next::At(renew_at)))
        }
        Source::Files(files) => {
            // Before reading: what is replaced meanwhile is read again.
            let ages = files.ages();
            files.load().map(|key| (key, Next::Changed(ages)))
        }
    }
}

impl Files {
    /// Whether a server can show them now.
    ///
    /// # Errors
    /// The file that cannot be used.
    pub fn check(&self) -> Result<(), TlsError> {
        self.load().map(drop)
    }

    fn load(&self) -> Result<CertifiedKey, TlsError> {
        let path = self.certificate.display().to_string();
        let mut chain = certificates(&read(&self.certificate)?, &path)?;
        if let Some(authority) = &self.authority {
            let last = certificates(&read(authority)?, &authority.display().to_string())?;
            chain.extend(last.into_iter().filter(|certificate| !chain.contains(certificate)).collect::<Vec<_>>());
        }
        let key_path = self.key.display().to_string();
        let key = PrivateKeyDer::from_pem_slice(read(&self.key)?.as_bytes())
            .map_err(|_| TlsError::Pem { what: "private key", path: key_path.clone() })?;
        CertifiedKey::from_der(chain, key, &provider()).map_err(|source| TlsError::Pair {
            certificate: path,
            key: key_path,
            source,
        })
    }

    fn ages(&self) -> Vec<Option<SystemTime>> {
        let age = |path: &PathBuf| std::fs::metadata(path).and_then(|found| found.modified()).ok();
        [Some(&self.certificate), Some(&self.key), self.authority.as_ref()].into_iter().flatten().map(age).collect()
    }
}

fn read(path: &PathBuf) -> Result<String, TlsError> {
    std::fs::read_to_string(path).map_err(|source| TlsError::File {
        what: "read",
        path: path.display().to_string(),
        source,
    })
}
