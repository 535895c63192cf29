//! The `smartpick-edge` binary: started, asked, killed.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::Signal;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::dir::Dir;
use crate::process::{self, Service, Spec, our_binary};
use crate::{http, ports};

const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// What the design gives a graceful stop, and a second for a busy machine.
const STOP_WITHIN: Duration = Duration::from_secs(11);

/// What an edge is started with, beyond the defaults.
#[derive(Debug, Clone)]
pub struct Options {
    pub name: String,
    pub warehouse_id: Uuid,
    pub edge_id: Uuid,
    pub central_url: String,
    pub entry: Entry,
    /// `None` = SQLite alone.
    pub redis_url: Option<String>,
    pub stream_max_length: Option<u64>,
    /// Where its data goes instead of the stack's directory.
    pub data_dir: Option<PathBuf>,
    /// Lines for its `[spill]` section.
    pub spill: Option<String>,
    /// Lines for its `[alerts]` section.
    pub alerts: Option<String>,
}

/// How it comes in at central.
#[derive(Debug, Clone)]
pub enum Entry {
    /// By a bearer token, as this edge.
    Token(String),
    /// By a certificate that it gets for this join token, as the edge that central makes of it.
    Join(String),
}

pub struct Edge {
    pub url: String,
    pub camera_token: String,
    /// What it shows to central, if that is a token.
    pub central_token: Option<String>,
    pub warehouse_id: Uuid,
    pub edge_id: Uuid,
    pub redis_url: Option<String>,
    pub data_dir: PathBuf,
    config: PathBuf,
    http: reqwest::Client,
    service: Service,
}

/// The part of `/streams/stats` that tests look at.
#[derive(Debug, Clone, Deserialize)]
pub struct Stats {
    pub accepted: u64,
    pub buffered: Buffered,
    pub lanes: Lanes,
    pub ledger: LedgerHead,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Buffered {
    pub live: u64,
    pub backlog: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lanes {
    /// Records on their way, without a receipt yet. What a wiped Redis held may still be among them.
    pub in_flight: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct LedgerHead {
    pub epoch: Uuid,
    pub head: i64,
}

impl Edge {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(dir: &Dir, options: Options) -> anyhow::Result<Self> {
        let Options { name, warehouse_id, edge_id, central_url, entry, .. } = options;
        let port = ports::free()?;
        let camera_token = format!("camera-{}", Uuid::new_v4().simple());
        let data_dir = match options.data_dir {
            Some(data_dir) => data_dir,
            None => dir.sub(&format!("{name}-data"))?,
        };
        let mut text = format!(
            "listen = \"127.0.0.1:{port}\"\ndata_dir = \"{}\"\ncamera_token = \"{camera_token}\"\n",
            data_dir.display()
        );
        if let Entry::Token(token) = &entry {
            text += &format!(
                "edge_id = \"{edge_id}\"\nwarehouse_id = \"{warehouse_id}\"\n\
                 [central]\nurl = \"{central_url}\"\ntoken = \"{token}\"\n"
            );
        }
        if let Some(url) = &options.redis_url {
            text.push_str(&format!("[redis]\nurl = \"{url}\"\n"));
        }
        if let Some(length) = options.stream_max_length {
            text.push_str(&format!("[stream]\nmax_length = {length}\n"));
        }
        if let Some(spill) = &options.spill {
            text.push_str(&format!("[spill]\n{spill}\n"));
        }
        if let Some(alerts) = &options.alerts {
            text.push_str(&format!("[alerts]\n{alerts}\n"));
        }
        let config = dir.path().join(format!("{name}.toml"));
        std::fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
        let (edge_id, central_token) = match entry {
            Entry::Token(token) => (edge_id, Some(token)),
            Entry::Join(token) => (enroll(dir, &config, &data_dir, &[&token]).await?, None),
        };
        let service = Service::start(Spec {
            log: dir.path().join(format!("{name}.log")),
            name,
            program: our_binary("smartpick-edge")?,
            args: vec!["run".to_owned(), "--config".to_owned(), config.display().to_string()],
            user: None,
            last_signal: Signal::KILL,
        })
        .await?;
        let (url, redis_url) = (format!("http://127.0.0.1:{port}"), options.redis_url);
        let http = http::client(ANSWER_TIMEOUT)?;
        let edge = Self {
            url,
            camera_token,
            central_token,
            warehouse_id,
            edge_id,
            redis_url,
            data_dir,
            config,
            http,
            service,
        };
        edge.ready().await?;
        Ok(edge)
    }

    /// Enrols it again; the running edge takes that up when it starts again.
    ///
    /// # Errors
    /// If the command fails, or makes it another edge.
    pub async fn enroll_again(&self, dir: &Dir, token: &str) -> anyhow::Result<()> {
        let edge_id = enroll(dir, &self.config, &self.data_dir, &[token, "--replace"]).await?;
        anyhow::ensure!(edge_id == self.edge_id, "it is edge {edge_id} now");
        Ok(())
    }

    async fn ready(&self) -> anyhow::Result<()> {
        self.service.ready(|| http::is_ready(&self.http, &self.url)).await
    }

    pub fn service(&self) -> &Service {
        &self.service
    }

    /// # Errors
    /// If it was not running.
    pub async fn kill9(&self) -> anyhow::Result<()> {
        self.service.kill9().await
    }

    /// Asks it to stop and waits for its end.
    ///
    /// # Errors
    /// If it does not stop in the time the design gives it.
    pub async fn terminate(&self) -> anyhow::Result<ExitStatus> {
        self.service.stop(Signal::TERM, STOP_WITHIN).await
    }

    /// Starts it on the same port with the data it left, and waits until it is ready.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_again(&self) -> anyhow::Result<()> {
        self.service.start_again().await?;
        self.ready().await
    }

    /// # Errors
    /// If it does not answer.
    pub async fn stats(&self) -> anyhow::Result<Stats> {
        http::get(&self.http, &self.url, "/streams/stats", Some(&self.camera_token)).await
    }

    /// Asks as somebody who works on the box, which needs no account while there are none.
    ///
    /// # Errors
    /// If it does not answer with 200 and the JSON asked for.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        http::get(&self.http, &self.url, path, None).await
    }

    /// # Errors
    /// If it does not answer with a success and JSON.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> anyhow::Result<serde_json::Value> {
        http::post(&self.http, &self.url, path, None, body).await
    }

    /// Whatever it says, healthy or not.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn health(&self) -> anyhow::Result<serde_json::Value> {
        let response = self.http.get(format!("{}/streams/health", self.url)).bearer_auth(&self.camera_token);
        let text = response.send().await.context("GET /streams/health")?.text().await.context("GET /streams/health")?;
        serde_json::from_str(&text).with_context(|| format!("GET /streams/health: {text}"))
    }
}

/// Runs `smartpick-edge enroll`; answers as whom.
async fn enroll(dir: &Dir, config: &Path, data_dir: &Path, args: &[&str]) -> anyhow::Result<Uuid> {
    #[derive(Deserialize)]
    struct Identity {
        edge_id: Uuid,
    }
    let mut all = vec!["enroll".to_owned(), "--config".to_owned(), config.display().to_string()];
    all.extend(args.iter().map(|arg| (*arg).to_owned()));
    process::run(Spec {
        name: "smartpick-edge enroll".to_owned(),
        program: our_binary("smartpick-edge")?,
        args: all,
        user: None,
        log: dir.path().join("enroll.log"),
        last_signal: Signal::KILL,
    })
    .await?;
    let identity = std::fs::read(data_dir.join("identity.json")).context("cannot read the identity")?;
    Ok(serde_json::from_slice::<Identity>(&identity).context("identity.json")?.edge_id)
}
