//! What `doctor` asks of Redis: its version, and the settings that decide what it keeps.

use common::cli::doctor::redis::{Asked, SETTINGS};

use super::{RESPONSE_TIMEOUT, Stream, StreamError};

impl Stream {
    /// # Errors
    /// If Redis does not answer.
    pub async fn examine(&self) -> Result<Asked, StreamError> {
        let mut connection = self.connect(RESPONSE_TIMEOUT).await?;
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await.unwrap_or_default();
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:")).map(|v| v.trim().to_owned());
        let settings = redis::cmd("CONFIG").arg("GET").arg(SETTINGS.as_slice()).query_async(&mut connection).await;
        let settings = match settings {
            Err(error) if error.is_io_error() => return Err(error.into()),
            // It may not be asked.
            settings => settings.unwrap_or_default(),
        };
        Ok(Asked { version, settings })
    }
}
