//! `smartpick-edge backlog`: what waits for headquarters, by lane and by run of the edge: from the running edge, or from the
//! spill's file if none runs.

use std::fmt::Write as _;

use anyhow::bail;
use clap::Args;
use common::cli::doctor::machine::bytes;
use common::cli::exit::Exit;
use common::cli::table;
use common::clock;
use common::words::{duration, grouped};
use serde_json::{Value, json};

use super::ConfigArgs;
use super::running::{Answer, Running, data_dir_there};
use crate::buffer::{Peek, PeekError};
use crate::config::Config;

#[derive(Debug, Args)]
pub struct BacklogArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Where the edge listens [default: `listen` of the configuration].
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

/// Asks the edge, or looks into its files; returns what to say.
pub async fn show(config: &Config, args: &BacklogArgs) -> anyhow::Result<String> {
    let running = Running::new(config, args.url.as_deref(), None);
    match running.get("/streams/stats").await? {
        Answer::Page(stats) => told(&stats, args.json),
        Answer::Refused(why) => bail!(Exit::NoPermission.because(why)),
        Answer::Silence if args.url.is_some() => bail!(Exit::Unavailable.because(running.silence())),
        Answer::Silence => found(config, args.json),
    }
}

fn told(stats: &Value, as_json: bool) -> anyhow::Result<String> {
    let (stream, spill) = (&stats["stream"], &stats["spill"]);
    let epochs: Vec<Value> = stats["epochs"].as_array().cloned().unwrap_or_default();
    if as_json {
        let lanes = json!({
            "from": "the running edge",
            "live": {"records": stream["length"], "bytes": stream["info"]["bytes"],
                     "oldestAgeMs": stream["info"]["oldestAgeMs"]},
            "backlog": {"records": spill["length"], "bytes": spill["bytes"], "oldestAgeMs": spill["oldestAgeMs"]},
            "drainSeconds": stats["outlook"]["drainSeconds"],
            "epochs": epochs,
        });
        return Ok(format!("{lanes:#}\n"));
    }
    let age = |ms: &Value| ms.as_i64().map_or_else(|| "–".to_owned(), |ms| duration(ms as f64 / 1_000.0));
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    let rows = [
        [
            "live (Redis)".to_owned(),
            grouped(count(&stream["length"])),
            bytes(count(&stream["info"]["bytes"])),
            age(&stream["info"]["oldestAgeMs"]),
        ],
        [
            "backlog (SQLite)".to_owned(),
            grouped(count(&spill["length"])),
            bytes(count(&spill["bytes"])),
            age(&spill["oldestAgeMs"]),
        ],
    ];
    let mut out = "As the running edge says:\n".to_owned();
    out += &table(["LANE", "EVENTS", "BYTES", "OLDEST"], rows);
    match stats["outlook"]["drainSeconds"].as_f64() {
        Some(secs) => writeln!(out, "\nAt this rate the backlog is gone in {}.", duration(secs))?,
        None if count(&spill["length"]) > 0 => writeln!(out, "\nThe backlog does not shrink now.")?,
        None => {}
    }
    let waiting = epochs.iter().filter(|epoch| count(&epoch["waiting"]) > 0);
    let rows: Vec<[String; 3]> = waiting
        .map(|epoch| {
            let this = if epoch["current"] == true { "this run" } else { "an earlier run" };
            let id = epoch["epoch"].as_str().unwrap_or_default().to_owned();
            [id, this.to_owned(), grouped(count(&epoch["waiting"]))]
        })
        .collect();
    if !rows.is_empty() {
        out += "\n";
        out += &table(["EPOCH", "OF", "WAITING"], rows);
    }
    Ok(out)
}

fn found(config: &Config, as_json: bool) -> anyhow::Result<String> {
    let dir = data_dir_there(config)?;
    let waiting = match Peek::open(&dir) {
        Ok(peek) => peek.waiting()?,
        Err(PeekError::None) => crate::buffer::Waiting::default(),
        Err(error) => {
            return Err(anyhow::Error::new(error).context(format!("look into the spill in {}", dir.display())));
        }
    };
    let place = format!("no edge runs; this is the spill in {}, without what Redis holds", dir.display());
    let age = waiting.oldest.map(|oldest| clock::now() - oldest);
    if as_json {
        let epochs: Vec<Value> = waiting
            .epochs
            .iter()
            .map(|(epoch, (records, _))| json!({"epoch": epoch, "current": false, "waiting": records}))
            .collect();
        let lanes = json!({
            "from": place,
            "backlog": {"records": waiting.records(), "bytes": waiting.bytes(),
                        "oldestAgeMs": age.map(|age| age.num_milliseconds())},
            "epochs": epochs,
        });
        return Ok(format!("{lanes:#}\n"));
    }
    let row = [
        "backlog (SQLite)".to_owned(),
        grouped(waiting.records()),
        bytes(waiting.bytes()),
        age.map_or_else(|| "–".to_owned(), |age| duration(age.as_seconds_f64())),
    ];
    let mut out = format!("{place}:\n");
    out += &table(["LANE", "EVENTS", "BYTES", "OLDEST"], [row]);
    if !waiting.epochs.is_empty() {
        let rows =
            waiting.epochs.iter().map(|(epoch, (records, held))| [epoch.to_string(), grouped(*records), bytes(*held)]);
        out += "\n";
        out += &table(["EPOCH", "WAITING", "BYTES"], rows);
    }
    Ok(out)
}
