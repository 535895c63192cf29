//! Who may do what on the box.
//!
//! ```text
//! request ─▶ guard ─(who is it? has it the role that the route table says?)─▶ handler
//!              └─ image (memory) ◀─each second, if it changed─ access.db ◀─ smartpick-edge users, kiosk, cameras
//! ```
//!
//! There are three kinds of credentials: a camera's token (sends events, and nothing else), a kiosk's token (looks, and
//! nothing else), and a person's account. Where there are no accounts, who works on the box itself is let in as
//! `floor`, and nobody else is.

pub(crate) mod api;
mod guard;
mod image;
pub mod store;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use common::credentials::{TokenHash, token_hash};
use common::web::sign_in::SignIns;
use common::web::{origin, request};
use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use utoipa::ToSchema;

pub use api::{session, sign_in, sign_out};
pub use guard::{Pass, guard};
use image::Image;
use store::{Store, StoreError};

/// The caller's name where there are no accounts and the request came from the box itself.
pub const OPEN_NAME: &str = "floor";
/// Holds a session's token.
pub const COOKIE: &str = "smartpick_session";

/// How often the file is asked whether somebody changed it, so how long what was removed still works.
const POLL: Duration = Duration::from_secs(1);
/// How often last uses are saved, and by how much the file may be behind. Not more often: each is a write.
const SAVE_EVERY: u32 = 5;
const SAVE_BEHIND: Duration = Duration::from_secs(4);
/// How often sessions that are over are deleted.
const TIDY_EVERY: u32 = 60;

/// What an account may do; each may all that those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look.
    Viewer,
    /// Acknowledge and silence.
    Supervisor,
    /// See everything there is on the box.
    Admin,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Supervisor => "supervisor",
            Self::Admin => "admin",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Viewer, Self::Supervisor, Self::Admin].into_iter().find(|role| role.as_str() == text)
    }
}

/// What a route asks of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: anybody who reaches the port.
    Public,
    /// A camera's token, and only that.
    Camera,
    /// At least this role. A camera's token is none.
    Role(Role),
}

/// As the route table writes them.
impl Need {
    pub const PUBLIC: Self = Self::Public;
    pub const CAMERA: Self = Self::Camera;
    pub const VIEWER: Self = Self::Role(Role::Viewer);
    pub const SUPERVISOR: Self = Self::Role(Role::Supervisor);
    pub const ADMIN: Self = Self::Role(Role::Admin);
}

/// By what a caller is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CallerKind {
    /// There are no accounts, and the request came from the box itself.
    Open,
    /// An account.
    User,
    /// A screen with a read-only token.
    Kiosk,
}

/// Who sent a request; put into it before a handler that needs a role sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Caller {
    pub kind: CallerKind,
    /// The account's name, or `floor` where there are no accounts.
    pub name: String,
    pub role: Role,
}

impl Caller {
    fn open() -> Self {
        Self { kind: CallerKind::Open, name: OPEN_NAME.to_owned(), role: Role::Admin }
    }
}

/// What a request shows for itself. Can be asked again later who it stands for, for instance by a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credential {
    /// It came from this box by itself.
    Local,
    Session(TokenHash),
    Kiosk(TokenHash),
}

/// What the box knows of those who may come in.
pub struct Access {
    image: RwLock<Arc<Image>>,
    store: Mutex<Store>,
    /// The one from the configuration; it counts like those in the file.
    camera_token: Option<TokenHash>,
    sign_ins: SignIns,
}

impl Access {
    /// Opens `access.db` in the data directory.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn open(dir: &Path, camera_token: Option<&str>) -> Result<Arc<Self>, StoreError> {
        let mut store = Store::open(dir)?;
        let image = Image::new(store.contents()?, &Image::default());
        Ok(Arc::new(Self {
            image: RwLock::new(Arc::new(image)),
            store: Mutex::new(store),
            camera_token: camera_token.filter(|token| !token.is_empty()).map(token_hash),
            sign_ins: SignIns::default(),
        }))
    }

    /// Follows the file until told to stop.
    ///
    /// # Errors
    /// If SQLite fails for good.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> anyhow::Result<()> {
        let mut turn = tokio::time::interval(POLL);
        turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut turns, mut failing) = (0u32, false);
        loop {
            let stopping = tokio::select! {
                // Last uses are saved once more.
                () = stop.cancelled() => true,
                // Has somebody changed the file?
                _ = turn.tick() => false,
            };
            turns = turns.wrapping_add(1);
            let now = common::clock::now();
            let save = stopping || turns.is_multiple_of(SAVE_EVERY);
            let tidy = turns.is_multiple_of(TIDY_EVERY);
            let access = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || access.keep_up(save, tidy, now)).await? {
                Ok(()) if failing => {
                    info!("access.db can be written again");
                    failing = false;
                }
                Err(error) if error.is_passing() => {
                    if !failing {
                        warn!("Accounts stay as they were last read, access.db is busy or the disk is full: {error}");
                    }
                    failing = true;
                }
                result => result?,
            }
            if stopping {
                return Ok(());
            }
        }
    }

    /// Blocks on the file.
    fn keep_up(&self, save: bool, tidy: bool, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.refresh()?;
        let image = self.image();
        if tidy {
            let over = image.over(now);
            if !over.is_empty() {
                let mut store = self.store();
                store.end_sessions(&over)?;
                self.reload(&mut store)?;
            }
        }
        let unsaved = image.unsaved(SAVE_BEHIND);
        if save && unsaved != image::Unsaved::default() {
            self.store().note_use(&unsaved.tokens, &unsaved.sessions)?;
            image.saved(&unsaved);
        }
        Ok(())
    }

    /// Reads the file if somebody else has changed it. Blocks on it.
    fn refresh(&self) -> Result<(), StoreError> {
        let mut store = self.store();
        if store.has_changed()? {
            self.reload(&mut store)?;
        }
        Ok(())
    }

    fn reload(&self, store: &mut Store) -> Result<(), StoreError> {
        let contents = store.contents()?;
        let mut image = self.image.write().unwrap_or_else(PoisonError::into_inner);
        *image = Arc::new(Image::new(contents, &image));
        Ok(())
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn image(&self) -> Arc<Image> {
        Arc::clone(&self.image.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether any camera has a token, so that those without one are turned away.
    pub fn has_cameras(&self) -> bool {
        self.camera_token.is_some() || self.image().has_cameras()
    }

    /// Whether it is some camera's token. That it was used is noted.
    fn is_camera(&self, token: &str, now: DateTime<Utc>) -> bool {
        let hash = token_hash(token);
        if let Some(camera) = self.image().camera(&hash) {
            camera.used.note(now);
            return true;
        }
        self.camera_token == Some(hash)
    }

    /// Whom a credential stands for now.
    fn caller(&self, credential: Credential, now: DateTime<Utc>) -> Option<Caller> {
        let image = self.image();
        match credential {
            Credential::Local => (!image.has_users()).then(Caller::open),
            Credential::Session(hash) => image.session(&hash, now),
            Credential::Kiosk(hash) => image.kiosk(&hash).map(image::kiosk_caller),
        }
    }

    fn note_use(&self, credential: Credential, now: DateTime<Utc>) {
        match credential {
            Credential::Local => {}
            Credential::Session(hash) => self.image().note_session(&hash, now),
            Credential::Kiosk(hash) => self.image().kiosk(&hash).into_iter().for_each(|kiosk| kiosk.used.note(now)),
        }
    }
}

/// The session that the request's cookie names, whether there is such a one or not.
fn session_cookie(headers: &HeaderMap) -> Option<TokenHash> {
    request::session_cookie(headers, COOKIE)
}

/// Whether it certainly came from this machine: not through a proxy, and not from a browser that was told that a
/// stranger's name is 127.0.0.1.
fn is_local(peer: SocketAddr, headers: &HeaderMap) -> bool {
    peer.ip().to_canonical().is_loopback() && origin::host_is_loopback(headers) && !origin::is_forwarded(headers)
}

#[cfg(test)]
mod tests;
