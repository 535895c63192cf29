//! `smartpick-edge rules`: what rules would have raised on a recording, and what a change of rules would change; so that
//! a safety manager can tune them before anybody is called.

mod diff;
mod report;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use indicatif::ProgressBar;

use super::{ConfigArgs, load, zones};
use crate::alerts::replay::{Outcome, Replay};
use crate::alerts::rules::{InForce, Rule, kept};
use crate::config::Config;
use crate::enrolment;
use crate::simulate;
use crate::site::Site;

/// How often the progress line is drawn.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub struct RulesArgs {
    #[command(subcommand)]
    command: RulesCommand,
}

#[derive(Debug, Subcommand)]
enum RulesCommand {
    /// Say what the configured rules would have raised on recorded events.
    Test(TestArgs),
    /// Say how the rules of two configuration files differ, and what that changes on recorded events.
    Diff(DiffArgs),
    /// Say whose rules are in force here, this edge's or headquarters', and print them as a configuration has them.
    Show(ConfigArgs),
}

#[derive(Debug, Args)]
struct TestArgs {
    /// The recorded events: JSON lines, also .zst.
    #[arg(long, value_name = "FILE")]
    replay: PathBuf,
    #[command(flatten)]
    config: ConfigArgs,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct DiffArgs {
    /// The configuration file with the rules as they are.
    #[arg(value_name = "OLD.toml")]
    old: PathBuf,
    /// The configuration file with the rules as they would be.
    #[arg(value_name = "NEW.toml")]
    new: PathBuf,
    /// Also say which alerts appear and disappear on these recorded events: JSON lines, also .zst.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Print everything as JSON.
    #[arg(long)]
    json: bool,
}

/// What is said of a set without rules.
pub const ALERTS_OFF: &str = "There are none: alerts about people are off, whatever cameras see";

/// Does what was asked, and returns what to say.
pub async fn run(args: &RulesArgs) -> anyhow::Result<String> {
    match &args.command {
        RulesCommand::Test(args) => test(args),
        RulesCommand::Diff(args) => compare(args),
        RulesCommand::Show(args) => show(args).await,
    }
}

fn test(args: &TestArgs) -> anyhow::Result<String> {
    let config = load(&args.config)?.config;
    let site = Site::new(&config.site)?;
    let rules = config.alerts.rules()?;
    let [outcome] = replay(&args.replay, [(&config, rules)])?;
    Ok(if args.json { format!("{:#}\n", report::as_json(&outcome, &site)) } else { report::as_text(&outcome, &site) })
}

fn compare(args: &DiffArgs) -> anyhow::Result<String> {
    let (old, new) = (Config::load(Some(&args.old), &[])?.config, Config::load(Some(&args.new), &[])?.config);
    let site = Site::new(&new.site)?;
    let rules = diff::Rules::between(&old.alerts.rules, &new.alerts.rules);
    let alerts = match &args.replay {
        None => None,
        Some(path) => {
            let [before, after] = replay(path, [(&old, old.alerts.rules()?), (&new, new.alerts.rules()?)])?;
            Some(diff::Alerts::between(before.alerts, after.alerts))
        }
    };
    Ok(if args.json {
        format!("{:#}\n", diff::as_json(&rules, alerts.as_ref(), &site))
    } else {
        diff::as_text(&rules, alerts.as_ref(), &site)
    })
}

async fn show(args: &ConfigArgs) -> anyhow::Result<String> {
    let config = load(args)?.config;
    let (rules, trouble) = in_force(&config)?;
    let mut out = format!("# The rules in force are {rules}\n");
    if rules.rules.is_empty() {
        let _infallible = writeln!(out, "# {ALERTS_OFF}");
    }
    for words in trouble.into_iter().chain(zones::warnings(&config, &rules.configs).await) {
        let _infallible = writeln!(out, "# {words}");
    }
    for rule in &rules.configs {
        let one = BTreeMap::from([("rules", [rule])]);
        let section = toml::to_string(&BTreeMap::from([("alerts", one)])).context("write a rule")?;
        let _infallible = write!(out, "\n{section}");
    }
    Ok(out)
}

/// The rules that the edge goes by, running or not, and what there is to say of headquarters'.
pub fn in_force(config: &Config) -> anyhow::Result<(InForce, Option<String>)> {
    let own = InForce::own(&config.alerts.rules)?;
    let config = enrolment::in_force(config)?;
    Ok(match config.headquarters() {
        Some((_, warehouse_id)) => kept::peek(&config.data_dir()?, warehouse_id, own),
        None => (own, None),
    })
}

/// Replays a file once, under each of several configurations.
fn replay<const N: usize>(path: &Path, under: [(&Config, Vec<Rule>); N]) -> anyhow::Result<[Outcome; N]> {
    let mut replays = under.map(|(config, rules)| {
        Replay::new(&rules, Duration::from_secs(config.intake.event_age_max_days.saturating_mul(86_400)))
    });
    let progress = progress();
    let mut file = simulate::open(path)?;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = file.read_until(b'\n', &mut line).with_context(|| format!("cannot read {}", path.display()))?;
        if read == 0 {
            break;
        }
        // What is no text is no event either, and is refused as such.
        let text = String::from_utf8_lossy(&line);
        replays.iter_mut().for_each(|replay| replay.line(&text));
        progress.inc(1);
    }
    progress.finish_and_clear();
    let outcomes = replays.map(Replay::finish);
    if let Some(outcome) = outcomes.iter().find(|outcome| outcome.events == 0) {
        let first = outcome.told.first().map_or_else(String::new, |told| {
            format!("; line {}: {}: {}", told.line, told.refusal.field, told.refusal.message)
        });
        anyhow::bail!("{} holds no valid event; it must be JSON lines{first}", path.display());
    }
    Ok(outcomes)
}

/// A line on the terminal; nothing where there is none.
fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message("events");
    bar.enable_steady_tick(PROGRESS_EVERY);
    bar
}
