//! `smartpick-edge status`: the running edge's health in a few lines.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::{complain, say};
use crate::config::Config;

/// It runs on the same box.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks and prints.
pub async fn show(config: &Config, url: Option<&str>, json: bool) -> ExitCode {
    let base = url.map_or_else(|| format!("http://{}", reachable(config)), str::to_owned);
    let url = format!("{}/streams/health", base.trim_end_matches('/'));
    let ask = async { reqwest::Client::new().get(&url).timeout(TIMEOUT).send().await?.json::<Value>().await };
    let health = match ask.await {
        Ok(health) => health,
        Err(_) => {
            let text = format!("no edge answers at {base}; is it running? `systemctl status smartpick-edge`");
            return complain(&text, 2);
        }
    };
    if json {
        say(&format!("{health:#}\n"));
    } else {
        say(&in_words(&health));
    }
    match health["status"].as_str() {
        Some("healthy") => ExitCode::SUCCESS,
        Some("degraded") => ExitCode::from(1),
        _ => ExitCode::from(2),
    }
}

/// A wildcard address is reached through loopback.
pub fn reachable(config: &Config) -> std::net::SocketAddr {
    let mut addr = config.listen;
    if addr.ip().is_unspecified() {
        addr.set_ip(std::net::IpAddr::from([127, 0, 0, 1]));
    }
    addr
}

fn in_words(health: &Value) -> String {
    let mut out = String::new();
    let mut line = |name: &str, text: String| {
        // A String takes everything.
        let _infallible = writeln!(out, "{name:<10}{text}");
    };
    line("status", health["status"].as_str().unwrap_or("unknown").to_owned());
    for reason in health["reasons"].as_array().into_iter().flatten() {
        line("", format!("- {}", reason.as_str().unwrap_or_default()));
    }
    let redis = health["stream"]["info"]["redis"].as_str().unwrap_or("unknown");
    line("redis", format!("{redis}, {} events in {}", health["stream"]["length"], text(&health["stream"]["name"])));
    let mib = |value: &Value| value.as_u64().unwrap_or(0) / (1024 * 1024);
    let spill = &health["spill"];
    line("spill", format!("{} events, room for {} MiB more", spill["length"], mib(&spill["bytesFree"])));
    let central = &health["central"];
    line(
        "central",
        match (&central["reached"], central["error"].as_str()) {
            (Value::Null, _) => "none configured".to_owned(),
            (_, Some(error)) => format!("not reached since {}: {error}", text(&central["failingSince"])),
            (Value::Bool(true), _) => format!("reached, last confirmed {}", text(&central["lastConfirmedAt"])),
            _ => "not reached yet".to_owned(),
        },
    );
    line("rules", format!("{}; {} of them", text(&health["rules"]["from"]), health["rules"]["count"]));
    line("ledger", format!("epoch {}, head {}", text(&health["ledger"]["epoch"]), health["ledger"]["head"]));
    out
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("–")
}
