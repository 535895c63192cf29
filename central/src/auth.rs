//! Who asks: edges by the token that `edges add` made, tools by one that `tokens add` made. What Postgres said of a
//! token is remembered for a few seconds, so that it is not asked for every batch; a revoked token works that long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use common::ids::{EdgeId, WarehouseId};
use common::problem::Problem;
use tokio::time::Instant;

use crate::http::ApiError;
use crate::store::tokens::{self, TokenHash};
use crate::store::{Db, StoreError};

const REMEMBERED_FOR: Duration = Duration::from_secs(5);
/// Tokens remembered, wrong ones too; beyond it we start anew rather than grow with guesses.
const REMEMBERED_MAX: usize = 10_000;
/// Longer ones are not ours, and need no hashing.
const TOKEN_BYTES_MAX: usize = 256;

/// An edge by its credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EdgeIdentity {
    pub edge_id: EdgeId,
    pub warehouse_id: WarehouseId,
}

struct Remembered<T>(Mutex<HashMap<TokenHash, (Instant, Option<T>)>>);

impl<T: Clone> Remembered<T> {
    async fn get(
        &self,
        token: &str,
        ask: impl AsyncFnOnce(&TokenHash) -> Result<Option<T>, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let hash = tokens::hash(token);
        let now = Instant::now();
        if let Some((at, known)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&hash)
            && now - *at < REMEMBERED_FOR
        {
            return Ok(known.clone());
        }
        let found = ask(&hash).await?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(hash, (now, found.clone()));
        Ok(found)
    }
}

pub struct Auth {
    db: Arc<Db>,
    edges: Remembered<EdgeIdentity>,
    tools: Remembered<Arc<str>>,
}

impl Auth {
    pub fn new(db: Arc<Db>) -> Self {
        Self { db, edges: Remembered(Mutex::default()), tools: Remembered(Mutex::default()) }
    }

    /// The edge that asks.
    ///
    /// # Errors
    /// 401 without a valid credential; 503 if it cannot be checked now.
    pub async fn edge(&self, headers: &HeaderMap) -> Result<EdgeIdentity, ApiError> {
        let db = &self.db;
        let found = self.edges.get(bearer(headers)?, async |hash| {
            let found = tokens::find_edge(db, hash).await?;
            Ok(found.map(|(edge_id, warehouse_id)| EdgeIdentity { edge_id, warehouse_id }))
        });
        found.await?.ok_or_else(|| unauthorized("this edge's token is not valid; make one with `edges add`"))
    }

    /// The name of the tool that asks.
    ///
    /// # Errors
    /// 401 without a valid token; 503 if it cannot be checked now.
    pub async fn tool(&self, headers: &HeaderMap) -> Result<Arc<str>, ApiError> {
        let db = &self.db;
        let found =
            self.tools.get(bearer(headers)?, async |hash| Ok(tokens::find_token(db, hash).await?.map(Arc::from)));
        found.await?.ok_or_else(|| unauthorized("this token is not valid; make one with `tokens add`"))
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let value = headers.get(header::AUTHORIZATION).ok_or_else(|| unauthorized("send `Authorization: Bearer TOKEN`"))?;
    let token = value.to_str().ok().and_then(|v| v.split_once(' '));
    match token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && token.len() <= TOKEN_BYTES_MAX => {
            Ok(token.trim())
        }
        _ => Err(unauthorized("the Authorization header is not `Bearer TOKEN`")),
    }
}

fn unauthorized(message: &str) -> ApiError {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message).into()
}
