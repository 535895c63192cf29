//! Speaks to central over HTTP. The only file that does, with those below it. Says of each failure whether the link,
//! central or the request was at fault, so that the forwarder knows how to go on.

mod stranger;
mod tls;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use common::ids::BatchId;
use common::join::{Admission, EdgeName, IDENTITY_PATH, RENEW_PATH, Renew};
use common::protocol::{
    BATCH_CONTENT_TYPE, BATCHES_PATH, HEADER_BATCH_ID, HEADER_CHECKSUM, HEADER_PROTOCOL, HEADER_RECORDS,
    HEARTBEATS_PATH, Heartbeat, HeartbeatAnswer, PROTOCOL_VERSION, Receipt,
};
use common::tls::request::CertificateRequest;
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode, Url, header};
use serde::Deserialize;

pub use stranger::{JoinError, Stranger};

use crate::enrolment::Enrolled;

/// To a central that is there a connection takes a few round trips.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// An idle connection goes sooner than after central's 60 s, so that none is used at the moment when central closes it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(45);
/// Central answers a batch within 10 s, one way or the other; the rest is the link.
const BATCH_TIMEOUT: Duration = Duration::from_secs(15);
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(5);
const CERTIFICATE_TIMEOUT: Duration = Duration::from_secs(15);
/// How much of a refusal is quoted in the log.
const QUOTE_CHARS_MAX: usize = 400;

/// Why central did not take something. All but `TooLarge` are tried again for ever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Nothing came back; whether central has it is not known.
    #[error("central cannot be reached: {0}")]
    Link(String),
    /// Central, or something before it, said no. `code` is central's, for programs.
    #[error("central answered {status}: {message}")]
    Refused { status: u16, code: Option<String>, message: String, retry_after: Option<Duration> },
    #[error("central says the batch is too large")]
    TooLarge,
}

impl SendError {
    /// Whether central takes our certificate for expired, whatever our own clock says.
    pub fn is_expiry(&self) -> bool {
        match self {
            Self::Link(text) => text.contains("CertificateExpired"),
            Self::Refused { code, .. } => code.as_deref() == Some("certificate_expired"),
            Self::TooLarge => false,
        }
    }

    /// Whether central does not take our certificate, and will not.
    pub fn is_no_entry(&self) -> bool {
        matches!(self, Self::Refused { code: Some(code), .. } if code.starts_with("certificate_"))
    }
}

/// What central says to [`CentralClient::knock`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knock {
    pub status: u16,
    /// Of its problem; empty if it was not central that answered.
    pub code: String,
    /// To the second.
    pub date: Option<DateTime<Utc>>,
}

/// A client with the edge's credential. Clones share it, also when it is replaced.
#[derive(Clone)]
pub struct CentralClient(Arc<RwLock<Arc<Way>>>);

/// How we come in.
struct Way {
    http: Client,
    base: Url,
    /// `None`: by certificate.
    token: Option<String>,
}

impl CentralClient {
    /// Comes in by a token.
    ///
    /// # Errors
    /// If the URL cannot be used or TLS not be set up.
    pub fn new(url: &str, token: &str) -> anyhow::Result<Self> {
        let http = builder().build().context("set up HTTP")?;
        let way = Way { http, base: base(url)?, token: Some(token.to_owned()) };
        Ok(Self(Arc::new(RwLock::new(Arc::new(way)))))
    }

    /// Comes in by a certificate.
    ///
    /// # Errors
    /// If the URL or the certificate cannot be used.
    pub fn enrolled(url: &str, enrolled: &Enrolled) -> anyhow::Result<Self> {
        let tls = tls::enrolled(enrolled).context("use the certificate of this box's identity")?;
        let http = builder().tls_backend_preconfigured(tls).build().context("set up HTTP")?;
        let way = Way { http, base: base(url)?, token: None };
        Ok(Self(Arc::new(RwLock::new(Arc::new(way)))))
    }

    /// Comes in as another one does from now on, in all its clones. What is on its way is not disturbed.
    pub fn come_in_as(&self, other: &Self) {
        let way = other.way();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = way;
    }

    fn way(&self) -> Arc<Way> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends a batch; the receipt says that all of it is in Postgres.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send_batch(&self, id: BatchId, records: usize, frame: bytes::Bytes) -> Result<Receipt, SendError> {
        let way = self.way();
        let request = way
            .request(Method::POST, BATCHES_PATH, BATCH_TIMEOUT)
            .header(header::CONTENT_TYPE, BATCH_CONTENT_TYPE)
            .header(HEADER_BATCH_ID, id.to_string())
            .header(HEADER_RECORDS, records)
            .header(HEADER_CHECKSUM, format!("{:08x}", crc32c::crc32c(&frame)))
            .body(frame);
        let response = send(request).await?;
        let receipt: Receipt = response.json().await.map_err(|e| link(&e))?;
        let counted = receipt.committed as usize + receipt.duplicates as usize + receipt.dead_letters.len();
        if receipt.batch_id != id || counted != records {
            // Something between us answered in central's place; believe nothing.
            return Err(SendError::Link(format!("a receipt for another batch came back ({counted} of {records})")));
        }
        Ok(receipt)
    }

    /// # Errors
    /// See [`SendError`].
    pub async fn send_heartbeat(&self, heartbeat: &Heartbeat) -> Result<HeartbeatAnswer, SendError> {
        let request = self.way().request(Method::POST, HEARTBEATS_PATH, HEARTBEAT_TIMEOUT).json(heartbeat);
        send(request).await?.json().await.map_err(|e| link(&e))
    }

    /// Knocks: sends a batch without anything that makes it one, which central refuses once it has accepted the credential.
    /// Answers what it said, and its clock.
    ///
    /// # Errors
    /// [`SendError::Link`]
    pub async fn knock(&self) -> Result<Knock, SendError> {
        let request = self.way().request(Method::POST, BATCHES_PATH, HEARTBEAT_TIMEOUT);
        let response = request.send().await.map_err(|e| link(&e))?;
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let date =
            text(header::DATE).and_then(|date| DateTime::parse_from_rfc2822(date).ok()).map(|date| date.to_utc());
        let status = response.status().as_u16();
        let body: serde_json::Value = response.json().await.unwrap_or_default();
        Ok(Knock { status, code: body["code"].as_str().unwrap_or_default().to_owned(), date })
    }

    /// Who we are for central.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn identity(&self) -> Result<EdgeName, SendError> {
        let request = self.way().request(Method::GET, IDENTITY_PATH, CERTIFICATE_TIMEOUT);
        send(request).await?.json().await.map_err(|e| link(&e))
    }

    /// Asks for the next certificate.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn renew(&self, request: CertificateRequest) -> Result<Admission, SendError> {
        let request = self.way().request(Method::POST, RENEW_PATH, CERTIFICATE_TIMEOUT).json(&Renew { request });
        send(request).await?.json().await.map_err(|e| link(&e))
    }
}

impl Way {
    fn request(&self, method: Method, path: &str, timeout: Duration) -> RequestBuilder {
        let url = self.base.join(path.trim_start_matches('/')).expect("our paths go with any base");
        let request = self.http.request(method, url).timeout(timeout).header(HEADER_PROTOCOL, PROTOCOL_VERSION);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

fn base(url: &str) -> anyhow::Result<Url> {
    Url::parse(&format!("{}/", url.trim_end_matches('/'))).context("central.url")
}

fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("smartpick-edge/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .http1_only()
}

/// What central says when it says no, as far as we look.
#[derive(Deserialize)]
struct Said {
    code: String,
    message: String,
}

async fn send(request: RequestBuilder) -> Result<Response, SendError> {
    let response = request.send().await.map_err(|e| link(&e))?;
    match response.status() {
        StatusCode::OK => Ok(response),
        StatusCode::PAYLOAD_TOO_LARGE => Err(SendError::TooLarge),
        status => {
            let retry_after = response
                .headers()
                .get(header::RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.parse().ok())
                .map(Duration::from_secs);
            let text = response.text().await.unwrap_or_default();
            let (code, message) = match serde_json::from_str::<Said>(&text) {
                Ok(said) => (Some(said.code), said.message),
                // A proxy's, most likely.
                Err(_) => (None, text),
            };
            let message = message.chars().take(QUOTE_CHARS_MAX).collect();
            Err(SendError::Refused { status: status.as_u16(), code, message, retry_after })
        }
    }
}

/// The whole chain: reqwest's own text says only that something failed.
fn link(error: &reqwest::Error) -> SendError {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    if error.is_timeout() {
        "timed out".clone_into(&mut text);
    }
    SendError::Link(text)
}
