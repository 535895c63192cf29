//! How the sites are, worked out in one place and nowhere else.
//!
//! ```text
//! heartbeats ─▶ edges.digest ─┐
//! batches ─▶ ledger ──────────┼─▶ stage: picture ─▶ assess (pure) ─▶ FleetSnapshot ─▶ list, detail, metrics, /ws/fleet
//! alerts, dead letters ───────┘      ▲                  │
//!                              fleet_states ◀─ compare-and-set ─▶ site_states (history)
//! ```
//!
//! The state before and since when is in Postgres, and judged by Postgres's clock, so that all instances of central answer
//! the same and a restart forgets nothing.

mod assess;
mod digest;
mod metrics;
mod reason;
mod snapshot;
mod stage;

pub use assess::{Assessment, EdgeFacts, OFFLINE_AFTER, STALE_AFTER, State, assess_edge, assess_site};
pub use digest::Digest;
pub use metrics::FleetMetrics;
pub use reason::{Code, Reason};
pub use snapshot::{Counts, EdgeRow, FleetHealth, FleetSnapshot, Outdated, Site, SiteRow};
pub use stage::{Fleet, Hints, Looker};
