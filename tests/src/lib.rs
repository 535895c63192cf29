//! The harness: real servers, real binaries, real faults. System tests, `make stack`, `make demo` and the bench are
//! all built on it.
//!
//! From the ground up: a [`dir`] that leaves nothing behind, [`process`]es that die with us, private [`redis`] and
//! [`postgres`] servers, our own two binaries ([`edge`], [`central`]), a [`link`] between them that can be cut, a
//! [`sender`] that stands for an edge, and the
//! [`stack`] that composes them. Beside it what proves the promise: [`events`], a [`camera`] that keeps the ledger of
//! what was acknowledged to it, and the [`checker`] that compares that ledger with Postgres.

pub mod dir;
pub mod ports;
pub mod process;
pub mod wait;

pub mod postgres;
pub mod redis;

mod http;

pub mod central;
pub mod edge;
pub mod link;
pub mod sender;

pub mod stack;

pub mod camera;
pub mod checker;
pub mod events;
pub mod lift;
