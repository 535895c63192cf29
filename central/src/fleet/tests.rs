use common::health::Health;
use common::ids::{EdgeId, WarehouseId, ZoneId};
use common::protocol::{CameraReport, LaneReport, SpillReport};

use super::*;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).expect("a time")
}

fn ago(secs: i64) -> DateTime<Utc> {
    now() - TimeDelta::seconds(secs)
}

fn heartbeat() -> Heartbeat {
    Heartbeat {
        edge_id: EdgeId::from_uuid(Uuid::from_u128(1)),
        warehouse_id: WarehouseId::from_uuid(Uuid::from_u128(2)),
        version: "1".to_owned(),
        started_at: ago(1_000),
        sent_at: ago(3),
        stopping: false,
        health: Health::healthy(),
        epochs: Vec::new(),
        accepted: 0,
        rejected: 0,
        live: LaneReport::default(),
        backlog: LaneReport::default(),
        spill: SpillReport::default(),
        redis: RedisReport::Ready,
        drain_seconds: None,
        dead_letters: 0,
        cameras: Vec::new(),
        facts_after: None,
    }
}

fn assess(heartbeat: &Heartbeat, heard_secs_ago: i64, missing: i64) -> Assessment {
    let heartbeat = Some((heartbeat, ago(heard_secs_ago)));
    assess_edge(now(), &EdgeFacts { heartbeat, progress_at: None, missing, dead_letters_open: 0 }, None)
}

#[test]
fn a_fresh_heartbeat_with_nothing_to_send_is_healthy() {
    assert_eq!(assess(&heartbeat(), 3, 0), Assessment { state: State::Healthy, reasons: vec![] });
}

#[test]
fn silence_makes_stale_then_offline_and_says_what_was_waiting() {
    let mut waiting = heartbeat();
    waiting.backlog.records = 40;
    assert_eq!(assess(&waiting, 31, 0).state, State::Stale);
    let offline = assess(&waiting, 7_300, 0);
    assert_eq!(offline.state, State::Offline);
    assert_eq!(offline.reasons, ["last heartbeat 2 h ago", "40 events were waiting there then"]);
}

#[test]
fn each_trouble_is_a_reason() {
    let with = |change: fn(&mut Heartbeat)| {
        let mut heartbeat = heartbeat();
        change(&mut heartbeat);
        let assessment = assess(&heartbeat, 3, 0);
        assert_eq!(assessment.state, State::Degraded);
        assessment.reasons.join("; ")
    };
    assert_eq!(with(|h| h.health.add(Status::Degraded, "spilling")), "spilling");
    assert_eq!(with(|h| h.sent_at = ago(100)), "its clock is 97 s behind");
    assert_eq!(
        with(|h| h.backlog = LaneReport { records: 9, bytes: 1, oldest_age_ms: Some(61_000) }),
        "its backlog of 9 events is not draining"
    );
    let camera = |h: &mut Heartbeat, id: &str, seen: i64| {
        h.cameras.push(CameraReport {
            camera_id: id.to_owned(),
            zone_id: ZoneId::from_uuid(Uuid::from_u128(1)),
            last_seen: ago(seen),
            clock_suspect: false,
        });
    };
    let mut silent = heartbeat();
    for (id, seen) in [("cam-1", 200), ("cam-2", 4), ("cam-3", 300), ("cam-old", 90_000_000)] {
        camera(&mut silent, id, seen);
    }
    assert_eq!(assess(&silent, 3, 0).reasons, ["camera cam-1 and 1 more silent"]);
    assert_eq!(assess(&heartbeat(), 3, 2).reasons, ["2 events it accepted are missing"]);
}

#[test]
fn a_backlog_that_drains_is_no_fault() {
    let mut draining = heartbeat();
    draining.backlog = LaneReport { records: 9, bytes: 1, oldest_age_ms: Some(100_000) };
    draining.drain_seconds = Some(4.0);
    assert_eq!(assess(&draining, 3, 0).state, State::Healthy);
}

#[test]
fn a_state_is_left_later_than_it_is_entered() {
    fn facts(heartbeat: &Heartbeat, heard: i64) -> EdgeFacts<'_> {
        EdgeFacts { heartbeat: Some((heartbeat, ago(heard))), progress_at: None, missing: 0, dead_letters_open: 0 }
    }
    let heartbeat = heartbeat();
    let stale = assess_edge(now(), &facts(&heartbeat, 31), None);
    assert_eq!(assess_edge(now(), &facts(&heartbeat, 20), Some(&stale)).state, State::Stale);
    assert_eq!(assess_edge(now(), &facts(&heartbeat, 3), Some(&stale)).state, State::Healthy);
    let mut skewed = heartbeat;
    skewed.sent_at = ago(43);
    let off = assess_edge(now(), &facts(&skewed, 3), None);
    assert_eq!(off.state, State::Degraded);
    skewed.sent_at = ago(28);
    assert_eq!(assess_edge(now(), &facts(&skewed, 3), Some(&off)).state, State::Degraded, "25 s off, was 40");
    assert_eq!(assess_edge(now(), &facts(&skewed, 3), None).state, State::Healthy, "25 s off, was right");
}

#[test]
fn an_edge_that_never_spoke_is_unknown_unless_it_delivers() {
    let facts = |progress_at| EdgeFacts { heartbeat: None, progress_at, missing: 0, dead_letters_open: 0 };
    assert_eq!(assess_edge(now(), &facts(None), None).state, State::Unknown);
    assert_eq!(assess_edge(now(), &facts(Some(ago(2))), None).state, State::Healthy);
    assert_eq!(assess_edge(now(), &facts(Some(ago(60))), None).state, State::Unknown);
}

#[test]
fn a_site_with_one_of_two_edges_gone_is_degraded() {
    let edge = |name: &str, state| (name.to_owned(), Assessment { state, reasons: vec!["why".to_owned()] });
    let site = |states: &[State]| {
        let edges: Vec<_> = states.iter().map(|s| edge("e", *s)).collect();
        assess_site(&edges).state
    };
    assert_eq!(site(&[]), State::Unknown);
    assert_eq!(site(&[State::Offline]), State::Offline);
    assert_eq!(site(&[State::Healthy, State::Healthy]), State::Healthy);
    assert_eq!(site(&[State::Healthy, State::Offline]), State::Degraded);
    assert_eq!(site(&[State::Stale, State::Offline]), State::Stale);
    assert_eq!(assess_site(&[edge("a", State::Healthy), edge("b", State::Stale)]).reasons, ["a: why", "b: why"]);
}
