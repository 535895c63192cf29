//! What came of reading the configuration again, on SIGHUP. One that cannot be used changes nothing; of one that can, what a
//! running process is able to change is in force at once, and the rest is named until somebody restarts it.

use std::sync::{PoisonError, RwLock};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracing::{error, info, warn};
use utoipa::ToSchema;

use crate::config::{ConfigError, changed};

/// The configuration of a running process, as its health shows it.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ConfigState)]
pub struct ConfigView {
    /// When what is in force was read.
    loaded_at: DateTime<Utc>,
    /// Why what was read last is not in force; null if it is.
    error: Option<String>,
    /// Keys that are different in the files by now, and need a restart.
    restart_needed: Vec<String>,
}

/// Shared by who reloads and who tells of it.
#[derive(Debug)]
pub struct Reloaded(RwLock<ConfigView>);

impl Reloaded {
    pub const fn new(now: DateTime<Utc>) -> Self {
        Self(RwLock::new(ConfigView { loaded_at: now, error: None, restart_needed: Vec::new() }))
    }

    pub fn view(&self) -> ConfigView {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What health says of it.
    pub fn trouble(&self) -> Option<String> {
        self.view().error.map(|error| {
            format!(
                "the configuration was read again and cannot be used, so what was in force before still is: {error}"
            )
        })
    }

    /// It cannot be used.
    pub fn refused(&self, why: &ConfigError) {
        error!("The configuration cannot be used, and what was in force before still is:\n{why}");
        // Health is for everybody, so it does not show what the line says.
        self.0.write().unwrap_or_else(PoisonError::into_inner).error = Some(why.unquoted());
    }

    /// It is in force, but for what needs a restart. Says both in the log.
    pub fn taken(&self, now: DateTime<Utc>, applied: &[String], restart_needed: Vec<String>) {
        match applied {
            [] => info!("The configuration was read again; nothing is different that can change while running"),
            keys => info!("The configuration was read again; in force now: {}", keys.join(", ")),
        }
        if !restart_needed.is_empty() {
            warn!("These keys are different in the configuration and need a restart: {}", restart_needed.join(", "));
        }
        *self.0.write().unwrap_or_else(PoisonError::into_inner) =
            ConfigView { loaded_at: now, error: None, restart_needed };
    }
}

/// The keys in which two configurations differ: those below one of `live`, and the others.
pub fn differences<T: Serialize>(running: &T, new: &T, live: &[&str]) -> (Vec<String>, Vec<String>) {
    let is_live = |key: &String| {
        live.iter().any(|l| key.strip_prefix(l).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    changed(running, new).into_iter().partition(is_live)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Config {
        log: &'static str,
        logs: u8,
        site: Site,
    }

    #[derive(Serialize)]
    struct Site {
        name: &'static str,
    }

    #[test]
    fn what_can_change_is_told_from_what_needs_a_restart() {
        let old = Config { log: "info", logs: 1, site: Site { name: "a" } };
        let new = Config { log: "debug", logs: 2, site: Site { name: "b" } };
        let (live, restart) = differences(&old, &new, &["log", "site"]);
        assert_eq!((live, restart), (vec!["log".to_owned(), "site.name".to_owned()], vec!["logs".to_owned()]));
    }

    #[test]
    fn a_refusal_is_told_until_something_is_taken() {
        let reloaded = Reloaded::new(DateTime::UNIX_EPOCH);
        assert_eq!(reloaded.trouble(), None);
        reloaded.refused(&ConfigError::new("edge.toml:3:1: no"));
        assert!(reloaded.trouble().is_some_and(|words| words.ends_with(": edge.toml:3:1: no")));
        reloaded.taken(DateTime::UNIX_EPOCH, &[], vec!["listen".to_owned()]);
        assert_eq!(reloaded.trouble(), None);
        assert_eq!(reloaded.view().restart_needed, ["listen"]);
    }
}
