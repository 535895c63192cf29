//! The fleet for Prometheus, written from the snapshot at each scrape. A state is one series per value, 0 or 1, so that it can
//! be summed and alerted on. Sites are named by their id, which never changes; the name is beside it in an info metric.
//! Nothing below a site has labels: cameras and edges would be too many, and workers are nobody's business.

use std::fmt;

use chrono::{DateTime, Utc};
use common::clock;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::assess::State;
use super::snapshot::{FleetSnapshot, SiteRow};
use super::stage::Fleet;

/// See the module.
pub struct FleetMetrics {
    fleet: Fleet,
    /// Sites that get series of their own; if there are more, none does.
    site_labels_max: usize,
}

impl FleetMetrics {
    pub const fn new(fleet: Fleet, site_labels_max: usize) -> Self {
        Self { fleet, site_labels_max }
    }
}

impl fmt::Debug for FleetMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetMetrics").finish_non_exhaustive()
    }
}

impl Collector for FleetMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let now = clock::now();
        let fleet = self.fleet.latest();
        let outdated = fleet.as_ref().is_none_or(|fleet| fleet.outdated.is_some());
        gauge(&mut encoder, "fleet_outdated", "1 if headquarters cannot look at the fleet", outdated.into())?;
        let Some(fleet) = fleet else { return Ok(()) };
        let age = seconds(now, Some(fleet.generated_at)).unwrap_or(0.0);
        gauge(&mut encoder, "fleet_age_seconds", "Age of what is known of the fleet", age)?;
        let took = fleet.took.as_secs_f64();
        gauge(&mut encoder, "fleet_look_seconds", "How long the last look at the fleet took", took)?;
        states(&mut encoder, &fleet)?;
        gauge(&mut encoder, "fleet_backlog_records", "Records waiting at edges", fleet.totals.buffered as f64)?;
        gauge(&mut encoder, "fleet_missing_records", "Records neither here nor waiting", fleet.totals.missing as f64)?;
        gauge(&mut encoder, "fleet_alerts_open", "Alerts that go on", fleet.alerts_open as f64)?;
        let dead = fleet.dead_letters_open as f64;
        gauge(&mut encoder, "fleet_dead_letters_open", "Dead letters that wait for a decision", dead)?;
        let left_out = if fleet.sites.len() > self.site_labels_max { fleet.sites.len() } else { 0 };
        let help = "Sites without series of their own, because there are more than metrics.site_labels_max";
        gauge(&mut encoder, "site_series_left_out", help, left_out as f64)?;
        if left_out > 0 { Ok(()) } else { sites(&mut encoder, &fleet, now) }
    }
}

fn states(encoder: &mut DescriptorEncoder<'_>, fleet: &FleetSnapshot) -> fmt::Result {
    let series = State::ALL.map(|state| ([("state", state.as_str())], fleet.counts.of(state) as f64));
    family(encoder, "sites", "Sites by state", series)
}

/// A figure of a site.
type Figure = fn(&SiteRow, DateTime<Utc>) -> Option<f64>;

const FIGURES: [(&str, &str, Figure); 6] = [
    ("site_backlog_records", "Records waiting at the site", |row, _| Some(row.backlog as f64)),
    ("site_missing_records", "Records neither here nor waiting", |row, _| Some(row.missing as f64)),
    ("site_alerts_open", "Alerts that go on", |row, _| Some(row.alerts_open as f64)),
    ("site_dead_letters_open", "Dead letters that wait for a decision", |row, _| Some(row.dead_letters_open as f64)),
    ("site_last_heartbeat_age_seconds", "Since a heartbeat came", |row, now| seconds(now, row.last_heartbeat_at)),
    ("site_last_progress_age_seconds", "Since a batch was stored", |row, now| seconds(now, row.last_progress_at)),
];

fn sites(encoder: &mut DescriptorEncoder<'_>, fleet: &FleetSnapshot, now: DateTime<Utc>) -> fmt::Result {
    let rows = || fleet.sites.iter().map(|site| (site.row.warehouse_id.to_string(), &site.row));
    let named = rows().map(|(id, row)| ([("warehouse_id", id), ("name", row.name.clone().unwrap_or_default())], 1.0));
    family(encoder, "site_info", "What people call the site", named)?;
    let one_hot = rows().flat_map(|(id, row)| {
        State::ALL.map(|state| {
            let is = f64::from(u8::from(row.state == state));
            ([("warehouse_id", id.clone()), ("state", state.as_str().to_owned())], is)
        })
    });
    family(encoder, "site_state", "1 for the state that the site is in", one_hot)?;
    let ends = fleet.sites.iter().filter_map(|site| {
        let first = site.edges.iter().filter_map(|edge| edge.certificate_until).min()?;
        Some(([("warehouse_id", site.row.warehouse_id.to_string())], first.timestamp() as f64))
    });
    family(
        encoder,
        "site_certificate_end_timestamp_seconds",
        "When the first certificate of the site's edges ends",
        ends,
    )?;
    for (name, help, figure) in FIGURES {
        let series = rows().filter_map(|(id, row)| Some(([("warehouse_id", id)], figure(row, now)?)));
        family(encoder, name, help, series)?;
    }
    Ok(())
}

fn seconds(now: DateTime<Utc>, then: Option<DateTime<Utc>>) -> Option<f64> {
    then.map(|then| (now - then).num_milliseconds().max(0) as f64 / 1_000.0)
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}

fn family<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    series: impl IntoIterator<Item = (L, f64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in series {
        ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
