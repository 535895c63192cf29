//! The running edge: whether it answers, how it says it is, whether its cameras send.

use common::cli::doctor::{Check, Report, machine};
use common::clock;
use serde_json::Value;

use crate::cli::running::{Answer, Running, reachable};
use crate::cli::status::silent;
use crate::config::Config;

/// Asks it; answers whether it runs.
pub async fn examine(config: &Config, running: &Running, report: &mut Report) -> bool {
    let health = match running.get("/streams/health").await {
        Ok(Answer::Page(health)) => health,
        Ok(Answer::Silence) => {
            report.add(Check::failure(
                "service",
                format!("no edge answers at {}", running.base()),
                "`systemctl start smartpick-edge`; `journalctl -u smartpick-edge -n 50` says why it ended",
            ));
            report.add(machine::port("listen", reachable(config)));
            return false;
        }
        Ok(Answer::Refused(why)) => return other(running, &why, report),
        Err(error) => return other(running, &format!("{error:#}"), report),
    };
    report.add(service(&health));
    report.add(Check::ok("listen", format!("{}, as configured", config.listen)));
    match running.get("/streams/stats").await {
        Ok(Answer::Page(stats)) => report.add(cameras(config, &stats)),
        _ => report.add(Check::skipped("cameras", "the edge does not say")),
    }
    true
}

fn other(running: &Running, why: &str, report: &mut Report) -> bool {
    report.add(Check::failure(
        "service",
        format!("what answers at {} is no edge: {why}", running.base()),
        "`ss -ltnp` says which program it is; stop it, or set `listen`",
    ));
    false
}

fn service(health: &Value) -> Check {
    let version = health["version"].as_str().unwrap_or_default();
    let reasons: Vec<&str> = health["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let says = |status: &str| format!("runs, version {version}, {status}:\n{}", reasons.join("\n"));
    let codes: Vec<&str> = health["codes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mend = format!("the runbook has a section for each: {}", codes.join(", "));
    match health["status"].as_str() {
        Some("healthy") => Check::ok("service", format!("runs, version {version}, healthy")),
        Some("degraded") => Check::warning("service", says("degraded"), mend),
        status => Check::failure("service", says(status.unwrap_or("?")), mend),
    }
}

/// A camera that was heard and has fallen silent, as the running edge sees it.
fn cameras(config: &Config, stats: &Value) -> Check {
    let reports = stats["cameras"].as_array().cloned().unwrap_or_default();
    if reports.is_empty() {
        return Check::warning(
            "cameras",
            "none has sent anything since the edge started",
            "`curl -X POST http://ADDRESS/ingestion/ergonomics/test` sends an event of our own; then look at the camera",
        );
    }
    let name = |report: &&Value| report["camera_id"].as_str().unwrap_or_default().to_owned();
    let silent = silent(config, stats, clock::now());
    let suspect: Vec<String> =
        reports.iter().filter(|report| report["clock_suspect"] == true).map(|report| name(&report)).collect();
    if !suspect.is_empty() {
        return Check::warning(
            "cameras",
            format!("the clocks of {} cannot be believed", suspect.join(", ")),
            "let them ask an NTP server; their events are stored under the edge's own time meanwhile",
        );
    }
    if !silent.is_empty() {
        return Check::warning("cameras", format!("silent: {}", silent.join(", ")), "look at them and their network");
    }
    Check::ok("cameras", format!("{} send", reports.len()))
}
