//! A Redis of our own: free port, own directory, its data kept across restarts.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use redis::aio::MultiplexedConnection;
use rustix::process::Signal;

use crate::dir::Dir;
use crate::process::{Service, Spec, system_binary};
use crate::{ports, wait};

/// What survives when it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Every write is on disk before its answer: what an edge's Redis must have.
    Always,
    /// Nothing: central's Redis is only a shock absorber.
    None,
}

/// Longer than the crate's 500 ms, for a busy machine.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

pub struct Redis {
    pub url: String,
    service: Service,
}

impl Redis {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    /// If redis-server is missing or does not start.
    pub async fn start(dir: &Dir, name: &str, durability: Durability) -> anyhow::Result<Self> {
        let data: PathBuf = dir.sub(name)?;
        let port = ports::free()?;
        let append = if durability == Durability::Always { "yes" } else { "no" };
        let settings: [(&str, &str); 9] = [
            ("--port", &port.to_string()),
            ("--bind", "127.0.0.1"),
            ("--dir", &data.display().to_string()),
            ("--appendonly", append),
            ("--appendfsync", "always"),
            ("--no-appendfsync-on-rewrite", "no"),
            ("--save", ""),
            ("--maxmemory-policy", "noeviction"),
            ("--daemonize", "no"),
        ];
        let service = Service::start(Spec {
            name: name.to_owned(),
            program: system_binary("redis-server", &[])?,
            args: settings.iter().flat_map(|(key, value)| [(*key).to_owned(), (*value).to_owned()]).collect(),
            user: None,
            log: dir.path().join(format!("{name}.log")),
            last_signal: Signal::KILL,
        })
        .await?;
        let redis = Self { url: format!("redis://127.0.0.1:{port}"), service };
        redis.ready().await?;
        Ok(redis)
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let ping = || async {
            let mut connection = self.connect().await?;
            let pong: String = redis::cmd("PING").query_async(&mut connection).await?;
            Ok((pong == "PONG").then_some(()))
        };
        self.service.ready(ping).await
    }

    /// # Errors
    /// If it does not answer.
    pub async fn connect(&self) -> anyhow::Result<MultiplexedConnection> {
        let client = redis::Client::open(self.url.as_str()).context("redis url")?;
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_TIMEOUT))
            .set_response_timeout(Some(ANSWER_TIMEOUT));
        client.get_multiplexed_async_connection_with_config(&config).await.context("connect to redis")
    }

    /// Runs one command.
    ///
    /// # Errors
    /// If it does not answer, or with an error.
    pub async fn command<T: redis::FromRedisValue>(&self, words: &[&str]) -> anyhow::Result<T> {
        let mut connection = self.connect().await?;
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(*word);
        }
        command.query_async(&mut connection).await.with_context(|| format!("redis: {}", words.join(" ")))
    }

    /// # Errors
    /// If it was not running.
    pub async fn kill9(&self) -> anyhow::Result<()> {
        self.service.kill9().await
    }

    /// Starts it on the same port with the data it left, and waits until it answers.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_again(&self) -> anyhow::Result<()> {
        self.service.start_again().await?;
        self.ready().await
    }

    /// It keeps its connections but does nothing any more.
    ///
    /// # Errors
    /// If it was never started.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.service.signal(Signal::STOP)
    }

    /// # Errors
    /// If it was never started.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.service.signal(Signal::CONT)
    }

    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Waits until the length of a stream fits.
    ///
    /// # Errors
    /// If it never does.
    pub async fn stream_len(&self, stream: &str, what: &str, fits: impl Fn(u64) -> bool) -> anyhow::Result<u64> {
        wait::until(what, wait::SOON, || async {
            let length: u64 = self.command(&["XLEN", stream]).await?;
            anyhow::ensure!(fits(length), "the stream holds {length}");
            Ok(Some(length))
        })
        .await
    }
}
