//! A well-behaved camera for tests. It keeps the ledger that everything is judged by: what it sent, and what was
//! acknowledged to it. An id counts only when a verdict for it said accepted or duplicate.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use common::backoff::Backoff;
use common::clock;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::edge::Edge;
use crate::events::{Scene, Snapshot};
use crate::{http, wait};

/// Short, so that a fault of a second costs a test about a second.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests that a load keeps under way; when all wait, it makes no more events, as a camera with a full memory.
const LOAD_REQUESTS_MAX: usize = 8;
const LOAD_CAMERAS: usize = 8;

/// What the cameras of a stack know.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Book>);

#[derive(Debug, Default, Clone)]
pub struct Book {
    pub sent: HashMap<Uuid, Snapshot>,
    pub acknowledged: HashSet<Uuid>,
    /// Events refused for good, by field and code.
    pub rejected: BTreeMap<(String, String), u64>,
    /// Verdicts that said duplicate.
    pub duplicates: u64,
    /// Tries that got no verdicts.
    pub failures: u64,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn book(&self) -> Book {
        self.lock().clone()
    }

    pub fn acknowledged(&self) -> usize {
        self.lock().acknowledged.len()
    }

    fn failed(&self) {
        self.lock().failures += 1;
    }

    fn note(&self, events: &[Snapshot], answer: &Answer) {
        let mut book = self.lock();
        for verdict in &answer.results {
            let Some(event) = events.get(verdict.index) else { continue };
            match verdict.status.as_str() {
                "accepted" => drop(book.acknowledged.insert(event.event_id)),
                "duplicate" => {
                    book.acknowledged.insert(event.event_id);
                    book.duplicates += 1;
                }
                _ => *book.rejected.entry(verdict.reason()).or_default() += 1,
            }
        }
    }
}

/// The edge's answer to a request with events.
#[derive(Debug, Clone, Deserialize)]
pub struct Answer {
    pub accepted: u64,
    pub duplicates: u64,
    pub rejected: u64,
    pub results: Vec<Verdict>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Verdict {
    pub index: usize,
    pub event_id: Option<String>,
    pub status: String,
    pub field: Option<String>,
    pub code: Option<String>,
    pub message: Option<String>,
}

impl Verdict {
    pub fn reason(&self) -> (String, String) {
        (self.field.clone().unwrap_or_default(), self.code.clone().unwrap_or_default())
    }
}

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct Raw {
    pub status: u16,
    pub retry_after: Option<Duration>,
    pub text: String,
}

impl Raw {
    /// # Errors
    /// If the body holds no verdicts.
    pub fn verdicts(&self) -> anyhow::Result<Answer> {
        serde_json::from_str(&self.text).with_context(|| format!("{}: {}", self.status, self.text))
    }

    /// A field of the body, such as a problem's `code`.
    pub fn field(&self, name: &str) -> Option<String> {
        let body: serde_json::Value = serde_json::from_str(&self.text).ok()?;
        body.get(name)?.as_str().map(str::to_owned)
    }
}

/// Posts to one edge. Cheap to clone.
#[derive(Clone)]
pub struct Camera {
    http: reqwest::Client,
    url: String,
    token: String,
    warehouse_id: Uuid,
    ledger: Arc<Ledger>,
}

impl Camera {
    /// # Errors
    /// If the HTTP client cannot be made.
    pub fn new(edge: &Edge, ledger: Arc<Ledger>) -> anyhow::Result<Self> {
        Ok(Self {
            http: http::client(ANSWER_TIMEOUT)?,
            url: format!("{}/ingestion/ergonomics", edge.url),
            token: edge.camera_token.clone(),
            warehouse_id: edge.warehouse_id,
            ledger,
        })
    }

    /// Posts a body once, whatever it is. Nothing is noted in the ledger.
    ///
    /// # Errors
    /// If there is no answer.
    pub async fn post(
        &self,
        content_type: &str,
        key: Option<&str>,
        body: impl Into<reqwest::Body>,
    ) -> anyhow::Result<Raw> {
        let mut request =
            self.http.post(&self.url).bearer_auth(&self.token).header(CONTENT_TYPE, content_type).body(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let response = request.send().await.context("POST /ingestion/ergonomics")?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let text = response.text().await.context("read the answer")?;
        Ok(Raw { status, retry_after: retry_after.map(Duration::from_secs), text })
    }

    /// Notes events that went out in a body of the test's own making, and what was said of them.
    pub fn note(&self, events: &[Snapshot], answer: &Answer) {
        self.ledger.lock().sent.extend(events.iter().map(|event| (event.event_id, event.clone())));
        self.ledger.note(events, answer);
    }

    /// Posts events once and notes the verdicts.
    ///
    /// # Errors
    /// If there is no answer, or none with a verdict for each event.
    pub async fn try_send(&self, events: &[Snapshot]) -> anyhow::Result<Answer> {
        self.ledger.lock().sent.extend(events.iter().map(|event| (event.event_id, event.clone())));
        let body = serde_json::to_string(events).context("write the events")?;
        let answer = self.post("application/json", None, body).await?.verdicts()?;
        anyhow::ensure!(answer.results.len() == events.len(), "{answer:?} for {} events", events.len());
        self.ledger.note(events, &answer);
        Ok(answer)
    }

    /// Posts events until each has a verdict, however often it takes.
    pub async fn deliver(&self, events: &[Snapshot]) -> Answer {
        let mut rng = StdRng::from_os_rng();
        let mut attempt = 0;
        loop {
            match self.try_send(events).await {
                Ok(answer) => return answer,
                Err(_) => self.ledger.failed(),
            }
            tokio::time::sleep(BACKOFF.delay(attempt, None, &mut rng)).await;
            attempt += 1;
        }
    }

    /// Delivers many events in batches, several at once.
    ///
    /// # Errors
    /// If a sender panics.
    pub async fn deliver_all(&self, events: &[Snapshot], batch: usize) -> anyhow::Result<()> {
        let places = Arc::new(Semaphore::new(LOAD_REQUESTS_MAX));
        let mut senders = JoinSet::new();
        for chunk in events.chunks(batch) {
            let place = Arc::clone(&places).acquire_owned().await.context("the semaphore is never closed")?;
            let (camera, chunk) = (self.clone(), chunk.to_vec());
            senders.spawn(async move {
                camera.deliver(&chunk).await;
                drop(place);
            });
        }
        while let Some(sender) = senders.join_next().await {
            sender.context("a sender panicked")?;
        }
        Ok(())
    }

    /// Starts to send `rate` events a second in batches of `batch`, until [`Load::stop`].
    pub fn load(&self, rate: u32, batch: usize) -> Load {
        let stop = CancellationToken::new();
        let task = tokio::spawn(run_load(self.clone(), rate, batch, stop.clone()));
        Load { stop, task }
    }
}

/// Traffic in the background.
pub struct Load {
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<u64>>,
}

impl Load {
    /// Makes no more events, waits until all made have their verdict, and says how many there were.
    ///
    /// # Errors
    /// If that takes longer than any fault in these tests lasts.
    pub async fn stop(self) -> anyhow::Result<u64> {
        self.stop.cancel();
        let ended = tokio::time::timeout(wait::DRAIN, self.task).await;
        ended.context("the edge has not answered all requests of the load")?.context("the load panicked")?
    }
}

async fn run_load(camera: Camera, rate: u32, batch: usize, stop: CancellationToken) -> anyhow::Result<u64> {
    let mut scene = Scene::new(camera.warehouse_id, LOAD_CAMERAS, u64::from(rate));
    let places = Arc::new(Semaphore::new(LOAD_REQUESTS_MAX));
    let mut senders = JoinSet::new();
    let mut made = 0;
    let mut turn = Instant::now();
    // At least one event a turn, so the division is by a number from 1 up.
    let pause = Duration::from_secs(1).mul_f64(batch as f64) / rate.max(1);
    while !stop.is_cancelled() {
        let events: Vec<Snapshot> = (0..batch).map(|_| scene.snapshot(clock::now())).collect();
        made += batch as u64;
        let place = Arc::clone(&places).acquire_owned().await.context("the semaphore is never closed")?;
        let camera = camera.clone();
        senders.spawn(async move {
            camera.deliver(&events).await;
            drop(place);
        });
        while let Some(sender) = senders.try_join_next() {
            sender.context("a sender panicked")?;
        }
        turn = Instant::now().max(turn + pause);
        tokio::select! {
            () = tokio::time::sleep_until(turn) => {}
            () = stop.cancelled() => {}
        }
    }
    while let Some(sender) = senders.join_next().await {
        sender.context("a sender panicked")?;
    }
    Ok(made)
}
