//! The few HTTP calls that both of our binaries get.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::{Client, RequestBuilder};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// # Errors
/// If the client cannot be made.
pub fn client(timeout: Duration) -> anyhow::Result<Client> {
    // Somebody else may have installed it already; either will do.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().timeout(timeout).tcp_nodelay(true).no_proxy().build().context("cannot make an HTTP client")
}

/// A client that believes the authority in this PEM file and no other.
///
/// # Errors
/// If the file cannot be read or the client not be made.
pub fn trusting(timeout: Duration, authority: &Path) -> anyhow::Result<Client> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let pem = std::fs::read(authority).with_context(|| format!("cannot read {}", authority.display()))?;
    let authority = reqwest::Certificate::from_pem(&pem).context("no certificate")?;
    let builder = Client::builder().timeout(timeout).tcp_nodelay(true).no_proxy().tls_certs_only([authority]);
    builder.build().context("cannot make an HTTP client")
}

/// Whether `/readyz` says 200.
///
/// # Errors
/// With what it says otherwise.
pub async fn is_ready(http: &Client, url: &str) -> anyhow::Result<Option<()>> {
    let response = http.get(format!("{url}/readyz")).send().await.context("GET /readyz")?;
    let status = response.status();
    if status.is_success() {
        return Ok(Some(()));
    }
    anyhow::bail!("/readyz says {status}: {}", response.text().await.unwrap_or_default())
}

/// # Errors
/// If the answer is not 200 and the JSON asked for.
pub async fn get<T: DeserializeOwned>(http: &Client, url: &str, path: &str, token: Option<&str>) -> anyhow::Result<T> {
    answer(http.get(format!("{url}{path}")), "GET", path, token).await
}

/// # Errors
/// If the answer is not a success with JSON.
pub async fn post(http: &Client, url: &str, path: &str, token: Option<&str>, body: &Value) -> anyhow::Result<Value> {
    answer(http.post(format!("{url}{path}")).json(body), "POST", path, token).await
}

async fn answer<T: DeserializeOwned>(
    mut request: RequestBuilder,
    method: &str,
    path: &str,
    token: Option<&str>,
) -> anyhow::Result<T> {
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.with_context(|| format!("{method} {path}"))?;
    let status = response.status();
    let text = response.text().await.with_context(|| format!("{method} {path}"))?;
    anyhow::ensure!(status.is_success(), "{method} {path}: {status}: {text}");
    serde_json::from_str(&text).with_context(|| format!("{method} {path}: {text}"))
}
