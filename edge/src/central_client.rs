//! Speaks to central over HTTP. The only file that does. Says of each failure whether the link, central or the request
//! was at fault, so that the forwarder knows how to go on.

use std::time::Duration;

use anyhow::Context;
use common::ids::BatchId;
use common::protocol::{
    BATCH_CONTENT_TYPE, BATCHES_PATH, HEADER_BATCH_ID, HEADER_CHECKSUM, HEADER_PROTOCOL, HEADER_RECORDS,
    HEARTBEATS_PATH, Heartbeat, HeartbeatAnswer, PROTOCOL_VERSION, Receipt,
};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header};

/// To a central that is there a connection takes a few round trips.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Central answers a batch within 10 s, one way or the other; the rest is the link.
const BATCH_TIMEOUT: Duration = Duration::from_secs(15);
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of a refusal is quoted in the log.
const QUOTE_CHARS_MAX: usize = 200;

/// Why central did not take something. All but `TooLarge` are tried again for ever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Nothing came back; whether central has it is not known.
    #[error("central cannot be reached: {0}")]
    Link(String),
    /// Central, or something before it, said no.
    #[error("central answered {status}: {message}")]
    Refused { status: u16, message: String, retry_after: Option<Duration> },
    #[error("central says the batch is too large")]
    TooLarge,
}

/// A client with the edge's credential.
#[derive(Clone)]
pub struct CentralClient {
    http: Client,
    batches: Url,
    heartbeats: Url,
    token: String,
}

impl CentralClient {
    /// # Errors
    /// If the URL cannot be used or TLS not be set up.
    pub fn new(url: &str, token: &str) -> anyhow::Result<Self> {
        let base = Url::parse(&format!("{}/", url.trim_end_matches('/'))).context("central.url")?;
        let join = |path: &str| base.join(path.trim_start_matches('/')).context("central.url");
        let http = Client::builder()
            .user_agent(concat!("smartpick-edge/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .build()
            .context("set up HTTP")?;
        Ok(Self { http, batches: join(BATCHES_PATH)?, heartbeats: join(HEARTBEATS_PATH)?, token: token.to_owned() })
    }

    /// Sends a batch; the receipt says that all of it is in Postgres.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send_batch(&self, id: BatchId, records: usize, frame: bytes::Bytes) -> Result<Receipt, SendError> {
        let request = self
            .http
            .post(self.batches.clone())
            .timeout(BATCH_TIMEOUT)
            .header(header::CONTENT_TYPE, BATCH_CONTENT_TYPE)
            .header(HEADER_BATCH_ID, id.to_string())
            .header(HEADER_RECORDS, records)
            .header(HEADER_CHECKSUM, format!("{:08x}", crc32c::crc32c(&frame)))
            .body(frame);
        let response = self.send(request).await?;
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
        let request = self.http.post(self.heartbeats.clone()).timeout(HEARTBEAT_TIMEOUT).json(heartbeat);
        self.send(request).await?.json().await.map_err(|e| link(&e))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, SendError> {
        let request = request.bearer_auth(&self.token).header(HEADER_PROTOCOL, PROTOCOL_VERSION);
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
                let message = response.text().await.unwrap_or_default().chars().take(QUOTE_CHARS_MAX).collect();
                Err(SendError::Refused { status: status.as_u16(), message, retry_after })
            }
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
