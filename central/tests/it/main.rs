//! Central against real servers: its own Postgres and Redis, started for this binary and gone with it.

mod access;
mod alerts;
mod api;
mod audit;
mod batches;
mod cli;
mod client;
mod completeness;
mod dead_letters;
mod faults;
mod fleet;
mod heartbeats;
mod ledger;
mod ledger_hours;
mod partitions;
mod people;
mod poison;
mod queries;
mod raw;
mod rollups;
mod rules;
mod servers;
mod sessions;
mod sites;
mod statements;
mod stream;
