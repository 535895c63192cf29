//! Waiting for a condition instead of sleeping for a time.

use std::future::Future;
use std::time::Duration;

use anyhow::anyhow;
use tokio::time::Instant;

/// How long a condition may take that should be true in a moment; generous, because CI machines are slow and busy.
pub const SOON: Duration = Duration::from_secs(30);
/// How long everything accepted may take to reach Postgres after a fault, with the backoffs (up to a minute each) of
/// both edge and central in it.
pub const DRAIN: Duration = Duration::from_secs(150);
const POLL: Duration = Duration::from_millis(20);

/// Asks `probe` until it gives something. An error of the probe counts as "not yet".
///
/// # Errors
/// After `within`, naming `what` and the probe's last error.
pub async fn until<T, F, Fut>(what: &str, within: Duration, mut probe: F) -> anyhow::Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<Option<T>>>,
{
    let deadline = Instant::now() + within;
    let mut last = None;
    loop {
        match tokio::time::timeout_at(deadline, probe()).await {
            Ok(Ok(Some(value))) => return Ok(value),
            Ok(Ok(None)) => last = None,
            Ok(Err(error)) => last = Some(error),
            // What the look before it said is more use.
            Err(_) => last = last.or_else(|| Some(anyhow!("the only look did not end"))),
        }
        if Instant::now() >= deadline {
            let error = last.unwrap_or_else(|| anyhow!("not so"));
            return Err(error.context(format!("waited {within:?} for {what}")));
        }
        tokio::time::sleep(POLL).await;
    }
}
