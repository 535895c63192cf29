//! The stage that looks at the fleet: every few seconds, and soon after something was heard, it reads a picture, judges it,
//! stores what changed and publishes a snapshot. Everybody else reads only that.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use common::clock;
use common::lifecycle::LifeSign;
use common::problem::Problem;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use super::snapshot::{FleetSnapshot, Ledger, Ledgers, judge};
use crate::store::edges::Rate;
use crate::store::ledger::Account;
use crate::store::{Db, StoreError, edges, fleet, ledger};

/// A look is due this long after the last, whether anything was heard or not: states change by time alone.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Hints come by the hundred in a second; looks do not.
const LOOK_GAP: Duration = Duration::from_millis(300);
/// Nor do they take all of the time, however large the fleet: this many times what a look took is waited after it.
const GAP_PER_LOOK: u32 = 15;
/// Events are rolled up by the minute.
const RATES_EVERY: TimeDelta = TimeDelta::seconds(10);
/// Epochs that were touched within this are read with each look, all others only now and then: there may be a hundred times
/// as many, and they do not change.
const EPOCHS_FRESH: TimeDelta = TimeDelta::hours(1);
const EPOCHS_ALL_EVERY: TimeDelta = TimeDelta::minutes(10);
/// Another instance that stored something first is looked at again this often before the rest waits for the next look.
const ROUNDS_MAX: usize = 3;
/// What was true this long ago may not be shown as how things are: a heartbeat more and an edge would be stale.
const OUTDATED_AFTER: TimeDelta = TimeDelta::seconds(15);
/// If the stage itself hangs, nothing marks what it published; statements have shorter timeouts than this.
const HUNG_AFTER: TimeDelta = TimeDelta::seconds(45);
/// What a request waits for the first look after the start.
const FIRST_LOOK: Duration = Duration::from_secs(3);

/// Something was heard, so that a look is worth while. Lossy, cheap, and never waits.
#[derive(Clone, Default)]
pub struct Hints {
    fleet: Arc<Notify>,
    alerts: Arc<Notify>,
}

impl Hints {
    /// An edge spoke, or its data came.
    pub fn fleet(&self) {
        self.fleet.notify_one();
    }

    /// An alert or what is said of it changed; the sites' counts of alerts too, then.
    pub fn alerts(&self) {
        self.alerts.notify_one();
        self.fleet.notify_one();
    }

    pub async fn alerts_hinted(&self) {
        self.alerts.notified().await;
    }
}

/// What is published: the snapshot with our own clock's time of the look.
type Published = Option<(Arc<FleetSnapshot>, DateTime<Utc>)>;

/// Where the fleet is read.
#[derive(Clone)]
pub struct Fleet {
    published: watch::Receiver<Published>,
}

impl Fleet {
    /// The fleet as it is.
    ///
    /// # Errors
    /// 503 `fleet_outdated` if there was no look yet, or none for so long that nobody should rely on it.
    pub async fn current(&self) -> Result<Arc<FleetSnapshot>, Problem> {
        let mut published = self.published.clone();
        let first = tokio::time::timeout(FIRST_LOOK, published.wait_for(Option::is_some)).await;
        let seen = first.ok().and_then(Result::ok).and_then(|seen| seen.clone());
        match seen {
            Some((snapshot, at)) if clock::now() - at < HUNG_AFTER => Ok(snapshot),
            _ => Err(Problem {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: "fleet_outdated",
                message: "headquarters has not been able to look at the fleet; see /readyz and try again".to_owned(),
                retry_after_secs: Some(2),
            }),
        }
    }

    /// What was last published, without waiting; `None` before the first look, or if nobody should rely on it.
    pub fn latest(&self) -> Option<Arc<FleetSnapshot>> {
        let published = self.published.borrow();
        published.as_ref().filter(|(_, at)| clock::now() - *at < HUNG_AFTER).map(|(snapshot, _)| Arc::clone(snapshot))
    }

    /// Comes back with each new snapshot; `None` at the end.
    pub async fn next(&mut self) -> Option<Arc<FleetSnapshot>> {
        loop {
            self.published.changed().await.ok()?;
            if let Some((snapshot, _)) = self.published.borrow_and_update().as_ref() {
                return Some(Arc::clone(snapshot));
            }
        }
    }
}

/// See the module.
pub struct Looker {
    db: Arc<Db>,
    hints: Hints,
    published: watch::Sender<Published>,
    /// What does not change between two looks.
    memory: Memory,
}

#[derive(Default)]
struct Memory {
    accounts: HashMap<(Uuid, Uuid), Account>,
    all_accounts_at: Option<DateTime<Utc>>,
    rates: Vec<Rate>,
    rates_at: Option<DateTime<Utc>>,
    /// The last snapshot that was made of a look.
    last: Option<(Arc<FleetSnapshot>, DateTime<Utc>)>,
    failing: bool,
}

impl Looker {
    pub fn new(db: Arc<Db>, hints: Hints) -> (Self, Fleet) {
        let (published, receiver) = watch::channel(None);
        (Self { db, hints, published, memory: Memory::default() }, Fleet { published: receiver })
    }

    /// Looks until told to stop.
    ///
    /// # Errors
    /// None; the type fits a lifecycle stage.
    pub async fn run(mut self, sign: LifeSign, stop: CancellationToken) -> anyhow::Result<()> {
        loop {
            sign.show();
            let began = Instant::now();
            self.turn().await;
            let gap = LOOK_GAP.max(began.elapsed() * GAP_PER_LOOK).min(LOOK_EVERY);
            tokio::select! {
                // We stop.
                () = stop.cancelled() => return Ok(()),
                // Nobody looks again sooner.
                () = tokio::time::sleep(gap) => {}
            }
            tokio::select! {
                // We stop.
                () = stop.cancelled() => return Ok(()),
                // Something was heard.
                () = self.hints.fleet.notified() => {}
                // States change by time alone.
                () = tokio::time::sleep(LOOK_EVERY.saturating_sub(gap)) => {}
            }
        }
    }

    /// One look, and what is published of it.
    async fn turn(&mut self) {
        let began = Instant::now();
        match self.look().await {
            Ok(mut snapshot) => {
                snapshot.took = began.elapsed();
                if std::mem::take(&mut self.memory.failing) {
                    info!("The fleet can be looked at again");
                }
                let seen = (Arc::new(snapshot), clock::now());
                self.memory.last = Some(seen.clone());
                self.published.send_replace(Some(seen));
            }
            Err(error) => {
                let text = format!("{:#}", anyhow::Error::new(error));
                if !std::mem::replace(&mut self.memory.failing, true) {
                    warn!("The fleet cannot be looked at: {text}");
                }
                let now = clock::now();
                if let Some((last, at)) = &self.memory.last
                    && now - *at > OUTDATED_AFTER
                {
                    let outdated = last.outdated("headquarters cannot read its database");
                    self.published.send_replace(Some((Arc::new(outdated), now)));
                }
            }
        }
    }

    async fn look(&mut self) -> Result<FleetSnapshot, StoreError> {
        let mut rounds = 0;
        loop {
            let picture = fleet::picture(&self.db).await?;
            let ledgers = self.ledgers(picture.now).await?;
            self.rates(picture.now).await?;
            let (snapshot, changes) = judge(&picture, &ledgers, &self.memory.rates);
            rounds += 1;
            if changes.is_empty() {
                return Ok(snapshot);
            }
            let stored = fleet::change(&self.db, &changes, picture.now).await?;
            if stored == changes.len() || rounds == ROUNDS_MAX {
                return Ok(snapshot);
            }
            // Another instance was first: what it stored holds, and is looked at again.
        }
    }

    async fn ledgers(&mut self, now: DateTime<Utc>) -> Result<Ledgers, StoreError> {
        let memory = &mut self.memory;
        let all = memory.all_accounts_at.is_none_or(|at| now - at > EPOCHS_ALL_EVERY);
        let accounts = ledger::accounts_touched(&self.db, (!all).then(|| now - EPOCHS_FRESH)).await?;
        if all {
            memory.accounts.clear();
            memory.all_accounts_at = Some(now);
        }
        memory.accounts.extend(accounts.into_iter().map(|account| ((account.edge_id, account.epoch), account)));
        let mut ledgers = Ledgers::new();
        for account in memory.accounts.values() {
            let Ledger { totals, progress_at } = ledgers.entry((account.warehouse_id, account.edge_id)).or_default();
            totals.add_account(account);
            *progress_at = (*progress_at).max(account.last_received_at);
        }
        Ok(ledgers)
    }

    async fn rates(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        if self.memory.rates_at.is_none_or(|at| now - at >= RATES_EVERY) {
            self.memory.rates = edges::rates(&self.db, now).await?;
            self.memory.rates_at = Some(now);
        }
        Ok(())
    }
}
