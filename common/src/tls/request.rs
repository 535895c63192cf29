//! What an edge makes to get a certificate: a key that never leaves the box, and a request signed with it, which proves that
//! whoever asks has the key. It is a public key and a signature, and not PKCS#10: at a door that is open to all nobody needs to
//! read ASN.1, and who the certificate is for is said by central, not by whoever asks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, SigningKey as _};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::TlsError;

/// Before what is signed, so that the signature is good for nothing else.
const PURPOSE: &[u8] = b"smartpick certificate request 1\0";
/// An uncompressed point of P-256.
const KEY_BYTES: usize = 65;

/// A new private key (ECDSA P-256) as PEM.
///
/// # Errors
/// If the system has no random numbers.
pub fn new_key() -> Result<String, TlsError> {
    Ok(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?.serialize_pem())
}

/// A request for a certificate, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateRequest {
    /// Base64 of a point of P-256, uncompressed.
    #[schema(max_length = 100)]
    public_key: String,
    /// Base64 of an ECDSA signature with SHA-256, in ASN.1, over `smartpick certificate request 1`, a zero byte, and the key.
    #[schema(max_length = 100)]
    signature: String,
}

impl CertificateRequest {
    /// For this key.
    ///
    /// # Errors
    /// If the key cannot be read.
    pub fn new(key: &str) -> Result<Self, TlsError> {
        let key = KeyPair::from_pem(key)?;
        let public_key = key.public_key_raw();
        let signature = key.sign(&[PURPOSE, public_key].concat())?;
        Ok(Self { public_key: STANDARD.encode(public_key), signature: STANDARD.encode(signature) })
    }

    /// The key, if whoever made the request has its other half.
    pub fn check(&self) -> Option<EdgeKey> {
        let key = STANDARD.decode(&self.public_key).ok().filter(|key| key.len() == KEY_BYTES)?;
        let signature = STANDARD.decode(&self.signature).ok()?;
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &key);
        public.verify(&[PURPOSE, &key].concat(), &signature).ok()?;
        Some(EdgeKey(key))
    }
}

/// SHA-256 of a public key.
pub type KeyHash = [u8; 32];

/// A public key whose owner has shown that it is theirs.
pub struct EdgeKey(Vec<u8>);

impl EdgeKey {
    pub fn hash(&self) -> KeyHash {
        Sha256::digest(&self.0).into()
    }
}

impl PublicKeyData for EdgeKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_for_the_key_that_it_was_signed_with_and_no_other() {
        let (a, b) = (new_key().expect("a key"), new_key().expect("a key"));
        let (a, b) = (CertificateRequest::new(&a).expect("signed"), CertificateRequest::new(&b).expect("signed"));
        assert!(a.check().is_some() && b.check().is_some());
        let stolen = CertificateRequest { public_key: a.public_key.clone(), ..b };
        assert!(stolen.check().is_none(), "somebody else's key");
        let bad = |public_key: &str| CertificateRequest { public_key: public_key.to_owned(), ..a.clone() }.check();
        for key in ["", "?", "AAAA", &STANDARD.encode([4; 65]), &STANDARD.encode([0; 1_000])] {
            assert!(bad(key).is_none(), "{key}");
        }
    }
}
