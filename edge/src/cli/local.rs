//! How commands ask the edge that runs on the same box, with or without HTTPS.

use std::sync::Arc;

use common::tls::{Mode, provider};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use crate::config::Config;

/// Where it listens. A wildcard address is reached through loopback.
pub fn base(config: &Config) -> String {
    let scheme = if config.tls.mode == Mode::Off { "http" } else { "https" };
    format!("{scheme}://{}", super::running::reachable(config))
}

/// Asks the edge at [`base`].
pub fn http() -> reqwest::ClientBuilder {
    // As in `tls`.
    reqwest::Client::builder().tls_danger_accept_invalid_certs(true)
}

/// What to make of the certificate of the edge at [`base`]: nothing. Its authority is in a directory that only the service
/// reads, and its names are made for others; whoever answers on an address of this box is on this box. An address that
/// somebody gave is asked as any other.
///
/// # Errors
/// None that can be expected: the versions are rustls's own.
pub fn tls() -> Result<ClientConfig, Error> {
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(ThisBox)).with_no_client_auth())
}

#[derive(Debug)]
struct ThisBox;

impl ServerCertVerifier for ThisBox {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
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
