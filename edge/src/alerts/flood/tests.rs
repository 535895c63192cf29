use common::alert::Severity;
use uuid::Uuid;

use super::*;

fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_800_000_000_000 + ms).expect("in range")
}

fn zone(n: u128) -> ZoneId {
    ZoneId::from_uuid(Uuid::from_u128(n))
}

/// The `n`th alert, raised at `ms`.
fn alert(n: u128, zone_id: ZoneId, ms: i64) -> Episode {
    Episode {
        alert_id: AlertId::from_uuid(Uuid::from_u128(n)),
        subject: Subject::Risk,
        rule: "sustained-risk".into(),
        severity: if n.is_multiple_of(20) { Severity::Critical } else { Severity::Warning },
        zone_id: Some(zone_id),
        camera_id: Some("cam".into()),
        worker_id: None,
        started_at: at(ms - 3_000),
        raised_at: at(ms),
        ended_at: None,
        latest: Some(Hundredths::from_raw(7_000)),
        peak: Some(Hundredths::from_raw(7_000 + n as u16)),
        peak_at: Some(at(ms)),
        posture: Some(format!("posture {n}").into()),
        curve: Vec::new(),
        events: 30,
        episodes: 1,
        summary: String::new(),
    }
}

fn over(alert: &Episode, ms: i64) -> Episode {
    Episode { ended_at: Some(at(ms)), events: 40, ..alert.clone() }
}

fn raised(changes: &[Change]) -> usize {
    changes.iter().filter(|change| matches!(change, Change::Raised(_))).count()
}

#[test]
fn ten_a_minute_are_listed_and_further_ones_are_one_group() {
    let (mut flood, mut changes) = (Flood::new(PER_MINUTE), Vec::new());
    let alerts: Vec<Episode> = (1..=25).map(|n| alert(n, zone(1), n as i64 * 1_000)).collect();
    for episode in &alerts {
        flood.raised(episode.clone(), episode.raised_at, &mut changes);
    }
    assert_eq!(raised(&changes), 11);
    let Some(Change::Raised(group)) = changes.last() else { panic!("{changes:?}") };
    assert_eq!((&*group.rule, group.episodes, group.started_at), (RULE, 1, alerts[10].started_at));
    assert_eq!((group.camera_id.clone(), group.worker_id, group.zone_id), (None, None, Some(zone(1))));

    // Another zone is not concerned.
    flood.raised(alert(50, zone(2), 26_000), at(26_000), &mut changes);
    assert_eq!(raised(&changes), 12);

    changes.clear();
    flood.tick(at(26_500), &mut changes);
    let [Change::Updated(group)] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!(
        (group.episodes, group.peak.map(Hundredths::raw), group.severity),
        (15, Some(7_025), Severity::Critical)
    );
    assert_eq!(group.posture.as_deref(), Some("posture 25"));
    assert_eq!(group.curve.len(), 15);
    assert!(group.summary.starts_with("15 more alerts in this zone"), "{}", group.summary);
    flood.tick(at(27_600), &mut changes);
    assert_eq!(changes.len(), 1, "nothing new to say");

    // The listed ones end for themselves, the grouped ones in the group.
    changes.clear();
    for episode in &alerts {
        flood.cleared(over(episode, 30_000), &mut changes);
    }
    assert_eq!(changes.len(), 10);
    assert!(changes.iter().all(|change| matches!(change, Change::Cleared(e) if &*e.rule != RULE)));
}

#[test]
fn a_group_ends_when_it_is_calm_and_not_before() {
    let (mut flood, mut changes) = (Flood::new(PER_MINUTE), Vec::new());
    let alerts: Vec<Episode> = (1..=12).map(|n| alert(n, zone(1), n as i64 * 1_000)).collect();
    for episode in &alerts {
        flood.raised(episode.clone(), episode.raised_at, &mut changes);
    }
    for episode in &alerts[..11] {
        flood.cleared(over(episode, 15_000), &mut changes);
    }
    let mut ended = |flood: &mut Flood, ms| {
        changes.clear();
        flood.tick(at(ms), &mut changes);
        matches!(&changes[..], [Change::Cleared(_)]).then(|| changes.clone())
    };
    assert!(ended(&mut flood, 20_000).is_none(), "twelve in the last minute");
    assert!(ended(&mut flood, 90_000).is_none(), "one of them is not over");
    flood.cleared(over(&alerts[11], 95_000), &mut Vec::new());
    // Six in the last minute: fewer than ten, but not yet calm.
    for n in 0..6 {
        let more = alert(100 + n, zone(1), 96_000);
        flood.raised(more.clone(), at(96_000 + n as i64 * 1_000), &mut Vec::new());
        flood.cleared(over(&more, 99_000), &mut Vec::new());
    }
    assert!(ended(&mut flood, 110_000).is_none());
    let changes = ended(&mut flood, 156_500).expect("five in the last minute");
    let [Change::Cleared(group)] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((group.episodes, group.ended_at, group.events), (8, Some(at(99_000)), 8 * 40));
    assert_eq!(flood.open(), 0);
    // And then the next is listed again.
    let mut changes = Vec::new();
    flood.raised(alert(200, zone(1), 160_000), at(160_000), &mut changes);
    assert_eq!(raised(&changes), 1);
}

#[test]
fn a_backlog_that_comes_at_once_is_no_flood_if_it_was_none() {
    let (mut flood, mut changes) = (Flood::new(PER_MINUTE), Vec::new());
    for n in 0..100 {
        flood.raised(alert(n, zone(1), n as i64 * 10_000), at(5_000_000 + n as i64), &mut changes);
    }
    assert_eq!(raised(&changes), 100);
}

#[test]
fn an_alert_that_goes_on_in_a_flood_is_not_listed_and_not_counted_again() {
    let (mut flood, mut changes) = (Flood::new(1), Vec::new());
    let (first, second) = (alert(1, zone(1), 0), alert(2, zone(1), 100));
    flood.raised(first.clone(), at(0), &mut changes);
    flood.raised(second.clone(), at(100), &mut changes);
    flood.cleared(over(&first, 5_000), &mut changes);
    flood.cleared(over(&second, 5_000), &mut changes);
    assert_eq!(changes.len(), 3);
    changes.clear();
    flood.raised_again(first.clone(), &mut changes);
    flood.updated(first.clone(), &mut changes);
    flood.cleared(over(&first, 9_000), &mut changes);
    assert!(changes.is_empty(), "{changes:?}");
    flood.tick(at(100_000), &mut changes);
    let [Change::Cleared(group)] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((group.episodes, group.ended_at), (1, Some(at(9_000))));
    changes.clear();
    flood.raised_again(second, &mut changes);
    assert_eq!(raised(&changes), 1, "calm again, so it is listed");
}

#[test]
fn a_group_of_the_last_run_is_closed_when_calm() {
    let (mut flood, mut changes) = (Flood::new(0), Vec::new());
    flood.raised(alert(1, zone(1), 0), at(0), &mut changes);
    let Some(Change::Raised(group)) = changes.pop() else { panic!("no group") };
    let mut next = Flood::new(PER_MINUTE);
    next.resume(group.clone());
    assert_eq!(next.open(), 1);
    next.tick(at(10_000), &mut changes);
    let [Change::Cleared(over)] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((over.alert_id, over.ended_at), (group.alert_id, Some(at(0))));
}

#[test]
fn zones_and_raises_are_forgotten() {
    let mut flood = Flood::new(PER_MINUTE);
    for n in 0..5_000 {
        flood.raised(alert(n, zone(n % 100), 0), at(0), &mut Vec::new());
        flood.raised(alert(n, zone(7), 0), at(0), &mut Vec::new());
    }
    assert!(flood.zones.values().all(|zone| zone.raised.len() <= REMEMBERED_MAX));
    let all = flood.zones.values().filter_map(|zone| zone.group.as_ref()).flat_map(|group| group.open.clone());
    for id in all.collect::<Vec<_>>() {
        for zone_id in (0..100).map(zone) {
            let episode = alert(id.uuid().as_u128(), zone_id, 0);
            flood.cleared(over(&episode, 0), &mut Vec::new());
        }
    }
    flood.tick(at(60_000), &mut Vec::new());
    assert_eq!(flood.zones.len(), 0);
}
