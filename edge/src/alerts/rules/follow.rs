//! What headquarters says of the rules, carried out: read, kept on disk, and only then in force.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use common::ids::WarehouseId;
use common::rules::RuleSet;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

use super::{Current, InForce, Trouble, kept};

/// New rules on their way to the floor.
pub struct Swap {
    pub rules: Arc<InForce>,
    /// Told once they are in force.
    pub done: oneshot::Sender<()>,
}

/// Does what headquarters says. One for the whole edge, beside the heartbeat.
pub struct Follower {
    dir: PathBuf,
    warehouse: WarehouseId,
    /// What the configuration has.
    own: Mutex<InForce>,
    current: Arc<Current>,
    floor: mpsc::Sender<Swap>,
}

impl Follower {
    /// With it, what the floor listens to.
    pub fn new(
        dir: PathBuf,
        warehouse: WarehouseId,
        own: InForce,
        current: Arc<Current>,
    ) -> (Self, mpsc::Receiver<Swap>) {
        let (floor, swaps) = mpsc::channel(1);
        (Self { dir, warehouse, own: Mutex::new(own), current, floor }, swaps)
    }

    /// Takes a set that headquarters sent. Whether there is news for headquarters: the set is in force now, or refused.
    pub async fn take(&self, set: RuleSet) -> bool {
        let version = set.version;
        let own = self.own();
        let rules = match InForce::of(&set, &own) {
            Ok(rules) => Arc::new(rules),
            Err(words) => {
                let words = format!("headquarters' rules, version {version}, cannot be used here: {words}");
                warn!("{words}");
                let trouble = Trouble { refused: Some(set.set_id), words };
                let news = self.current.trouble().as_ref() != Some(&trouble);
                self.current.set_trouble(Some(trouble));
                return news;
            }
        };
        let (dir, warehouse) = (self.dir.clone(), self.warehouse);
        let saved = tokio::task::spawn_blocking(move || kept::save(&dir, warehouse, &set)).await;
        if let Some(problem) = saved.map_or_else(|error| Some(error.to_string()), |s| s.err().map(|e| e.to_string())) {
            // Rules that a restart would lose are not used; headquarters sends them again.
            let words = format!("headquarters' rules, version {version}, cannot be kept on disk: {problem}");
            error!("{words}");
            self.current.set_trouble(Some(Trouble { refused: None, words }));
            return false;
        }
        if !self.swap(rules).await {
            // The edge is stopping; the next start finds them.
            return false;
        }
        self.current.set_trouble(None);
        true
    }

    /// The configuration has other rules now. They are in force unless headquarters' are.
    pub async fn configure(&self, own: InForce) {
        let now = self.current.get();
        let followed = now.followed;
        *self.own.lock().unwrap_or_else(PoisonError::into_inner) = own.clone();
        let rules = InForce { followed, ..own };
        if followed.is_none_or(|followed| followed.own) && rules != *now {
            // If it fails the edge is stopping.
            let _in_force = self.swap(Arc::new(rules)).await;
        }
    }

    fn own(&self) -> InForce {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether they are in force now.
    async fn swap(&self, rules: Arc<InForce>) -> bool {
        let (done, swapped) = oneshot::channel();
        let handed = self.floor.send(Swap { rules: Arc::clone(&rules), done }).await;
        if handed.is_err() || swapped.await.is_err() {
            return false;
        }
        info!("The rules in force are now {rules}");
        true
    }
}
