//! The `smartpick-central` binary: started, asked, killed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustix::process::Signal;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::dir::Dir;
use crate::process::{self, Service, Spec, our_binary};
use crate::{http, ports};

/// A central that holds its answers back is stuck.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

pub struct Central {
    pub url: String,
    /// For people and programs that ask it.
    pub token: String,
    http: reqwest::Client,
    service: Service,
}

/// What all central processes of a stack share: the database, Redis, and the credentials in them.
pub struct Setup {
    config: PathBuf,
    log: PathBuf,
    database_url: String,
    redis_url: String,
    tls: Option<Tls>,
}

/// For a central that speaks TLS.
#[derive(Debug, Clone)]
pub struct Tls {
    ca_dir: PathBuf,
    certificate_seconds: u64,
    /// Of a certificate that was given to it, with its key and authority.
    given: Option<PathBuf>,
}

impl Tls {
    /// Edges' certificates hold for so long. Central's own is of its own authority, or `given` by another one.
    ///
    /// # Errors
    /// If what is given cannot be made.
    pub fn new(dir: &Dir, certificate_seconds: u64, given: bool) -> anyhow::Result<Self> {
        let given = if given { Some(give(dir)?) } else { None };
        Ok(Self { ca_dir: dir.path().join("central-ca"), certificate_seconds, given })
    }

    /// What clients have to believe.
    pub fn authority(&self) -> PathBuf {
        self.given.as_ref().unwrap_or(&self.ca_dir).join("ca.crt")
    }
}

/// What an operator would get from the people who run a company's own authority.
fn give(dir: &Dir) -> anyhow::Result<PathBuf> {
    let dir = dir.sub("given")?;
    let mut params = CertificateParams::new([])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Company");
    let key = KeyPair::generate()?;
    std::fs::write(dir.join("ca.crt"), params.self_signed(&key)?.pem())?;
    let authority = Issuer::new(params, key);
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()])?.signed_by(&key, &authority)?;
    std::fs::write(dir.join("central.crt"), certificate.pem())?;
    std::fs::write(dir.join("central.key"), key.serialize_pem())?;
    Ok(dir)
}

#[derive(Debug, Deserialize)]
struct EdgeAdded {
    token: String,
}

#[derive(Debug, Deserialize)]
struct TokenAdded {
    token: String,
}

impl Setup {
    /// Migrates the database. With `tls` edges come in by certificates.
    ///
    /// # Errors
    /// If central's binary is missing or the migration fails.
    pub async fn new(dir: &Dir, database_url: &str, redis_url: &str, tls: Option<Tls>) -> anyhow::Result<Self> {
        let config = dir.path().join("central-setup.toml");
        let (database_url, redis_url) = (database_url.to_owned(), redis_url.to_owned());
        let setup = Self { config, log: dir.path().join("central-setup.log"), database_url, redis_url, tls };
        setup.write_config(&setup.config, 0)?;
        setup.command(&["migrate"]).await?;
        if setup.tls.is_some() {
            setup.command(&["ca", "new"]).await?;
        }
        Ok(setup)
    }

    /// How central speaks TLS; `None`: it does not.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Names the database and Redis.
    pub fn config(&self) -> &Path {
        &self.config
    }

    fn write_config(&self, path: &PathBuf, port: u16) -> anyhow::Result<()> {
        let Self { database_url, redis_url, .. } = self;
        let mut text = format!(
            "listen = \"127.0.0.1:{port}\"\n[database]\nurl = \"{database_url}\"\n[redis]\nurl = \"{redis_url}\"\n"
        );
        if let Some(Tls { ca_dir, certificate_seconds, given }) = &self.tls {
            let ca_dir = ca_dir.display();
            text += &format!("[tls]\nca_dir = \"{ca_dir}\"\nedge_certificate_seconds = {certificate_seconds}\n");
            text += &match given.as_ref().map(|dir| dir.display()) {
                None => "mode = \"own\"\n".to_owned(),
                Some(dir) => format!(
                    "mode = \"files\"\ncertificate = \"{dir}/central.crt\"\nkey = \"{dir}/central.key\"\nauthority = \"{dir}/ca.crt\"\n"
                ),
            };
        }
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Runs a command of central's.
    ///
    /// # Errors
    /// If it fails.
    pub async fn command(&self, words: &[&str]) -> anyhow::Result<String> {
        let mut args: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        args.extend(["--config".to_owned(), self.config.display().to_string()]);
        process::run(Spec {
            name: format!("smartpick-central {}", words.join(" ")),
            program: our_binary("smartpick-central")?,
            args,
            user: None,
            log: self.log.clone(),
            last_signal: Signal::KILL,
        })
        .await
    }

    /// Registers an edge and returns its token.
    ///
    /// # Errors
    /// If the command fails or prints something else than promised.
    pub async fn add_edge(&self, warehouse_id: Uuid, edge_id: Uuid) -> anyhow::Result<String> {
        let (warehouse, edge) = (warehouse_id.to_string(), edge_id.to_string());
        let words = ["edges", "add", "--warehouse", &warehouse, "--edge-id", &edge, "--json"];
        let added: EdgeAdded = serde_json::from_str(&self.command(&words).await?).context("edges add --json")?;
        Ok(added.token)
    }

    /// A token by which a box joins this warehouse, or is enrolled anew as `edge`.
    ///
    /// # Errors
    /// If the command fails or prints something else than promised.
    pub async fn join_token(&self, warehouse_id: Uuid, url: &str, edge: Option<Uuid>) -> anyhow::Result<String> {
        let (warehouse, name) = (warehouse_id.to_string(), format!("Site {warehouse_id}"));
        let edge = edge.map(|edge| edge.to_string());
        let words = match &edge {
            None => vec!["sites", "add", &name, "--warehouse", &warehouse, "--url", url, "--json"],
            Some(edge) => vec!["sites", "token", &warehouse, "--edge", edge, "--url", url, "--json"],
        };
        let added: TokenAdded = serde_json::from_str(&self.command(&words).await?).context("sites --json")?;
        Ok(added.token)
    }

    /// Makes a token for the query API, with all scopes.
    ///
    /// # Errors
    /// If the command fails or prints something else than promised.
    pub async fn add_token(&self, name: &str) -> anyhow::Result<String> {
        let scopes = ["read", "act", "people", "admin"].map(|scope| ["--scope", scope]).concat();
        let printed = self.command(&[&["tokens", "add", name, "--json"], &scopes[..]].concat()).await?;
        let added: TokenAdded = serde_json::from_str(&printed).context("tokens add --json")?;
        Ok(added.token)
    }
}

/// One line of the ledger: an epoch of an edge.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    pub edge_id: Uuid,
    pub epoch: Uuid,
    pub head: i64,
    pub received: i64,
    /// Events that became rows.
    pub stored: i64,
    /// Records that changed an alert or added a fact.
    pub alerts: i64,
    pub duplicates: i64,
    pub dead: i64,
    pub buffered: i64,
    pub missing: i64,
    /// `None` before the epoch's first heartbeat.
    pub reported_at: Option<DateTime<Utc>>,
}

impl Central {
    /// Starts the `index`th one and waits until it is ready.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start(dir: &Dir, setup: &Setup, index: usize, token: &str) -> anyhow::Result<Self> {
        let (name, port) = (format!("central-{index}"), ports::free()?);
        let config = dir.path().join(format!("{name}.toml"));
        setup.write_config(&config, port)?;
        let service = Service::start(Spec {
            log: dir.path().join(format!("{name}.log")),
            name,
            program: our_binary("smartpick-central")?,
            args: vec!["run".to_owned(), "--config".to_owned(), config.display().to_string()],
            user: None,
            last_signal: Signal::KILL,
        })
        .await?;
        let (scheme, http) = match &setup.tls {
            Some(tls) => ("https", http::trusting(ANSWER_TIMEOUT, &tls.authority())?),
            None => ("http", http::client(ANSWER_TIMEOUT)?),
        };
        let central = Self { url: format!("{scheme}://127.0.0.1:{port}"), token: token.to_owned(), http, service };
        central.ready().await?;
        Ok(central)
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

    /// Starts it on the same port and waits until it is ready.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_again(&self) -> anyhow::Result<()> {
        self.service.start_again().await?;
        self.ready().await
    }

    /// Asks for a path with the API token.
    ///
    /// # Errors
    /// If it does not answer with 200 and the JSON asked for.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        http::get(&self.http, &self.url, path, Some(&self.token)).await
    }

    /// Posts to a path with the API token.
    ///
    /// # Errors
    /// If it does not answer with a success and JSON.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> anyhow::Result<serde_json::Value> {
        http::post(&self.http, &self.url, path, Some(&self.token), body).await
    }

    /// # Errors
    /// If it does not answer.
    pub async fn ledger(&self) -> anyhow::Result<Vec<Account>> {
        #[derive(Deserialize)]
        struct Ledger {
            epochs: Vec<Account>,
        }
        Ok(self.get::<Ledger>("/api/v1/ledger").await?.epochs)
    }
}
