//! Keeps the box's certificate good: asks for the next one after two thirds of its life, tries it with a real request, and only
//! then puts it into use. Until then the old one is in use; if we die in between, the next start goes on from the disk.
//!
//! A box that was away for longer than its certificate held cannot come in by it, and asks for a way back with it and its key.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::backoff::Backoff;
use common::clock;
use common::join::Return;
use common::tls::request::{CertificateRequest, new_key};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Enrolled, NEXT, remove};
use crate::central_client::{CentralClient, Stranger};
use crate::forward::LinkState;

/// As with batches: what has expired holds them up.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// How often the clock, the link and the disk are looked at: the first two may say all of a sudden that the certificate has
/// expired, and somebody may have enrolled the box anew.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How the certificate is, for health and metrics.
#[derive(Clone, Default)]
pub struct CertificateState(Arc<Mutex<Told>>);

#[derive(Clone, Default)]
struct Told {
    not_after: Option<DateTime<Utc>>,
    trouble: Option<String>,
}

impl CertificateState {
    /// When the one in use ends.
    pub fn not_after(&self) -> Option<DateTime<Utc>> {
        self.told().not_after
    }

    /// Why it could not be renewed or replaced, in words.
    pub fn trouble(&self, now: DateTime<Utc>) -> Option<String> {
        let Told { not_after, trouble } = self.told();
        let (until, trouble) = (not_after?, trouble?);
        let days = (until - now).num_days();
        Some(if now < until {
            format!("this box's certificate for headquarters ends in {days} days and cannot be renewed yet: {trouble}")
        } else {
            format!(
                "this box's certificate for headquarters has ended, events are kept here until it is back: {trouble}"
            )
        })
    }

    fn told(&self) -> Told {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, not_after: DateTime<Utc>, trouble: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Told { not_after: Some(not_after), trouble };
    }
}

/// See the module.
pub struct Keeper {
    // What it works with.
    pub client: CentralClient,
    pub link: LinkState,
    pub told: CertificateState,

    // What it keeps.
    pub dir: PathBuf,
    /// Central's, as it is configured.
    pub url: String,
    pub enrolled: Enrolled,
}

/// What a turn came to.
enum Turn {
    /// Nothing to do for now.
    Rest,
    /// A step was done, and another may follow.
    Again,
}

impl Keeper {
    /// Keeps it good until `stop`.
    ///
    /// # Errors
    /// If the disk cannot be used.
    pub async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let (mut attempt, mut rng, mut key) = (0_u32, StdRng::from_os_rng(), None);
        self.told.tell(self.enrolled.not_after, None);
        loop {
            let turn = tokio::select! {
                turn = self.turn(&mut key, clock::now()) => turn?,
                // As below.
                () = stop.cancelled() => return Ok(()),
            };
            let wait = match turn {
                Ok(turn) => {
                    attempt = 0;
                    self.told.tell(self.enrolled.not_after, None);
                    match turn {
                        Turn::Again => continue,
                        Turn::Rest => self.rest(clock::now()),
                    }
                }
                Err(error) => {
                    if self.told.told().trouble.as_deref() != Some(error.as_str()) {
                        warn!(
                            "The certificate for headquarters is not renewed yet: {error}; it is tried again for ever"
                        );
                    }
                    self.told.tell(self.enrolled.not_after, Some(error));
                    attempt = attempt.saturating_add(1);
                    RETRY.delay(attempt, None, &mut rng)
                }
            };
            tokio::select! {
                // Stopped in between, the next start goes on.
                () = stop.cancelled() => return Ok(()),
                // Time for the next look.
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn rest(&self, now: DateTime<Utc>) -> Duration {
        (self.enrolled.renew_at - now).to_std().unwrap_or_default().clamp(Duration::from_millis(200), LOOK_EVERY)
    }

    /// The outer error is the disk's.
    async fn turn(&mut self, key: &mut Option<String>, now: DateTime<Utc>) -> anyhow::Result<Result<Turn, String>> {
        if let Some(other) = Enrolled::load(&self.dir)?.filter(|kept| kept.certificate != self.enrolled.certificate) {
            return Ok(self.take_up(other));
        }
        if let Some(next) = Enrolled::load_next(&self.dir)? {
            return self.try_out(next).await;
        }
        let refused = self.link.get().trouble().is_some_and(|(_, error)| error.is_expiry());
        if now >= self.enrolled.not_after || refused {
            return self.come_back().await;
        }
        if now < self.enrolled.renew_at {
            return Ok(Ok(Turn::Rest));
        }
        // The same one until it is answered, so that a lost answer costs central nothing.
        let new = match key {
            Some(key) => key.clone(),
            None => key.insert(new_key()?).clone(),
        };
        match self.client.renew(CertificateRequest::new(&new)?).await {
            Ok(admission) => {
                *key = None;
                Enrolled::new(admission, &self.enrolled.url, new).store_next(&self.dir)?;
                Ok(Ok(Turn::Again))
            }
            Err(error) if error.is_expiry() => self.come_back().await,
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// Somebody has enrolled the box anew while we run. As another edge it would have to begin anew.
    fn take_up(&mut self, other: Enrolled) -> Result<Turn, String> {
        if (other.edge_id, other.warehouse_id) != (self.enrolled.edge_id, self.enrolled.warehouse_id) {
            return Err(format!("this box was enrolled as edge {}; restart it to take that up", other.edge_id));
        }
        if self.url == self.enrolled.url {
            self.url.clone_from(&other.url);
        }
        let client = CentralClient::enrolled(&self.url, &other).map_err(|error| format!("{error:#}"))?;
        self.client.come_in_as(&client);
        info!("Took up the identity that this box was enrolled with");
        self.enrolled = other;
        Ok(Turn::Again)
    }

    /// Puts the next identity into use if central takes it.
    async fn try_out(&mut self, next: Enrolled) -> anyhow::Result<Result<Turn, String>> {
        let client = CentralClient::enrolled(&self.url, &next)?;
        match client.identity().await {
            Ok(name) if name.edge_id == next.edge_id => {
                next.store(&self.dir)?;
                remove(&self.dir.join(NEXT))?;
                self.client.come_in_as(&client);
                // It has just answered; what waits need not wait any longer.
                self.link.succeeded(clock::now(), false);
                info!(until = %next.not_after.format("%FT%TZ"), "This box has a new certificate for headquarters");
                self.enrolled = next;
                Ok(Ok(Turn::Again))
            }
            Ok(name) => {
                remove(&self.dir.join(NEXT))?;
                Ok(Err(format!("central gave out a certificate of edge {}", name.edge_id)))
            }
            // It will never take that one; perhaps it was restored from a backup meanwhile. Ask for another.
            Err(error) if error.is_no_entry() || error.is_expiry() => {
                remove(&self.dir.join(NEXT))?;
                Ok(Err(error.to_string()))
            }
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    async fn come_back(&self) -> anyhow::Result<Result<Turn, String>> {
        let stranger = match Stranger::returning(&self.enrolled, &self.url) {
            Ok(stranger) => stranger,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let body = Return {
            certificate: self.enrolled.certificate.clone(),
            request: CertificateRequest::new(&self.enrolled.key)?,
        };
        match stranger.come_back(&body).await {
            Ok(admission) => {
                info!("Headquarters lets this box back in after its certificate had expired");
                let next = Enrolled::new(admission, &self.enrolled.url, self.enrolled.key.clone());
                next.store_next(&self.dir)?;
                Ok(Ok(Turn::Again))
            }
            Err(error) => Ok(Err(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use common::ids::{EdgeId, WarehouseId};
    use tokio::net::TcpListener;
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn a_headquarters_that_never_answers_holds_up_no_stop() {
        rustls::crypto::ring::default_provider().install_default().ok();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let enrolled = Enrolled {
            edge_id: EdgeId::from_uuid(Uuid::from_u128(1)),
            warehouse_id: WarehouseId::from_uuid(Uuid::from_u128(2)),
            url: url.clone(),
            certificate: String::new(),
            key: new_key().expect("a key"),
            authorities: Vec::new(),
            public_authorities: false,
            not_after: DateTime::UNIX_EPOCH,
            renew_at: DateTime::UNIX_EPOCH,
        };
        let dir = tempfile::tempdir().expect("a directory");
        let (link, told) = (LinkState::default(), CertificateState::default());
        let client = CentralClient::new(&url, "token").expect("a client");
        let keeper = Keeper { client, link, told, dir: dir.path().to_owned(), url, enrolled };
        let stop = CancellationToken::new();
        let keeping = tokio::spawn(keeper.run(stop.clone()));
        let _asked = listener.accept().await.expect("it asks to come back");
        let began = Instant::now();
        stop.cancel();
        keeping.await.expect("no panic").expect("it stops well");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
}
