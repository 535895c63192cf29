//! The only place that reads the wall clock. Everything that decides by time takes `now` as an argument.

use chrono::{DateTime, SubsecRound, Utc};

/// Now, to the microsecond: what Postgres can hold.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}
