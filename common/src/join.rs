//! How a box joins a site and stays: what both ends say to each other about certificates, and the token that begins it,
//! as a person carries it from headquarters to the box: one word to paste, with all that the box needs to know whom to
//! ask and whom to believe.
//!
//! ```text
//! spj_ + base64url( 1 | secret, 32 | 0 or 1: pinned | fingerprint of central's authority, 32, if pinned | URL | CRC32C, 4 )
//! ```

use std::fmt;
use std::str::FromStr;

use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use rand::RngCore as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::credentials::TokenHash;
use crate::ids::{EdgeId, WarehouseId};
use crate::tls::Fingerprint;
use crate::tls::request::CertificateRequest;

pub const ENROLL_PATH: &str = "/api/v1/enroll";
pub const RENEW_PATH: &str = "/api/v1/renew";
pub const RETURN_PATH: &str = "/api/v1/return";
pub const IDENTITY_PATH: &str = "/api/v1/identity";

/// Whether central can be asked at an address that somebody gave.
///
/// # Errors
/// What is wrong with it, without what may be secret in it.
pub fn check_address(address: &str) -> Result<(), &'static str> {
    const LIKE: &str = "is no address; write one as https://smartpick.example.com:8090";
    let uri: Uri = address.parse().map_err(|_| LIKE)?;
    let authority = uri.authority().filter(|authority| !authority.host().is_empty()).ok_or(LIKE)?;
    if authority.as_str().contains('@') {
        return Err("has a name or a password in it, which central does not ask for; leave it out");
    }
    if authority.as_str().len() > authority.host().len() && authority.port_u16().is_none() {
        return Err("has a port that there is not; they go from 1 to 65535");
    }
    match uri.query() {
        Some(_) => Err("ends with a question; leave out what begins with ?"),
        None => Ok(()),
    }
}

/// A box that joins a site.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Enrol {
    /// The secret out of the join token.
    pub token: String,
    pub request: CertificateRequest,
    /// What the box is called.
    #[serde(default)]
    #[schema(max_length = 64)]
    pub name: Option<String>,
}

/// An edge that wants its next certificate.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Renew {
    /// For a new key.
    pub request: CertificateRequest,
}

/// An edge that was away for longer than its certificate held.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Return {
    /// The expired one, in PEM.
    pub certificate: String,
    /// For the key of the expired one.
    pub request: CertificateRequest,
}

/// Who an edge is for central.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EdgeName {
    pub edge_id: EdgeId,
    pub warehouse_id: WarehouseId,
}

/// A certificate, and whom to believe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Admission {
    pub edge_id: EdgeId,
    pub warehouse_id: WarehouseId,
    /// In PEM.
    pub certificate: String,
    pub not_after: DateTime<Utc>,
    /// When to ask for the next one.
    pub renew_at: DateTime<Utc>,
    /// Authorities that may be behind central's certificate, in PEM.
    pub authorities: Vec<String>,
    /// Whether those that every browser knows may be, too.
    pub public_authorities: bool,
}

pub const PREFIX: &str = "spj_";
const VERSION: u8 = 1;

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    secret: [u8; 32],
    /// Of the authority that must be behind central's certificate; `None`: one that every browser knows.
    pub pin: Option<Fingerprint>,
    /// Central's.
    pub url: String,
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    #[error("a join token begins with {PREFIX}; `smartpick-central sites token SITE` at headquarters prints one")]
    Prefix,
    #[error("the join token is not whole or was mistyped; copy all of it, in one piece")]
    Damaged,
    #[error("the join token is of a newer version than this program; update smartpick-edge")]
    Version,
}

impl JoinToken {
    /// A new one.
    pub fn new(url: &str, pin: Option<Fingerprint>) -> Self {
        let mut secret = [0; 32];
        rand::rng().fill_bytes(&mut secret);
        Self { secret, pin, url: url.to_owned() }
    }

    /// What is shown to central.
    pub fn secret(&self) -> String {
        crate::credentials::hex(&self.secret)
    }

    /// What central stores.
    pub fn hash(&self) -> TokenHash {
        crate::credentials::token_hash(&self.secret())
    }
}

/// As it is pasted.
impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![VERSION];
        bytes.extend(self.secret);
        bytes.push(u8::from(self.pin.is_some()));
        bytes.extend(self.pin.iter().flat_map(|pin| pin.0));
        bytes.extend(self.url.as_bytes());
        bytes.extend(crc32c::crc32c(&bytes).to_be_bytes());
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// Shows no secret.
impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("pin", &self.pin).field("url", &self.url).finish_non_exhaustive()
    }
}

impl FromStr for JoinToken {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        // Terminals and mails break long lines.
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let text = text.strip_prefix(PREFIX).ok_or(BadToken::Prefix)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadToken::Damaged)?;
        let (bytes, checksum) = bytes.split_last_chunk::<4>().ok_or(BadToken::Damaged)?;
        if crc32c::crc32c(bytes).to_be_bytes() != *checksum {
            return Err(BadToken::Damaged);
        }
        let (version, rest) = bytes.split_first().ok_or(BadToken::Damaged)?;
        if *version != VERSION {
            return Err(BadToken::Version);
        }
        let (secret, rest) = rest.split_first_chunk::<32>().ok_or(BadToken::Damaged)?;
        let (pinned, rest) = rest.split_first().ok_or(BadToken::Damaged)?;
        let (pin, url) = match pinned {
            0 => (None, rest),
            1 => {
                let (pin, url) = rest.split_first_chunk::<32>().ok_or(BadToken::Damaged)?;
                (Some(Fingerprint(*pin)), url)
            }
            _ => return Err(BadToken::Damaged),
        };
        let url = std::str::from_utf8(url).map_err(|_| BadToken::Damaged)?.to_owned();
        Ok(Self { secret: *secret, pin, url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_and_a_port_and_nothing_secret() {
        for good in ["https://hq", "https://hq:8090", "http://[::1]:8090", "https://hq/smartpick", "https://10.0.0.1/"]
        {
            assert_eq!(check_address(good), Ok(()), "{good}");
        }
        for (bad, words) in [
            ("", "is no address"),
            ("hq 1", "is no address"),
            ("/path", "is no address"),
            ("https://user:secret@hq", "password"),
            ("https://hq:99999", "port"),
            ("https://hq:", "port"),
            ("https://[::1]:x", "port"),
            ("https://hq?token=secret", "question"),
        ] {
            let error = check_address(bad).expect_err(bad);
            assert!(error.contains(words) && !error.contains("secret"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_token_says_the_same_after_a_person_carried_it() {
        for pin in [None, Some(Fingerprint([7; 32]))] {
            let token = JoinToken::new("https://hq.example:8090", pin);
            let text = token.to_string();
            assert_eq!(text.parse(), Ok(token.clone()));
            let broken_by_mail = format!("  {}\n {}\n", &text[..40], &text[40..]);
            assert_eq!(broken_by_mail.parse(), Ok(token.clone()));
            assert!(!format!("{token:?}").contains(&token.secret()));
        }
    }

    #[test]
    fn what_was_cut_or_mistyped_is_told_from_what_central_refuses() {
        let text = JoinToken::new("https://hq.example", Some(Fingerprint([7; 32]))).to_string();
        for end in 0..text.len() {
            assert!(text[..end].parse::<JoinToken>().is_err(), "{end}");
        }
        let mut changed = text.clone().into_bytes();
        changed[60] = if changed[60] == b'A' { b'B' } else { b'A' };
        assert_eq!(String::from_utf8(changed).expect("ASCII").parse::<JoinToken>(), Err(BadToken::Damaged));
        assert_eq!("spe_1234".parse::<JoinToken>(), Err(BadToken::Prefix));
    }
}
