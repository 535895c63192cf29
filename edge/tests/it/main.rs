//! The edge against the real thing: its buffer with a real Redis and SQLite, its HTTP surface with real requests.

mod access;
mod alerts;
mod buffer_model;
mod cli;
mod headquarters;
mod http;
mod identity;
mod live;
mod redis_server;
mod rules;
mod shift;
mod tls;
mod weak_redis;
