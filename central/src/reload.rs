//! Central's configuration read again while it runs: the log's filter and how long things are kept change at once; the rest
//! needs a restart.

use std::sync::Arc;

use common::clock;
use common::config::{ConfigError, Loaded};
use common::reload::{Reloaded, differences};
use common::telemetry;
use tokio::sync::watch;

use crate::config::{Config, Retention};

/// What changes while central runs.
const LIVE: &[&str] = &["log", "retention"];

/// Who tells the stages.
pub struct Reloader {
    /// What is in force.
    pub running: Config,
    pub reloaded: Arc<Reloaded>,
    pub retention: watch::Sender<Retention>,
}

impl Reloader {
    /// Takes what was read, or says why not.
    pub fn take(&mut self, read: Result<Loaded<Config>, ConfigError>) {
        let new = match read {
            Ok(loaded) => loaded.config,
            Err(error) => return self.reloaded.refused(&error),
        };
        let (applied, restart_needed) = differences(&self.running, &new, LIVE);
        if !applied.is_empty() {
            if let Err(error) = telemetry::change(&new.log) {
                return self.reloaded.refused(&ConfigError::of("log", error.to_string()));
            }
            self.retention.send_replace(new.retention.clone());
        }
        self.reloaded.taken(clock::now(), &applied, restart_needed);
        (self.running.log, self.running.retention) = (new.log, new.retention);
    }
}
