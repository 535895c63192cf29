//! From frames to rows. Persist workers are members of one consumer group, any number of them in any number of
//! processes; each reads several frames, opens them, makes all their records durable in one transaction,
//! and only then tells whoever waits and acknowledges the frames.
//!
//! A worker never gives up and never drops: what cannot be stored now is tried again until it can, what can never be
//! stored becomes a dead letter.

pub(crate) mod check;
mod crew;
mod open;
pub mod replay;
mod scaling;
mod work;
mod worker;

pub use crew::Crew;
pub use open::reopen;
pub use worker::{Deps, Worker};
