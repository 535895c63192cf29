//! The central that runs with this configuration, asked on this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use common::tls::Mode;
use serde_json::Value;

use crate::config::Config;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Where to ask: a central that listens everywhere is asked on this machine.
pub fn address(config: &Config) -> anyhow::Result<SocketAddr> {
    let mut address: SocketAddr = config.listen.parse()?;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(address)
}

/// How to ask it.
pub struct Running {
    base: String,
}

impl Running {
    pub fn new(config: &Config) -> Self {
        // The client asks for a provider even where nothing is encrypted. A second call of this is no harm.
        drop(rustls::crypto::ring::default_provider().install_default());
        let place = address(config).map_or_else(|_| config.listen.clone(), |address| address.to_string());
        let scheme = if config.tls.mode == Mode::Off { "http" } else { "https" };
        Self { base: format!("{scheme}://{place}") }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// A page; `None` if nobody answers.
    ///
    /// # Errors
    /// If what answers is no central.
    pub async fn get(&self, path: &str) -> anyhow::Result<Option<Value>> {
        let client = client()?;
        let answer = match client.get(format!("{}{path}", self.base)).send().await {
            Err(error) if error.is_connect() || error.is_timeout() => return Ok(None),
            answer => answer.with_context(|| format!("ask {}", self.base))?,
        };
        answer.json().await.map(Some).with_context(|| format!("read what {} answers", self.base))
    }

    /// As text, for pages that are none of JSON.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn text(&self, path: &str) -> anyhow::Result<String> {
        let client = client()?;
        Ok(client.get(format!("{}{path}", self.base)).send().await?.error_for_status()?.text().await?)
    }
}

/// Whoever answers on an address of this machine is on it; its certificate is made for other names.
fn client() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().timeout(TIMEOUT).tls_danger_accept_invalid_certs(true).build()?)
}
