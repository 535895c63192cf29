//! All sites at one moment, judged: what every answer, metric and screen shows, so that they cannot disagree. Made of a
//! picture out of Postgres by pure functions.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::assess::{Assessment, EdgeFacts, STALE_AFTER, State, assess_edge, assess_site};
use super::digest::Digest;
use super::reason::Code;
use crate::api::ledger::Totals;
use crate::completeness::{self, Completeness, Known, News};
use crate::store::edges::Rate;
use crate::store::fleet::{Alerts, Change, Edge, Picture, Stored};

/// A change of reasons without a change of state is noted in the history at most this often.
const NOTE_EVERY: TimeDelta = TimeDelta::seconds(60);
/// Events of the last full minutes, as [`Rate`] counts them.
const RATE_SECONDS: f64 = 300.0;
/// What flows is in an edge's Redis for less than this.
const MOMENT: TimeDelta = TimeDelta::seconds(5);

/// How many sites are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SiteCounts)]
pub struct Counts {
    pub healthy: usize,
    pub degraded: usize,
    pub stale: usize,
    pub offline: usize,
    pub unknown: usize,
}

impl Counts {
    fn add(&mut self, state: State) {
        *match state {
            State::Healthy => &mut self.healthy,
            State::Degraded => &mut self.degraded,
            State::Stale => &mut self.stale,
            State::Offline => &mut self.offline,
            State::Unknown => &mut self.unknown,
        } += 1;
    }

    pub const fn of(&self, state: State) -> usize {
        match state {
            State::Healthy => self.healthy,
            State::Degraded => self.degraded,
            State::Stale => self.stale,
            State::Offline => self.offline,
            State::Unknown => self.unknown,
        }
    }
}

/// A site in a list.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct SiteRow {
    pub warehouse_id: Uuid,
    pub name: Option<String>,
    pub state: State,
    /// In words, most severe first.
    pub reasons: Vec<String>,
    pub reason_codes: Vec<Code>,
    /// Since when it is in this state.
    pub since: DateTime<Utc>,
    pub edges: usize,
    /// Of those, stale or offline.
    pub edges_silent: usize,
    /// Records that waited at the edges when they last said so, less those that came since.
    pub backlog: i64,
    pub oldest_age_seconds: Option<f64>,
    /// Until the backlog is gone; null if that cannot be said of every edge that has one.
    pub drain_seconds: Option<f64>,
    pub last_heartbeat_at: Option<DateTime<Utc>>,
    /// When a batch was last committed.
    pub last_progress_at: Option<DateTime<Utc>>,
    pub last_event_time: Option<DateTime<Utc>>,
    /// Over the last five full minutes, by event time.
    pub events_per_second: f64,
    pub alerts_open: i64,
    /// Of them those that are neither acknowledged nor silenced.
    pub alerts_unacknowledged: i64,
    pub dead_letters_open: i64,
    pub missing: i64,
    pub completeness: Completeness,
}

/// An edge of a site.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct EdgeRow {
    pub edge_id: Uuid,
    pub name: Option<String>,
    pub state: State,
    pub reasons: Vec<String>,
    pub reason_codes: Vec<Code>,
    pub since: DateTime<Utc>,
    /// Of its program.
    pub version: Option<String>,
    pub created_at: DateTime<Utc>,
    /// When the certificate ends by which it comes in; null for one that comes in by a token.
    pub certificate_until: Option<DateTime<Utc>>,
    /// When it was given that certificate; null if it is still the one it joined with.
    pub certificate_renewed_at: Option<DateTime<Utc>>,
    /// When a box last came with a certificate that another one has replaced: one of the two is a copy of the other.
    pub copy_seen_at: Option<DateTime<Utc>>,
    pub last_heartbeat_at: Option<DateTime<Utc>>,
    pub last_progress_at: Option<DateTime<Utc>>,
    pub buffered: i64,
    pub missing: i64,
    pub ledger: Totals,
}

/// A site with everything below it.
#[derive(Debug, Clone)]
pub struct Site {
    pub row: SiteRow,
    pub edges: Vec<EdgeRow>,
    /// Of all its edges, revoked ones too.
    pub totals: Totals,
    /// Critical alerts that nobody has acknowledged.
    critical: i64,
}

/// Headquarters could not look again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Outdated {
    /// When what is shown was true.
    pub since: DateTime<Utc>,
    pub reason: String,
}

/// See the module.
#[derive(Debug)]
pub struct FleetSnapshot {
    /// When Postgres was read, by its clock.
    pub generated_at: DateTime<Utc>,
    /// If set, every state is unknown, and the figures are those of then.
    pub outdated: Option<Outdated>,
    pub counts: Counts,
    pub events_per_second: f64,
    pub alerts_open: i64,
    pub totals: Totals,
    pub dead_letters_open: i64,
    /// What should be seen to first comes first.
    pub sites: Vec<Site>,
    /// How long the look took.
    pub took: Duration,
    by_id: HashMap<Uuid, usize>,
    health: OnceLock<Bytes>,
}

/// The list as it is answered.
#[derive(Serialize, utoipa::ToSchema)]
pub struct FleetHealth<'a> {
    generated_at: DateTime<Utc>,
    outdated: Option<&'a Outdated>,
    counts: Counts,
    events_per_second: f64,
    alerts_open: i64,
    sites: Vec<&'a SiteRow>,
}

impl FleetSnapshot {
    fn new(generated_at: DateTime<Utc>, outdated: Option<Outdated>, mut sites: Vec<Site>) -> Self {
        sites.sort_by(|a, b| urgency(a).cmp(&urgency(b)));
        let mut counts = Counts::default();
        let mut totals = Totals::default();
        for site in &sites {
            counts.add(site.row.state);
            totals.add(&site.totals);
        }
        Self {
            generated_at,
            outdated,
            counts,
            events_per_second: sites.iter().map(|site| site.row.events_per_second).sum(),
            alerts_open: sites.iter().map(|site| site.row.alerts_open).sum(),
            totals,
            dead_letters_open: sites.iter().map(|site| site.row.dead_letters_open).sum(),
            by_id: sites.iter().enumerate().map(|(index, site)| (site.row.warehouse_id, index)).collect(),
            sites,
            took: Duration::ZERO,
            health: OnceLock::new(),
        }
    }

    /// Of rows alone.
    #[cfg(test)]
    pub(crate) fn of_rows(generated_at: DateTime<Utc>, rows: Vec<SiteRow>) -> Self {
        let site = |row| Site { row, edges: vec![], totals: Totals::default(), critical: 0 };
        Self::new(generated_at, None, rows.into_iter().map(site).collect())
    }

    pub fn site(&self, warehouse: Uuid) -> Option<&Site> {
        self.by_id.get(&warehouse).and_then(|index| self.sites.get(*index))
    }

    /// The body of `/api/v1/fleet/health`, written once for all who ask.
    pub fn health(&self) -> Bytes {
        let body = self.health.get_or_init(|| {
            let health = FleetHealth {
                generated_at: self.generated_at,
                outdated: self.outdated.as_ref(),
                counts: self.counts,
                events_per_second: self.events_per_second,
                alerts_open: self.alerts_open,
                sites: self.sites.iter().map(|site| &site.row).collect(),
            };
            serde_json::to_vec(&health).expect("plain fields in memory").into()
        });
        body.clone()
    }

    /// The same when nobody could look for too long: what was known stays to be read, with its times, but nobody can take
    /// it for how things are. A page that only said "503" would hide which sites there are and who waited with what,
    /// and old states shown as they were would be worse: somebody might rely on them.
    pub fn outdated(&self, reason: &str) -> Self {
        let since = self.generated_at;
        let text =
            format!("headquarters cannot read its database: nothing is known since {} UTC", since.format("%H:%M:%S"));
        let blind = Assessment::said(State::Unknown, Code::HeadquartersBlind, text);
        let sites = self.sites.iter().map(|site| {
            let mut site = site.clone();
            let SiteRow { state, reasons, reason_codes, since: row_since, completeness, .. } = &mut site.row;
            blinded(&blind, state, reasons, reason_codes);
            *row_since = since;
            *completeness = completeness::judge(&Known {
                missing: completeness.missing,
                backlog: completeness.backlog,
                drain_seconds: None,
                news: News::Silent,
            });
            site.row.drain_seconds = None;
            for edge in &mut site.edges {
                blinded(&blind, &mut edge.state, &mut edge.reasons, &mut edge.reason_codes);
                edge.since = since;
            }
            site
        });
        Self::new(since, Some(Outdated { since, reason: reason.to_owned() }), sites.collect())
    }
}

fn blinded(blind: &Assessment, state: &mut State, reasons: &mut Vec<String>, codes: &mut Vec<Code>) {
    let then = format!("before that it was {}", state.as_str());
    let told = if reasons.is_empty() { then } else { format!("{then}: {}", reasons.join("; ")) };
    *state = blind.state;
    *reasons = blind.texts();
    reasons.push(told);
    *codes = blind.codes();
}

/// The key of the order: state, then critical alerts that nobody has acknowledged, then losses, then what has waited
/// longest, then the name.
fn urgency(site: &Site) -> (u8, Reverse<i64>, Reverse<i64>, Reverse<i64>, bool, &str, Uuid) {
    let row = &site.row;
    let age = row.oldest_age_seconds.map_or(-1, |secs| secs as i64);
    let name = row.name.as_deref().unwrap_or_default();
    let nameless = row.name.is_none();
    (row.state.urgency(), Reverse(site.critical), Reverse(row.missing), Reverse(age), nameless, name, row.warehouse_id)
}

/// The ledger of each edge, by warehouse and edge.
pub type Ledgers = HashMap<(Uuid, Uuid), Ledger>;

/// What the ledger says of one edge.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub totals: Totals,
    pub progress_at: Option<DateTime<Utc>>,
}

/// An edge with what it said and how it was judged.
struct Judged<'a> {
    edge: &'a Edge,
    digest: Option<Digest>,
    ledger: Ledger,
    assessment: Assessment,
    since: DateTime<Utc>,
}

/// Judges a picture: the snapshot, and what has to be stored for it to hold.
pub fn judge(picture: &Picture, ledgers: &Ledgers, rates: &[Rate]) -> (FleetSnapshot, Vec<Change>) {
    let now = picture.now;
    let stored: HashMap<(Uuid, Option<Uuid>), &Stored> =
        picture.states.iter().map(|state| ((state.warehouse_id, state.edge_id), state)).collect();
    let dead: HashMap<(Uuid, Uuid), i64> =
        picture.dead_letters.iter().map(|d| ((d.warehouse_id, d.edge_id), d.open)).collect();
    let mut changes = Vec::new();
    let mut settle = |warehouse: Uuid, edge: Option<Uuid>, assessment: &Assessment| {
        let before = stored.get(&(warehouse, edge)).copied();
        let (since, change) = settle(now, (warehouse, edge), before, assessment);
        changes.extend(change);
        since
    };

    let mut edges: HashMap<Uuid, Vec<Judged<'_>>> = HashMap::new();
    for edge in &picture.edges {
        let key = (edge.warehouse_id, edge.edge_id);
        let before = stored.get(&(edge.warehouse_id, Some(edge.edge_id))).map_or(&[][..], |state| &state.codes);
        let ledger = ledgers.get(&key).cloned().unwrap_or_default();
        let dead_letters = dead.get(&key).copied().unwrap_or(0);
        let (digest, assessment) = assess(now, edge, &ledger, dead_letters, before);
        let since = settle(edge.warehouse_id, Some(edge.edge_id), &assessment);
        let judged = Judged { edge, digest, ledger, assessment, since };
        edges.entry(edge.warehouse_id).or_default().push(judged);
    }

    let rates: HashMap<Uuid, &Rate> = rates.iter().map(|rate| (rate.warehouse_id, rate)).collect();
    let alerts: HashMap<Uuid, &Alerts> = picture.alerts.iter().map(|a| (a.warehouse_id, a)).collect();
    let mut totals: HashMap<Uuid, Totals> = HashMap::new();
    for ((warehouse, _), ledger) in ledgers {
        totals.entry(*warehouse).or_default().add(&ledger.totals);
    }
    let mut dead_of_site: HashMap<Uuid, i64> = HashMap::new();
    for letters in &picture.dead_letters {
        *dead_of_site.entry(letters.warehouse_id).or_default() += letters.open;
    }
    let sites = picture.sites.iter().map(|site| {
        let id = site.warehouse_id;
        let edges = edges.remove(&id).unwrap_or_default();
        let labels: Vec<String> = edges.iter().map(|judged| judged.edge.label()).collect();
        let named: Vec<(&str, &Assessment)> =
            labels.iter().map(String::as_str).zip(edges.iter().map(|judged| &judged.assessment)).collect();
        let assessment = assess_site(&named);
        let since = settle(id, None, &assessment);
        let totals = totals.get(&id).cloned().unwrap_or_default();
        let rate = rates.get(&id).copied();
        let alerts = alerts.get(&id).copied();
        let news = news(now, &edges);
        let drain_seconds = drain_seconds(&edges);
        let row = SiteRow {
            warehouse_id: id,
            name: site.name.clone(),
            state: assessment.state,
            reasons: assessment.texts(),
            reason_codes: assessment.codes(),
            since,
            edges: edges.len(),
            edges_silent: edges.iter().filter(|e| matches!(e.assessment.state, State::Stale | State::Offline)).count(),
            backlog: totals.buffered,
            oldest_age_seconds: edges.iter().filter_map(|e| oldest_age_seconds(now, e)).reduce(f64::max),
            drain_seconds: drain_seconds.filter(|_| totals.buffered > 0),
            last_heartbeat_at: edges.iter().filter_map(|e| e.edge.heartbeat_at).max(),
            last_progress_at: edges.iter().filter_map(|e| e.ledger.progress_at).max(),
            last_event_time: rate.and_then(|rate| rate.last_event_time),
            events_per_second: rate.map_or(0, |rate| rate.events_5m) as f64 / RATE_SECONDS,
            alerts_open: alerts.map_or(0, |a| a.open),
            alerts_unacknowledged: alerts.map_or(0, |a| a.unacknowledged),
            dead_letters_open: dead_of_site.get(&id).copied().unwrap_or(0),
            missing: totals.missing,
            completeness: completeness::judge(&Known {
                missing: totals.missing,
                backlog: totals.buffered,
                drain_seconds,
                news,
            }),
        };
        let critical = alerts.map_or(0, |a| a.critical);
        Site { row, edges: edges.into_iter().map(edge_row).collect(), totals, critical }
    });
    let sites = sites.collect();
    (FleetSnapshot::new(now, None, sites), changes)
}

fn assess(
    now: DateTime<Utc>,
    edge: &Edge,
    ledger: &Ledger,
    dead_letters: i64,
    before: &[Code],
) -> (Option<Digest>, Assessment) {
    let (digest, foreign) = match edge.digest() {
        Some(Ok(digest)) => (Some(digest), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    };
    // An instance of another version read it, so it came; we only cannot say what is in it.
    let foreign = foreign.as_deref().zip(edge.heartbeat_at);
    let facts = EdgeFacts {
        heartbeat: digest.as_ref().zip(edge.heartbeat_at),
        unreadable: foreign.or_else(|| edge.unreadable.as_deref().zip(edge.unreadable_at)),
        waiting_since: edge.waiting_since,
        turned_back: edge.turned_back_at.map(|at| (edge.turned_back, at)),
        copy_seen_at: edge.copy_seen_at,
        certificate: edge.renew_at.zip(edge.certificate_until),
        progress_at: ledger.progress_at,
        missing: ledger.totals.missing,
        dead_letters_open: dead_letters,
    };
    let assessment = assess_edge(now, &facts, before);
    (digest, assessment)
}

/// Since when something is in this state, and what has to be stored if that is new.
fn settle(
    now: DateTime<Utc>,
    (warehouse_id, edge_id): (Uuid, Option<Uuid>),
    before: Option<&Stored>,
    assessment: &Assessment,
) -> (DateTime<Utc>, Option<Change>) {
    let codes = assessment.codes();
    let same_state = before.is_some_and(|b| b.state == assessment.state);
    let since = before.filter(|_| same_state).map_or(now, |b| b.since);
    let may_note = before.is_none_or(|b| now - b.noted_at >= NOTE_EVERY);
    let note = !same_state || may_note;
    if before.is_some_and(|b| same_state && b.codes == codes && (b.noted || !may_note)) {
        return (since, None);
    }
    let new = Stored {
        warehouse_id,
        edge_id,
        version: before.map_or(0, |b| b.version),
        state: assessment.state,
        codes,
        since,
        noted: note,
        noted_at: now,
    };
    (since, Some(Change { new, reasons: assessment.texts() }))
}

/// Of the one that was silent longest.
fn news(now: DateTime<Utc>, edges: &[Judged<'_>]) -> News {
    let heard = |judged: &Judged<'_>| match judged.edge.heartbeat_at {
        None => News::Never,
        Some(at) if judged.digest.is_none() || now - at > STALE_AFTER => News::Silent,
        Some(_) => News::Fresh,
    };
    let all: Vec<News> = edges.iter().map(heard).collect();
    if all.iter().all(|news| *news == News::Never) {
        News::Never
    } else if all.iter().all(|news| *news == News::Fresh) {
        News::Fresh
    } else {
        News::Silent
    }
}

/// Until the last of them has nothing left; `None` if one that has a backlog cannot say.
fn drain_seconds(edges: &[Judged<'_>]) -> Option<f64> {
    let waiting = edges.iter().filter_map(|e| e.digest.as_ref()).filter(|digest| digest.waiting() > 0);
    let mut longest: Option<f64> = None;
    for digest in waiting {
        // What waits in Redis alone is gone in a moment, unless it was there for longer.
        let flows = digest.backlog.records == 0 && digest.oldest_age().is_none_or(|age| age < MOMENT);
        let own = if flows { 0.0 } else { digest.drain_seconds? };
        longest = Some(longest.map_or(own, |secs| secs.max(own)));
    }
    longest
}

/// Age of the oldest record there, if it still waits.
fn oldest_age_seconds(now: DateTime<Utc>, judged: &Judged<'_>) -> Option<f64> {
    let age = judged.digest.as_ref()?.oldest_age()? + (now - judged.edge.heartbeat_at?);
    Some(age.num_milliseconds().max(0) as f64 / 1_000.0)
}

fn edge_row(judged: Judged<'_>) -> EdgeRow {
    let Judged { edge, digest, ledger, assessment, since } = judged;
    EdgeRow {
        edge_id: edge.edge_id,
        name: edge.name.clone(),
        state: assessment.state,
        reasons: assessment.texts(),
        reason_codes: assessment.codes(),
        since,
        version: digest.map(|digest| digest.version),
        created_at: edge.created_at,
        certificate_until: edge.certificate_until,
        certificate_renewed_at: edge.renewed_at,
        copy_seen_at: edge.copy_seen_at,
        last_heartbeat_at: edge.heartbeat_at,
        last_progress_at: ledger.progress_at,
        buffered: ledger.totals.buffered,
        missing: ledger.totals.missing,
        ledger: ledger.totals,
    }
}

#[cfg(test)]
mod tests;
