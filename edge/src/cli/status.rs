//! `smartpick-edge status`: the edge on one screen: how it is in words, what comes in, what waits and for how long there is
//! room, the way to headquarters, alerts and cameras.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use common::cli::ago;
use common::cli::doctor::machine::bytes;
use common::cli::exit::{Exit, say};
use common::cli::style::{Mark, Style};
use common::cli::watch::{self, Seen};
use common::clock;
use common::config::{ConfigError, Loaded};
use common::tls::Mode;
use common::words::{duration, grouped};
use serde_json::{Value, json};
use toml::Table;

use super::running::{Answer, Running};
use super::{ConfigArgs, complain};
use crate::config::{Config, DEFAULT_FILE};

#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Where the edge listens [default: `listen` of the configuration].
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Look again every two seconds: redraw a terminal, else print a line for each change.
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// Print health and figures as JSON.
    #[arg(long)]
    json: bool,
}

/// Asks and prints. An edge goes on running by what it has read when its file is no good any more.
pub async fn show(loaded: Result<Loaded<Config>, ConfigError>, args: &StatusArgs) -> ExitCode {
    let config = &match loaded {
        Ok(loaded) => loaded.config,
        Err(error) => {
            // Its code is not ours: the edge's is.
            let _not_ours = complain(&error.to_string(), Exit::Config);
            address(&args.config)
        }
    };
    let running = Running::new(config, args.url.as_deref(), None);
    let style = Style::of_stdout();
    if args.watch {
        return watch::watch(async || look(config, &running, style).await).await;
    }
    match ask(&running).await {
        Ok(Some(page)) if args.json => {
            say(&format!("{page:#}\n"));
            code(&page)
        }
        Ok(Some(page)) => watch::once(seen(config, &page, style)),
        Ok(None) => complain(&running.silence(), Exit::Unavailable),
        Err(error) => complain(&format!("{error:#}"), Exit::of(&error)),
    }
}

/// As much of a file that is refused as it takes to find the edge; where it does not say so, the defaults.
fn address(args: &ConfigArgs) -> Config {
    let path = args.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
    let said: Table = std::fs::read_to_string(path).ok().and_then(|text| text.parse().ok()).unwrap_or_default();
    let mut config = Config::default();
    if let Some(listen) = said.get("listen").and_then(|listen| listen.as_str()?.parse().ok()) {
        config.listen = listen;
    }
    if said.get("tls").and_then(|tls| tls.get("mode")?.as_str()).is_some_and(|mode| mode != "off") {
        config.tls.mode = Mode::Own;
    }
    config
}

/// Health, with the figures below `stats`; `None` if nobody answers.
async fn ask(running: &Running) -> anyhow::Result<Option<Value>> {
    let Answer::Page(mut page) = running.get("/streams/health").await? else { return Ok(None) };
    let Answer::Page(stats) = running.get("/streams/stats").await? else { return Ok(None) };
    page["stats"] = stats;
    Ok(Some(page))
}

async fn look(config: &Config, running: &Running, style: Style) -> Seen {
    match ask(running).await {
        Ok(Some(page)) => seen(config, &page, style),
        silent => {
            let text = silent.map_or_else(|error| format!("{error:#}"), |_| running.silence());
            let screen = format!("{}\n", style.paint(Mark::Failure, &style.plain(&text)));
            Seen { screen, line: text, code: Exit::Unavailable.into() }
        }
    }
}

fn code(page: &Value) -> ExitCode {
    ExitCode::from(match page["status"].as_str() {
        Some("healthy") => 0,
        Some("degraded") => 1,
        _ => 2,
    })
}

fn seen(config: &Config, page: &Value, style: Style) -> Seen {
    let reasons: Vec<&str> = page["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let status = text(&page["status"]);
    let line = if reasons.is_empty() { status.to_owned() } else { format!("{status}: {}", reasons.join("; ")) };
    Seen { screen: style.plain(&screen(config, page, &reasons, style)), line, code: code(page) }
}

fn screen(config: &Config, page: &Value, reasons: &[&str], style: Style) -> String {
    let mut out = String::new();
    let mut line = |name: &str, text: String| {
        // A String takes everything.
        let _infallible = writeln!(out, "{name:<10}{text}");
    };
    let now = clock::now();
    let mark = match page["status"].as_str() {
        Some("healthy") => Mark::Ok,
        Some("degraded") => Mark::Warning,
        _ => Mark::Failure,
    };
    let site = if config.site.name.is_empty() { String::new() } else { format!("  {}", config.site.name) };
    line("status", format!("{}{site}", style.paint(mark, text(&page["status"]))));
    for reason in reasons {
        line("", format!("- {}", reason.replace('\n', "\n            ")));
    }
    let (stats, outlook, spill) = (&page["stats"], &page["outlook"], &page["spill"]);
    let since = ago(page["startedAt"].as_str(), now).unwrap_or_default();
    line(
        "accepted",
        format!(
            "{:.1} events/s; {} since the start {since}, {} rejected",
            outlook["acceptedPerSecond"].as_f64().unwrap_or_default(),
            count(&stats["accepted"]),
            count(&stats["rejected"])
        ),
    );
    let drain =
        outlook["drainSeconds"].as_f64().map(|secs| format!(", gone in {}", duration(secs))).unwrap_or_default();
    let lanes = &page["lanes"];
    line(
        "waiting",
        format!("{} live, {} backlog{drain}", count(&lanes["live"]["waiting"]), count(&lanes["backlog"]["waiting"])),
    );
    let redis = text(&page["stream"]["info"]["redis"]);
    line("redis", format!("{redis}, {} events in {}", count(&page["stream"]["length"]), text(&page["stream"]["name"])));
    let hours = match outlook["roomHours"].as_f64() {
        Some(hours) if hours > 48.0 => format!(", {:.0} days at this rate", hours / 24.0),
        Some(hours) => format!(", {hours:.1} hours at this rate"),
        None => String::new(),
    };
    let room = bytes(spill["bytesFree"].as_u64().unwrap_or_default());
    line("spill", format!("{} events, room for {room} more{hours}", count(&spill["length"])));
    line("central", central(&page["central"], now));
    let rules = match page["rules"]["count"].as_u64() {
        Some(0) => "none, so alerts about people are off".to_owned(),
        _ => format!("{} of them", page["rules"]["count"]),
    };
    line("rules", format!("{}; {rules}", text(&page["rules"]["from"])));
    line("alerts", format!("{} going on", stats["alertsOpen"]));
    line("cameras", cameras(config, stats, now));
    line("ledger", format!("epoch {}, head {}", text(&page["ledger"]["epoch"]), count(&page["ledger"]["head"])));
    let restart: Vec<&str> =
        page["config"]["restartNeeded"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !restart.is_empty() {
        line("restart", format!("needed for what is different in the configuration: {}", restart.join(", ")));
    }
    out
}

fn central(central: &Value, now: DateTime<Utc>) -> String {
    let ago = |key: &str| ago(central[key].as_str(), now);
    match (&central["reached"], central["error"].as_str()) {
        (Value::Null, _) => "none configured".to_owned(),
        (Value::Bool(true), Some(error)) => {
            format!("reached, but takes no batch since {}: {error}", text(&central["failingSince"]))
        }
        (_, Some(error)) => format!("not reached, failing since {}: {error}", text(&central["failingSince"])),
        (Value::Bool(true), _) => {
            let receipt = ago("lastReceiptAt").map(|ago| format!(", took events {ago}")).unwrap_or_default();
            format!("reached, last confirmed {}{receipt}", ago("lastConfirmedAt").unwrap_or_default())
        }
        _ => "not reached yet".to_owned(),
    }
}

fn cameras(config: &Config, stats: &Value, now: DateTime<Utc>) -> String {
    let count = stats["cameras"].as_array().map_or(0, Vec::len);
    let silent = silent(config, stats, now);
    match silent.as_slice() {
        [] => format!("{count} heard, none silent"),
        names => format!("{count} heard, silent: {}", names.join(", ")),
    }
}

/// Cameras that have sent nothing for longer than `alerts.camera_silent_after`, and those that the configuration expects
/// and that were never heard.
pub fn silent(config: &Config, stats: &Value, now: DateTime<Utc>) -> Vec<String> {
    let reports = stats["cameras"].as_array().map(Vec::as_slice).unwrap_or_default();
    let after = config.alerts.camera_silent_after;
    let patience = TimeDelta::from_std(after).unwrap_or(TimeDelta::MAX);
    let is_silent = |report: &&Value| {
        let seen = report["last_seen"].as_str().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
        !after.is_zero() && seen.is_none_or(|seen| now - seen.to_utc() > patience)
    };
    let mut names: Vec<String> =
        reports.iter().filter(is_silent).map(|report| text(&report["camera_id"]).to_owned()).collect();
    let heard = |id: &str| reports.iter().any(|report| report["camera_id"] == json!(id));
    let expected = config.site.cameras.iter().map(|camera| &camera.camera_id);
    names.extend(expected.filter(|id| !heard(id)).cloned());
    names
}

fn count(value: &Value) -> String {
    grouped(value.as_u64().unwrap_or_default())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("–")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_silent_after_its_time_or_if_it_was_never_heard() {
        let mut config = Config::default();
        let camera = |id: &str| crate::site::CameraConfig { camera_id: id.to_owned(), name: None, zone_id: None };
        config.site.cameras = vec![camera("cam-1"), camera("cam-3")];
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let seen = |id: &str, ago: i64| json!({"camera_id": id, "last_seen": now - TimeDelta::seconds(ago)});
        let stats = json!({"cameras": [seen("cam-1", 10), seen("cam-2", 301)]});
        assert_eq!(silent(&config, &stats, now), ["cam-2", "cam-3"]);
        config.alerts.camera_silent_after = std::time::Duration::ZERO;
        assert_eq!(silent(&config, &stats, now), ["cam-3"]);
    }
}
