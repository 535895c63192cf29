//! What screens see while it happens: one place that knows the present and numbers its changes, and the WebSocket that
//! tells them.
//!
//! ```text
//! floor ──alert, snapshots, health──▶ Hub { present, seq, last changes } ──▶ one task per screen ──▶ /ws/live
//! ```
//!
//! A screen gets a snapshot and then every change after it, each with its `seq`. One that comes back says what it saw
//! last and gets what followed. One that cannot keep up is told exactly how many changes it missed, gets a new
//! snapshot, and slows nobody: publishing never waits for anyone.

mod client;
mod hub;
mod present;
mod topics;
mod upgrade;
pub(crate) mod ws;

pub use hub::Hub;
pub use topics::{Topic, Topics};
pub use ws::live;
