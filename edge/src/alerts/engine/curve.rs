//! The curve of an episode: time and score, thinned out as it grows so that it stays small and keeps its peak.

use chrono::{DateTime, Utc};
use common::alert::CURVE_MOMENTS_MAX;
use common::event::Hundredths;

/// Points kept: as many as headquarters takes.
pub const POINTS_MAX: usize = CURVE_MOMENTS_MAX;

pub type Point = (DateTime<Utc>, Hundredths);

/// See the module. Its first and last point and its highest are always in it.
#[derive(Debug, Clone, Default)]
pub struct Curve {
    points: Vec<Point>,
    /// Of the moments that are not peaks, one in so many is kept.
    step: u32,
    skipped: u32,
    /// The last point is only there because it is the last.
    provisional: bool,
}

impl Curve {
    pub fn resumed(points: Vec<Point>) -> Self {
        let mut curve = Self { points, step: 1, ..Self::default() };
        curve.thin();
        curve
    }

    /// Adds a later point.
    pub fn push(&mut self, point: Point) {
        let is_peak = |(last, before): (&Point, &[Point])| last.1 >= point.1 && before.iter().all(|p| p.1 < last.1);
        if self.provisional && !self.points.split_last().is_some_and(is_peak) {
            self.points.pop();
        }
        self.skipped += 1;
        self.provisional = self.skipped < self.step;
        if !self.provisional {
            self.skipped = 0;
        }
        self.points.push(point);
        self.thin();
    }

    pub fn points(&self) -> &[Point] {
        &self.points
    }

    fn thin(&mut self) {
        while self.points.len() > POINTS_MAX {
            let last = self.points.len() - 1;
            // The first of the highest, as `peak_at` has it.
            let peak = (0..=last).rev().max_by_key(|index| self.points[*index].1);
            let mut index = 0;
            self.points.retain(|_| {
                let kept = index % 2 == 0 || index == last || Some(index) == peak;
                index += 1;
                kept
            });
            self.step = self.step.max(1).saturating_mul(2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(tenths: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_800_000_000_000 + tenths * 100).expect("in range")
    }

    #[test]
    fn a_short_curve_is_complete() {
        let mut curve = Curve::default();
        let points: Vec<Point> = (0..240).map(|n| (at(n), Hundredths::from_raw(7_000 + n as u16))).collect();
        points.iter().for_each(|point| curve.push(*point));
        assert_eq!(curve.points(), points);
    }

    #[test]
    fn a_long_curve_stays_small_and_keeps_first_last_and_peak() {
        for peak in [0, 1, 2, 119, 241, 777, 4_998, 4_999] {
            let mut curve = Curve::default();
            for n in 0..5_000 {
                let score = if n == peak { 9_900 } else { 7_000 + (n % 7) as u16 };
                curve.push((at(n), Hundredths::from_raw(score)));
                let points = curve.points();
                assert!(points.len() <= POINTS_MAX, "{}", points.len());
                assert_eq!(points.first().map(|p| p.0), Some(at(0)));
                assert_eq!(points.last().map(|p| p.0), Some(at(n)));
                assert!(n < peak || points.iter().any(|p| *p == (at(peak), Hundredths::from_raw(9_900))), "{peak}");
            }
            let points = curve.points();
            assert!(points.len() >= POINTS_MAX / 3, "{}", points.len());
            assert!(points.is_sorted_by(|a, b| a.0 < b.0));
            let widest = points.windows(2).map(|pair| (pair[1].0 - pair[0].0).num_milliseconds()).max();
            assert!(widest.is_some_and(|gap| gap <= 3 * 5_000 * 100 / POINTS_MAX as i64), "{widest:?}");
        }
    }
}
