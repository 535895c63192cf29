//! Keeps quarters, hours and days up with what is stored: every other second they are given what has come together since.
//! So storing waits for nobody, and a dashboard is two seconds behind.

use std::sync::Arc;
use std::time::Duration;

use common::lifecycle::LifeSign;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::store::Db;
use crate::store::rollups::due;

/// What comes meanwhile is of the same quarters, so a pass costs the same however long it was waited for: every second it
/// took twice the 3 % of a core.
const PASS_EVERY: Duration = Duration::from_secs(2);

/// Passes until told to stop. A pass that fails changes nothing, and the next one comes anyway.
///
/// # Errors
/// Never.
pub async fn keep(db: Arc<Db>, sign: LifeSign, stop: CancellationToken) -> anyhow::Result<()> {
    let (mut failing, mut unreadable) = (false, 0);
    let mut turn = tokio::time::interval(PASS_EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // We stop; another start goes on.
            () = stop.cancelled() => return Ok(()),
            // Time for a pass.
            _ = turn.tick() => {}
        }
        loop {
            sign.show();
            match due::pass(&db).await {
                Ok(passed) => {
                    if std::mem::take(&mut failing) {
                        info!("The rollups are added up again");
                    }
                    if passed.unreadable > std::mem::replace(&mut unreadable, passed.unreadable) {
                        warn!(
                            rows = passed.unreadable,
                            "Rows of rollups_due were put there by another version, and stay"
                        );
                    }
                    if !passed.more || stop.is_cancelled() {
                        break;
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        warn!("The rollups wait, the next pass adds them up: {:#}", anyhow::Error::new(error));
                    }
                    break;
                }
            }
        }
    }
}
