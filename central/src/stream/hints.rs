//! Telling all instances that alerts have changed: one instance commits them, or is where somebody acknowledges one, and
//! screens hang on every instance. Only a hint to look at Postgres, and sent after COMMIT, so it may get lost and it may
//! come twice.

use redis::{RedisResult, Value};
use uuid::Uuid;

use super::{Stream, StreamError};

pub(super) const ALERTS_CHANGED: &str = "smartpick:alerts-changed";

impl Stream {
    /// Tells all instances. The text says which one it is from, for whoever watches Redis.
    ///
    /// # Errors
    /// If Redis cannot; each instance finds out by itself after a few seconds.
    pub async fn tell_alerts_changed(&self, from: Uuid) -> Result<(), StreamError> {
        let mut connection = self.shared().await?;
        let mut command = redis::cmd("PUBLISH");
        command.arg(ALERTS_CHANGED).arg(from.to_string());
        let published: RedisResult<Value> = command.query_async(&mut connection).await;
        self.checked(published).map(drop)
    }
}
