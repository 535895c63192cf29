//! What both binaries must agree on, or do identically. No Redis, no SQL, no HTTP client.
//!
//! The data's way through it: a camera's JSON becomes an [`event::Event`], the event a [`record`] with
//! its place in the ledger and a checksum, records become a batch frame ([`protocol`]), and central opens
//! them again. The rest is the ground both stand on: backoff, clock, config, lifecycle, serving, telemetry.

pub mod ids;

pub mod event;

pub mod alert;
pub mod rules;

pub mod record;

pub mod shift;
pub mod site;

pub mod protocol;

pub mod backoff;
pub mod cli;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod durable;
pub mod health;
pub mod join;
pub mod lifecycle;
pub mod live;
pub mod openapi;
pub mod problem;
pub mod quarter;
pub mod reload;
pub mod serve;
pub mod telemetry;
pub mod text;
pub mod tls;
pub mod words;

pub mod web;
