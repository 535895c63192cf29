//! `smartpick-edge doctor`: everything that must be right on a box, looked at from outside, whether or not the edge runs.

mod central;
mod files;
mod service;

use std::path::Path;

use clap::Args;
use common::cli::doctor::{Check, Report, machine};
use common::config::{ConfigError, Loaded};

use super::ConfigArgs;
use super::running::{Running, data_dir};
use crate::buffer;
use crate::config::Config;
use crate::enrolment;

#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Print everything as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Looks at everything. With a configuration that cannot be used there is nothing else to look at.
pub async fn examine(loaded: Result<Loaded<Config>, ConfigError>) -> Report {
    let mut report = Report::new(super::NAME, env!("CARGO_PKG_VERSION"));
    let config = match loaded {
        Ok(loaded) => {
            report.add(Check::ok("config", "can be used"));
            loaded.config
        }
        Err(error) => {
            report.add(Check::failure(
                "config",
                error.to_string(),
                "`smartpick-edge check-config` says when it is right",
            ));
            return report;
        }
    };
    // A box that has joined is who it is by that, whatever the file leaves out.
    for words in enrolment::in_force(&config).as_ref().unwrap_or(&config).warnings() {
        report.add(Check::warning("config", words, "change what it names, then `smartpick-edge check-config`"));
    }
    let running = Running::new(&config, None, None);
    let runs = service::examine(&config, &running, &mut report).await;
    match data_dir(&config) {
        Ok(dir) => on_disk(&config, &dir, runs, &mut report),
        Err(error) => {
            report.add(Check::failure("data_dir", format!("{error:#}"), "run this with sudo, or set data_dir"))
        }
    }
    redis(&config, &mut report).await;
    report.add(machine::clock_is_kept("clock"));
    central::examine(&config, &mut report).await;
    report
}

fn on_disk(config: &Config, dir: &Path, runs: bool, report: &mut Report) {
    if !dir.exists() {
        let mend = "it is made when the edge starts for the first time";
        report.add(Check::warning("data_dir", format!("{} is not there yet", dir.display()), mend));
        return;
    }
    report.add(files::permissions(dir));
    for check in files::spill(dir, runs) {
        report.add(check);
    }
    report.add(machine::fsync("fsync", dir));
    report.add(machine::disk("disk", dir, config.alerts.disk_low_bytes, config.spill.disk_free_min));
}

async fn redis(config: &Config, report: &mut Report) {
    let Some(url) = &config.redis.url else {
        report.add(Check::skipped("redis", "none is configured; the edge runs on SQLite alone"));
        return;
    };
    // Without who signs in.
    let place = url.rsplit('@').next().unwrap_or(url).trim_start_matches("redis://");
    match buffer::examine(&config.redis).await {
        Err(error) => report.add(Check::failure(
            "redis",
            format!("{place}: {error}"),
            "`systemctl status redis-server` (or smartpick-edge-redis); until it is back SQLite takes everything",
        )),
        Ok(asked) => {
            let version = asked.version.clone().unwrap_or_else(|| "of a version that it does not say".to_owned());
            report.add(Check::ok("redis", format!("{place} answers, {version}")));
            asked.durability().into_iter().for_each(|check| report.add(accepted(config, check)));
        }
    }
}

/// Who has accepted a Redis that may lose something is reminded, not blamed.
fn accepted(config: &Config, check: Check) -> Check {
    match check.mend {
        Some(mend) if config.redis.accept_weak_durability && check.name != "redis memory" => {
            Check::warning(check.name, format!("{} (redis.accept_weak_durability allows it)", check.says), mend)
        }
        mend => Check { mend, ..check },
    }
}
