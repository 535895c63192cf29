//! The circuit breaker's other half: while Redis is not in use, tries to connect to it beside the appender, which goes
//! on with SQLite and is handed the connection once there is a good one.

use std::sync::Arc;
use std::time::Duration;

use common::backoff::Backoff;
use common::clock;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::LiveState;
use super::redis::{Connected, Live, LiveConfig};

/// Redis is on the same box: soon again is fine, and a technician who has just mended it should not wait.
const RETRY: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(5));

/// Connects whenever `wanted`.
///
/// # Errors
/// None; the type fits a lifecycle stage.
pub async fn run(
    config: LiveConfig,
    wanted: Arc<Notify>,
    connected: mpsc::Sender<Live>,
    state: Arc<watch::Sender<LiveState>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let work = async {
        loop {
            wanted.notified().await;
            let live = connect(&config, &state).await;
            if connected.send(live).await.is_err() {
                break;
            }
        }
    };
    // Nothing is lost by dropping a connection that is being made.
    stop.run_until_cancelled(work).await;
    Ok(())
}

async fn connect(config: &LiveConfig, state: &watch::Sender<LiveState>) -> Live {
    let mut rng = StdRng::from_os_rng();
    let mut attempt = 0;
    loop {
        match Live::connect(config).await {
            Ok(Connected::Durable(live)) => {
                info!("Redis is ready and durable");
                state.send_replace(LiveState::Ready { weak: None });
                return live;
            }
            Ok(Connected::Weak(live, reason)) if config.redis.accept_weak_durability => {
                warn!("Redis is used although it is not durable ({reason}): redis.accept_weak_durability says so");
                state.send_replace(LiveState::Ready { weak: Some(reason) });
                return live;
            }
            Ok(Connected::Weak(_, reason)) => {
                let new = LiveState::Weak { reason };
                if *state.borrow() != new
                    && let LiveState::Weak { reason } = &new
                {
                    warn!("Redis is not durable ({reason}); everything goes to SQLite until it is");
                }
                state.send_replace(new);
            }
            Err(error) => {
                let since = match &*state.borrow() {
                    LiveState::Down { since, .. } => *since,
                    _ => clock::now(),
                };
                if attempt == 0 {
                    warn!("Redis is not usable: {error}; everything goes to SQLite until it is");
                }
                state.send_replace(LiveState::Down { reason: error.to_string(), since });
            }
        }
        tokio::time::sleep(RETRY.delay(attempt, None, &mut rng)).await;
        attempt = attempt.saturating_add(1);
    }
}
