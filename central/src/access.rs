//! Who may do what at headquarters.
//!
//! ```text
//! request ─▶ guard ─(who is it? has it what the route table asks for?)─▶ handler, with Extension<Caller>
//!              └─ what Postgres said of the credential, remembered for a few seconds
//! ```
//!
//! There are four kinds of credentials: an edge's certificate or its token (either brings data, and nothing else), a
//! machine's token with its scopes, and a person's session, which has the scopes of the person's role. All are in Postgres, so every instance of
//! central lets in the same callers.

mod guard;
mod remembered;
mod roles;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use common::clock;
use common::credentials::TokenHash;
use common::ids::{EdgeId, WarehouseId};
use common::tls::Fingerprint;
use common::web::sign_in::SignIns;
use serde::Serialize;
use tokio::time::Instant;
use tracing::warn;

pub use guard::{Pass, guard, not_taken, require, sign_in_first};
use remembered::{REMEMBERED_FOR, Remembered};
pub use roles::{Role, Scope, Scopes};

use crate::store::certificates::{self, Standing};
use crate::store::{Db, StoreError, sessions, tokens, users};

/// Holds a session's token.
pub const COOKIE: &str = "smartpick_hq_session";

/// How often a credential's use is written down. Not more often: each is a write, and people read minutes.
const USE_NOTED_EVERY: Duration = Duration::from_secs(60);
/// Credentials whose last note is remembered; beyond it we start anew, at the price of a few writes too many.
const USES_MAX: usize = 10_000;

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: anybody who reaches the port.
    Public,
    /// An edge's certificate or token, and only that. The handler gets [`EdgeIdentity`].
    Edge,
    /// Any valid session or machine's token, whatever its scopes.
    Known,
    /// A session or a machine's token with this scope.
    Scope(Scope),
}

/// As the route table writes them.
impl Need {
    pub const PUBLIC: Self = Self::Public;
    pub const EDGE: Self = Self::Edge;
    pub const KNOWN: Self = Self::Known;
    pub const READ: Self = Self::Scope(Scope::Read);
    pub const ACT: Self = Self::Scope(Scope::Act);
    pub const PEOPLE: Self = Self::Scope(Scope::People);
    pub const ADMIN: Self = Self::Scope(Scope::Admin);
}

/// An edge by its credential; put into a request that needs one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EdgeIdentity {
    pub edge_id: EdgeId,
    pub warehouse_id: WarehouseId,
}

/// By what a caller is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CallerKind {
    /// A person who signed in.
    User,
    /// A machine's token.
    Token,
}

/// Who sent a request; put into it before a handler that needs one sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Caller {
    pub kind: CallerKind,
    /// Of the account or the token. No two share one.
    pub name: String,
    /// A person's; a machine has only scopes.
    pub role: Option<Role>,
    pub scopes: Scopes,
}

impl Caller {
    /// A person in a role.
    pub const fn user(name: String, role: Role) -> Self {
        Self { kind: CallerKind::User, name, role: Some(role), scopes: role.scopes() }
    }

    pub const fn may(&self, scope: Scope) -> bool {
        self.scopes.has(scope)
    }
}

/// What a request shows for itself. Can be asked again later who it stands for, for instance by a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Credential {
    Session(TokenHash),
    Token(TokenHash),
}

/// What central knows of those who may come in.
pub struct Access {
    db: Arc<Db>,
    edges: Remembered<EdgeIdentity>,
    certificates: Remembered<Standing>,
    tokens: Remembered<Caller>,
    sessions: Remembered<Caller>,
    pub sign_ins: SignIns,
    /// When uses were last written down.
    noted: Mutex<HashMap<Credential, Instant>>,
    /// That there are accounts was seen. The last administrator stays, so it never ends.
    has_users: AtomicBool,
}

impl Access {
    pub fn new(db: Arc<Db>) -> Self {
        Self {
            db,
            edges: Remembered::default(),
            certificates: Remembered::default(),
            tokens: Remembered::default(),
            sessions: Remembered::default(),
            sign_ins: SignIns::default(),
            noted: Mutex::default(),
            has_users: AtomicBool::new(false),
        }
    }

    /// What was remembered of callers does not hold any more: here at once, in other instances within
    /// [`REMEMBERED_FOR`].
    pub fn forget(&self) {
        self.tokens.forget_all();
        self.sessions.forget_all();
    }

    /// Whether anybody can sign in.
    ///
    /// # Errors
    /// If Postgres cannot answer.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        if !self.has_users.load(Ordering::Relaxed) {
            self.has_users.store(users::any(&self.db).await?, Ordering::Relaxed);
        }
        Ok(self.has_users.load(Ordering::Relaxed))
    }

    /// The edge whose token this is.
    async fn edge(&self, hash: &TokenHash) -> Result<Option<EdgeIdentity>, StoreError> {
        let found = self.edges.get(hash, async |hash| {
            let found = tokens::find_edge(&self.db, hash).await?;
            Ok(found.map(|(edge_id, warehouse_id)| EdgeIdentity { edge_id, warehouse_id }))
        });
        found.await
    }

    /// What a certificate is worth that a connection was made with.
    async fn certificate(&self, fingerprint: Fingerprint) -> Result<Standing, StoreError> {
        let found = self
            .certificates
            .get(&fingerprint.0, async |_| certificates::show(&self.db, fingerprint, clock::now()).await.map(Some));
        Ok(found.await?.unwrap_or(Standing::Unknown))
    }

    /// Whom a credential stands for now. Asking is no use of it.
    async fn caller(&self, credential: Credential) -> Result<Option<Caller>, StoreError> {
        match credential {
            Credential::Session(hash) => {
                let found = self.sessions.get(&hash, async |hash| {
                    let found = sessions::find(&self.db, hash).await?;
                    Ok(found.map(|(name, role)| Caller::user(name, role)))
                });
                found.await
            }
            Credential::Token(hash) => {
                let found = self.tokens.get(&hash, async |hash| {
                    let found = tokens::find_token(&self.db, hash).await?;
                    Ok(found.map(|(name, scopes)| Caller { kind: CallerKind::Token, name, role: None, scopes }))
                });
                found.await
            }
        }
    }

    /// A credential let somebody in. Written down once a minute; whoever is let in waits for that write, but not for a
    /// database that cannot take it.
    async fn note_use(&self, credential: Credential) {
        if !self.is_to_be_noted(credential) {
            return;
        }
        let noted = match credential {
            Credential::Session(hash) => sessions::note_use(&self.db, &hash).await,
            Credential::Token(hash) => tokens::note_use(&self.db, &hash).await,
        };
        if let Err(error) = noted {
            warn!("Failed to note that a credential was used: {:#}", anyhow::Error::new(error));
        }
    }

    fn is_to_be_noted(&self, credential: Credential) -> bool {
        let now = Instant::now();
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(&credential).is_some_and(|at| now - *at < USE_NOTED_EVERY) {
            return false;
        }
        if noted.len() >= USES_MAX {
            noted.clear();
        }
        noted.insert(credential, now);
        true
    }
}
