//! Postgres: reachable, of a version and with settings that keep what they confirm, migrated, with partitions ahead, and
//! with room for our connections; and its clock beside ours.

use chrono::TimeDelta;
use common::cli::doctor::{Check, Report, machine};
use common::clock;

use crate::config::Config;
use crate::store::Db;
use crate::store::examine::{self, Contents, Examined};

/// `server_version_num` of 15.
const VERSION_MIN: u32 = 150_000;
/// Beside requests and workers: the looks at the fleet, upkeep, the sampler.
const CONNECTIONS_BESIDE: u64 = 6;
const CLOCK_OFFSET_MAX: TimeDelta = TimeDelta::seconds(5);
const DISK_LOW: u64 = 10 * 1024 * 1024 * 1024;
const DISK_LEAST: u64 = 1024 * 1024 * 1024;

/// Asks it.
pub async fn examine(config: &Config, db: &Db, report: &mut Report) {
    let examined = match examine::server(db).await {
        Ok(examined) => examined,
        Err(error) => {
            report.add(Check::failure(
                "postgres",
                format!("{}: {:#}", db.place(), anyhow::Error::new(error)),
                "is it running, and may this user sign in? `sudo -u postgres psql -l`; edges keep their events meanwhile",
            ));
            return;
        }
    };
    report.add(version(db, &examined));
    settings(&examined).into_iter().for_each(|check| report.add(check));
    report.add(connections(config, &examined));
    report.add(migrations(&examined));
    report.add(clock(&examined));
    if let Some(dir) = examined.settings.get("data_directory").filter(|dir| !dir.is_empty())
        && config.database.url.contains("host=/")
    {
        report.add(machine::disk("postgres disk", std::path::Path::new(dir), DISK_LOW, DISK_LEAST));
    }
    if examined.migrations.missing.is_empty() {
        match examine::contents(db, config.retention.snapshots_days, clock::now()).await {
            Ok(contents) => tables(&contents, &examined).into_iter().for_each(|check| report.add(check)),
            Err(error) => {
                let says = format!("cannot be read: {:#}", anyhow::Error::new(error));
                report.add(Check::failure("tables", says, "see Postgres' log"));
            }
        }
    }
}

fn setting<'e>(examined: &'e Examined, name: &str) -> &'e str {
    examined.settings.get(name).map_or("", String::as_str)
}

fn version(db: &Db, examined: &Examined) -> Check {
    let version = setting(examined, "server_version");
    if examined.is_standby {
        let mend = "let database.url lead to the primary";
        return Check::failure("postgres", format!("{} is a standby, which takes no writes", db.place()), mend);
    }
    match setting(examined, "server_version_num").parse::<u32>() {
        Ok(number) if number < VERSION_MIN => {
            Check::failure("postgres", format!("is version {version}; 15 is the least"), "upgrade it: pg_upgrade")
        }
        _ => Check::ok("postgres", format!("{version}, {}", db.place())),
    }
}

fn settings(examined: &Examined) -> Vec<Check> {
    let mut checks = Vec::new();
    for (name, key, why) in [
        ("postgres fsync", "fsync", "a power cut can lose what edges have forgotten"),
        ("postgres pages", "full_page_writes", "a power cut can tear a page for good"),
    ] {
        checks.push(match setting(examined, key) {
            "on" => Check::ok(name, format!("{key} on")),
            value => Check::failure(
                name,
                format!("{key} is {value}: {why}"),
                format!("`ALTER SYSTEM SET {key} = on; SELECT pg_reload_conf()`"),
            ),
        });
    }
    checks.push(match setting(examined, "synchronous_commit") {
        "off" => Check::warning(
            "postgres commit",
            "synchronous_commit is off by default; central sets it on for itself, others in this database do not",
            "`ALTER SYSTEM SET synchronous_commit = on; SELECT pg_reload_conf()`",
        ),
        value => Check::ok("postgres commit", format!("synchronous_commit {value}")),
    });
    // They are our own session's; a pooler in between may refuse them.
    let timeouts = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];
    let unset: Vec<&str> = timeouts.into_iter().filter(|name| ["0", ""].contains(&setting(examined, name))).collect();
    checks.push(if unset.is_empty() {
        Check::ok("postgres timeouts", format!("set; its time zone is {}", setting(examined, "TimeZone")))
    } else {
        Check::warning(
            "postgres timeouts",
            format!("{} did not reach the session", unset.join(", ")),
            "a pooler in between drops them (ignore_startup_parameters); connect directly, or in session mode",
        )
    });
    checks
}

fn connections(config: &Config, examined: &Examined) -> Check {
    let number = |name| setting(examined, name).parse::<u64>().unwrap_or_default();
    let most = number("max_connections").saturating_sub(number("superuser_reserved_connections"));
    let needed = u64::from(config.database.connections_max) + config.workers.concurrency as u64 + CONNECTIONS_BESIDE;
    let used = examined.connections;
    if needed > most {
        return Check::failure(
            "connections",
            format!("this central may need {needed}, and Postgres gives {most}"),
            "raise max_connections, or lower database.connections_max",
        );
    }
    let says = format!("{used} of {most} in use; this central may need {needed}");
    if used.unsigned_abs() * 10 > most * 9 {
        let mend = "`SELECT application_name, count(*) FROM pg_stat_activity GROUP BY 1` says whose they are";
        return Check::warning("connections", says, mend);
    }
    Check::ok("connections", says)
}

fn migrations(examined: &Examined) -> Check {
    let migrations = &examined.migrations;
    if !migrations.unknown.is_empty() {
        return Check::failure(
            "migrations",
            format!("the schema is of a newer version than this program ({:?})", migrations.unknown),
            "run the newer smartpick-central; there is no way back but a backup",
        );
    }
    match migrations.missing.len() {
        0 => Check::ok("migrations", "all are applied"),
        missing => Check::warning(
            "migrations",
            format!("{missing} are not applied yet"),
            "`smartpick-central migrate`; starting central does so too",
        ),
    }
}

fn clock(examined: &Examined) -> Check {
    let offset = clock::now() - examined.now;
    if offset.abs() > CLOCK_OFFSET_MAX {
        return Check::warning(
            "clock offset",
            format!("this machine and Postgres' differ by {} s", offset.num_seconds().abs()),
            "let both ask an NTP server",
        );
    }
    Check::ok("clock offset", format!("{} ms beside Postgres'", offset.num_milliseconds().abs()))
}

fn tables(contents: &Contents, examined: &Examined) -> Vec<Check> {
    let mut checks = Vec::new();
    checks.push(if examined.may_create {
        Check::ok("rights", "tables can be made")
    } else {
        Check::failure(
            "rights",
            "this user may not make tables, and each day needs its partition",
            "`GRANT CREATE ON SCHEMA public TO …` by the database's owner",
        )
    });
    let missing = &contents.days_missing;
    checks.push(if missing.is_empty() {
        Check::ok("partitions", "made ahead")
    } else {
        Check::warning(
            "partitions",
            format!("{} days have none, the first {}", missing.len(), missing[0]),
            "a running central makes them within the hour; its log says what keeps it from doing so",
        )
    });
    if contents.strays > 0 {
        checks.push(Check::warning(
            "strays",
            format!("{} or more rows are in no day's partition", contents.strays),
            "they are moved when their day's partition is made",
        ));
    }
    checks.push(match contents.without_edges.as_slice() {
        [] => Check::ok("sites", "each has an edge with a valid credential"),
        names => Check::warning(
            "sites",
            format!("without an edge that may deliver: {}", names.join(", ")),
            "`smartpick-central edges add --warehouse ID`, or leave them if they are closed",
        ),
    });
    checks
}

#[cfg(test)]
mod tests {
    use common::cli::style::Mark;

    use super::*;
    use crate::store::examine::Migrations;

    fn well() -> Examined {
        let settings = [
            ("server_version", "15.8"),
            ("server_version_num", "150008"),
            ("fsync", "on"),
            ("full_page_writes", "on"),
            ("synchronous_commit", "on"),
            ("statement_timeout", "8000"),
            ("lock_timeout", "4000"),
            ("idle_in_transaction_session_timeout", "15000"),
            ("max_connections", "100"),
            ("superuser_reserved_connections", "3"),
        ];
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Examined { settings, now: clock::now(), connections: 5, may_create: true, ..Examined::default() }
    }

    fn with(name: &str, value: &str) -> Examined {
        let mut examined = well();
        examined.settings.insert(name.to_owned(), value.to_owned());
        examined
    }

    #[test]
    fn what_loses_rows_is_a_failure_and_the_rest_a_warning() {
        assert!(settings(&well()).iter().all(|check| check.mark == Mark::Ok));
        let worst = |examined: &Examined| settings(examined).iter().map(|check| check.mark).max();
        assert_eq!(worst(&with("fsync", "off")), Some(Mark::Failure));
        assert_eq!(worst(&with("full_page_writes", "off")), Some(Mark::Failure));
        assert_eq!(worst(&with("synchronous_commit", "off")), Some(Mark::Warning));
        assert_eq!(worst(&with("statement_timeout", "0")), Some(Mark::Warning));
    }

    #[test]
    fn connections_migrations_and_clock_are_judged() {
        let config = Config::default();
        assert_eq!(connections(&config, &well()).mark, Mark::Ok);
        assert_eq!(connections(&config, &with("max_connections", "20")).mark, Mark::Failure);
        assert_eq!(connections(&config, &Examined { connections: 95, ..well() }).mark, Mark::Warning);
        let with = |missing: Vec<i64>, unknown: Vec<i64>| Migrations { missing, unknown };
        assert_eq!(migrations(&well()).mark, Mark::Ok);
        assert_eq!(migrations(&Examined { migrations: with(vec![9], vec![]), ..well() }).mark, Mark::Warning);
        assert_eq!(migrations(&Examined { migrations: with(vec![], vec![99]), ..well() }).mark, Mark::Failure);
        assert_eq!(clock(&well()).mark, Mark::Ok);
        assert_eq!(clock(&Examined { now: clock::now() - TimeDelta::seconds(60), ..well() }).mark, Mark::Warning);
    }
}
