use proptest::prelude::*;

use super::*;

fn sum_of(scores: &[u16]) -> Sum {
    let mut sum = Sum::default();
    for &score in scores {
        sum.events += 1;
        sum.risk_sum_hundredths += i64::from(score);
        sum.risk_max_hundredths = sum.risk_max_hundredths.max(i32::from(score));
        sum.bins[usize::from(score / 500).min(BINS - 1)] += 1;
    }
    sum
}

#[test]
fn nothing_seen_is_no_risk_of_nought() {
    let figures = Group { minutes_expected: 15, ..Group::default() }.figures(false);
    assert_eq!((figures.events, figures.mean, figures.max, figures.p50), (Some(0), None, None, None));
    assert_eq!(figures.coverage, Some(0.0), "it should have been seen");
    assert_eq!(Group::default().figures(false).coverage, None, "there was nothing to see yet");
}

#[test]
fn percentiles_are_read_off_the_bins() {
    // 10 events in 20–25, 10 in 70–75.
    let mut sum = sum_of(&[2_000; 10]);
    sum.add(&sum_of(&[7_250; 10]));
    assert_eq!(sum.percentile(0.25), Some(22.5));
    assert_eq!(sum.percentile(0.5), Some(25.0));
    assert_eq!(sum.percentile(0.9), Some(72.5), "74 by the bin, but nothing was above 72.5");
    assert_eq!(sum.mean(), Some(46.25));
    assert_eq!(sum_of(&[10_000]).percentile(0.95), Some(99.75));
}

#[test]
fn what_is_suppressed_tells_nothing() {
    let group = Group { sum: sum_of(&[8_000; 3]), people: 2, minutes_expected: 60 };
    assert_eq!(group.figures(true), Figures { suppressed: true, ..Figures::default() });
}

#[test]
fn a_range_knows_which_days_it_holds_whole() {
    let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
    let days = |from: &str, to: &str| Range { from: at(from), to: at(to) }.whole(TimeDelta::days(1));
    let (first, end) = days("2026-05-01T10:00:00Z", "2026-05-04T10:00:00Z");
    assert_eq!((first, end), (at("2026-05-02T00:00:00Z"), at("2026-05-04T00:00:00Z")));
    assert_eq!(days("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z").1, at("2026-05-02T00:00:00Z"));
    let (first, end) = days("2026-05-01T10:00:00Z", "2026-05-02T10:00:00Z");
    assert_eq!((first, end), (at("2026-05-01T10:00:00Z"), at("2026-05-01T10:00:00Z")), "none");
}

proptest! {
    #[test]
    fn a_percentile_is_within_a_bin_of_the_truth(
        mut scores in prop::collection::vec(0..=10_000_u16, 1..300),
        share in 0.01..=1.0_f64,
    ) {
        let shown = sum_of(&scores).percentile(share).expect("there are events");
        scores.sort_unstable();
        let at = ((share * scores.len() as f64).ceil() as usize).clamp(1, scores.len());
        let truth = f64::from(scores[at - 1]) / 100.0;
        prop_assert!((shown - truth).abs() <= BIN_WIDTH + 0.01, "{shown} for {truth}");
    }

    #[test]
    fn it_does_not_matter_how_events_are_split(a in prop::collection::vec(0..=10_000_u16, 0..50), b in prop::collection::vec(0..=10_000_u16, 0..50)) {
        let mut sum = sum_of(&a);
        sum.add(&sum_of(&b));
        prop_assert_eq!(sum, sum_of(&[a, b].concat()));
    }
}
