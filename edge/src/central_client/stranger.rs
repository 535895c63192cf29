//! What a box says to central before central knows it, or when it has forgotten how to come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::cli::time;
use common::clock;
use common::join::{Admission, ENROLL_PATH, Enrol, JoinToken, RETURN_PATH, Return};
use reqwest::Method;
use serde::Serialize;

use super::{CERTIFICATE_TIMEOUT, SendError, Way, base, builder, link, send, tls};
use crate::enrolment::Enrolled;

/// Why a box could not join, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error(
        "{url} is not the headquarters that the token is of: nothing there has the fingerprint {pin}; make sure that the address \
         leads to central itself and not to a proxy, and make a new token"
    )]
    Mismatch { url: String, pin: String },
    #[error(
        "{url} shows a certificate that is not valid at this box's time, {now}; set the clock, then try again ({cause})"
    )]
    Clock { url: String, now: String, cause: String },
    #[error("{url} cannot be reached: {cause}; check the network and the address, or give another with --url")]
    Link { url: String, cause: String },
    #[error("{0}")]
    Refused(String),
    /// Central is there, and cannot answer now.
    #[error("{0}; try again later")]
    Later(String),
    #[error("set up TLS")]
    Setup(#[source] anyhow::Error),
}

/// A client that shows no certificate.
pub struct Stranger {
    way: Way,
    url: String,
    pin: Option<String>,
    mismatch: Arc<AtomicBool>,
}

impl Stranger {
    /// Believes whom the token says.
    ///
    /// # Errors
    /// If the URL cannot be used.
    pub fn joining(token: &JoinToken, url: &str) -> Result<Self, JoinError> {
        let mismatch = Arc::new(AtomicBool::new(false));
        let config = match token.pin {
            Some(pin) => tls::pinned(pin, Arc::clone(&mismatch)),
            None => tls::unknown(&[], true),
        };
        Self::new(config, url, token.pin.map(|pin| pin.to_string()), mismatch)
    }

    /// Believes whom the identity says that can no longer be shown.
    ///
    /// # Errors
    /// If the URL or the identity's authorities cannot be used.
    pub fn returning(enrolled: &Enrolled, url: &str) -> Result<Self, JoinError> {
        Self::new(tls::unknown(&enrolled.authorities, enrolled.public_authorities), url, None, Arc::default())
    }

    fn new(
        config: anyhow::Result<rustls::ClientConfig>,
        url: &str,
        pin: Option<String>,
        mismatch: Arc<AtomicBool>,
    ) -> Result<Self, JoinError> {
        let http = builder().tls_backend_preconfigured(config.map_err(JoinError::Setup)?).build();
        let http = http.map_err(|error| JoinError::Setup(error.into()))?;
        let way = Way { http, base: base(url).map_err(JoinError::Setup)?, token: None };
        Ok(Self { way, url: url.to_owned(), pin, mismatch })
    }

    /// Joins a site.
    ///
    /// # Errors
    /// Why not, with what to do about it.
    pub async fn enrol(&self, body: &Enrol) -> Result<Admission, JoinError> {
        self.post(ENROLL_PATH, body).await.map_err(|error| self.join_error(error))
    }

    /// Comes back with an expired certificate.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn come_back(&self, body: &Return) -> Result<Admission, SendError> {
        self.post(RETURN_PATH, body).await
    }

    async fn post(&self, path: &str, body: &impl Serialize) -> Result<Admission, SendError> {
        let request = self.way.request(Method::POST, path, CERTIFICATE_TIMEOUT).json(body);
        send(request).await?.json().await.map_err(|e| link(&e))
    }

    fn join_error(&self, error: SendError) -> JoinError {
        let url = self.url.clone();
        match error {
            SendError::Link(_) if self.mismatch.load(Ordering::Relaxed) => {
                JoinError::Mismatch { url, pin: self.pin.clone().unwrap_or_default() }
            }
            SendError::Link(cause)
                if cause.contains("certificate not valid yet") || cause.contains("certificate expired") =>
            {
                JoinError::Clock { url, now: time(clock::now()), cause }
            }
            SendError::Link(cause) => JoinError::Link { url, cause },
            SendError::Refused { status: 429 | 500.., code: Some(_), message, .. } => JoinError::Later(message),
            SendError::Refused { code: Some(_), message, .. } => JoinError::Refused(message),
            SendError::Refused { status, message, .. } => JoinError::Link {
                url,
                cause: format!("something that is no SmartPick central answered {status}: {message}"),
            },
            SendError::TooLarge => JoinError::Refused("central does not take this request".to_owned()),
        }
    }
}
