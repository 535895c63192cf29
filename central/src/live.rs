//! What headquarters' screens see while it happens: the present of the fleet, and the WebSocket that tells its changes. How
//! both are numbered, kept and brought to a screen is [`common::live`].
//!
//! ```text
//! FleetSnapshot ───────────────▶ teller ─▶ Hub { present, seq, last changes } ─▶ one task per screen ─▶ /ws/fleet
//! open alerts in Postgres ─────▶   ▲
//! Redis: "alerts have changed" ────┘ from whichever instance committed them
//! ```
//!
//! What comes through Redis is only a hint to look at Postgres now: it is lossy by design, and a look every few seconds
//! repairs what was lost, also while Redis is away.

mod present;
mod teller;
pub(crate) mod ws;

pub use present::{Hub, hub};
pub use teller::Teller;
pub use ws::fleet;
