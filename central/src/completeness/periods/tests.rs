use chrono::NaiveTime;
use chrono::Weekday::{self, Fri, Mon, Sat, Sun, Thu, Tue, Wed};
use proptest::prelude::*;

use super::*;

const EDGE: Uuid = Uuid::from_u128(1);
const EPOCH: Uuid = Uuid::from_u128(7);

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn period() -> Period {
    Period {
        kind: "shift",
        name: "Early".to_owned(),
        from: time("2026-03-10T06:00:00Z"),
        to: time("2026-03-10T14:00:00Z"),
    }
}

/// One in which `accepted` came in and all of it is here.
fn quarter(at: &str, accepted: i64) -> Quarter {
    Quarter {
        edge_id: EDGE,
        epoch: EPOCH,
        quarter: time(at),
        accepted,
        received: accepted,
        stored: accepted,
        alerts: 0,
        duplicates: 0,
        dead: 0,
        buffered: 0,
        missing: 0,
        approximate: false,
    }
}

/// All 32 quarters of [`period`], ten records in each.
fn shift() -> Vec<Quarter> {
    (0..32)
        .map(|n| Quarter {
            quarter: period().from + quarter::Quarter::LENGTH * n,
            ..quarter("2026-03-10T06:00:00Z", 10)
        })
        .collect()
}

/// An edge that was heard at `at` and has been known for long.
fn edge(at: &str) -> Witness {
    Witness {
        edge_id: EDGE,
        name: Some("dock".to_owned()),
        revoked_at: None,
        heartbeat_at: Some(time(at)),
        sent_at: Some(time(at)),
        drain_seconds: None,
        since: Some(time("2026-01-01T00:00:00Z")),
    }
}

fn judged(now: &str, quarters: &[Quarter], witnesses: &[Witness]) -> Figure {
    figures(time(now), &[period()], quarters, witnesses).remove(0)
}

const AFTER: &str = "2026-03-10T14:00:20Z";

#[test]
fn a_shift_is_complete_when_all_is_here_and_its_edges_have_spoken_since() {
    let figure = judged(AFTER, &shift(), &[edge("2026-03-10T14:00:10Z")]);
    assert_eq!((figure.state, figure.text.as_str()), (State::Complete, "complete"));
    assert_eq!((figure.accepted, figure.completeness, figure.ran), (320, Some(1.0), Some(1.0)));
}

#[test]
fn without_news_since_its_end_it_is_not() {
    let figure = judged("2026-03-10T18:00:00Z", &shift(), &[edge("2026-03-10T13:59:50Z")]);
    assert_eq!((figure.state, figure.completeness), (State::Unknown, None));
    assert_eq!(figure.text, "unknown (dock not heard since 2026-03-10 13:59 UTC)");
    // A heartbeat by a clock that is behind tells of less than it seems to.
    let behind = Witness { sent_at: Some(time("2026-03-10T13:55:00Z")), ..edge("2026-03-10T14:05:00Z") };
    assert_eq!(judged("2026-03-10T18:00:00Z", &shift(), &[behind]).state, State::Unknown);
    // Nor does one edge speak for another.
    let other = Witness { edge_id: Uuid::from_u128(2), name: None, ..edge("2026-03-10T09:00:00Z") };
    let figure = judged("2026-03-10T18:00:00Z", &shift(), &[edge("2026-03-10T17:59:55Z"), other]);
    assert_eq!(figure.state, State::Unknown);
    assert!(figure.text.starts_with("unknown (edge 00000000-"), "{}", figure.text);
}

#[test]
fn before_its_end_it_is_filling_and_a_future_one_has_nothing() {
    let figure = judged("2026-03-10T13:59:00Z", &shift(), &[edge("2026-03-10T13:58:55Z")]);
    assert_eq!((figure.state, figure.text.as_str()), (State::Filling, "filling (not over yet)"));
}

#[test]
fn what_waits_and_what_is_lost_is_said_with_the_epochs() {
    let mut quarters = shift();
    quarters[3] = Quarter { received: 4, stored: 4, buffered: 6, ..quarters[3].clone() };
    let draining = Witness { drain_seconds: Some(200.0), ..edge("2026-03-10T14:00:10Z") };
    let figure = judged(AFTER, &quarters, &[draining]);
    assert_eq!(figure.text, "filling (backlog 6, about 3 min)");
    assert_eq!((figure.buffered, figure.completeness), (6, Some(314.0 / 320.0)));
    quarters[3] = Quarter { missing: 5, buffered: 1, approximate: true, ..quarters[3].clone() };
    let figure = judged(AFTER, &quarters, &[edge("2026-03-10T14:00:10Z")]);
    assert_eq!((figure.state, figure.text.as_str(), figure.approximate), (State::Missing, "5 missing", true));
    let named = EpochFigure { edge_id: EDGE, edge: Some("dock".into()), epoch: EPOCH, missing: 5, approximate: true };
    assert_eq!(figure.epochs, [named]);
    // Also while the edge is silent: a loss is a loss.
    assert_eq!(judged("2026-03-11T00:00:00Z", &quarters, &[edge("2026-03-10T09:00:00Z")]).state, State::Missing);
}

#[test]
fn a_site_that_did_not_run_is_not_complete_and_one_that_ran_in_part_says_so() {
    let heard = edge("2026-03-10T14:00:10Z");
    let figure = judged(AFTER, &[], std::slice::from_ref(&heard));
    assert_eq!((figure.text.as_str(), figure.ran, figure.completeness), ("unknown (no edge ran)", Some(0.0), None));
    assert_eq!(judged(AFTER, &[], &[]).text, "unknown (no edge of this site was known then)");
    let figure = judged(AFTER, &shift()[..24], std::slice::from_ref(&heard));
    assert_eq!((figure.state, figure.text.as_str()), (State::Complete, "complete, edges ran 75 % of it"));
    // It ran and nothing came in: there was nothing to lose.
    let idle: Vec<Quarter> = shift().into_iter().map(|q| Quarter { quarter: q.quarter, ..quarter(AFTER, 0) }).collect();
    let figure = judged(AFTER, &idle, std::slice::from_ref(&heard));
    assert_eq!((figure.state, figure.accepted, figure.completeness), (State::Complete, 0, None));
    let mut dead = shift();
    dead[0] = Quarter { stored: 7, dead: 3, ..dead[0].clone() };
    let figure = judged(AFTER, &dead, &[heard]);
    assert_eq!((figure.state, figure.text.as_str()), (State::DeadLettered, "all arrived, 3 dead-lettered"));
    assert_eq!(figure.completeness, Some(317.0 / 320.0), "what could not be stored is not complete");
}

#[test]
fn an_edge_counts_from_its_first_word_to_its_last() {
    let new = Witness { since: Some(time("2026-03-10T12:07:00Z")), ..edge("2026-03-10T14:00:10Z") };
    let figure = judged(AFTER, &shift()[24..], &[new]);
    assert_eq!((figure.ran, figure.state), (Some(1.0), State::Complete));
    let later = Witness { since: Some(time("2026-03-10T15:00:00Z")), ..edge("2026-03-10T16:00:00Z") };
    assert_eq!(judged("2026-03-10T16:00:00Z", &[], &[later]).text, "unknown (no edge of this site was known then)");
    // It spoke until its credential was taken away, and cannot have accepted for us since.
    let revoked = Witness { revoked_at: Some(time("2026-03-10T12:00:05Z")), ..edge("2026-03-10T12:00:00Z") };
    assert_eq!(judged(AFTER, &shift()[..24], &[revoked]).state, State::Complete);
    let gone = Witness { revoked_at: Some(time("2026-03-10T12:00:05Z")), ..edge("2026-03-10T08:00:00Z") };
    assert_eq!(judged(AFTER, &shift()[..8], &[gone]).state, State::Unknown);
}

#[test]
fn a_bound_within_a_quarter_goes_to_the_nearest() {
    let odd = Period { from: time("2026-03-10T06:05:00Z"), to: time("2026-03-10T14:10:00Z"), ..period() };
    let figure = figures(time("2026-03-10T15:00:00Z"), &[odd], &shift(), &[edge("2026-03-10T14:59:55Z")]).remove(0);
    assert_eq!((figure.counted_from, figure.counted_to), (time("2026-03-10T06:00:00Z"), time("2026-03-10T14:15:00Z")));
    assert_eq!(figure.accepted, 320);
}

#[test]
fn hours_are_those_of_the_sites_clock() {
    let names = |tz: Tz, from: &str, to: &str| -> Vec<String> {
        periods(By::Hour, &[], tz, time(from), time(to)).into_iter().map(|p| p.name).collect()
    };
    // India is half an hour off.
    assert_eq!(
        names(Tz::Asia__Kolkata, "2026-03-10T00:10:00Z", "2026-03-10T01:00:00Z"),
        ["2026-03-10 05:00", "2026-03-10 06:00"]
    );
    // Lord Howe's clocks go back by half an hour: the hour of the change is longer.
    let around =
        periods(By::Hour, &[], Tz::Australia__Lord_Howe, time("2026-04-04T14:00:00Z"), time("2026-04-04T16:30:00Z"));
    assert!(around.windows(2).all(|pair| pair[0].to == pair[1].from));
    assert!(around.iter().any(|hour| hour.to - hour.from == TimeDelta::minutes(90)), "{around:?}");
}

proptest! {
    /// However periods are cut, days that touch share nothing and leave nothing out.
    #[test]
    fn every_record_is_in_one_period(seed in prop::collection::vec((0i32..96 * 20, 1i64..50), 0..80), zone in 0usize..4) {
        let tz = [Tz::UTC, Tz::Europe__Berlin, Tz::Asia__Kathmandu, Tz::America__St_Johns][zone];
        let start = time("2026-03-20T00:00:00Z");
        let mut quarters: Vec<Quarter> = seed
            .iter()
            .map(|(n, accepted)| Quarter { quarter: start + quarter::Quarter::LENGTH * *n, ..quarter(AFTER, *accepted) })
            .collect();
        quarters.sort_by_key(|q| q.quarter);
        let total: i64 = quarters.iter().map(|q| q.accepted).sum();
        let three: Vec<Shift> = [("Early", 6, 14), ("Late", 14, 22), ("Night", 22, 6)]
            .map(|(name, from, to)| Shift {
                name: name.to_owned(),
                days: Vec::<Weekday>::from([Mon, Tue, Wed, Thu, Fri, Sat, Sun]),
                start: NaiveTime::from_hms_opt(from, 0, 0).expect("a time"),
                end: NaiveTime::from_hms_opt(to, 0, 0).expect("a time"),
            })
            .into();
        for by in [By::Hour, By::Shift, By::Day] {
            let all = periods(by, &three, tz, start, start + TimeDelta::days(20));
            prop_assert!(all.windows(2).all(|pair| pair[0].to == pair[1].from), "{:?}", by);
            let figures = figures(time("2026-05-01T00:00:00Z"), &all, &quarters, &[edge("2026-05-01T00:00:00Z")]);
            prop_assert_eq!(figures.iter().map(|f| f.accepted).sum::<i64>(), total, "{:?}", by);
        }
    }
}
