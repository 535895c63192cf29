//! The stage that tells the screens: of each new snapshot of the fleet, and of the open alerts whenever they may have changed.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use common::clock;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::present::{AlertKey, Hub, tell_fleet, tell_gone, tell_open};
use crate::api::alerts::views;
use crate::fleet::{Fleet, Hints};
use crate::store::{Db, StoreError, alerts};

/// Alerts that screens are shown: the newest open ones. More than anyone reads; the rest is in the list.
const ALERTS_MAX: i64 = 1_000;
/// What a hint did not tell, because Redis was away or the message was lost, is found after this.
const LOOK_EVERY: Duration = Duration::from_secs(4);
/// Alerts may change many times a second; screens need not.
const LOOK_GAP: Duration = Duration::from_millis(200);
/// This many times what a look took is waited after it.
const GAP_PER_LOOK: u32 = 15;

/// See the module.
pub struct Teller {
    pub db: Arc<Db>,
    pub hub: Arc<Hub>,
    pub fleet: Fleet,
    pub hints: Hints,
    /// Alerts that screens may still take for open.
    pub gone: Vec<AlertKey>,
}

impl Teller {
    /// Tells until told to stop.
    ///
    /// # Errors
    /// If the stage that looks at the fleet is gone.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        // What was seen before anybody came.
        if let Some(fleet) = self.fleet.latest() {
            self.hub.publish(|changes| tell_fleet(changes, &fleet, Instant::now()));
        }
        let (mut next_look, mut soonest) = (Instant::now(), Instant::now());
        let mut failing = false;
        loop {
            let hints = self.hints.clone();
            let hinted = async {
                sleep_until(soonest).await;
                hints.alerts_hinted().await;
            };
            tokio::select! {
                // We stop.
                () = stop.cancelled() => return Ok(()),
                // The fleet was looked at.
                fleet = self.fleet.next() => {
                    let fleet = fleet.context("nobody looks at the fleet any more")?;
                    self.hub.publish(|changes| tell_fleet(changes, &fleet, Instant::now()));
                    continue;
                }
                // An alert may have changed.
                () = hinted => {}
                // Or nobody told us.
                () = sleep_until(next_look) => {}
            }
            let began = Instant::now();
            let looked = self.alerts().await;
            if let Err(error) = &looked
                && !failing
            {
                warn!("Screens are not told of alerts: {error:#}");
            }
            failing = looked.is_err();
            soonest = Instant::now() + LOOK_GAP.max(began.elapsed() * GAP_PER_LOOK).min(LOOK_EVERY);
            next_look = Instant::now() + LOOK_EVERY;
        }
    }

    async fn alerts(&mut self) -> Result<(), StoreError> {
        let now = clock::now();
        let open = views(&self.db, alerts::open(&self.db, ALERTS_MAX).await?, now).await?;
        self.hub.publish(|changes| self.gone.extend(tell_open(changes, &open)));
        if !self.gone.is_empty() {
            let (warehouses, ids): (Vec<_>, Vec<_>) = self.gone.iter().copied().unzip();
            let gone = views(&self.db, alerts::these(&self.db, &warehouses, &ids).await?, now).await?;
            self.hub.publish(|changes| tell_gone(changes, &self.gone, &gone));
            self.gone.clear();
        }
        Ok(())
    }
}
