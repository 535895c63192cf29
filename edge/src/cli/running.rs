//! The edge that this command line is about: where its data is, and asking it over loopback while it runs.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use common::cli::exit::Exit;
use reqwest::header::{self, HeaderValue};
use serde_json::{Value, json};

use super::local;
use crate::config::Config;

/// Where the packaged service keeps its data; for systemd a link to where it really is.
const SERVICE_DIR: &str = "/var/lib/smartpick-edge";
const SESSION: &str = "/api/v1/session";
/// It runs on the same box.
const TIMEOUT: Duration = Duration::from_secs(3);
/// To check a password takes a moment, and others may be signing in.
const SIGN_IN_TIMEOUT: Duration = Duration::from_secs(20);

/// That of the service for root, who has configured none: with `sudo` there is no `STATE_DIRECTORY`, and root's home
/// is not where the service looks.
pub fn data_dir(config: &Config) -> anyhow::Result<PathBuf> {
    let service = Path::new(SERVICE_DIR);
    let said = !config.data_dir.is_empty() || std::env::var_os("STATE_DIRECTORY").is_some();
    if said || fs::symlink_metadata(service).is_err() {
        return Ok(config.data_dir()?);
    }
    if rustix::process::geteuid().is_root() {
        return Ok(service.to_owned());
    }
    let own = config.data_dir()?;
    if !own.exists() {
        return Err(std::io::Error::from(ErrorKind::PermissionDenied))
            .context(format!("the edge on this box keeps its data in {SERVICE_DIR}; run this with sudo"));
    }
    Ok(own)
}

/// The same for those who only look: there is nothing to see where no edge has been.
pub fn data_dir_there(config: &Config) -> anyhow::Result<PathBuf> {
    let dir = data_dir(config)?;
    match fs::metadata(&dir) {
        Ok(_) => Ok(dir),
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(Exit::NoInput.because(format!(
            "no edge runs, and there is no data directory {}; `data_dir` in the configuration names it",
            dir.display()
        ))),
        Err(error) => Err(error).with_context(|| format!("look into the data directory {}", dir.display())),
    }
}

/// Whether an edge runs on this data directory.
pub fn is_used(dir: &Path) -> anyhow::Result<bool> {
    let lock = match File::open(dir.join("lock")) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        lock => lock.context("look whether the edge runs")?,
    };
    match lock.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error).context("look whether the edge runs"),
    }
}

/// A wildcard address is reached through loopback.
pub fn reachable(config: &Config) -> SocketAddr {
    let mut addr = config.listen;
    if addr.ip().is_unspecified() {
        addr.set_ip(IpAddr::from([127, 0, 0, 1]));
    }
    addr
}

/// What came back from the running edge.
pub enum Answer {
    /// A page, whatever its status.
    Page(Value),
    /// It wants to know who asks, or more than that.
    Refused(String),
    /// Nobody answers there.
    Silence,
}

/// How to ask the running edge.
pub struct Running {
    base: String,
    /// On this box, by its own address.
    here: bool,
    token: Option<String>,
    /// The cookie of somebody who has signed in, who goes before the token.
    session: Option<HeaderValue>,
}

impl Running {
    /// `url` and `token` as given on the command line.
    pub fn new(config: &Config, url: Option<&str>, token: Option<&str>) -> Self {
        let here = url.is_none();
        let base = url.map_or_else(|| local::base(config), str::to_owned);
        Self { base: base.trim_end_matches('/').to_owned(), here, token: token.map(str::to_owned), session: None }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// What to say when nobody answers.
    pub fn silence(&self) -> String {
        format!("no edge answers at {}; is it running? `systemctl status smartpick-edge`", self.base)
    }

    /// Asks as this person from now on, until [`Self::sign_out`].
    ///
    /// # Errors
    /// If nobody answers, the name or the password is not right, or what answers is no edge.
    pub async fn sign_in(&mut self, name: &str, password: &str) -> anyhow::Result<()> {
        self.token = None;
        let credentials = json!({"name": name, "password": password});
        let request = self.client()?.post(format!("{}{SESSION}", self.base)).json(&credentials);
        let answer = self.ask(request, SIGN_IN_TIMEOUT).await?;
        let response = answer.with_context(|| Exit::Unavailable.because(self.silence()))?;
        let set = response.headers().get(header::SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
        let cookie = set.and_then(|cookie| HeaderValue::from_str(cookie.split(';').next()?).ok());
        match self.read(response).await? {
            Answer::Refused(why) => bail!(Exit::NoPermission.because(why)),
            Answer::Page(page) if cookie.is_none() => bail!("{}", says(&page)),
            _ => self.session = cookie,
        }
        Ok(())
    }

    /// The session would end by itself, some day.
    pub async fn sign_out(&mut self) {
        if self.session.is_none() {
            return;
        }
        if let Ok(client) = self.client() {
            self.ask(client.delete(format!("{}{SESSION}", self.base)), TIMEOUT).await.ok();
        }
        self.session = None;
    }

    /// # Errors
    /// If what answers is no edge.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(self.client()?.get(format!("{}{path}", self.base))).await
    }

    /// # Errors
    /// If what answers is no edge.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(self.client()?.post(format!("{}{path}", self.base)).json(body)).await
    }

    fn client(&self) -> anyhow::Result<reqwest::Client> {
        let builder = if self.here { local::http() } else { reqwest::Client::builder() };
        builder.build().context("set up HTTP")
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Answer> {
        match self.ask(request, TIMEOUT).await? {
            Some(response) => self.read(response).await,
            None => Ok(Answer::Silence),
        }
    }

    /// `None` if nobody answers.
    async fn ask(
        &self,
        request: reqwest::RequestBuilder,
        timeout: Duration,
    ) -> anyhow::Result<Option<reqwest::Response>> {
        let request = match (&self.session, &self.token) {
            // A cookie changes something only from a page of ours, which is what `Origin` says of a browser.
            (Some(session), _) => request.header(header::COOKIE, session).header(header::ORIGIN, &self.base),
            (None, Some(token)) => request.bearer_auth(token),
            (None, None) => request,
        };
        match request.timeout(timeout).send().await {
            Err(error) if error.is_connect() || error.is_timeout() => Ok(None),
            answer => answer.map(Some).with_context(|| format!("ask {}", self.base)),
        }
    }

    async fn read(&self, response: reqwest::Response) -> anyhow::Result<Answer> {
        let status = response.status();
        let page: Value = response.json().await.with_context(|| format!("what answers at {} is no edge", self.base))?;
        match status.as_u16() {
            401 | 403 | 429 => Ok(Answer::Refused(says(&page))),
            404 => bail!(Exit::NoInput.because(says(&page))),
            400 | 405 | 409 | 422 => bail!("{}", says(&page)),
            _ => Ok(Answer::Page(page)),
        }
    }

    /// As text, for pages that are none of JSON.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn text(&self, path: &str) -> anyhow::Result<String> {
        let request = self.client()?.get(format!("{}{path}", self.base)).timeout(TIMEOUT);
        Ok(request.send().await?.error_for_status()?.text().await?)
    }
}

/// What a problem says.
fn says(page: &Value) -> String {
    page["detail"].as_str().or(page["title"].as_str()).unwrap_or_default().to_owned()
}
