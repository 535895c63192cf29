//! A certificate authority of one's own: central's, which signs its own and its edges' certificates, and an edge's for
//! its page. Key and certificate are two files; who has the key can pretend to be the server.

use std::fs::DirBuilder;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use rand::RngCore as _;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use super::request::{EdgeKey, KeyHash};
use super::{Fingerprint, TlsError, certificates, edge_urn, provider};
use crate::durable;
use crate::ids::EdgeId;

const KEY_FILE: &str = "ca.key";
const CERTIFICATE_FILE: &str = "ca.crt";
/// An authority outlives the boxes: replacing it means to enrol them all again.
const AUTHORITY_LIFE: TimeDelta = TimeDelta::days(20 * 365);
/// What browsers and phones still take from an authority that their owner added.
const SERVER_LIFE: TimeDelta = TimeDelta::days(90);
/// Clocks of boxes are a little behind sometimes.
const BACKDATED_MAX: TimeDelta = TimeDelta::minutes(5);

/// See the module.
pub struct Authority {
    certificate: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate for an edge, and what is to be remembered of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    pub pem: String,
    pub fingerprint: Fingerprint,
    pub serial: [u8; 16],
    pub key_hash: KeyHash,
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
    /// When the edge is to ask for the next one.
    pub renew_at: DateTime<Utc>,
}

impl Authority {
    /// The one whose files are in `dir`, `None` if there are none.
    ///
    /// # Errors
    /// If they cannot be read, or only one of them is there.
    pub fn open(dir: &Path) -> Result<Option<Self>, TlsError> {
        let (key_path, certificate_path) = (dir.join(KEY_FILE), dir.join(CERTIFICATE_FILE));
        let there = |path: &Path| std::fs::symlink_metadata(path).is_ok();
        if !there(&key_path) && !there(&certificate_path) {
            return Ok(None);
        }
        let key = std::fs::read_to_string(&key_path).map_err(|source| file("read", &key_path, source))?;
        let pem =
            std::fs::read_to_string(&certificate_path).map_err(|source| file("read", &certificate_path, source))?;
        let shown = certificate_path.display().to_string();
        let certificate = certificates(&pem, &shown)?.swap_remove(0);
        let key = KeyPair::from_pem(&key)
            .map_err(|_| TlsError::Pem { what: "private key", path: key_path.display().to_string() })?;
        // A key of another authority would sign what nobody believes.
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        CertifiedKey::from_der(vec![certificate.clone()], der, &provider()).map_err(|source| TlsError::Pair {
            certificate: shown,
            key: key_path.display().to_string(),
            source,
        })?;
        let name =
            common_name(&certificate).ok_or_else(|| TlsError::Foreign(certificate_path.display().to_string()))?;
        Ok(Some(Self { certificate, pem, issuer: Issuer::new(params(&name), key) }))
    }

    /// Makes one and keeps it in `dir`.
    ///
    /// # Errors
    /// If the files cannot be written.
    pub fn make(dir: &Path, name: &str, now: DateTime<Utc>) -> Result<Self, TlsError> {
        let key = KeyPair::generate()?;
        let mut params = params(name);
        let (not_before, not_after) = validity(now, AUTHORITY_LIFE);
        (params.not_before, params.not_after) = (time(not_before), time(not_after));
        params.serial_number = Some(SerialNumber::from_slice(&serial()));
        let certificate = params.self_signed(&key)?;
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|source| file("make", dir, source))?;
        for (name, text, mode) in [(KEY_FILE, key.serialize_pem(), 0o600), (CERTIFICATE_FILE, certificate.pem(), 0o644)]
        {
            let path = dir.join(name);
            durable::write(&path, text.as_bytes(), mode).map_err(|source| file("write", &path, source))?;
        }
        let (pem, certificate) = (certificate.pem(), certificate.der().clone());
        Ok(Self { certificate, pem, issuer: Issuer::new(params, key) })
    }

    /// [`Authority::open`], and if there is none [`Authority::make`].
    ///
    /// # Errors
    /// Theirs.
    pub fn open_or_make(dir: &Path, name: &str, now: DateTime<Utc>) -> Result<Self, TlsError> {
        match Self::open(dir)? {
            Some(authority) => Ok(authority),
            None => Self::make(dir, name, now),
        }
    }

    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    pub fn pem(&self) -> &str {
        &self.pem
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }

    /// A certificate for a server under these names and addresses, with a fresh key and our own certificate behind it, so
    /// that who knows only our fingerprint can check it. Answers also when the next one is due.
    ///
    /// # Errors
    /// If a name is none.
    pub fn server(&self, names: &[String], now: DateTime<Utc>) -> Result<(CertifiedKey, DateTime<Utc>), TlsError> {
        let (certificate, key, renew_at) = self.sign_server(names, now)?;
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok((CertifiedKey::from_der(chain, key, &provider())?, renew_at))
    }

    pub(crate) fn sign_server(
        &self,
        names: &[String],
        now: DateTime<Utc>,
    ) -> Result<(Certificate, KeyPair, DateTime<Utc>), TlsError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(|name| subject(name)).collect::<Result<_, _>>()?;
        params.distinguished_name = named(names.first().map_or("SmartPick", String::as_str));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let (_, _, renew_at) = prepare(&mut params, &serial(), now, SERVER_LIFE);
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok((certificate, key, renew_at))
    }

    /// A certificate for an edge.
    ///
    /// # Errors
    /// If it cannot be signed.
    pub fn edge(&self, key: &EdgeKey, edge: EdgeId, now: DateTime<Utc>, life: TimeDelta) -> Result<Issued, TlsError> {
        let serial = serial();
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&format!("SmartPick edge {edge}"));
        let urn = edge_urn(edge).try_into().map_err(|_| TlsError::Name(edge.to_string()))?;
        params.subject_alt_names = vec![SanType::URI(urn)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let (not_before, not_after, renew_at) = prepare(&mut params, &serial, now, life);
        let certificate = params.signed_by(key, &self.issuer)?;
        Ok(Issued {
            pem: certificate.pem(),
            fingerprint: Fingerprint::of(certificate.der()),
            serial,
            key_hash: key.hash(),
            not_before,
            not_after,
            renew_at,
        })
    }
}

/// What all that we sign has in common. Answers from when to when it holds, and when to renew it: after two thirds.
fn prepare(
    params: &mut CertificateParams,
    serial: &[u8; 16],
    now: DateTime<Utc>,
    life: TimeDelta,
) -> (DateTime<Utc>, DateTime<Utc>, DateTime<Utc>) {
    let (not_before, not_after) = validity(now, life);
    (params.not_before, params.not_after) = (time(not_before), time(not_after));
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    (not_before, not_after, now + life * 2 / 3)
}

/// What all authorities that are called so have in common.
fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// What [`Authority::make`] called it, and nothing else: a subject of one common name.
fn common_name(certificate: &CertificateDer<'static>) -> Option<String> {
    /// The object identifier of a common name, and the tag of the text that follows.
    const COMMON_NAME: [u8; 6] = [0x06, 0x03, 0x55, 0x04, 0x03, 0x0c];
    let mut store = RootCertStore::empty();
    store.add(certificate.clone()).ok()?;
    let subject = store.roots.first()?.subject.to_vec();
    let at = subject.windows(COMMON_NAME.len()).position(|bytes| bytes == COMMON_NAME)? + COMMON_NAME.len();
    let (length, name) = subject.get(at..)?.split_first()?;
    // A second part would be forgotten.
    (usize::from(*length) == name.len()).then(|| String::from_utf8(name.to_vec()).ok())?
}

/// To the second, as certificates count.
fn validity(now: DateTime<Utc>, life: TimeDelta) -> (DateTime<Utc>, DateTime<Utc>) {
    let now = now.trunc_subsecs(0);
    (now - BACKDATED_MAX, now + life)
}

fn time(time: DateTime<Utc>) -> time::OffsetDateTime {
    // Outside of years that a certificate can say there is nothing of ours.
    time::OffsetDateTime::from_unix_timestamp(time.timestamp()).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

/// Random, so that it says nothing of how many there are; positive, as X.509 wants it.
fn serial() -> [u8; 16] {
    let mut serial = [0; 16];
    rand::rng().fill_bytes(&mut serial);
    serial[0] = serial[0] & 0x7f | 0x40;
    serial
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    // The most that a common name may have.
    named.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    named
}

/// Whether a certificate can have all these names and addresses.
///
/// # Errors
/// The first that it cannot have.
pub fn check_names(names: &[String]) -> Result<(), TlsError> {
    names.iter().try_for_each(|name| subject(name).map(drop))
}

fn subject(name: &str) -> Result<SanType, TlsError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let known = rustls::pki_types::DnsName::try_from(name).is_ok();
    let name = name.to_owned();
    let dns = name.clone().try_into().ok().filter(|_| known);
    dns.map(SanType::DnsName).ok_or(TlsError::Name(name))
}

fn file(what: &'static str, path: &Path, source: std::io::Error) -> TlsError {
    TlsError::File { what, path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::tls::request::{CertificateRequest, new_key};

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("in range")
    }

    fn edge() -> EdgeId {
        "366ed0a5-3794-5421-a05c-cd4828bbf97c".parse().expect("an id")
    }

    #[test]
    fn an_authority_is_made_once_and_its_key_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(Authority::open(dir.path()).expect("nothing there").is_none());
        let made = Authority::open_or_make(&dir.path().join("ca"), "HQ", now()).expect("made");
        let again = Authority::open_or_make(&dir.path().join("ca"), "HQ", now()).expect("opened");
        assert_eq!(made.fingerprint(), again.fingerprint());
        let mode = |name: &str| std::fs::metadata(dir.path().join(name)).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode("ca/ca.key"), mode("ca")), (0o600, 0o700));
    }

    #[test]
    fn half_an_authority_or_two_halves_of_two_are_refused_with_the_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        Authority::make(&a, "A", now()).expect("made");
        Authority::make(&b, "B", now()).expect("made");
        std::fs::copy(b.join("ca.key"), a.join("ca.key")).expect("copied");
        let error = Authority::open(&a).err().expect("refused").to_string();
        assert!(error.contains("ca.crt") && error.contains("ca.key"), "{error}");
        std::fs::remove_file(a.join("ca.key")).expect("removed");
        let error = Authority::open(&a).err().expect("refused").to_string();
        assert!(error.contains("ca.key"), "{error}");
        std::fs::remove_file(b.join("ca.crt")).expect("removed");
        let error = Authority::open(&b).err().expect("refused").to_string();
        assert!(error.contains("ca.crt"), "{error}");
    }

    #[test]
    fn a_certificate_holds_for_its_life_and_is_to_be_renewed_after_two_thirds() {
        let dir = tempfile::tempdir().expect("a directory");
        let authority = Authority::make(dir.path(), "HQ", now()).expect("made");
        let asked = CertificateRequest::new(&new_key().expect("a key")).expect("signed").check().expect("its own");
        let issued = authority.edge(&asked, edge(), now(), TimeDelta::days(90)).expect("issued");
        assert_eq!(issued.not_after, now() + TimeDelta::days(90));
        assert_eq!(issued.renew_at, now() + TimeDelta::days(60));
        assert_eq!(issued.key_hash, asked.hash());
        let again = authority.edge(&asked, edge(), now(), TimeDelta::days(90)).expect("issued");
        assert_ne!(issued.serial, again.serial);
    }

    #[test]
    fn names_that_no_certificate_can_have_are_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let authority = Authority::make(dir.path(), "HQ", now()).expect("made");
        for name in ["hq.example", "10.0.0.7", "::1", "localhost"] {
            assert!(authority.server(&[name.to_owned()], now()).is_ok(), "{name}");
        }
        for name in ["", "https://hq", "hq example", "ä.example"] {
            let refused = authority.server(&[name.to_owned()], now());
            assert!(matches!(refused, Err(TlsError::Name(_))), "{name}");
        }
    }
}
