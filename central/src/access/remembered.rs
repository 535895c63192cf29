//! What Postgres said of a credential is remembered for a moment, so that it is not asked with every request. A
//! revoked credential works that long in other instances than the one that revoked it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::credentials::TokenHash;
use tokio::time::Instant;

use crate::store::StoreError;

/// What is promised is that who was removed is out within five seconds. A WebSocket asks this often for what may be
/// this old, so it takes twice as long at the most.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(2);
/// Credentials remembered, wrong ones too; beyond it we start anew rather than grow with guesses.
const REMEMBERED_MAX: usize = 10_000;

pub struct Remembered<T> {
    known: Mutex<Known<T>>,
}

struct Known<T> {
    by_hash: HashMap<TokenHash, (Instant, Option<T>)>,
    /// How often all was forgotten: an answer that was asked for before may be outdated and is not kept.
    age: u64,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self { known: Mutex::new(Known { by_hash: HashMap::new(), age: 0 }) }
    }
}

impl<T: Clone> Remembered<T> {
    pub async fn get(
        &self,
        hash: &TokenHash,
        ask: impl AsyncFnOnce(&TokenHash) -> Result<Option<T>, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let now = Instant::now();
        let age = {
            let known = self.known();
            match known.by_hash.get(hash) {
                Some((at, answer)) if now - *at < REMEMBERED_FOR => return Ok(answer.clone()),
                _ => known.age,
            }
        };
        let found = ask(hash).await?;
        let mut known = self.known();
        if known.by_hash.len() >= REMEMBERED_MAX {
            known.by_hash.clear();
        }
        if known.age == age {
            known.by_hash.insert(*hash, (now, found.clone()));
        }
        Ok(found)
    }

    /// Somebody changed what it stands on.
    pub fn forget_all(&self) {
        let mut known = self.known();
        known.by_hash.clear();
        known.age += 1;
    }

    fn known(&self) -> MutexGuard<'_, Known<T>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_that_was_on_its_way_while_all_was_forgotten_is_not_kept() {
        let remembered = Remembered::default();
        let hash = [1; 32];
        let stale = remembered.get(&hash, async |_| {
            remembered.forget_all();
            Ok(Some("old"))
        });
        assert_eq!(stale.await.expect("an answer"), Some("old"));
        assert_eq!(remembered.get(&hash, async |_| Ok(Some("new"))).await.expect("an answer"), Some("new"));
        let kept = remembered.get(&hash, async |_| panic!("it is remembered")).await;
        assert_eq!(kept.expect("an answer"), Some("new"));
    }
}
