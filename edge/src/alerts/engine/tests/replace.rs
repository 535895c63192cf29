//! Other rules while things are going on.

use super::*;

impl Run {
    fn replace(&mut self, ms: i64, rules: &[Rule]) -> &mut Self {
        self.engine.replace(rules, at(ms), &mut self.said);
        self
    }
}

fn other() -> Rule {
    rule(|r| {
        r.name = "other".to_owned();
        r.threshold = 90.0;
    })
}

#[test]
fn what_goes_on_under_a_rule_that_stays_goes_on() {
    let mut run = Run::new(&[rule(|_| ()), other()]);
    run.row(0, 4_000, 80.0);
    assert_eq!(run.signs(), "+");
    // The rule stays, in another place; one goes, one comes.
    let new = rule(|r| r.name = "new".to_owned());
    run.replace(4_050, &[new, rule(|_| ())]).row(4_100, 6_000, 80.0).row(6_100, 7_000, 10.0);
    assert_eq!(run.signs(), "+-", "neither cleared by the change nor raised a second time");
    let over = run.last();
    assert_eq!((over.started_at, over.ended_at, over.events), (at(0), Some(at(6_000)), 61));
    assert!(!over.summary.contains("rules were changed"), "{}", over.summary);
    outcomes(&run.said);
}

#[test]
fn a_run_on_the_way_to_an_alert_is_not_begun_anew() {
    let mut run = Run::new(&[rule(|_| ())]);
    run.row(0, 2_000, 80.0).replace(2_050, &[rule(|_| ()), other()]).row(2_100, 3_800, 80.0);
    assert_eq!(run.signs(), "+");
    assert_eq!((run.last().started_at, run.last().raised_at), (at(0), at(3_000)));
}

#[test]
fn an_alert_ends_with_its_rule_and_says_why() {
    for (what, rules) in [
        ("removed", vec![other()]),
        ("changed", vec![rule(|r| r.threshold = 75.0)]),
        ("another severity", vec![rule(|r| r.severity = common::alert::Severity::Critical)]),
    ] {
        let mut run = Run::new(&[rule(|_| ())]);
        run.row(0, 4_000, 80.0).replace(4_050, &rules);
        assert_eq!(run.signs(), "+-", "{what}");
        let over = run.last();
        // What had not been judged yet is not part of it.
        assert_eq!(over.ended_at, Some(at(3_500)), "{what}");
        assert!(over.summary.ends_with("; ended because the rules were changed"), "{}", over.summary);
        assert_eq!(run.engine.open(), 0);
    }
}

#[test]
fn a_changed_rule_begins_with_the_next_observation() {
    let mut run = Run::new(&[rule(|_| ())]);
    run.row(0, 4_000, 80.0).replace(4_050, &[rule(|r| r.threshold = 75.0)]).row(4_100, 7_700, 80.0);
    assert_eq!(run.signs(), "+-+");
    assert_eq!((run.last().started_at, run.last().raised_at), (at(4_100), at(7_100)));
    assert_ne!(
        Some(run.last().alert_id),
        run.said.first().map(|change| match change {
            Change::Raised(e) | Change::Updated(e) | Change::Cleared(e) => e.alert_id,
        })
    );
    run.tick(60_000);
    outcomes(&run.said);
}

#[test]
fn a_resumed_alert_of_a_rule_that_goes_is_cleared_too() {
    let mut before = Run::new(&[rule(|_| ())]);
    before.row(0, 4_000, 80.0);
    let open = before.last().clone();
    let mut run = Run::new(&[rule(|_| ())]);
    run.engine.resume(open.clone());
    run.replace(5_000, &[]);
    assert_eq!(run.signs(), "-");
    assert_eq!(run.last().alert_id, open.alert_id);
}

#[test]
fn a_flood_is_over_once_the_rule_behind_it_is_gone() {
    let mut run = Run::new(&[rule(|_| ())]);
    run.engine.flood = Flood::new(1);
    for ms in (0..=4_000).step_by(100) {
        for n in 1..=4 {
            run.see(&Observation { worker_id: Some(worker(n)), ..seen(ms, 80.0) });
        }
        run.tick(ms);
    }
    assert_eq!(run.signs(), "++", "one alert, and the other three in one");
    run.replace(4_050, &[]);
    assert_eq!(run.signs(), "++-");
    run.tick(200_000).tick(400_000);
    assert_eq!(run.signs(), "++--");
    outcomes(&run.said);
}

proptest! {
    /// However often the rules change, words stay in order, and a rule that stays says what it says alone.
    #[test]
    fn changing_other_rules_changes_nothing_for_one_that_stays(
        stream in streams(),
        staying in rules(),
        passing in prop::collection::vec(prop::option::of(rules()), 1..8),
    ) {
        let named = |rule: &Rule, name: &str| Rule { name: name.into(), ..rule.clone() };
        let staying = named(&staying, "staying");
        let (mut alone, mut run) = (Run::new(std::slice::from_ref(&staying)), Run::new(std::slice::from_ref(&staying)));
        (alone.engine.flood, run.engine.flood) = (Flood::new(usize::MAX), Flood::new(usize::MAX));
        let step = (stream.0.len() / passing.len()).max(1);
        for (index, seen) in stream.0.iter().enumerate() {
            if index % step == 0 {
                let other = passing.get(index / step).cloned().flatten().map(|rule| named(&rule, "passing"));
                let rules: Vec<Rule> = other.into_iter().chain([staying.clone()]).collect();
                run.engine.replace(&rules, seen.arrived_at, &mut run.said);
            }
            alone.see(seen);
            run.see(seen);
        }
        for run in [&mut alone, &mut run] {
            run.tick(1_000_000_000).tick(1_000_100_000).tick(1_000_200_000);
        }
        let of_staying = |said: &[Change]| -> Vec<Change> {
            let of = |change: &&Change| {
                let (Change::Raised(e) | Change::Updated(e) | Change::Cleared(e)) = change;
                *e.rule == *"staying"
            };
            said.iter().filter(of).cloned().collect()
        };
        prop_assert_eq!(of_staying(&run.said), of_staying(&alone.said));
        outcomes(&run.said);
        prop_assert_eq!(run.engine.open(), 0);
    }
}
