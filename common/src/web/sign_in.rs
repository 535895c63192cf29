//! What signing in with a password costs, and whom it slows down: the same at both ends. Where accounts and sessions
//! are kept is each end's own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::info;

use super::request::client;
use super::throttle::{Address, Guess, Throttle};
use crate::credentials::{self, NAME_CHARS_MAX, TokenHash, name_key, token_hash};
use crate::problem::Problem;

/// A person's session ends when it was not used for this long: a shift and some.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// And after this long in any case.
pub const SESSION_AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Sessions of one account; beyond it the one unused for longest ends.
pub const SESSIONS_EACH_MAX: i64 = 50;

/// Passwords checked at once: each takes 19 MiB and a core.
const HASHING_MAX: usize = 2;
/// Sign-ins and sign-outs taken in at once; the others are told to come again. At two of some 30 ms at a time, the last
/// one waits half a second.
const UNDER_WAY_MAX: usize = 32;
/// Twice what the longest name and password take.
const BODY_BYTES_MAX: usize = 4 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Guards the sign-ins of one process.
pub struct SignIns {
    throttle: Mutex<Throttle>,
    /// Passwords being checked.
    hashing: Arc<Semaphore>,
    /// Sign-ins and sign-outs, waiting or not.
    under_way: Semaphore,
    /// Checked in place of an account that does not exist, so that both take the same time.
    nobodys_password: String,
}

impl Default for SignIns {
    fn default() -> Self {
        Self {
            throttle: Mutex::default(),
            hashing: Arc::new(Semaphore::new(HASHING_MAX)),
            under_way: Semaphore::new(UNDER_WAY_MAX),
            nobodys_password: credentials::hash_password(&credentials::token("")),
        }
    }
}

/// One guess at a password, counted as a wrong one until [`SignIns::succeed`].
#[derive(Debug)]
#[must_use]
pub struct Attempt {
    account: String,
    address: Address,
    guess: Guess,
}

/// Too many wrong passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooFast {
    secs: u64,
    account: String,
}

impl TooFast {
    /// 429, under the code that this end's API has for it.
    pub fn problem(self, code: &'static str) -> Problem {
        let Self { secs, account } = self;
        let text = format!("too many wrong passwords from this device or for {account}; try again in {secs} s");
        Problem { retry_after_secs: Some(secs), ..Problem::new(StatusCode::TOO_MANY_REQUESTS, code, text) }
    }
}

impl SignIns {
    /// A place among those who sign in or out now, to be held until it is done.
    ///
    /// # Errors
    /// 503 if there is none.
    pub fn enter(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.under_way.try_acquire().map_err(|_| busy())
    }

    /// Before an account is looked for.
    ///
    /// # Errors
    /// If whoever asks has to wait first.
    pub fn begin(&self, name: &str, peer: SocketAddr, headers: &HeaderMap) -> Result<Attempt, TooFast> {
        // What is longer is nobody's name; it must not fill our memory.
        let account: String = name_key(name).chars().take(NAME_CHARS_MAX).collect();
        let address = client(peer, headers);
        match self.throttle().begin(&account, address, Instant::now()) {
            Ok(guess) => Ok(Attempt { account, address, guess }),
            Err(wait) => {
                // Rounded up, or one would come back too early.
                let secs = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                info!(wait_secs = secs, "Slowed down sign-ins after failures");
                Err(TooFast { secs, account })
            }
        }
    }

    /// The password was right.
    pub fn succeed(&self, attempt: Attempt) {
        let Attempt { account, address, guess } = attempt;
        self.throttle().succeed(&account, address, guess, Instant::now());
    }

    /// Whether it is the password that this hash is of. Takes the same time if there is no account, and so no hash.
    ///
    /// # Errors
    /// 503 if we stop.
    pub async fn is_right(&self, password: String, hash: Option<&str>) -> Result<bool, Problem> {
        let phc = hash.unwrap_or(&self.nobodys_password).to_owned();
        let right = self.hashing(move || credentials::verify_password(&password, &phc)).await?;
        Ok(right && hash.is_some())
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// 503 if we stop.
    pub async fn hash(&self, password: String) -> Result<String, Problem> {
        self.hashing(move || credentials::hash_password(&password)).await
    }

    async fn hashing<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let place = Arc::clone(&self.hashing).acquire_owned().await.map_err(|_| busy())?;
        let work = move || {
            // Held by the work itself: it goes on when the client hangs up.
            let _place = place;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| busy())
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn busy() -> Problem {
    Problem::unavailable("busy", "many are signing in at once; try again in a moment", 2)
}

/// Reads a small JSON body that did not have to show who sends it. `shape` is what it must look like.
///
/// # Errors
/// 400 if it does not, or not in time.
pub async fn read<T: DeserializeOwned>(body: Body, shape: &str) -> Result<T, Problem> {
    let bad = |text: String| Problem::new(StatusCode::BAD_REQUEST, "unreadable", text);
    let bytes = tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, BODY_BYTES_MAX))
        .await
        .map_err(|_| bad("the body did not arrive in time".to_owned()))?
        .map_err(|_| bad("the body broke off, or is far too long for a name and a password".to_owned()))?;
    let read = Json::from_bytes(&bytes);
    read.map(|Json(value)| value).map_err(|_| bad(format!("send {shape} as JSON, and nothing else")))
}

/// A new session's token, and what is stored of it.
pub fn session_token() -> (String, TokenHash) {
    let token = credentials::token("");
    let hash = token_hash(&token);
    (token, hash)
}
