//! What screens see while it happens: the present of this edge, and the WebSocket that tells its changes. How both are
//! numbered, kept and brought to a screen is [`common::live`].
//!
//! ```text
//! floor ──alert, snapshots, health──▶ Hub { present, seq, last changes } ──▶ one task per screen ──▶ /ws/live
//! ```

mod hub;
mod present;
mod topics;
pub(crate) mod ws;

pub use hub::{Hub, Publish, hub};
pub use topics::{Topic, Topics};
pub use ws::live;
