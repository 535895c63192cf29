//! `status`: what a running central says of itself, for people and for scripts. Exit code 0 healthy, 1 not.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::config::Config;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Where to ask: a central that listens everywhere is asked on this machine.
fn address(config: &Config) -> anyhow::Result<SocketAddr> {
    let mut address: SocketAddr = config.listen.parse()?;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(address)
}

pub async fn show(config: &Config, json: bool, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    // The client asks for a provider even where nothing is encrypted. A second call of this is no harm.
    drop(rustls::crypto::ring::default_provider().install_default());
    let url = format!("http://{}/streams/stats", address(config)?);
    let client = reqwest::Client::builder().timeout(TIMEOUT).build()?;
    let answer = client.get(&url).send().await.with_context(|| format!("ask {url}; is central running?"))?;
    let page: Value = answer.error_for_status()?.json().await.context("read the answer")?;
    if json {
        writeln!(out, "{page}")?;
    } else {
        describe(&page, out)?;
    }
    Ok(if page["status"] == "healthy" { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn describe(page: &Value, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "status    {}", page["status"].as_str().unwrap_or("?"))?;
    for reason in page["reasons"].as_array().into_iter().flatten() {
        writeln!(out, "          {}", reason.as_str().unwrap_or("?"))?;
    }
    let (stream, counts) = (&page["stream"], &page["counts"]);
    writeln!(out, "waiting   {} frames, the oldest {} ms", stream["length"], stream["info"]["oldestWaitingMs"])?;
    writeln!(out, "workers   {}", page["workers"].as_array().map_or(0, Vec::len))?;
    writeln!(
        out,
        "records   {} received = {} stored + {} duplicate + {} dead",
        counts["recordsReceived"], counts["recordsStored"], counts["recordsDuplicate"], counts["recordsDead"]
    )?;
    Ok(())
}
