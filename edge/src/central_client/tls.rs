//! Whom the edge believes to be central, and what it shows: the certificate of its identity to an authority that it was told
//! of, or before that nothing, to the one authority that its join token names.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::tls::{Fingerprint, certificates, provider};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::enrolment::Enrolled;

/// Shows a certificate, and believes the authorities that came with it.
pub fn enrolled(enrolled: &Enrolled) -> anyhow::Result<ClientConfig> {
    let roots = roots(&enrolled.authorities, enrolled.public_authorities)?;
    let chain = certificates(&enrolled.certificate, "identity.json")?;
    let key = PrivateKeyDer::from_pem_slice(enrolled.key.as_bytes())?;
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_client_auth_cert(chain, key)?)
}

/// Shows nothing, as a box whose certificate has expired.
pub fn unknown(authorities: &[String], public: bool) -> anyhow::Result<ClientConfig> {
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots(authorities, public)?).with_no_client_auth())
}

fn roots(authorities: &[String], public: bool) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for pem in authorities {
        for certificate in certificates(pem, "identity.json")? {
            roots.add(certificate)?;
        }
    }
    if public {
        // Those of this box's system; one that cannot be read is none we need.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    Ok(roots)
}

/// Believes only what the pinned authority stands behind. Sets `mismatch` when something else answers.
pub fn pinned(pin: Fingerprint, mismatch: Arc<AtomicBool>) -> anyhow::Result<ClientConfig> {
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let verifier = Arc::new(Pinned { pin, mismatch });
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// The authority is found by its fingerprint in what the server shows; the rest is checked as always.
#[derive(Debug)]
struct Pinned {
    pin: Fingerprint,
    mismatch: Arc<AtomicBool>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authority) = intermediates.iter().find(|shown| Fingerprint::of(shown) == self.pin) else {
            self.mismatch.store(true, Ordering::Relaxed);
            return Err(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        };
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
