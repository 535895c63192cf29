//! A camera client that costs as little as possible: bodies made beforehand, one connection a task, answers only
//! looked at for their status.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustix::process::{Resource, getrlimit, setrlimit};
use tests::events::{self, NORTH, Snapshot};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// One connection.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    token: String,
}

impl Connection {
    pub async fn open(url: &str, token: &str) -> anyhow::Result<Self> {
        let host = url.trim_start_matches("http://").to_owned();
        let stream = TcpStream::connect(&host).await.context("connect")?;
        stream.set_nodelay(true).context("set nodelay")?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.context("handshake")?;
        tokio::spawn(connection);
        Ok(Self { sender, host, token: token.to_owned() })
    }

    /// Posts events.
    pub async fn post(&mut self, body: Bytes) -> anyhow::Result<StatusCode> {
        self.post_to("/ingestion/ergonomics", body).await
    }

    pub async fn post_to(&mut self, path: &str, body: Bytes) -> anyhow::Result<StatusCode> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header("host", &self.host)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.token))
            .body(Full::new(body))
            .context("build the request")?;
        self.sender.ready().await.context("wait for the connection")?;
        let response = self.sender.send_request(request).await.context("send")?;
        let status = response.status();
        response.into_body().collect().await.context("read the answer")?;
        Ok(status)
    }
}

/// Files: two processes, a socket at either end of each connection, and some.
const FILES: u64 = 8_192;

/// So that there can be many connections, here and in what is started after this.
pub fn raise_file_limit() -> anyhow::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= FILES) {
        return Ok(());
    }
    limit.current = Some(limit.maximum.unwrap_or(FILES).min(FILES));
    setrlimit(Resource::Nofile, limit).context("raise the limit of open files")
}

/// Events as request bodies of `batch` each; a batch of one is a plain object.
pub fn bodies(events: &[Snapshot], batch: usize) -> Vec<Bytes> {
    let body = |chunk: &[Snapshot]| match chunk {
        [one] => Bytes::from(one.to_json()),
        many => Bytes::from(format!("[{}]", many.iter().map(Snapshot::to_json).collect::<Vec<_>>().join(","))),
    };
    events.chunks(batch).map(body).collect()
}

/// New events, spread over the last minutes.
pub fn fresh(count: usize) -> Vec<Snapshot> {
    let mut events = events::simulated(NORTH, count.min(1_000_000), rand::random());
    // A tenth of a second apart they would reach back for hours; a busy site sends hundreds a second.
    let now = common::clock::now();
    for (index, event) in events.iter_mut().enumerate() {
        let age = Duration::from_millis(((count - index) / 5) as u64).min(Duration::from_secs(1_800));
        event.event_time = now - age;
    }
    events
}

/// Posts all bodies over so many connections as fast as it goes. Returns how long that took. 503 is tried again, as a
/// camera would.
pub async fn post_all(url: &str, token: &str, bodies: Vec<Bytes>, connections: usize) -> anyhow::Result<Duration> {
    let queue = Arc::new(Mutex::new(VecDeque::from(bodies)));
    let mut opened = Vec::new();
    for _ in 0..connections {
        opened.push(Connection::open(url, token).await?);
    }
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for mut connection in opened {
        let queue = Arc::clone(&queue);
        tasks.spawn(async move {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(body) = next else { return Ok(()) };
                loop {
                    match connection.post(body.clone()).await? {
                        StatusCode::ACCEPTED | StatusCode::OK => break,
                        StatusCode::SERVICE_UNAVAILABLE => tokio::time::sleep(Duration::from_millis(20)).await,
                        status => bail!("the edge answered {status}"),
                    }
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(started.elapsed())
}
