//! Central against real servers: its own Postgres and Redis, started for this binary and gone with it.

mod alerts;
mod api;
mod batches;
mod cli;
mod client;
mod dead_letters;
mod faults;
mod heartbeats;
mod ledger;
mod partitions;
mod poison;
mod servers;
mod statements;
mod stream;
