//! Who may do what on the box.

use serde::{Deserialize, Serialize};

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

/// Who sent a request; put into it before a handler sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Caller {
    /// The account's name; `floor` where there are no accounts and the request came from the box itself.
    pub name: String,
    pub role: Role,
}
