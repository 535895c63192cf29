//! How a good camera talks to an edge: it keeps a batch until every event in it has a verdict, waits longer after
//! each failure with full jitter, honours `Retry-After`, and never sends again what was rejected.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use common::backoff::Backoff;
use common::cli::exit::Exit;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::tally::Tally;

/// A camera waits between a quarter of a second and half a minute: its own buffer is small, and an edge that was
/// restarted is back in seconds.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
/// Longer than the edge ever takes to answer; after it the connection is taken for dead.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// One event to be sent.
#[derive(Debug, Clone)]
pub struct Item {
    /// `None` for a line of a replayed file that is no event.
    pub id: Option<Uuid>,
    pub json: String,
}

#[derive(Debug, Deserialize)]
struct Answer {
    results: Vec<Verdict>,
}

#[derive(Debug, Deserialize)]
struct Verdict {
    index: usize,
    status: VerdictStatus,
    field: Option<String>,
    code: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum VerdictStatus {
    Accepted,
    Duplicate,
    Rejected,
}

/// As much of the edge's health as a camera looks at; an edge that can store nothing says it too.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Health {
    warehouse_id: Option<Uuid>,
}

#[derive(Deserialize)]
struct ProblemBody {
    code: String,
}

/// What one try came to.
enum Outcome {
    Verdicts(Vec<Verdict>),
    /// The whole request was refused for good, with this code.
    Refused(String),
    /// Too many bytes in one request.
    TooLarge,
    /// Nobody is let in by this token.
    Denied,
    Retry {
        why: String,
        after: Option<Duration>,
    },
}

/// Sends batches to one edge. Cheap to clone; all clones share connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    intake: Url,
    health: Url,
    token: Option<String>,
    tally: Arc<Tally>,
}

impl Client {
    /// # Errors
    /// If the URL cannot be used or the HTTP client not be made.
    pub fn new(url: &str, token: Option<String>, tally: Arc<Tally>) -> anyhow::Result<Self> {
        // Somebody else may have installed it already; either will do.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .tcp_nodelay(true)
            .no_proxy()
            .build()
            .context("cannot make an HTTP client")?;
        let [intake, health] = addresses(url)?;
        Ok(Self { http, intake, health, token, tally })
    }

    /// The warehouse that the edge is of, asked for until it answers; `None` if it is of none yet.
    pub async fn warehouse(&self) -> Option<Uuid> {
        let mut rng = StdRng::from_os_rng();
        let mut attempt = 0;
        loop {
            match self.health().await {
                Ok(health) => return health.warehouse_id,
                Err(why) => self.tally.retry(why),
            }
            tokio::time::sleep(BACKOFF.delay(attempt, None, &mut rng)).await;
            attempt += 1;
        }
    }

    async fn health(&self) -> Result<Health, String> {
        let response = self.http.get(self.health.clone()).send().await.map_err(|error| transport(&error))?;
        let status = response.status();
        match response.json().await {
            Ok(health) => Ok(health),
            // A proxy's, before an edge that is away.
            Err(_) if status.is_server_error() => Err(status.to_string()),
            // It is no edge, or an older one.
            Err(_) => Ok(Health::default()),
        }
    }

    /// Sends a batch until each event in it is acknowledged or rejected. Returns what was not, if stopped before; a token that is
    /// refused stops everything.
    pub async fn deliver(&self, batch: Vec<Item>, stop: &CancellationToken) -> Vec<Item> {
        let mut rng = StdRng::from_os_rng();
        // Split batches wait here; more than one only after a 413.
        let mut waiting = vec![batch];
        while let Some(batch) = waiting.pop() {
            let started = Instant::now();
            let mut attempt = 0;
            loop {
                let outcome = tokio::select! {
                    outcome = self.post(&batch) => outcome,
                    () = stop.cancelled() => return waiting.into_iter().chain([batch]).flatten().collect(),
                };
                let (why, after) = match outcome {
                    Outcome::Verdicts(verdicts) => {
                        self.note(&batch, &verdicts, started);
                        break;
                    }
                    Outcome::TooLarge if batch.len() > 1 => {
                        let (left, right) = batch.split_at(batch.len() / 2);
                        waiting.extend([right.to_vec(), left.to_vec()]);
                        break;
                    }
                    Outcome::TooLarge => {
                        self.tally.rejected("request", "too_large", 1);
                        break;
                    }
                    Outcome::Refused(code) => {
                        self.tally.rejected("request", &code, batch.len() as u64);
                        break;
                    }
                    Outcome::Denied => {
                        self.tally.denied();
                        stop.cancel();
                        return waiting.into_iter().chain([batch]).flatten().collect();
                    }
                    Outcome::Retry { why, after } => (why, after),
                };
                self.tally.retry(why);
                let delay = BACKOFF.delay(attempt, after, &mut rng);
                attempt += 1;
                tokio::select! {
                    () = tokio::time::sleep(delay) => {}
                    () = stop.cancelled() => return waiting.into_iter().chain([batch]).flatten().collect(),
                }
            }
        }
        Vec::new()
    }

    fn note(&self, batch: &[Item], verdicts: &[Verdict], started: Instant) {
        let (mut accepted, mut duplicates) = (0, 0);
        for verdict in verdicts {
            match verdict.status {
                VerdictStatus::Accepted => accepted += 1,
                VerdictStatus::Duplicate => duplicates += 1,
                VerdictStatus::Rejected => {
                    let field = verdict.field.as_deref().unwrap_or("event");
                    self.tally.rejected(field, verdict.code.as_deref().unwrap_or("unknown"), 1);
                    continue;
                }
            }
            if let Some(id) = batch.get(verdict.index).and_then(|item| item.id) {
                self.tally.acknowledged(id);
            }
        }
        self.tally.answered(accepted, duplicates, started.elapsed());
    }

    async fn post(&self, batch: &[Item]) -> Outcome {
        let mut request =
            self.http.post(self.intake.clone()).header(CONTENT_TYPE, "application/json").body(body(batch));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        match request.send().await {
            Ok(response) => outcome(response, batch.len()).await,
            Err(error) => Outcome::Retry { why: transport(&error), after: None },
        }
    }
}

/// Where an edge takes events, and says how it is. A URL that can never work is said at the start: trying again would not mend it.
fn addresses(edge: &str) -> anyhow::Result<[Url; 2]> {
    let words = format!("--url {edge} is not the address of an edge; write it as http://127.0.0.1:8080");
    let bad = || Exit::Usage.because(words.clone());
    // By itself first: with a path behind it, "http://" would take the path's first word for a host.
    let edge = Url::parse(edge).with_context(bad)?;
    anyhow::ensure!(matches!(edge.scheme(), "http" | "https"), bad());
    let at = |path| Url::parse(&format!("{}{path}", edge.as_str().trim_end_matches('/'))).with_context(bad);
    Ok([at("/ingestion/ergonomics")?, at("/streams/health")?])
}

fn body(batch: &[Item]) -> String {
    if let [single] = batch {
        return single.json.clone();
    }
    let mut body = String::with_capacity(batch.iter().map(|item| item.json.len() + 1).sum::<usize>() + 2);
    body.push('[');
    for (index, item) in batch.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(&item.json);
    }
    body.push(']');
    body
}

async fn outcome(response: Response, sent: usize) -> Outcome {
    let status = response.status();
    let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let after = after.map(Duration::from_secs);
    let bytes = match response.bytes().await {
        Ok(bytes) => bytes,
        Err(error) => return Outcome::Retry { why: transport(&error), after },
    };
    if matches!(status, StatusCode::OK | StatusCode::ACCEPTED | StatusCode::UNPROCESSABLE_ENTITY)
        && let Ok(answer) = serde_json::from_slice::<Answer>(&bytes)
    {
        // An answer that forgets an event has not acknowledged it.
        return if answer.results.len() == sent {
            Outcome::Verdicts(answer.results)
        } else {
            let why = format!("{} verdicts for {sent} events", answer.results.len());
            Outcome::Retry { why, after }
        };
    }
    let code = serde_json::from_slice::<ProblemBody>(&bytes).map_or_else(|_| status.to_string(), |body| body.code);
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Outcome::TooLarge,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Outcome::Denied,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Outcome::Refused(code)
        }
        _ => Outcome::Retry { why: format!("{} {code}", status.as_u16()), after },
    }
}

/// A transport error in few enough different words to be counted.
fn transport(error: &reqwest::Error) -> String {
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot connect"
    } else {
        "connection lost"
    };
    what.to_owned()
}

#[cfg(test)]
mod tests {
    use super::addresses;

    #[test]
    fn an_address_that_can_never_work_is_refused_with_the_fix() {
        for wrong in ["ftp://127.0.0.1:8080", "127.0.0.1:8080", "edge.local", "http://", ""] {
            let error = format!("{:#}", addresses(wrong).expect_err(wrong));
            assert!(error.contains("--url") && error.contains("http://127.0.0.1:8080"), "{error}");
        }
        let [intake, _] = addresses("https://edge.example:8443/").expect("an address");
        assert_eq!(intake.as_str(), "https://edge.example:8443/ingestion/ergonomics");
    }
}
