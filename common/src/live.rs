//! What screens see while it happens: one place that knows the present and numbers its changes, and the WebSocket that tells
//! them. What the present is, and which topics it has, is each binary's own.
//!
//! ```text
//! publishers ──▶ Hub { present, seq, last changes } ──▶ one task per screen ──▶ WebSocket
//! ```
//!
//! A screen gets a snapshot and then every change after it, each with its `seq`. One that comes back says what it saw
//! last and gets what followed. One that cannot keep up is told exactly how many changes it missed, gets a new
//! snapshot, and slows nobody: publishing never waits for anyone.

mod client;
mod door;
mod hub;
mod topics;
mod upgrade;

pub use client::{Client, PACE, Pace};
pub use door::{Wish, open};
pub use hub::{Changes, Cursor, Hub, Present, Words, to_json};
pub use topics::{Topic, Topics};
pub use upgrade::{Socket, Upgrade};
