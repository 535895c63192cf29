//! `smartpick-central doctor`: everything that must be right at headquarters, looked at from outside, whether or not
//! central runs.

mod postgres;

use std::path::Path;

use common::cli::doctor::{Check, Report, machine};
use common::config::{ConfigError, Loaded};

use super::running::{Running, address};
use crate::config::Config;
use crate::stream::Stream;
use crate::usable::Usable;

/// Less than this on the root disk, and logs and sockets are in danger.
const DISK_LOW: u64 = 2 * 1024 * 1024 * 1024;
const DISK_LEAST: u64 = 256 * 1024 * 1024;
/// Streams with what we need of them, and EVAL with effects.
const REDIS_MAJOR_MIN: u32 = 7;

/// Looks at everything. With a configuration that cannot be used there is nothing else to look at. `file` is the main
/// file.
pub async fn examine(loaded: Result<Loaded<Config>, ConfigError>, file: &Path) -> Report {
    let mut report = Report::new(super::NAME, env!("CARGO_PKG_VERSION"));
    let (config, origins) = match loaded {
        Ok(loaded) => (loaded.config, loaded.origins),
        Err(error) => {
            report.add(Check::failure(
                "config",
                error.to_string(),
                "`smartpick-central check-config` says when it is right",
            ));
            return report;
        }
    };
    let usable = match Usable::new(&config).map_err(|error| origins.place(error)) {
        Ok(usable) => usable,
        Err(error) => {
            report.add(Check::failure(
                "config",
                error.to_string(),
                "`smartpick-central check-config` says when it is right",
            ));
            return report;
        }
    };
    report.add(Check::ok("config", "can be used"));
    let Usable { db, stream, .. } = usable;
    report.add(permissions(&config, file));
    service(&config, &mut report).await;
    postgres::examine(&config, &db, &mut report).await;
    redis(&stream, &mut report).await;
    report.add(machine::disk("disk", Path::new("/"), DISK_LOW, DISK_LEAST));
    report.add(machine::clock_is_kept("clock"));
    report
}

/// Whether passwords in the file are for everybody.
fn permissions(config: &Config, file: &Path) -> Check {
    let has_password = [&config.database.url, &config.redis.url].iter().any(|url| url.contains('@'));
    match std::fs::metadata(file) {
        Err(_) => Check::ok("permissions", "there is no file to protect"),
        Ok(_) if !has_password => Check::ok("permissions", format!("no password is in {}", file.display())),
        Ok(_) => match machine::is_open_to_all(file) {
            Ok(false) => Check::ok("permissions", format!("{} is not for everybody", file.display())),
            Ok(true) => Check::warning(
                "permissions",
                format!("everybody on this machine can read {}, and a password may be in it", file.display()),
                format!("chmod o= {}", file.display()),
            ),
            Err(error) => Check::skipped("permissions", error.to_string()),
        },
    }
}

async fn service(config: &Config, report: &mut Report) {
    let running = Running::new(config);
    match running.get("/streams/health").await {
        Ok(Some(health)) => {
            report.add(super::status::as_check(&health));
            report.add(Check::ok("listen", format!("{}, as configured", config.listen)));
        }
        Ok(None) => {
            report.add(Check::failure(
                "service",
                format!("no central answers at {}", running.base()),
                "`systemctl start smartpick-central`; `journalctl -u smartpick-central -n 50` says why it ended",
            ));
            if let Ok(address) = address(config) {
                report.add(machine::port("listen", address));
            }
        }
        Err(error) => report.add(Check::failure(
            "service",
            format!("what answers at {} is no central: {error:#}", running.base()),
            "`ss -ltnp` says which program it is; stop it, or set `listen`",
        )),
    }
}

async fn redis(stream: &Stream, report: &mut Report) {
    let asked = match stream.examine().await {
        Ok(asked) => asked,
        Err(error) => {
            report.add(Check::failure(
                "redis",
                format!("{:#}", anyhow::Error::new(error)),
                "`systemctl status redis-server`; an empty one will do, nothing is lost",
            ));
            return;
        }
    };
    let version = asked.version.clone().unwrap_or_else(|| "of a version that it does not say".to_owned());
    report.add(match asked.major() {
        Some(major) if major < REDIS_MAJOR_MIN => Check::failure(
            "redis",
            format!("is version {version}; {REDIS_MAJOR_MIN} is the least"),
            "install a newer one; an empty one will do, nothing is lost",
        ),
        _ => Check::ok("redis", format!("answers, {version}")),
    });
    report.add(asked.eviction());
}
