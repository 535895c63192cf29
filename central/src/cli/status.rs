//! `status`: headquarters on one screen: how central says it is, what it stores, what it waits for, and the sites by state. The
//! sites are read from Postgres, so they show without a central that runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args as ClapArgs;
use common::cli::ago;
use common::cli::doctor::Check;
use common::cli::exit::{Exit, say};
use common::cli::style::{Mark, Style};
use common::cli::watch::{self, Seen};
use common::clock;
use common::words::{duration, grouped};
use serde_json::{Value, json};

use super::running::Running;
use crate::config::Config;
use crate::store::Db;
use crate::store::examine::{self, SiteState};

/// Sites that are named on the screen; the page at headquarters has them all.
const SITES_SHOWN: usize = 10;

#[derive(ClapArgs)]
pub struct Args {
    /// Look again every two seconds: redraw a terminal, else print a line for each change
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// As JSON, all of it
    #[arg(long)]
    json: bool,
}

/// What there is to show.
struct Look {
    /// `None`: no central answers.
    page: Option<Value>,
    /// Or why they cannot be read.
    sites: Result<Vec<SiteState>, String>,
}

/// Asks and prints. 0 healthy, 1 degraded, 2 unhealthy, 69 nobody answers.
pub async fn show(config: &Config, args: &Args) -> anyhow::Result<ExitCode> {
    let running = Running::new(config);
    let db = Db::open(&config.database)?;
    let style = Style::of_stdout();
    if args.watch {
        let look = async || match look(&running, &db).await {
            Ok(look) => seen(&running, &look, style),
            Err(error) => {
                let line = format!("{error:#}");
                Seen { screen: format!("{line}\n"), line, code: Exit::Unavailable.into() }
            }
        };
        return Ok(watch::watch(look).await);
    }
    let look = look(&running, &db).await?;
    if args.json {
        say(&format!("{:#}\n", as_json(&look)));
        return Ok(code(look.page.as_ref()));
    }
    let seen = seen(&running, &look, style);
    if look.page.is_none() {
        let text = format!("ask {}: nobody answers; is central running?", running.base());
        say(&seen.screen);
        return Ok(common::cli::exit::complain(super::NAME, &text, Exit::Unavailable));
    }
    Ok(watch::once(seen))
}

async fn look(running: &Running, db: &Db) -> anyhow::Result<Look> {
    let page = running.get("/streams/stats").await?;
    let sites = examine::sites(db).await.map_err(|error| format!("{:#}", anyhow::Error::new(error)));
    Ok(Look { page, sites })
}

fn as_json(look: &Look) -> Value {
    let mut all = look.page.clone().unwrap_or_else(|| json!({"status": null}));
    all["sites"] = match &look.sites {
        Ok(sites) => sites
            .iter()
            .map(|site| {
                json!({"warehouseId": site.warehouse_id, "name": site.name, "state": site.state,
                       "reasonCodes": site.codes, "since": site.since})
            })
            .collect(),
        Err(_) => Value::Null,
    };
    all
}

fn code(page: Option<&Value>) -> ExitCode {
    match page.map(|page| page["status"].as_str()) {
        None => Exit::Unavailable.into(),
        Some(Some("healthy")) => ExitCode::SUCCESS,
        Some(Some("degraded")) => ExitCode::from(1),
        Some(_) => ExitCode::from(2),
    }
}

fn reasons(page: &Value) -> Vec<&str> {
    page["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn mark(status: Option<&str>) -> Mark {
    match status {
        Some("healthy") => Mark::Ok,
        Some("degraded") => Mark::Warning,
        _ => Mark::Failure,
    }
}

fn seen(running: &Running, look: &Look, style: Style) -> Seen {
    let mut out = String::new();
    let mut line = |name: &str, text: String| {
        // A String takes everything.
        let _infallible = writeln!(out, "{name:<10}{text}");
    };
    let now = clock::now();
    let mut summary = format!("no central answers at {}", running.base());
    if let Some(page) = &look.page {
        let status = page["status"].as_str().unwrap_or("?");
        line("status", style.paint(mark(Some(status)), status));
        let reasons = reasons(page);
        reasons.iter().for_each(|reason| line("", format!("- {reason}")));
        summary = if reasons.is_empty() { status.to_owned() } else { format!("{status}: {}", reasons.join("; ")) };
        let (stream, counts, worker) = (&page["stream"], &page["counts"], &page["worker"]);
        let count = |key: &str| grouped(counts[key].as_u64().unwrap_or_default());
        let rate = stream["info"]["acknowledgedPerSecond"].as_f64().unwrap_or_default();
        let (waiting, oldest) = (&stream["length"], stream["info"]["oldestWaitingMs"].as_u64().unwrap_or_default());
        line("waiting", format!("{waiting} frames, the oldest {oldest} ms; {rate:.1} frames/s are stored"));
        let commit = ago(worker["lastCommitAt"].as_str(), now).unwrap_or_else(|| "never".to_owned());
        line("workers", format!("{}, last commit {commit}", page["workers"].as_array().map_or(0, Vec::len)));
        line(
            "records",
            format!(
                "{} received = {} stored + {} duplicate + {} dead",
                count("recordsReceived"),
                count("recordsStored"),
                count("recordsDuplicate"),
                count("recordsDead")
            ),
        );
        for (name, state) in [("postgres", &page["postgres"]["state"]), ("redis", &stream["info"]["redis"])] {
            let answered = ago(state["answeredAt"].as_str(), now).unwrap_or_else(|| "never".to_owned());
            let text = state["error"].as_str().map_or(format!("answered {answered}"), str::to_owned);
            line(name, text);
        }
    } else {
        line("status", style.paint(Mark::Failure, "not running"));
    }
    match &look.sites {
        Ok(sites) => sites_lines(sites, style, &mut line, &mut summary),
        Err(why) => line("sites", format!("cannot be read: {why}")),
    }
    Seen { screen: style.plain(&out), line: style.plain(&summary), code: code(look.page.as_ref()) }
}

fn sites_lines(sites: &[SiteState], style: Style, line: &mut impl FnMut(&str, String), summary: &mut String) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for site in sites {
        *counts.entry(site.state.as_deref().unwrap_or("unknown")).or_default() += 1;
    }
    let counted: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let counted = if counted.is_empty() { "none yet".to_owned() } else { counted.join(", ") };
    line("sites", counted.clone());
    let _infallible = write!(summary, "; sites: {counted}");
    let unwell: Vec<&SiteState> = sites.iter().filter(|site| site.state.as_deref() != Some("healthy")).collect();
    for site in unwell.iter().take(SITES_SHOWN) {
        let name = site.name.clone().unwrap_or_else(|| site.warehouse_id.to_string());
        let state = site.state.as_deref().unwrap_or("unknown");
        let since = site
            .since
            .map(|since| format!(" for {}", duration((clock::now() - since).as_seconds_f64())))
            .unwrap_or_default();
        let codes = site.codes.as_deref().unwrap_or_default().join(", ");
        let mark = if state == "degraded" { Mark::Warning } else { Mark::Failure };
        line("", format!("- {name}: {}{since}  {codes}", style.paint(mark, state)));
    }
    if unwell.len() > SITES_SHOWN {
        line("", format!("and {} more", unwell.len() - SITES_SHOWN));
    }
}

/// The running central as the doctor tells of it.
pub fn as_check(page: &Value) -> Check {
    let status = page["status"].as_str().unwrap_or("?");
    let codes: Vec<&str> = page["codes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let says = format!("runs, {status}:\n{}", reasons(page).join("\n"));
    let mend = format!("the runbook has a section for each: {}", codes.join(", "));
    match mark(Some(status)) {
        Mark::Warning => Check::warning("service", says, mend),
        Mark::Failure => Check::failure("service", says, mend),
        Mark::Ok | Mark::Skipped => Check::ok("service", "runs, healthy"),
    }
}
