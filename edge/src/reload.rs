//! The edge's configuration read again while it runs: the log's filter, the site's names, shifts and cameras, alert rules
//! and thresholds change at once; the rest needs a restart.

use std::sync::Arc;

use common::clock;
use common::config::{ConfigError, Loaded};
use common::reload::differences;
use common::telemetry;
use tokio::sync::mpsc;

use crate::alerts::rules::{Follower, InForce};
use crate::alerts::system::Thresholds;
use crate::config::Config;
use crate::heartbeat::Told;
use crate::http::State;
use crate::site::Site;

/// What changes while the edge runs.
const LIVE: &[&str] = &["log", "site", "alerts"];

/// What the floor goes by from now on.
pub struct Settings {
    pub site: Arc<Site>,
    pub thresholds: Thresholds,
}

/// Who tells the stages.
pub struct Reloader {
    /// What is in force.
    pub running: Config,
    pub state: Arc<State>,
    pub follower: Arc<Follower>,
    pub told: Arc<Told>,
    pub floor: mpsc::Sender<Settings>,
}

impl Reloader {
    /// Takes what was read, or says why not.
    pub async fn take(&mut self, read: Result<Loaded<Config>, ConfigError>) {
        let parts = read.and_then(|loaded| {
            let new = loaded.config;
            let (site, own) = (Site::new(&new.site)?, InForce::own(&new.alerts.rules));
            let own = own.map_err(|error| ConfigError::of("alerts.rules", error.to_string()))?;
            Ok((new, Arc::new(site), own))
        });
        let (new, site, own) = match parts {
            Ok(parts) => parts,
            Err(error) => return self.state.reloaded.refused(&error),
        };
        let (applied, restart_needed) = differences(&self.running, &new, LIVE);
        if !applied.is_empty() {
            if let Err(error) = telemetry::change(&new.log) {
                return self.state.reloaded.refused(&ConfigError::of("log", error.to_string()));
            }
            self.told.set(&new.site);
            self.state.set_site(Arc::clone(&site));
            // A floor that is gone takes the process with it.
            drop(self.floor.send(Settings { site, thresholds: new.alerts.thresholds() }).await);
            self.follower.configure(own).await;
        }
        self.state.reloaded.taken(clock::now(), &applied, restart_needed);
        let Config { log, site, alerts, .. } = new;
        (self.running.log, self.running.site, self.running.alerts) = (log, site, alerts);
    }
}
