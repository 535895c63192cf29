use std::collections::{BTreeMap, BTreeSet};

use common::event::{Hundredths, Source};
use common::ids::AlertId;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::alerts::rules::{RuleConfig, check};

mod replace;

fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_800_000_000_000 + ms).expect("in range")
}

fn worker(n: u128) -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(n))
}

fn zone(n: u128) -> ZoneId {
    ZoneId::from_uuid(Uuid::from_u128(n))
}

/// Worker 1 in zone 1 before cam-1, arriving at once.
fn seen(ms: i64, risk: f64) -> Observation {
    Observation {
        event_time: at(ms),
        arrived_at: at(ms),
        zone_id: zone(1),
        camera_id: "cam-1".into(),
        worker_id: Some(worker(1)),
        risk_score: Hundredths::round(risk, 100).expect("a score"),
        confidence: Hundredths::from_raw(90),
        source: Source::Camera,
        keypoints: None,
    }
}

fn rule(change: impl FnOnce(&mut RuleConfig)) -> Rule {
    let mut config = RuleConfig::sustained_risk();
    config.clear_below = None;
    change(&mut config);
    check(&[config]).expect("valid").remove(0)
}

/// An engine and all it has said.
struct Run {
    engine: Engine,
    said: Vec<Change>,
}

impl Run {
    fn new(rules: &[Rule]) -> Self {
        Self { engine: Engine::new(rules), said: Vec::new() }
    }

    fn see(&mut self, seen: &Observation) -> &mut Self {
        self.engine.observe(seen, &mut self.said);
        self
    }

    /// One observation each 100 ms in `from..=to`, with a tick after each.
    fn row(&mut self, from: i64, to: i64, risk: f64) -> &mut Self {
        for ms in (from..=to).step_by(100) {
            self.see(&seen(ms, risk)).tick(ms);
        }
        self
    }

    fn tick(&mut self, ms: i64) -> &mut Self {
        self.engine.tick(at(ms), &mut self.said);
        self
    }

    /// `+` raised, `~` updated, `-` cleared, in order.
    fn signs(&self) -> String {
        let sign = |change: &Change| match change {
            Change::Raised(_) => '+',
            Change::Updated(_) => '~',
            Change::Cleared(_) => '-',
        };
        self.said.iter().map(sign).filter(|sign| *sign != '~').collect()
    }

    fn last(&self) -> &Episode {
        let (Change::Raised(episode) | Change::Updated(episode) | Change::Cleared(episode)) =
            self.said.last().expect("something was said");
        episode
    }
}

/// What each alert came to, by its last word, and the check that all words are in order.
fn outcomes(said: &[Change]) -> BTreeMap<AlertId, Episode> {
    let mut open = BTreeSet::new();
    let mut open_scopes = BTreeSet::new();
    let mut cleared = BTreeMap::new();
    for change in said {
        let (Change::Raised(e) | Change::Updated(e) | Change::Cleared(e)) = change;
        let scope = (e.rule.clone(), e.worker_id, e.worker_id.is_none().then(|| e.camera_id.clone()), e.zone_id);
        match change {
            Change::Raised(_) => {
                assert!(open.insert(e.alert_id), "raised twice");
                assert!(open_scopes.insert(scope), "two open in one scope");
                assert_eq!(e.ended_at, None);
            }
            Change::Updated(_) => assert!(open.contains(&e.alert_id), "updated while not open"),
            Change::Cleared(_) => {
                assert!(open.remove(&e.alert_id), "cleared while not open");
                open_scopes.remove(&scope);
                assert!(e.ended_at.is_some_and(|end| end >= e.started_at));
                cleared.insert(e.alert_id, e.clone());
            }
        }
        assert!(e.curve.len() <= curve::POINTS_MAX);
        assert!(e.started_at <= e.raised_at && e.peak >= e.latest);
    }
    assert!(open.is_empty(), "never cleared");
    cleared
}

#[test]
fn three_seconds_at_seventy_is_an_alert_and_a_lower_score_ends_it() {
    let mut run = Run::new(&[rule(|_| ())]);
    run.row(0, 2_900, 70.0).row(3_000, 3_400, 70.0);
    assert_eq!(run.signs(), "", "three seconds are not yet sure");
    run.row(3_500, 4_000, 83.5).row(4_100, 5_000, 69.99);
    assert_eq!(run.signs(), "+-");
    let Change::Raised(raised) = &run.said[0] else { panic!("{:?}", run.said[0]) };
    assert_eq!((raised.started_at, raised.raised_at, raised.ended_at), (at(0), at(3_000), None));
    let over = run.last();
    assert_eq!(over.alert_id, raised.alert_id);
    assert_eq!((over.ended_at, over.peak_at, over.events), (Some(at(4_000)), Some(at(3_500)), 41));
    assert_eq!(over.peak.map(Hundredths::raw), Some(8_350));
    assert_eq!(
        (over.worker_id, over.zone_id, over.camera_id.as_deref()),
        (Some(worker(1)), Some(zone(1)), Some("cam-1"))
    );
    assert_eq!(over.summary, "Risk of 70 or more for 4.0 s, at most 83.5");
    assert_eq!(over.curve.len(), 41);
}

#[test]
fn just_too_short_or_just_too_low_is_none() {
    let mut run = Run::new(&[rule(|_| ())]);
    run.row(0, 2_900, 95.0).row(3_000, 3_000, 0.0).row(3_100, 9_000, 69.99).tick(60_000);
    assert_eq!(run.signs(), "");
}

#[test]
fn a_pause_up_to_the_gap_is_bridged() {
    for (pause, expected) in [(500, "+-"), (501, "")] {
        let mut run = Run::new(&[rule(|_| ())]);
        run.row(0, 2_000, 80.0).row(2_000 + pause, 4_900, 80.0).tick(60_000);
        assert_eq!(run.signs(), expected, "{pause}");
    }
}

#[test]
fn between_the_marks_an_alert_lasts_but_does_not_begin() {
    let mut run = Run::new(&[rule(|r| r.clear_below = Some(60.0))]);
    run.row(0, 5_000, 65.0);
    assert_eq!(run.signs(), "");
    run.row(5_100, 8_600, 71.0).row(8_700, 12_000, 60.0).row(12_100, 13_000, 59.99);
    assert_eq!(run.signs(), "+-");
    assert_eq!((run.last().started_at, run.last().ended_at), (at(5_100), Some(at(12_000))));
}

#[test]
fn a_cooldown_holds_the_next_alert_back_but_not_for_ever() {
    let mut run = Run::new(&[rule(|r| r.cooldown = std::time::Duration::from_secs(20))]);
    run.row(0, 4_000, 80.0).row(4_100, 4_600, 10.0);
    // Over again before the cooldown is.
    run.row(10_000, 14_000, 80.0).row(14_100, 14_600, 10.0);
    assert_eq!(run.signs(), "+-");
    // This one outlasts it: 4.0 + 20.
    run.row(20_000, 26_000, 80.0).row(26_100, 27_000, 10.0);
    assert_eq!(run.signs(), "+-+-");
    assert_eq!((run.last().started_at, run.last().raised_at), (at(20_000), at(24_000)));
}

#[test]
fn what_nobody_hears_of_any_more_is_cleared_by_a_tick() {
    let mut run = Run::new(&[rule(|_| ())]);
    run.row(0, 4_000, 80.0).tick(6_999);
    assert_eq!(run.signs(), "+");
    run.tick(7_000).tick(8_000).tick(900_000);
    assert_eq!(run.signs(), "+-");
    assert_eq!(run.last().ended_at, Some(at(4_000)), "the time of its last event, not of the tick");
    assert_eq!(run.engine.open(), 0);
}

#[test]
fn events_held_up_on_their_way_are_the_same_alert_going_on() {
    let mut run = Run::new(&[rule(|_| ())]);
    run.row(0, 4_000, 80.0).tick(10_000);
    for ms in (4_100..=9_000).step_by(100) {
        run.see(&Observation { arrived_at: at(10_100), ..seen(ms, 90.0) });
    }
    run.tick(20_000);
    assert_eq!(run.signs(), "+-+-");
    let outcomes = outcomes(&run.said);
    assert_eq!(outcomes.len(), 1, "one id");
    assert_eq!((run.last().started_at, run.last().ended_at), (at(0), Some(at(9_000))));
    // With a gap in their own time it is another.
    run.row(20_000, 24_000, 80.0).tick(60_000);
    assert_eq!(run.signs(), "+-+-+-");
    assert_ne!(run.last().started_at, at(0));
}

#[test]
fn what_comes_too_late_is_dropped_and_counted() {
    let mut run = Run::new(&[rule(|_| ())]);
    run.row(0, 2_000, 80.0).see(&seen(1_350, 0.0)).row(2_100, 4_000, 80.0);
    assert_eq!(run.engine.figures()[0].1.late, 1, "0.65 s late");
    run.see(&seen(3_650, 0.0)).tick(60_000);
    assert_eq!(run.engine.figures()[0].1.late, 1, "0.35 s late: judged in its place");
    assert_eq!((run.signs().as_str(), run.last().ended_at), ("+-", Some(at(3_600))));
}

#[test]
fn the_same_events_again_change_nothing() {
    let mut run = Run::new(&[rule(|_| ())]);
    for arrived_at in [6_000, 9_000, 12_000] {
        for ms in (0..=5_000).step_by(100) {
            let risk = if ms <= 4_000 { 80.0 } else { 10.0 };
            run.see(&Observation { arrived_at: at(arrived_at), ..seen(ms, risk) }).tick(arrived_at);
        }
    }
    for ms in (20_000..=24_000).step_by(100) {
        run.see(&seen(ms, 80.0)).see(&seen(ms, 80.0));
    }
    run.tick(60_000);
    assert_eq!(run.signs(), "+-+-");
    assert_eq!(run.last().events, 41);
}

#[test]
fn two_cameras_at_the_same_moment_count_once_at_the_worse_score_in_either_order() {
    let mut outcomes_of = Vec::new();
    for swap in [false, true] {
        let mut run = Run::new(&[rule(|_| ())]);
        for ms in (0..=4_000).step_by(100) {
            let mut pair =
                [seen(ms, 80.0), Observation { camera_id: "cam-0".into(), ..seen(ms, 20.0 + (ms / 100) as f64) }];
            if swap {
                pair.reverse();
            }
            for seen in &pair {
                run.see(seen);
            }
        }
        run.tick(60_000);
        assert_eq!((run.signs().as_str(), run.last().events), ("+-", 41));
        outcomes_of.push(outcomes(&run.said));
    }
    assert_eq!(outcomes_of[0], outcomes_of[1]);
}

#[test]
fn a_clock_that_ran_ahead_does_not_make_the_truth_late_for_long() {
    let mut run = Run::new(&[rule(|_| ())]);
    run.see(&Observation { arrived_at: at(0), ..seen(240_000, 75.0) }).tick(600);
    run.row(1_000, 5_000, 80.0).row(5_100, 6_000, 10.0);
    assert_eq!(run.signs(), "+-");
    assert_eq!(run.last().started_at, at(1_000));
}

#[test]
fn a_clock_set_back_does_not_stop_the_ticks() {
    let mut run = Run::new(&[rule(|_| ())]);
    run.row(0, 4_000, 80.0).tick(-3_600_000);
    assert_eq!(run.signs(), "+-");
}

#[test]
fn the_scope_says_whose_events_are_taken_together() {
    for (kind, workers, cameras) in
        [(ScopeKind::Worker, 2, 0), (ScopeKind::Unidentified, 0, 2), (ScopeKind::Person, 2, 2)]
    {
        let mut run = Run::new(&[rule(|r| r.scope = kind)]);
        for ms in (0..=4_000).step_by(100) {
            for n in 1..=2_u128 {
                run.see(&Observation { worker_id: Some(worker(n)), ..seen(ms, 80.0) });
                let camera_id = format!("cam-{n}").into();
                run.see(&Observation { worker_id: None, camera_id, ..seen(ms, 80.0) });
            }
        }
        run.tick(60_000);
        let outcomes = outcomes(&run.said);
        let known = outcomes.values().filter(|e| e.worker_id.is_some()).count();
        assert_eq!((known, outcomes.len() - known), (workers, cameras), "{kind:?}");
        let figures = run.engine.figures()[0].1;
        assert_eq!(figures.unscoped, if kind == ScopeKind::Person { 0 } else { 82 });
        assert_eq!(figures.taken + figures.unscoped, 164);
    }
}

#[test]
fn rules_are_held_side_by_side() {
    let deep = rule(|r| {
        r.name = "deep".to_owned();
        r.threshold = 85.0;
        r.hold = std::time::Duration::ZERO;
        r.severity = common::alert::Severity::Critical;
    });
    let elsewhere = rule(|r| {
        r.name = "elsewhere".to_owned();
        r.zones = vec![zone(2)];
    });
    let mut run = Run::new(&[rule(|_| ()), deep, elsewhere]);
    run.row(0, 4_000, 80.0).row(4_100, 4_100, 90.0).row(4_200, 5_000, 10.0);
    let outcomes = outcomes(&run.said);
    let mut names: Vec<_> = outcomes.values().map(|e| (&*e.rule, e.severity.as_str(), e.events)).collect();
    names.sort_unstable();
    assert_eq!(names, [("deep", "critical", 1), ("sustained-risk", "warning", 42)]);
    assert_eq!(run.engine.figures()[2].1.filtered, 51);
}

#[test]
fn the_posture_at_the_peak_is_kept_unless_it_is_huge() {
    let mut run = Run::new(&[rule(|_| ())]);
    let with = |ms, risk, text: &str| Observation { keypoints: Some(text.into()), ..seen(ms, risk) };
    run.row(0, 2_000, 80.0);
    run.see(&with(2_100, 91.0, "peak")).see(&with(2_200, 91.0, "as high, later")).see(&with(2_300, 90.0, "lower"));
    run.row(2_400, 4_000, 80.0).tick(60_000);
    assert_eq!(run.last().posture.as_deref(), Some("peak"));
    run.row(70_000, 74_000, 80.0).see(&with(74_100, 99.0, &"x".repeat(20_000))).tick(90_000);
    assert_eq!((run.last().posture.as_deref(), run.last().peak_at), (None, Some(at(74_100))));
}

#[test]
fn a_growing_alert_is_reported_once_a_second() {
    let mut run = Run::new(&[rule(|_| ())]);
    run.row(0, 13_500, 80.0);
    let updates = run.said.iter().filter(|change| matches!(change, Change::Updated(_))).count();
    assert!((8..=11).contains(&updates), "{updates}");
    let before = run.said.len();
    run.tick(13_600).tick(14_000).tick(15_600);
    assert!(run.said.len() <= before + 1, "nothing has grown");
}

#[test]
fn an_alert_of_the_last_run_goes_on_or_is_closed() {
    let mut first = Run::new(&[rule(|_| ())]);
    first.row(0, 4_000, 80.0);
    let open = first.last().clone();
    let resumed = || {
        let mut run = Run::new(&[rule(|_| ())]);
        run.engine.resume(open.clone());
        assert_eq!(run.engine.open(), 1);
        run
    };
    let goes_on_at = last_known(&open).timestamp_millis() - at(0).timestamp_millis() + 400;
    let mut goes_on = resumed();
    goes_on.tick(goes_on_at).row(goes_on_at, 9_000, 85.0).row(9_100, 10_000, 0.0);
    assert_eq!(goes_on.signs(), "-");
    assert_eq!((goes_on.last().alert_id, goes_on.last().ended_at), (open.alert_id, Some(at(9_000))));
    // What came between the last that was kept and the restart is lost to the rules, and no pause of the worker's.
    let mut unseen = resumed();
    unseen.row(goes_on_at + 12_000, 20_000, 85.0).row(20_100, 21_000, 0.0);
    assert_eq!(unseen.signs(), "-");
    assert_eq!((unseen.last().alert_id, unseen.last().ended_at), (open.alert_id, Some(at(20_000))));
    // Only the first pause is forgiven, and not any.
    let mut pauses = resumed();
    pauses.row(goes_on_at + 12_000, 18_000, 85.0).row(19_000, 23_000, 85.0).tick(60_000);
    assert_eq!(pauses.signs(), "-+-");
    let mut gone = resumed();
    gone.row(goes_on_at + 31_000, 40_000, 85.0).tick(60_000);
    assert_eq!(gone.signs(), "-+-");
    let mut silent = resumed();
    silent.tick(100_000).tick(102_000);
    assert_eq!(silent.signs(), "", "cameras get a moment to come back");
    silent.tick(103_000);
    assert_eq!((silent.signs().as_str(), silent.last().ended_at), ("-", Some(last_known(&open))));
    let mut without_rule = Run::new(&[]);
    without_rule.engine.resume(open.clone());
    without_rule.tick(0).tick(1_000);
    assert_eq!(without_rule.signs(), "-");
}

#[test]
fn the_id_depends_on_rule_scope_and_start_only() {
    let id = |risk, rule| {
        let mut run = Run::new(&[rule]);
        run.row(0, 4_000, risk).tick(60_000);
        run.last().alert_id
    };
    assert_eq!(id(80.0, rule(|_| ())), id(90.0, rule(|r| r.cooldown = std::time::Duration::from_secs(9))));
    assert_ne!(id(80.0, rule(|_| ())), id(80.0, rule(|r| r.name = "other".to_owned())));
}

/// Eight times as many workers as fit, most of them with an alert, which must be cleared when they are let go.
#[test]
fn made_up_workers_do_not_fill_the_memory() {
    let mut run = Run::new(&[rule(|_| ())]);
    run.engine.flood = Flood::new(usize::MAX);
    let real = Observation { worker_id: Some(worker(u128::MAX)), ..seen(0, 0.0) };
    for n in 0..8 * SCOPES_MAX as i64 {
        let last = if n % 10 == 0 { 300 } else { 4_000 };
        for ms in (0..=last).step_by(300) {
            run.see(&Observation { worker_id: Some(worker(n as u128)), ..seen(n + ms, 80.0) });
        }
        run.see(&Observation {
            event_time: at(n * 10),
            arrived_at: at(n * 10),
            risk_score: Hundredths::from_raw(7_500),
            ..real.clone()
        });
        assert!(run.engine.watched[0].scopes.len() <= SCOPES_MAX);
    }
    let figures = run.engine.figures()[0].1;
    assert!(figures.evicted >= 7 * SCOPES_MAX as u64 && figures.scopes <= SCOPES_MAX as u64, "{figures:?}");
    run.tick(100_000_000).tick(200_000_000);
    let outcomes = outcomes(&run.said);
    let of_real = outcomes.values().filter(|e| e.worker_id == real.worker_id).count();
    assert_eq!(of_real, 1, "one who is there all the time is never let go");
    assert_eq!(outcomes.len(), 8 * SCOPES_MAX / 10 * 9 + 1);
}

/// A random stream: who, when, how bad.
#[derive(Debug, Clone)]
struct Stream(Vec<Observation>);

fn streams() -> impl Strategy<Value = Stream> {
    // Sticky scores, so that episodes come about; steps around the gap, so that it matters.
    let step = prop_oneof![20 => 20..=260_i64, 2 => Just(500_i64), 2 => Just(501_i64), 1 => 600..=6_000_i64];
    let level = prop_oneof![6 => 70.0..=90.0, 2 => Just(70.0), 2 => 60.0..70.0, 1 => 0.0..=60.0];
    let one = prop::collection::vec((step, level, 1..=40_usize), 1..30);
    prop::collection::vec(one, 1..5).prop_map(|people| {
        let mut all = Vec::new();
        for (n, stretches) in people.into_iter().enumerate() {
            let mut ms = n as i64 * 37;
            for (step, level, count) in stretches {
                for k in 0..count {
                    // Two people of each worker's name, in two zones.
                    let (who, place) = (n as u128 / 2 + 1, n as u128 % 2 + 1);
                    all.push(Observation { worker_id: Some(worker(who)), zone_id: zone(place), ..seen(ms, level) });
                    ms += if k == 0 { step } else { step.min(400) };
                }
            }
        }
        all.sort_by_key(|seen| seen.event_time);
        Stream(all)
    })
}

fn rules() -> impl Strategy<Value = Rule> {
    (1..=5_u64, 0..=10_u32, prop_oneof![Just(0_u64), 1..=20_u64], 100..=900_u64).prop_map(
        |(hold, below, cooldown, gap)| {
            rule(|r| {
                r.hold = std::time::Duration::from_secs(hold);
                r.clear_below = Some(70.0 - f64::from(below));
                r.cooldown = std::time::Duration::from_secs(cooldown);
                r.gap = std::time::Duration::from_millis(gap);
            })
        },
    )
}

type Found = (ZoneId, WorkerId, DateTime<Utc>, DateTime<Utc>, Hundredths);

/// The same question answered with the whole recording at hand: sort each person's events, then look along them.
fn offline(stream: &[Observation], rule: &Rule) -> Vec<Found> {
    let mut people: BTreeMap<(ZoneId, WorkerId), BTreeMap<DateTime<Utc>, Hundredths>> = BTreeMap::new();
    for seen in stream {
        let Some(worker) = seen.worker_id else { continue };
        let score = people.entry((seen.zone_id, worker)).or_default().entry(seen.event_time).or_insert(seen.risk_score);
        *score = seen.risk_score.max(*score);
    }
    let mut found = Vec::new();
    for ((zone, worker), events) in people {
        let events: Vec<_> = events.into_iter().collect();
        let (mut from, mut last_end) = (0, None::<DateTime<Utc>>);
        while from < events.len() {
            let (mut to, mut raised) = (from, false);
            while to < events.len()
                && events[to].1 >= if raised { rule.clear_below } else { rule.threshold }
                && (to == from || events[to].0 - events[to - 1].0 <= rule.gap)
            {
                raised |= events[to].0 - events[from].0 >= rule.hold
                    && last_end.is_none_or(|end| events[to].0 - end >= rule.cooldown);
                to += 1;
            }
            if raised {
                let peak = events[from..to].iter().map(|event| event.1).max().expect("not empty");
                found.push((zone, worker, events[from].0, events[to - 1].0, peak));
                last_end = Some(events[to - 1].0);
            }
            from = to.max(from + 1);
        }
    }
    found.sort_unstable();
    found
}

fn online(arriving: &[Observation], rule: &Rule, ticks: bool) -> Vec<Found> {
    let mut run = Run::new(std::slice::from_ref(rule));
    run.engine.flood = Flood::new(usize::MAX);
    let mut next_tick = at(0);
    for seen in arriving {
        while ticks && next_tick <= seen.arrived_at {
            run.engine.tick(next_tick, &mut run.said);
            next_tick += TimeDelta::milliseconds(250);
        }
        run.see(seen);
    }
    run.tick(1_000_000_000);
    assert_eq!(run.engine.figures()[0].1.late, 0);
    let found = outcomes(&run.said);
    let mut found: Vec<Found> = found
        .values()
        .map(|e| {
            let (zone, worker) = (e.zone_id.expect("a zone"), e.worker_id.expect("a worker"));
            (zone, worker, e.started_at, e.ended_at.expect("over"), e.peak.expect("a peak"))
        })
        .collect();
    found.sort_unstable();
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// In order, in any order within the window, with and without ticks: what the whole recording says.
    #[test]
    fn any_order_within_the_window_gives_what_the_recording_says(
        stream in streams(), rule in rules(), jitter in prop::collection::vec(0..=499_i64, 1..200)
    ) {
        let Stream(sorted) = stream;
        let expected = offline(&sorted, &rule);
        prop_assert_eq!(&online(&sorted, &rule, false), &expected);
        let mut shuffled: Vec<Observation> = sorted
            .iter()
            .zip(jitter.iter().cycle())
            .map(|(seen, ms)| Observation { arrived_at: seen.event_time + TimeDelta::milliseconds(*ms), ..seen.clone() })
            .collect();
        shuffled.sort_by_key(|seen| seen.arrived_at);
        prop_assert_eq!(&online(&shuffled, &rule, false), &expected);
        prop_assert_eq!(&online(&shuffled, &rule, true), &expected);
        // And each one sent twice.
        let doubled: Vec<Observation> = shuffled.iter().flat_map(|seen| [seen.clone(), seen.clone()]).collect();
        prop_assert_eq!(&online(&doubled, &rule, false), &expected);
    }

    /// Whatever comes, in whatever order, however the clock jumps: words stay in order, memory stays bounded.
    #[test]
    fn nothing_that_comes_breaks_the_order_of_words(
        stream in streams(),
        rule in rules(),
        kind in prop_oneof![Just(ScopeKind::Worker), Just(ScopeKind::Unidentified), Just(ScopeKind::Person)],
        mischief in prop::collection::vec((any::<bool>(), -300_000..=300_000_i64, 0..20_u8), 1..100),
        per_minute in prop_oneof![Just(0_usize), Just(2), Just(usize::MAX)],
    ) {
        let mut run = Run::new(&[Rule { scope: kind, ..rule.clone() }, Rule { name: "second".into(), ..rule }]);
        run.engine.flood = Flood::new(per_minute);
        for (seen, (nameless, ms, what)) in stream.0.iter().zip(mischief.iter().cycle()) {
            let mut seen = seen.clone();
            seen.worker_id = seen.worker_id.filter(|_| !nameless);
            let moved = TimeDelta::milliseconds(*ms);
            match what {
                0 => seen.event_time += moved,
                1 => seen.arrived_at += moved,
                2..=5 => run.engine.tick(seen.arrived_at, &mut run.said),
                6 => run.engine.tick(seen.arrived_at + moved, &mut run.said),
                _ => {}
            }
            run.see(&seen);
        }
        run.tick(1_000_000_000).tick(1_000_100_000).tick(1_000_200_000);
        prop_assert_eq!(run.engine.open(), 0);
        outcomes(&run.said);
    }
}
