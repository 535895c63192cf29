//! Who may do what at headquarters.
//!
//! ```text
//! request ─▶ guard ─(who is it? has it what the route table asks for?)─▶ handler, with Extension<Caller>
//!              └─ what Postgres said of the credential, remembered for a few seconds
//! ```
//!
//! There are three kinds of credentials: an edge's token (brings data, and nothing else), a machine's token with its
//! scopes, and a person's session, which has the scopes of the person's role. All are in Postgres, so every instance of
//! central lets in the same callers.

mod guard;
mod remembered;
mod roles;

use std::sync::Arc;

use common::credentials::TokenHash;
use common::ids::{EdgeId, WarehouseId};
use serde::Serialize;

pub use guard::{Pass, guard};
use remembered::{REMEMBERED_FOR, Remembered};
pub use roles::{Role, Scope, Scopes};

use crate::store::{Db, StoreError, tokens};

/// Holds a session's token.
pub const COOKIE: &str = "smartpick_hq_session";

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: anybody who reaches the port.
    Public,
    /// An edge's token, and only that. The handler gets [`EdgeIdentity`].
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
    pub const fn may(&self, scope: Scope) -> bool {
        self.scopes.has(scope)
    }
}

/// What a request shows for itself. Can be asked again later who it stands for, for instance by a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credential {
    Session(TokenHash),
    Token(TokenHash),
}

/// What central knows of those who may come in.
pub struct Access {
    db: Arc<Db>,
    edges: Remembered<EdgeIdentity>,
    tokens: Remembered<Caller>,
}

impl Access {
    pub fn new(db: Arc<Db>) -> Self {
        Self { db, edges: Remembered::default(), tokens: Remembered::default() }
    }

    /// The edge whose token this is.
    async fn edge(&self, hash: &TokenHash) -> Result<Option<EdgeIdentity>, StoreError> {
        let found = self.edges.get(hash, async |hash| {
            let found = tokens::find_edge(&self.db, hash).await?;
            Ok(found.map(|(edge_id, warehouse_id)| EdgeIdentity { edge_id, warehouse_id }))
        });
        found.await
    }

    /// Whom a credential stands for now.
    async fn caller(&self, credential: Credential) -> Result<Option<Caller>, StoreError> {
        match credential {
            Credential::Session(_) => Ok(None),
            Credential::Token(hash) => {
                let found = self.tokens.get(&hash, async |hash| {
                    let found = tokens::find_token(&self.db, hash).await?;
                    Ok(found.map(|(name, scopes)| Caller { kind: CallerKind::Token, name, role: None, scopes }))
                });
                found.await
            }
        }
    }
}
