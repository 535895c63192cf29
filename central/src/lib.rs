//! SmartPick's headquarters: takes batches from the edges, makes them durable in Postgres exactly once, and answers
//! what became of them.
//!
//! The data's way: an edge POSTs a batch to [`receive`], which puts it unopened into the consolidated [`stream`] and
//! waits ([`inflight`]); a [`persist`] worker here or in another instance opens it, writes rows, rollups and ledger in
//! one transaction ([`store`]), and only then does the waiting request answer 200. [`heartbeats`] bring the other half
//! of the ledger, [`fleet`] judges the sites, [`completeness`] what has come of them, [`api`] answers dashboards, [`health`] says how central itself is.

pub mod cli;
pub mod config;
pub mod usable;

pub mod central;

pub mod http;

pub mod access;
pub mod enrolment;

pub mod receive;

pub mod inflight;

pub mod frame;

pub mod stream;

pub mod persist;

pub mod rollup_pass;
pub mod store;

pub mod privacy;

pub mod heartbeats;

pub mod fleet;

pub mod completeness;

pub mod figures;

pub mod live;

pub mod api;
pub mod openapi;

pub mod health;
pub mod metrics;
pub mod reload;

pub mod page;
