//! What dashboards ask about risk: over time, by zone and hour, as a distribution, of two periods, of all sites. One file per
//! question; here is what they share: which site and range is asked about, and how sums become figures that may be shown.
//!
//! Ranges are looked at in whole quarters of an hour, `from` rounded down and `to` up, and every answer says which it looked
//! at. Hours, days and shifts are the site's own.

pub mod compare;
pub mod distribution;
pub mod heatmap;
pub mod ranking;
pub mod trend;

use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use common::clock;
use common::problem::Problem;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{bad_query, known, not_found};
use crate::figures::anonymity::{Size, suppressed};
use crate::figures::cut::{Cut, ceil, floor};
use crate::figures::filling::{self, Heard};
use crate::figures::{Figures, Group, Range, Sum};
use crate::http::{ApiError, App};
use crate::store::ledger;
use crate::store::queries::{self, Ask as Cells, Zone};
use crate::store::sites::{self, SiteClock};

/// A year and a month, so that a month can be held against that of the year before.
const LONGEST: TimeDelta = TimeDelta::days(400);

/// Which site, and when.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Ask {
    warehouse_id: Uuid,
    /// One of its zones; all if not given.
    zone_id: Option<Uuid>,
    /// Rounded down to a quarter of an hour.
    from: DateTime<Utc>,
    /// Exclusive; rounded up to a quarter of an hour. At most 400 days after `from`.
    to: DateTime<Utc>,
}

/// A zone with its name.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ZoneName {
    zone_id: Uuid,
    name: Option<String>,
}

impl From<&Zone> for ZoneName {
    fn from(zone: &Zone) -> Self {
        Self { zone_id: zone.zone_id, name: zone.name.clone() }
    }
}

/// # Errors
/// 400 if it is no range or longer than `longest`; `what` says of what that is the limit.
fn range(from: DateTime<Utc>, to: DateTime<Utc>, longest: TimeDelta, what: &str) -> Result<Range, Problem> {
    if from >= to {
        return Err(bad_query("from must be before to"));
    }
    if to - from > longest {
        let message = format!("{what} can be asked for at most {} days at once", longest.num_days());
        return Err(Problem::new(StatusCode::BAD_REQUEST, "range_too_long", message));
    }
    let range = floor(from).zip(ceil(to)).map(|(from, to)| Range { from, to });
    range.ok_or_else(|| bad_query("from and to are no times that anything is stored under"))
}

/// The site that is asked about.
struct Site {
    warehouse: Uuid,
    clock: SiteClock,
    zones: Vec<Zone>,
    /// Which of the zones is meant, none for the whole site.
    zone: Option<usize>,
    now: DateTime<Utc>,
}

impl Site {
    /// # Errors
    /// 404 if there is no such site or it has no such zone.
    async fn find(app: &App, warehouse: Uuid, zone: Option<Uuid>) -> Result<Self, ApiError> {
        known(app, Some(warehouse)).await?;
        let zones = queries::zones(&app.db, warehouse).await?;
        let place = |id: Uuid| zones.iter().position(|zone| zone.zone_id == id).ok_or_else(|| not_found("zone"));
        let zone = zone.map(place).transpose()?;
        let clock = sites::clock(&app.db, warehouse).await?;
        Ok(Self { warehouse, clock, zones, zone, now: clock::now() })
    }

    fn time_zone(&self) -> Tz {
        self.clock.time_zone
    }

    /// The zones of an answer: all of the site's, or the one asked about.
    fn shown(&self) -> impl Iterator<Item = (usize, &Zone)> {
        self.zones.iter().enumerate().filter(|(index, _)| self.zone.is_none_or(|zone| zone == *index))
    }

    /// Each zone's figures by cell. All zones are looked at also if one is asked about, because whether it can be shown hangs on
    /// the others.
    async fn table(&self, app: &App, cuts: &[Cut], cells: usize) -> Result<Table, ApiError> {
        let ask = Cells { warehouse: self.warehouse, zones: Some(&self.zones) };
        let (sums, people) = queries::cells(&app.db, &ask, cuts).await?;
        let mut zones = Vec::with_capacity(self.zones.len());
        for zone in &self.zones {
            let expected = self.expected(cuts, cells, zone);
            zones.push(groups(Some(zone.zone_id), &sums, &people, &expected));
        }
        let mut all = vec![Group::default(); cells];
        for (cell, group) in all.iter_mut().enumerate() {
            for zone in &zones {
                group.sum.add(&zone[cell].sum);
                group.minutes_expected += zone[cell].minutes_expected;
            }
            group.people = people.get(&(None, index(cell))).copied().unwrap_or(0);
        }
        Ok(Table::of(zones, all))
    }

    /// The whole site's figures by cell.
    async fn line(&self, app: &App, cuts: &[Cut], cells: usize) -> Result<Vec<Figures>, ApiError> {
        let ask = Cells { warehouse: self.warehouse, zones: None };
        let (sums, people) = queries::cells(&app.db, &ask, cuts).await?;
        let mut expected = vec![0; cells];
        for zone in &self.zones {
            for (sum, minutes) in expected.iter_mut().zip(self.expected(cuts, cells, zone)) {
                *sum += minutes;
            }
        }
        let groups = groups(None, &sums, &people, &expected);
        let hidden = suppressed(&[sizes(&groups)]);
        Ok(groups.iter().zip(&hidden[0]).map(|(group, hidden)| group.figures(*hidden)).collect())
    }

    fn expected(&self, cuts: &[Cut], cells: usize, zone: &Zone) -> Vec<i64> {
        let mut expected = vec![0; cells];
        for cut in cuts {
            for (sum, minutes) in expected.iter_mut().zip(cut.minutes_expected(cells, zone.first_quarter, self.now)) {
                *sum += minutes;
            }
        }
        expected
    }

    /// Whether the range may still get events.
    async fn filling(&self, app: &App, range: Range) -> Result<bool, ApiError> {
        let accounts = ledger::accounts(&app.db, Some(self.warehouse), None).await?;
        let known: Vec<filling::Edge> = queries::edges(&app.db, self.warehouse)
            .await?
            .iter()
            .map(|edge| {
                let own = || accounts.iter().filter(|account| account.edge_id == edge.edge_id);
                let heard = |account: &ledger::Account| Heard {
                    first: account.first_seen_at,
                    last: if account.current { self.now } else { latest(account) },
                };
                filling::Edge {
                    said: edge.said(),
                    progress_at: own().filter_map(|account| account.last_received_at).max().filter(|_| edge.speaks),
                    missing: own().filter(|account| account.missing > 0).map(heard).collect(),
                }
            })
            .collect();
        Ok(filling::behind(app.observed.samples().rollups_due, self.now) || filling::filling(range, &known, self.now))
    }
}

fn latest(account: &ledger::Account) -> DateTime<Utc> {
    [account.reported_at, account.last_received_at].into_iter().flatten().fold(account.first_seen_at, DateTime::max)
}

fn index(cell: usize) -> i32 {
    i32::try_from(cell).unwrap_or(i32::MAX)
}

fn groups(zone: Option<Uuid>, sums: &queries::Cells, people: &queries::People, expected: &[i64]) -> Vec<Group> {
    let group = |(cell, minutes_expected): (usize, &i64)| Group {
        sum: sums.get(&(zone, index(cell))).cloned().unwrap_or_default(),
        people: people.get(&(zone, index(cell))).copied().unwrap_or(0),
        minutes_expected: *minutes_expected,
    };
    expected.iter().enumerate().map(group).collect()
}

fn size(group: &Group) -> Size {
    Size { people: group.people, events: group.sum.events }
}

fn sizes(groups: &[Group]) -> Vec<Size> {
    groups.iter().map(size).collect()
}

/// Zones by cells, with what must not be shown.
struct Table {
    zones: Vec<Vec<Group>>,
    hidden: Vec<Vec<bool>>,
    /// Each cell of all zones together.
    all: Vec<Group>,
}

impl Table {
    fn of(zones: Vec<Vec<Group>>, all: Vec<Group>) -> Self {
        let hidden = suppressed(&zones.iter().map(|zone| sizes(zone)).collect::<Vec<_>>());
        Self { zones, hidden, all }
    }

    fn figures(&self, zone: usize, cell: usize) -> Figures {
        self.zones[zone][cell].figures(self.hidden[zone][cell])
    }

    /// Of all zones together, or of one; with the sum if it may be shown.
    fn subject(&self, zone: Option<usize>, cell: usize) -> (Figures, Option<&Sum>) {
        let (group, hidden) = match zone {
            Some(zone) => (&self.zones[zone][cell], self.hidden[zone][cell]),
            None => (&self.all[cell], size(&self.all[cell]).too_small()),
        };
        (group.figures(hidden), Some(&group.sum).filter(|sum| !hidden && sum.events > 0))
    }
}

/// What every CSV has after its own columns.
const FIGURES_HEADER: [&str; 11] = [
    "events",
    "mean",
    "max",
    "p50",
    "p90",
    "p95",
    "seconds_observed",
    "seconds_at_risk",
    "coverage",
    "people",
    "suppressed",
];

/// Numbers as programs write them; nothing where there is nothing to show.
fn figures_row(figures: &Figures) -> [String; 11] {
    let whole = |n: Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
    let number = |n: Option<f64>| n.map(|n| n.to_string()).unwrap_or_default();
    [
        whole(figures.events),
        number(figures.mean),
        number(figures.max),
        number(figures.p50),
        number(figures.p90),
        number(figures.p95),
        whole(figures.seconds_observed),
        whole(figures.seconds_at_risk),
        number(figures.coverage),
        whole(figures.people),
        figures.suppressed.to_string(),
    ]
}

/// By the clock on the wall, with its offset.
fn local(at: DateTime<Utc>, time_zone: Tz) -> String {
    at.with_timezone(&time_zone).to_rfc3339_opts(SecondsFormat::Secs, false)
}
