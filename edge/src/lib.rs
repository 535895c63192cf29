//! The edge: a box in a warehouse that takes camera events, keeps them safe, and carries them home.
//!
//! ```text
//! camera ─▶ http ─▶ intake ─▶ buffer ─▶ forward ─▶ central
//!                     └─▶ alerts ─▶ live ─▶ screens
//! ```

pub mod config;
pub mod edge;

pub mod http;
pub mod tls;
pub mod usable;

mod owner;
mod sqlite;

pub mod access;

pub mod intake;

pub mod buffer;

pub mod alerts;
pub mod live;
pub mod page;
pub mod shift;
pub mod site;

pub mod archive;
pub mod central_client;
pub mod enrolment;
pub mod forward;
pub mod heartbeat;

pub mod cameras;
pub mod health;
pub mod metrics;
pub mod openapi;
pub mod reload;
pub mod sentence;
pub mod streams;

pub mod cli;
pub mod simulate;
