use common::alert::{Origin, Scope, Severity, Silence, Statement, Subject};
use common::ids::{FactId, ZoneId};
use uuid::Uuid;

use super::*;
use crate::alerts::State;
use crate::alerts::rules::{RuleConfig, check};
use crate::site::SiteConfig;

fn at(secs: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + secs, 0).expect("in range")
}

fn board() -> Board {
    let site = Arc::new(Site::new(&SiteConfig::default()).expect("valid"));
    let rules = check(&[RuleConfig::sustained_risk()]).expect("valid");
    Board::new(site, Identity::default(), &rules)
}

fn episode(n: u128, ended: Option<i64>) -> Episode {
    Episode {
        alert_id: AlertId::from_uuid(Uuid::from_u128(n)),
        subject: Subject::Risk,
        rule: Arc::from("sustained-risk"),
        severity: Severity::Warning,
        zone_id: Some(ZoneId::from_uuid(Uuid::from_u128(9))),
        camera_id: Some(Arc::from("cam-01")),
        worker_id: None,
        started_at: at(0),
        raised_at: at(3),
        ended_at: ended.map(at),
        latest: Some(Hundredths::from_raw(7_500)),
        peak: Some(Hundredths::from_raw(8_000)),
        peak_at: Some(at(2)),
        posture: None,
        curve: vec![(at(0), Hundredths::from_raw(7_500))],
        events: 25,
        episodes: 1,
        summary: "a lift".to_owned(),
    }
}

#[test]
fn an_alert_is_shown_at_each_change_and_kept_at_those_that_matter() {
    let mut board = board();
    assert!(board.apply(Change::Raised(episode(1, None)), at(4)), "news");
    let shown = board.changed(false, at(4));
    assert_eq!((shown.len(), shown[0].state, shown[0].revision, shown[0].late), (1, State::Raised, 1, false));
    assert!(board.changed(true, at(5)).is_empty(), "nothing has changed");
    let saved = board.to_save(false);
    assert_eq!((saved.len(), saved[0].1), (1, true));
    assert!(board.to_save(true).is_empty());

    let grown = Episode { events: 30, ..episode(1, None) };
    assert!(!board.apply(Change::Updated(grown), at(6)));
    assert_eq!(board.changed(false, at(6))[0].events, 30);
    assert!(board.to_save(false).is_empty(), "growing can wait");
    let saved = board.to_save(true);
    assert_eq!((saved[0].1, saved[0].0.event.revision), (false, 1), "and headquarters need not know");

    board.apply(Change::Cleared(episode(1, Some(8))), at(9));
    let saved = board.to_save(false);
    assert_eq!((saved[0].1, saved[0].0.event.revision, saved[0].0.cleared_at), (true, 2, Some(at(9))));
    assert_eq!(board.changed(false, at(9))[0].state, State::Cleared);
    // The same events once more are no news.
    for change in [Change::Raised(episode(1, None)), Change::Cleared(episode(1, Some(8)))] {
        board.apply(change, at(10));
        assert!(board.changed(true, at(10)).is_empty() && board.to_save(true).is_empty());
    }
    // Its events had only been held up.
    let held_up = Episode { curve: vec![(at(9), Hundredths::from_raw(7_500))], ..episode(1, None) };
    board.apply(Change::Raised(held_up), at(12));
    let view = board.changed(false, at(12)).remove(0);
    assert_eq!((view.state, view.revision, view.ended_at), (State::Raised, 3, None));
}

#[test]
fn headquarters_hears_of_a_peak_that_has_grown_by_a_step() {
    let mut board = board();
    let peak = |raw| Episode { peak: Some(Hundredths::from_raw(raw)), ..episode(1, None) };
    board.apply(Change::Raised(peak(8_000)), at(4));
    assert_eq!(board.to_save(true).len(), 1);
    for (raw, told) in [(8_499, false), (8_500, true), (8_900, false), (9_001, true), (9_001, false)] {
        board.apply(Change::Updated(peak(raw)), at(5));
        let saved = board.to_save(true);
        assert_eq!((saved.len(), saved[0].1), (1, told), "{raw}");
    }
    assert_eq!(board.changed(true, at(5))[0].revision, 3);
}

#[test]
fn what_could_not_be_written_is_written_again() {
    let mut board = board();
    board.apply(Change::Raised(episode(1, None)), at(4));
    let saved = board.to_save(false);
    board.apply(Change::Cleared(episode(1, Some(5))), at(6));
    board.unsaved(&saved);
    let saved = board.to_save(false);
    assert_eq!((saved.len(), saved[0].0.event.revision, saved[0].1), (1, 2, true));
    board.unsaved(&saved);
    assert_eq!(board.forget(at(4_000)), 0, "what is not kept stays");
    assert_eq!(board.to_save(false).len(), 1);
    assert_eq!((board.forget(at(3_605)), board.entries.len()), (0, 1), "shown for an hour");
    board.forget(at(3_606));
    assert_eq!(board.entries.len(), 0);
    board.all_unsaved();
    assert!(board.to_save(true).is_empty());
}

#[test]
fn what_the_history_has_is_not_shown_again_unless_it_lasts_longer() {
    let mut board = board();
    let mut old = board_entry(&episode(1, Some(8)));
    old.event.revision = 2;
    board.recall(Found { kept: old, facts: Vec::new() });
    for change in [Change::Raised(episode(1, None)), Change::Cleared(episode(1, Some(8)))] {
        assert!(!board.apply(change, at(90_000)));
        assert!(board.changed(true, at(90_000)).is_empty() && board.to_save(true).is_empty());
    }
    assert!(!board.has(AlertId::from_uuid(Uuid::from_u128(1))), "and nothing is left of it");

    let mut old = board_entry(&episode(1, Some(8)));
    old.event.revision = 2;
    board.recall(Found { kept: old, facts: Vec::new() });
    board.apply(Change::Raised(episode(1, None)), at(90_000));
    board.apply(Change::Cleared(episode(1, Some(20))), at(90_000));
    let shown = board.changed(false, at(90_000));
    assert_eq!((shown[0].revision, shown[0].ended_at), (3, Some(at(20))), "more of it came");
}

fn board_entry(episode: &Episode) -> Kept {
    Kept::first(&Identity::default(), episode.clone(), at(9))
}

#[test]
fn events_from_the_past_are_no_news() {
    let mut board = board();
    board.apply(Change::Raised(episode(1, None)), at(64));
    board.apply(Change::Raised(episode(2, None)), at(63));
    let late: Vec<bool> = board.changed(false, at(64)).iter().map(|view| view.late).collect();
    assert_eq!(late, [true, false]);
}

#[test]
fn a_silence_begins_and_ends_by_itself_and_is_remembered_by_what_it_covered() {
    let mut board = board();
    board.apply(Change::Raised(episode(1, None)), at(4));
    board.changed(false, at(4));
    let silence = Silence {
        silence_id: FactId::from_uuid(Uuid::from_u128(7)),
        scope: Scope { camera_id: Some("cam-01".to_owned()), ..Scope::default() },
        reason: "training".to_owned(),
        by: "anna".to_owned(),
        origin: Origin::Edge,
        from: at(5),
        until: at(10),
        ended: None,
    };
    board.silences(Arc::new(Silences::from([(silence.silence_id, silence)])));
    assert!(board.changed(false, at(6)).is_empty(), "nobody has touched the alert");
    assert_eq!(board.changed(true, at(6))[0].silenced.as_ref().map(|s| s.until), Some(at(10)));
    assert_eq!(board.changed(true, at(10))[0].silenced, None, "it has ended by itself");
    board.apply(Change::Raised(episode(2, None)), at(5));
    board.apply(Change::Cleared(episode(2, Some(8))), at(9));
    let views = board.changed(false, at(60));
    assert!(views[0].silenced.is_some(), "it was silenced when it cleared: {views:?}");
}

#[test]
fn an_acknowledgement_shows_also_when_the_alert_is_long_over() {
    let mut board = board();
    let fact = Fact {
        fact_id: FactId::from_uuid(Uuid::from_u128(5)),
        at: at(20),
        by: "anna".to_owned(),
        origin: Origin::Headquarters,
        statement: Statement::Acknowledge { alert_id: AlertId::from_uuid(Uuid::from_u128(1)), note: None },
    };
    let found = Found { kept: board_entry(&episode(1, Some(8))), facts: vec![fact] };
    let view = board.said(Some(found.clone()), at(20)).expect("not of the present, so shown by itself");
    assert_eq!((view.state, view.acknowledged.map(|a| a.by)), (State::Cleared, Some("anna".to_owned())));
    board.apply(Change::Raised(episode(1, None)), at(4));
    board.changed(false, at(4));
    assert_eq!(board.said(Some(found), at(20)), None, "shown with the others");
    assert_eq!(board.changed(false, at(20))[0].state, State::Acknowledged);
}

#[test]
fn what_is_open_goes_on_as_it_was() {
    let mut board = board();
    board.apply(Change::Raised(episode(1, None)), at(4));
    board.apply(Change::Raised(episode(2, None)), at(4));
    board.apply(Change::Cleared(episode(2, Some(8))), at(9));
    assert_eq!((board.open_episodes(), board.open()), (vec![episode(1, None)], 1));
}
