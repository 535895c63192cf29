//! What of `access.db` the running edge keeps in memory, so that asking who a request is from costs a look into a table.
//! It is made anew when the file changes; the times of last use live on from one to the next.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use common::credentials::{TokenHash, name_key};
use common::web::sign_in::{SESSION_AGE_MAX, SESSION_IDLE_MAX};

use super::store::{Contents, Holder, TokenKind, UserRow};
use super::{Caller, CallerKind, Role};

/// When something was used last, and what of that the file knows; both in milliseconds, 0 = never.
#[derive(Debug, Default)]
pub struct Used {
    at_ms: AtomicI64,
    saved_ms: AtomicI64,
}

impl Used {
    fn new(saved_ms: i64, earlier: Option<&Self>) -> Self {
        let at_ms = earlier.map_or(0, |used| used.at_ms.load(Ordering::Relaxed)).max(saved_ms);
        Self { at_ms: at_ms.into(), saved_ms: saved_ms.into() }
    }

    pub fn note(&self, now: DateTime<Utc>) {
        self.at_ms.fetch_max(now.timestamp_millis(), Ordering::Relaxed);
    }

    /// What to save, if the file is behind by more than this.
    fn unsaved(&self, behind: Duration) -> Option<i64> {
        let at_ms = self.at_ms.load(Ordering::Relaxed);
        let since_ms = at_ms - self.saved_ms.load(Ordering::Relaxed);
        (since_ms > i64::try_from(behind.as_millis()).unwrap_or(i64::MAX)).then_some(at_ms)
    }

    fn saved(&self, at_ms: i64) {
        self.saved_ms.store(at_ms, Ordering::Relaxed);
    }
}

/// A token of a camera or a kiosk.
#[derive(Debug)]
pub struct Token {
    pub id: i64,
    pub name: String,
    pub used: Used,
}

#[derive(Debug)]
pub struct Session {
    of: Holder,
    created_ms: i64,
    used: Used,
}

impl Session {
    fn is_over(&self, now: DateTime<Utc>) -> bool {
        // A screen's lasts as long as its token.
        let Holder::User(_) = self.of else { return false };
        let longer = |since_ms: i64, max: Duration| {
            u128::try_from(now.timestamp_millis() - since_ms).unwrap_or(0) > max.as_millis()
        };
        longer(self.used.at_ms.load(Ordering::Relaxed), SESSION_IDLE_MAX) || longer(self.created_ms, SESSION_AGE_MAX)
    }
}

/// Last uses that the file does not have.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Unsaved {
    pub tokens: Vec<(i64, i64)>,
    pub sessions: Vec<(TokenHash, i64)>,
}

#[derive(Debug, Default)]
pub struct Image {
    users: HashMap<i64, UserRow>,
    users_by_name: HashMap<String, i64>,
    cameras: HashMap<TokenHash, Arc<Token>>,
    kiosks: HashMap<TokenHash, Arc<Token>>,
    kiosk_hashes: HashMap<i64, TokenHash>,
    sessions: HashMap<TokenHash, Session>,
}

impl Image {
    pub fn new(contents: Contents, before: &Self) -> Self {
        let mut image = Self::default();
        for user in contents.users {
            image.users_by_name.insert(name_key(&user.name), user.id);
            image.users.insert(user.id, user);
        }
        for row in contents.tokens {
            let (tokens, earlier) = match row.kind {
                TokenKind::Camera => (&mut image.cameras, &before.cameras),
                TokenKind::Kiosk => (&mut image.kiosks, &before.kiosks),
            };
            let used = Used::new(row.used_ms.unwrap_or(0), earlier.get(&row.hash).map(|token| &token.used));
            if row.kind == TokenKind::Kiosk {
                image.kiosk_hashes.insert(row.id, row.hash);
            }
            tokens.insert(row.hash, Arc::new(Token { id: row.id, name: row.name, used }));
        }
        for row in contents.sessions {
            let used = Used::new(row.used_ms, before.sessions.get(&row.hash).map(|session| &session.used));
            image.sessions.insert(row.hash, Session { of: row.of, created_ms: row.created_ms, used });
        }
        image
    }

    pub fn has_users(&self) -> bool {
        !self.users.is_empty()
    }

    pub fn has_cameras(&self) -> bool {
        !self.cameras.is_empty()
    }

    pub fn user(&self, name: &str) -> Option<&UserRow> {
        self.users.get(self.users_by_name.get(&name_key(name))?)
    }

    pub fn camera(&self, token: &TokenHash) -> Option<&Token> {
        self.cameras.get(token).map(Arc::as_ref)
    }

    pub fn kiosk(&self, token: &TokenHash) -> Option<&Token> {
        self.kiosks.get(token).map(Arc::as_ref)
    }

    /// Whose session this is, if it is not over.
    pub fn session(&self, hash: &TokenHash, now: DateTime<Utc>) -> Option<Caller> {
        let session = self.sessions.get(hash).filter(|session| !session.is_over(now))?;
        match session.of {
            Holder::User(id) => {
                let user = self.users.get(&id)?;
                Some(Caller { kind: CallerKind::User, name: user.name.clone(), role: user.role })
            }
            Holder::Kiosk(id) => self.kiosk(self.kiosk_hashes.get(&id)?).map(kiosk_caller),
        }
    }

    /// The session was used, and a screen's token with it.
    pub fn note_session(&self, hash: &TokenHash, now: DateTime<Utc>) {
        let Some(session) = self.sessions.get(hash) else { return };
        session.used.note(now);
        if let Holder::Kiosk(id) = session.of
            && let Some(kiosk) = self.kiosk_hashes.get(&id).and_then(|hash| self.kiosk(hash))
        {
            kiosk.used.note(now);
        }
    }

    /// Sessions that are over, to be deleted.
    pub fn over(&self, now: DateTime<Utc>) -> Vec<TokenHash> {
        self.sessions.iter().filter(|(_, session)| session.is_over(now)).map(|(hash, _)| *hash).collect()
    }

    /// Last uses that the file is behind with by more than `behind`.
    pub fn unsaved(&self, behind: Duration) -> Unsaved {
        let tokens = self.cameras.values().chain(self.kiosks.values());
        Unsaved {
            tokens: tokens.filter_map(|token| Some((token.id, token.used.unsaved(behind)?))).collect(),
            sessions: self.sessions.iter().filter_map(|(hash, s)| Some((*hash, s.used.unsaved(behind)?))).collect(),
        }
    }

    /// The file has them now.
    pub fn saved(&self, saved: &Unsaved) {
        let at: HashMap<i64, i64> = saved.tokens.iter().copied().collect();
        for token in self.cameras.values().chain(self.kiosks.values()) {
            if let Some(at_ms) = at.get(&token.id) {
                token.used.saved(*at_ms);
            }
        }
        for (hash, at_ms) in &saved.sessions {
            if let Some(session) = self.sessions.get(hash) {
                session.used.saved(*at_ms);
            }
        }
    }
}

pub fn kiosk_caller(kiosk: &Token) -> Caller {
    Caller { kind: CallerKind::Kiosk, name: kiosk.name.clone(), role: Role::Viewer }
}
