//! Who may do what on the box.
//!
//! ```text
//! request ─▶ guard ─(who is it? has it the role that the route table says?)─▶ handler
//! ```
//!
//! There are three kinds of credentials: a camera's token (sends events, and nothing else), a kiosk's token (looks, and
//! nothing else), and a person's account. Where there are no accounts, who works on the box itself is let in as
//! `floor`, and nobody else is.

mod guard;
mod origin;

use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

pub use guard::guard;

/// The caller's name where there are no accounts and the request came from the box itself.
pub const OPEN_NAME: &str = "floor";

/// What an account may do; each may all that those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look.
    Viewer,
    /// Acknowledge and silence.
    Supervisor,
    /// See everything there is on the box.
    Admin,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caller {
    pub kind: CallerKind,
    /// The account's name, or [`OPEN_NAME`].
    pub name: String,
    pub role: Role,
}

impl Caller {
    fn open() -> Self {
        Self { kind: CallerKind::Open, name: OPEN_NAME.to_owned(), role: Role::Admin }
    }
}

/// What the box knows of those who may come in.
pub struct Access {
    camera_token: Option<String>,
}

impl Access {
    pub fn new(camera_token: Option<String>) -> Self {
        Self { camera_token: camera_token.filter(|token| !token.is_empty()) }
    }

    fn has_cameras(&self) -> bool {
        self.camera_token.is_some()
    }

    fn is_camera(&self, token: &str) -> bool {
        self.camera_token.as_ref().is_some_and(|known| bool::from(known.as_bytes().ct_eq(token.as_bytes())))
    }
}

/// The token of an `Authorization: Bearer …` header.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
