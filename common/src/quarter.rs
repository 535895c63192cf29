//! Quarters of an hour since 1970: the unit in which the ledger says when something was accepted.
//!
//! Quarters and not hours, because the periods that people ask for begin on them: every time zone is off by a whole
//! number of them, and so are nearly all shifts.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

const SECS: i64 = 15 * 60;
const MS: i64 = SECS * 1_000;

/// One quarter of an hour. Reaches beyond the year 100,000, so every one of them is a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
pub struct Quarter(u32);

impl Quarter {
    /// The first of 1970: of what does not say when it was accepted, and of a clock that was never set.
    pub const UNKNOWN: Self = Self(0);
    /// How long it is.
    pub const LENGTH: TimeDelta = TimeDelta::seconds(SECS);

    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    pub const fn number(self) -> u32 {
        self.0
    }

    /// The quarter of a moment in milliseconds since 1970; what no clock of ours can say becomes the nearest.
    pub fn of_ms(ms: i64) -> Self {
        Self(u32::try_from(ms.div_euclid(MS)).unwrap_or(if ms < 0 { 0 } else { u32::MAX }))
    }

    pub fn of(time: DateTime<Utc>) -> Self {
        Self::of_ms(time.timestamp_millis())
    }

    pub fn start(self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(SECS * i64::from(self.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_moment_is_in_its_quarter(ms in 0i64..1 << 51) {
            let quarter = Quarter::of_ms(ms);
            let start = quarter.start().timestamp_millis();
            prop_assert!(start <= ms && ms < start + MS);
            prop_assert_eq!(Quarter::of(quarter.start()), quarter);
        }

        #[test]
        fn foreign_numbers_never_panic(ms: i64, number: u32) {
            let (_, _) = (Quarter::of_ms(ms), Quarter::from_number(number).start());
        }
    }

    #[test]
    fn what_no_clock_says_is_the_nearest() {
        assert_eq!(Quarter::of_ms(-1), Quarter::UNKNOWN);
        assert_eq!(Quarter::of_ms(i64::MAX).number(), u32::MAX);
    }
}
