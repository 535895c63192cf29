use bytes::Bytes;
use common::clock;
use common::live::Cursor;
use serde_json::Value;

use super::*;
use crate::api::alerts::Life;
use crate::completeness::{Known, News, judge};

fn row(n: u128, state: State, backlog: i64) -> SiteRow {
    SiteRow {
        warehouse_id: Uuid::from_u128(n),
        name: None,
        state,
        reasons: vec![],
        reason_codes: vec![],
        since: DateTime::UNIX_EPOCH,
        edges: 1,
        edges_silent: 0,
        backlog,
        oldest_age_seconds: None,
        drain_seconds: None,
        last_heartbeat_at: None,
        last_progress_at: None,
        last_event_time: None,
        events_per_second: 1.0,
        alerts_open: 0,
        alerts_unacknowledged: 0,
        dead_letters_open: 0,
        missing: 0,
        completeness: judge(&Known { missing: 0, backlog, drain_seconds: None, news: News::Fresh }),
    }
}

fn fleet(rows: Vec<SiteRow>) -> FleetSnapshot {
    FleetSnapshot::of_rows(DateTime::UNIX_EPOCH, rows)
}

fn tell(hub: &Hub, rows: Vec<SiteRow>, now: Instant) {
    hub.publish(|changes| tell_fleet(changes, &fleet(rows), now));
}

fn view(n: u128, ended: bool) -> View {
    let mut view = View::example();
    (view.alert_id, view.warehouse_id) = (Uuid::from_u128(n), Uuid::from_u128(1));
    if ended {
        (view.ended_at, view.state) = (Some(DateTime::UNIX_EPOCH), Life::Cleared);
    }
    view
}

fn read(out: &[Bytes]) -> Vec<Value> {
    out.iter().map(|text| serde_json::from_slice(text).expect("JSON")).collect()
}

fn next(hub: &Hub, cursor: &mut Cursor<Topic>) -> Vec<Value> {
    let mut out = Vec::new();
    hub.next(cursor, clock::now(), &mut out);
    read(&out)
}

fn join(hub: &Hub) -> (Cursor<Topic>, Value) {
    let mut out = Vec::new();
    let cursor = hub.join(Topics::ALL, None, clock::now(), &mut out);
    (cursor, read(&out).remove(0))
}

#[test]
fn what_matters_is_told_at_once_and_figures_now_and_then() {
    let hub = hub(1);
    let start = Instant::now();
    tell(&hub, vec![row(1, State::Healthy, 5), row(2, State::Healthy, 5)], start);
    let (mut cursor, snapshot) = join(&hub);
    assert_eq!(snapshot["sites"].as_array().map(Vec::len), Some(2));
    assert_eq!((&snapshot["rates"]["events_per_second"], &snapshot["alerts"]), (&2.0.into(), &Value::Array(vec![])));
    tell(&hub, vec![row(1, State::Healthy, 4), row(2, State::Degraded, 4)], start + FIGURES_EVERY / 2);
    let said = next(&hub, &mut cursor);
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!((&said[0]["topic"], &said[0]["site"]["state"]), (&"sites".into(), &"degraded".into()));
    // Whoever comes now sees the newest figures all the same.
    assert_eq!(join(&hub).1["sites"][1]["backlog"], 4);
    // Nothing new, but the figures of the first are due.
    tell(&hub, vec![row(1, State::Healthy, 4), row(2, State::Degraded, 4)], start + FIGURES_EVERY);
    let said = next(&hub, &mut cursor);
    assert_eq!((said.len(), &said[0]["site"]["backlog"]), (1, &4.into()));
    tell(&hub, vec![row(1, State::Healthy, 4), row(2, State::Degraded, 4)], start + FIGURES_EVERY * 9);
    assert_eq!(next(&hub, &mut cursor), [] as [Value; 0], "nothing has changed");
    tell(&hub, vec![row(2, State::Degraded, 4)], start + FIGURES_EVERY * 9);
    let said = next(&hub, &mut cursor);
    assert_eq!((&said[0]["topic"], &said[0]["gone"]), (&"sites".into(), &Uuid::from_u128(1).to_string().into()));
    assert_eq!((&said[1]["topic"], &said[1]["rates"]["events_per_second"]), (&"rates".into(), &1.0.into()));
}

#[test]
fn an_alert_is_told_when_it_changes_and_when_it_is_over_or_gone() {
    let hub = hub(1);
    let (mut cursor, _) = join(&hub);
    let open = |views: &[View]| {
        let mut gone = Vec::new();
        hub.publish(|changes| gone = tell_open(changes, views));
        gone
    };
    assert_eq!(open(&[view(1, false), view(2, false), view(3, false)]), []);
    assert_eq!(next(&hub, &mut cursor).len(), 3);
    let mut acknowledged = view(2, false);
    acknowledged.state = Life::Acknowledged;
    let mut gone = open(&[acknowledged]);
    gone.sort_unstable();
    let said = next(&hub, &mut cursor);
    assert_eq!((said.len(), &said[0]["alert"]["state"]), (1, &"acknowledged".into()));
    assert_eq!(gone, [1, 3].map(|n| (Uuid::from_u128(1), Uuid::from_u128(n))));
    hub.publish(|changes| tell_gone(changes, &gone, &[view(1, true)]));
    let said = next(&hub, &mut cursor);
    assert_eq!(said[0]["alert"]["state"], "cleared");
    assert_eq!(said[1]["gone"], Uuid::from_u128(3).to_string());
    assert_eq!(join(&hub).1["alerts"].as_array().map(Vec::len), Some(1), "only what is open");
}
