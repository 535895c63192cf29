//! Whether a range may still get events: it is not over, they wait at an edge, are missing, or an edge is silent and
//! nobody knows. Errs on the side of saying so. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use super::Range;
use crate::fleet::STALE_AFTER;

/// What is known of an edge of the site.
#[derive(Debug, Clone)]
pub struct Edge {
    pub said: Option<Said>,
    /// When its last batch was committed.
    pub progress_at: Option<DateTime<Utc>>,
    /// Of its epochs that have seqs neither here nor there: from when to when we heard of each.
    pub missing: Vec<Heard>,
}

/// The last heartbeat.
#[derive(Debug, Clone, Copy)]
pub struct Said {
    /// When it came, by our clock.
    pub at: DateTime<Utc>,
    /// Age of the oldest record that waited there; `None` if none did.
    pub waiting: Option<TimeDelta>,
    /// The last one before the edge stopped by plan.
    pub stopping: bool,
}

/// When an epoch was first and last heard of.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    pub first: DateTime<Utc>,
    pub last: DateTime<Utc>,
}

/// What is on its way, or about to be added up, is younger than this; it is no reason to call a range of last week unfinished.
const ON_THE_WAY: TimeDelta = TimeDelta::seconds(60);

/// True if the range may still get events from one of the site's edges. Ranges end with a quarter of an hour, so one that
/// was asked for up to now is not over yet.
pub fn filling(range: Range, edges: &[Edge], now: DateTime<Utc>) -> bool {
    let to_come = range.to > now && !edges.is_empty();
    to_come
        || edges.iter().any(|edge| {
            from(edge, now).is_some_and(|from| range.to > from) || edge.missing.iter().any(|m| overlaps(range, *m))
        })
}

/// True if something stored is not in the figures yet for longer than it takes. `put_at`: since when it has been due.
pub fn behind(put_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    put_at.is_some_and(|at| now - at > ON_THE_WAY)
}

/// Events from this time on may still come from the edge.
fn from(edge: &Edge, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    // It has never told us anything: only what it delivered is certain. One that never did anything has nothing.
    let Some(said) = edge.said else { return edge.progress_at };
    let waited_from = said.waiting.map(|age| said.at - age);
    // As long as it reports, what waits there is known by its age.
    if now - said.at <= STALE_AFTER {
        return waited_from.filter(|_| said.waiting > Some(ON_THE_WAY));
    }
    // Stopped by plan it takes nothing in, but what it kept it still has.
    if said.stopping {
        return waited_from;
    }
    // Silent: it may have anything since it last delivered, and what waited then.
    let since = edge.progress_at.map_or(said.at, |at| at.min(said.at));
    Some(waited_from.map_or(since, |at| at.min(since)))
}

fn overlaps(range: Range, heard: Heard) -> bool {
    range.from <= heard.last && heard.first < range.to
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn now() -> DateTime<Utc> {
        at("2026-05-01T12:00:00Z")
    }

    fn range(from: &str, to: &str) -> Range {
        Range { from: at(&format!("2026-05-01T{from}:00Z")), to: at(&format!("2026-05-01T{to}:00Z")) }
    }

    fn edge(waiting: Option<TimeDelta>, ago: TimeDelta) -> Edge {
        let said = Some(Said { at: now() - ago, waiting, stopping: false });
        Edge { said, progress_at: Some(now() - TimeDelta::minutes(90)), missing: Vec::new() }
    }

    #[test]
    fn a_backlog_fills_what_is_as_young_as_its_oldest_event() {
        let (backlog, normal) = (Some(TimeDelta::hours(2)), Some(TimeDelta::seconds(5)));
        let fresh = TimeDelta::seconds(3);
        assert!(filling(range("09:00", "10:15"), &[edge(backlog, fresh)], now()));
        assert!(!filling(range("08:00", "09:45"), &[edge(backlog, fresh)], now()), "older than anything that waits");
        assert!(!filling(range("11:00", "12:00"), &[edge(normal, fresh)], now()), "that is on its way");
        assert!(filling(range("11:00", "12:00"), &[edge(normal, fresh), edge(backlog, fresh)], now()), "any edge");
    }

    #[test]
    fn figures_are_behind_when_nobody_adds_up_what_is_stored() {
        assert!(!behind(None, now()));
        assert!(!behind(Some(now() - TimeDelta::seconds(2)), now()));
        assert!(behind(Some(now() - TimeDelta::seconds(61)), now()));
    }

    #[test]
    fn a_quarter_that_is_not_over_is_not_full() {
        let edges = [edge(None, TimeDelta::seconds(3))];
        assert!(!filling(range("11:00", "12:00"), &edges, now()));
        assert!(filling(range("11:00", "12:15"), &edges, now()));
        assert!(!filling(range("11:00", "12:15"), &[], now()), "nobody could send anything");
    }

    #[test]
    fn what_a_silent_edge_has_since_it_delivered_is_not_known() {
        let backlog = Some(TimeDelta::hours(3));
        let silent = TimeDelta::hours(1);
        assert!(filling(range("10:00", "11:00"), &[edge(None, silent)], now()), "it last delivered at 10:30");
        assert!(!filling(range("09:00", "10:30"), &[edge(None, silent)], now()));
        assert!(filling(range("07:00", "08:15"), &[edge(backlog, silent)], now()), "some waited there since 08:00");
        let mut stopped = edge(None, silent);
        stopped.said = stopped.said.map(|said| Said { stopping: true, ..said });
        assert!(!filling(range("10:00", "12:00"), &[stopped], now()), "it has nothing and takes nothing");
    }

    #[test]
    fn what_is_missing_is_missing_from_its_epochs_time() {
        let fresh = TimeDelta::seconds(3);
        let missing = vec![Heard { first: at("2026-05-01T09:00:00Z"), last: at("2026-05-01T10:00:00Z") }];
        let edge = [Edge { missing, ..edge(None, fresh) }];
        assert!(filling(range("09:30", "09:45"), &edge, now()));
        assert!(!filling(range("08:00", "09:00"), &edge, now()));
        assert!(!filling(range("10:15", "11:00"), &edge, now()));
    }

    #[test]
    fn an_edge_that_never_said_anything_is_certain_of_what_it_delivered() {
        let edge = |progress_at| [Edge { said: None, progress_at, missing: Vec::new() }];
        assert!(filling(range("11:00", "12:00"), &edge(Some(now() - TimeDelta::minutes(1))), now()));
        assert!(!filling(range("10:00", "11:00"), &edge(Some(now() - TimeDelta::minutes(1))), now()));
        assert!(!filling(range("10:00", "11:00"), &edge(None), now()));
    }
}
