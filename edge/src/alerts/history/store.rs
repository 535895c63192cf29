//! Every statement of SQL that the history knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use common::alert::{self, AlertEvent, Fact, Origin, Severity, Silence, StateFilter, Statement, Subject};
use common::event::Hundredths;
use common::ids::{AlertId, FactId, WarehouseId, ZoneId};
use common::record::Kind;
use rusqlite::types::{FromSqlError, Value};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params, params_from_iter};
use serde::{Deserialize, Serialize};
use tracing::warn;
use uuid::Uuid;

use crate::alerts::view;
use crate::config::HistoryConfig;
use crate::sqlite;

/// Rows looked at in one go where a filter cannot be said in SQL.
const CHUNK: usize = 500;
/// Silences listed with their counts; each is a look through the alerts' index.
const SILENCES_MAX: usize = 200;
/// Records that wait for the buffer, at most; beyond it the oldest are given up, which is counted and logged. The
/// buffer refuses them only while it is full, so this is days of alerts.
const OUTBOX_MAX: u64 = 100_000;
/// Alerts deleted in one go when the file is too large: few, so that no more go than must.
const TRIM: u64 = 50;

/// An alert as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// As headquarters gets it, but for the curve.
    pub event: AlertEvent,
    /// When it was first shown, by our clock.
    pub seen_at: DateTime<Utc>,
    /// When it was seen to be over, by our clock.
    pub cleared_at: Option<DateTime<Utc>>,
    /// It was over for more than a minute when its events arrived.
    pub late: bool,
    pub latest: Option<Hundredths>,
    /// The rule's, at the time.
    pub threshold: Option<Hundredths>,
    pub clear_below: Option<Hundredths>,
    /// Microseconds since 1970 and score.
    pub curve: Vec<(i64, Hundredths)>,
    /// JSON text.
    pub posture: Option<String>,
}

/// All silences that are kept.
pub type Silences = BTreeMap<FactId, Silence>;

/// An alert with what was said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub kept: Kept,
    /// Its acknowledgements.
    pub facts: Vec<Fact>,
}

/// What is to be written together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// With `true`, headquarters is to be told.
    pub alerts: Vec<(Kept, bool)>,
    pub facts: Vec<Fact>,
    pub minutes: Vec<Minute>,
}

/// What became of a fact.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// It is kept now; with the alert it is about, if it is about one.
    New(Option<Box<Found>>),
    /// It was there before, as this.
    Before(Box<Fact>, Option<Box<Found>>),
    /// It is about an alert or a silence that is not known here.
    Unknown,
}

impl Said {
    /// The alert it is about, if it is about one.
    pub fn found(&self) -> Option<Found> {
        match self {
            Self::New(found) | Self::Before(_, found) => found.as_deref().cloned(),
            Self::Unknown => None,
        }
    }
}

/// A camera's minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minute {
    /// Minutes since 1970.
    pub minute: i64,
    pub zone_id: ZoneId,
    pub camera_id: Arc<str>,
    pub events: u64,
    /// Seconds with an event, as bits.
    pub observed: u64,
    /// Seconds with an event at risk, as bits.
    pub at_risk: u64,
    pub peak: Hundredths,
}

/// A camera in its zone, as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCamera {
    pub zone_id: ZoneId,
    pub camera_id: String,
    pub first_minute: i64,
    pub last_minute: i64,
}

/// Something the buffer does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    pub id: i64,
    pub kind: Kind,
    pub identity: [u8; 16],
    pub payload: Vec<u8>,
}

/// A silence and how many alerts it covered.
#[derive(Debug, Clone, PartialEq)]
pub struct SilenceCount {
    pub silence: Silence,
    pub alerts: u64,
}

/// Which alerts. What is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub state: Option<StateFilter>,
    pub zone_id: Option<ZoneId>,
    pub camera_id: Option<String>,
    pub severity: Option<Severity>,
    pub subject: Option<Subject>,
    /// Raised then or later.
    pub from: Option<DateTime<Utc>>,
    /// Raised before.
    pub to: Option<DateTime<Utc>>,
    /// Only what comes after this one in the list, newest first.
    pub after: Option<Place>,
    pub limit: usize,
}

/// Where an alert is in the list: when it was raised, in microseconds, and its id.
pub type Place = (i64, AlertId);

/// A part of the list, newest first.
#[derive(Debug, Clone)]
pub struct Page {
    pub found: Vec<Found>,
    /// There are more: what to go on after.
    pub next: Option<Place>,
    pub silences: Arc<Silences>,
}

/// The open file.
pub struct Store {
    connection: Connection,
    config: HistoryConfig,
    silences: Arc<Silences>,
}

impl Store {
    /// # Errors
    /// If it cannot be read.
    pub fn new(connection: Connection, config: HistoryConfig) -> rusqlite::Result<Self> {
        let mut store = Self { connection, config, silences: Arc::default() };
        store.load_silences()?;
        Ok(store)
    }

    pub fn silences(&self) -> Arc<Silences> {
        Arc::clone(&self.silences)
    }

    /// Writes all of it or nothing.
    ///
    /// # Errors
    /// Nothing was written.
    pub fn write(&mut self, batch: &Batch) -> rusqlite::Result<Vec<Said>> {
        let transaction = self.connection.transaction()?;
        for (kept, tell) in &batch.alerts {
            put_alert(&transaction, kept, *tell)?;
        }
        for minute in &batch.minutes {
            put_minute(&transaction, minute)?;
        }
        let said = batch.facts.iter().map(|fact| put_fact(&transaction, fact)).collect::<Result<_, _>>()?;
        transaction.commit()?;
        if batch.facts.iter().any(|fact| !matches!(fact.statement, Statement::Acknowledge { .. })) {
            self.load_silences()?;
        }
        Ok(said)
    }

    /// # Errors
    /// If it cannot be read.
    pub fn find(&mut self, alert_id: AlertId) -> rusqlite::Result<Option<Found>> {
        find(&self.connection, alert_id)
    }

    /// What is open, and what was cleared since `since`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn recent(&mut self, since: DateTime<Utc>) -> rusqlite::Result<Vec<Found>> {
        let mut select = self.connection.prepare(
            "SELECT body FROM alerts WHERE cleared_us IS NULL OR cleared_us >= ?1 ORDER BY raised_us, alert_id",
        )?;
        let bodies: Vec<Vec<u8>> =
            select.query_map([since.timestamp_micros()], |row| row.get(0))?.collect::<Result<_, _>>()?;
        bodies.iter().filter_map(|body| found(&self.connection, body).transpose()).collect()
    }

    /// Alerts newest first.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn list(&mut self, filter: &Filter, now: DateTime<Utc>) -> rusqlite::Result<Page> {
        let mut page = Page { found: Vec::new(), next: None, silences: self.silences() };
        let mut after = filter.after;
        // One more than asked for says whether there are more.
        let wanted = filter.limit + 1;
        loop {
            let chunk = if filter.state == Some(StateFilter::Silenced) { CHUNK } else { wanted };
            let rows = self.rows(filter, after, chunk)?;
            let full = rows.len() == chunk;
            for (place, body) in rows {
                after = Some(place);
                let Some(found) = found(&self.connection, &body)? else { continue };
                let silenced = filter.state == Some(StateFilter::Silenced);
                if silenced && view::silence(&found.kept, &self.silences, now).is_none() {
                    continue;
                }
                if page.found.len() == filter.limit {
                    page.next = page.found.last().map(|last| place_of(&last.kept));
                    return Ok(page);
                }
                page.found.push(found);
            }
            if !full {
                return Ok(page);
            }
        }
    }

    fn rows(&self, filter: &Filter, after: Option<Place>, limit: usize) -> rusqlite::Result<Vec<(Place, Vec<u8>)>> {
        let (mut terms, mut values): (Vec<String>, Vec<Value>) = (Vec::new(), Vec::new());
        let mut term = |text: &str, mut of: Vec<Value>| {
            terms.push(text.to_owned());
            values.append(&mut of);
        };
        const ACKED: &str = "EXISTS (SELECT 1 FROM facts WHERE facts.alert_id = alerts.alert_id)";
        match filter.state {
            None | Some(StateFilter::Silenced) => {}
            Some(StateFilter::Open) => term("cleared_us IS NULL", vec![]),
            Some(StateFilter::Raised) => term(&format!("cleared_us IS NULL AND NOT {ACKED}"), vec![]),
            Some(StateFilter::Acknowledged) => term(&format!("cleared_us IS NULL AND {ACKED}"), vec![]),
            Some(StateFilter::Cleared) => term("cleared_us IS NOT NULL", vec![]),
        }
        if let Some(zone) = filter.zone_id {
            term("zone = ?", vec![blob(zone.uuid())]);
        }
        if let Some(camera) = &filter.camera_id {
            term("camera = ?", vec![Value::Text(camera.clone())]);
        }
        if let Some(severity) = filter.severity {
            term("severity = ?", vec![Value::Text(severity.as_str().to_owned())]);
        }
        if let Some(subject) = filter.subject {
            term("subject = ?", vec![Value::Text(subject_name(subject).to_owned())]);
        }
        if let Some(from) = filter.from {
            term("raised_us >= ?", vec![Value::Integer(from.timestamp_micros())]);
        }
        if let Some(to) = filter.to {
            term("raised_us < ?", vec![Value::Integer(to.timestamp_micros())]);
        }
        if let Some((raised, id)) = after {
            term("(raised_us, alert_id) < (?, ?)", vec![Value::Integer(raised), blob(id.uuid())]);
        }
        let terms = if terms.is_empty() { "1".to_owned() } else { terms.join(" AND ") };
        let sql = format!(
            "SELECT raised_us, alert_id, body FROM alerts WHERE {terms} ORDER BY raised_us DESC, alert_id DESC LIMIT {limit}"
        );
        let mut select = self.connection.prepare_cached(&sql)?;
        let rows = select.query_map(params_from_iter(values), |row| {
            Ok(((row.get(0)?, AlertId::from_uuid(uuid(row, 1)?)), row.get(2)?))
        })?;
        rows.collect()
    }

    /// Risk alerts raised from `from` up to `to`, and how many system alerts there were.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn raised_between(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) -> rusqlite::Result<(Vec<Found>, u64)> {
        let span = params![from.timestamp_micros(), to.timestamp_micros()];
        let system = self.connection.query_row(
            "SELECT count(*) FROM alerts WHERE raised_us >= ?1 AND raised_us < ?2 AND subject = 'system'",
            span,
            |row| row.get(0),
        )?;
        let mut select = self.connection.prepare(
            "SELECT body FROM alerts WHERE raised_us >= ?1 AND raised_us < ?2 AND subject = 'risk' ORDER BY raised_us",
        )?;
        let bodies: Vec<Vec<u8>> = select.query_map(span, |row| row.get(0))?.collect::<Result<_, _>>()?;
        let found: rusqlite::Result<_> =
            bodies.iter().filter_map(|body| found(&self.connection, body).transpose()).collect();
        Ok((found?, system))
    }

    /// Silences, the latest first, with what each covered: those that hold and the last of the others, or only one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn count_silences(&mut self, only: Option<FactId>, now: DateTime<Utc>) -> rusqlite::Result<Vec<SilenceCount>> {
        let mut wanted: Vec<&Silence> = match only {
            Some(silence_id) => self.silences.get(&silence_id).into_iter().collect(),
            None => self.silences.values().collect(),
        };
        wanted.sort_by_key(|one| (!one.active(now), std::cmp::Reverse(one.from), one.silence_id));
        wanted.truncate(SILENCES_MAX);
        wanted.sort_by_key(|one| (std::cmp::Reverse(one.from), one.silence_id));
        let mut count = self.connection.prepare_cached(
            "SELECT count(*) FROM alerts WHERE seen_us < ?1 AND (cleared_us IS NULL OR cleared_us >= ?2) \
             AND (?3 IS NULL OR rule = ?3) AND (?4 IS NULL OR zone = ?4) AND (?5 IS NULL OR camera = ?5)",
        )?;
        let mut counted = Vec::with_capacity(wanted.len());
        for silence in wanted {
            let end = silence.ended.as_ref().map_or(silence.until, |(_, at)| silence.until.min(*at));
            let alerts = count.query_row(
                params![
                    end.timestamp_micros(),
                    silence.from.timestamp_micros(),
                    silence.scope.rule,
                    silence.scope.zone_id.map(|zone| zone.uuid().into_bytes()),
                    silence.scope.camera_id,
                ],
                |row| row.get(0),
            )?;
            counted.push(SilenceCount { silence: silence.clone(), alerts });
        }
        Ok(counted)
    }

    /// Figures of the minutes from `from` up to `to`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn minutes(&mut self, from: i64, to: i64) -> rusqlite::Result<Vec<Minute>> {
        let mut select = self.connection.prepare_cached(
            "SELECT minute, zone, camera, events, observed, at_risk, peak FROM minutes \
             JOIN cameras ON cameras.id = camera_id WHERE minute >= ?1 AND minute < ?2",
        )?;
        let rows = select.query_map([from, to], |row| {
            Ok(Minute {
                minute: row.get(0)?,
                zone_id: ZoneId::from_uuid(uuid(row, 1)?),
                camera_id: Arc::from(row.get::<_, String>(2)?),
                events: row.get(3)?,
                observed: row.get(4)?,
                at_risk: row.get(5)?,
                peak: Hundredths::from_raw(row.get(6)?),
            })
        })?;
        rows.collect()
    }

    /// All cameras that are remembered.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn cameras(&mut self) -> rusqlite::Result<Vec<KnownCamera>> {
        let mut select =
            self.connection.prepare_cached("SELECT zone, camera, first_minute, last_minute FROM cameras")?;
        let rows = select.query_map([], |row| {
            Ok(KnownCamera {
                zone_id: ZoneId::from_uuid(uuid(row, 0)?),
                camera_id: row.get(1)?,
                first_minute: row.get(2)?,
                last_minute: row.get(3)?,
            })
        })?;
        rows.collect()
    }

    /// What the buffer does not have yet, oldest first.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn outbox(&mut self, limit: usize) -> rusqlite::Result<Vec<OutboxRow>> {
        let mut select =
            self.connection.prepare_cached("SELECT id, kind, identity, payload FROM outbox ORDER BY id LIMIT ?1")?;
        let rows = select.query_map([limit as u64], |row| {
            let kind = if row.get::<_, u8>(1)? == Kind::Alert as u8 { Kind::Alert } else { Kind::Fact };
            Ok(OutboxRow { id: row.get(0)?, kind, identity: row.get(2)?, payload: row.get(3)? })
        })?;
        rows.collect()
    }

    /// The buffer has these.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn sent(&mut self, ids: &[i64]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        let mut delete = transaction.prepare_cached("DELETE FROM outbox WHERE id = ?1")?;
        for id in ids {
            delete.execute([id])?;
        }
        drop(delete);
        transaction.commit()
    }

    /// How far this warehouse's facts of headquarters are here; 0 for none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn facts_until(&mut self, warehouse: WarehouseId) -> rusqlite::Result<u64> {
        let mut select = self.connection.prepare_cached("SELECT facts_until FROM headquarters WHERE warehouse = ?1")?;
        Ok(select.query_row([warehouse.uuid().into_bytes()], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    /// All facts up to there are here.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn set_facts_until(&mut self, warehouse: WarehouseId, until: u64) -> rusqlite::Result<()> {
        let mut insert = self.connection.prepare_cached("INSERT OR REPLACE INTO headquarters VALUES (?1, ?2)")?;
        insert.execute(params![warehouse.uuid().into_bytes(), until]).map(drop)
    }

    /// Deletes what is too old or too much: the oldest cleared alerts first, with what was said of them; open ones
    /// never. Says how many alerts went, and how many records were given up before the buffer had them.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn tidy(&mut self, now: DateTime<Utc>) -> rusqlite::Result<(u64, u64)> {
        let days = TimeDelta::try_days(i64::try_from(self.config.keep_days).unwrap_or(i64::MAX));
        let cutoff = days.and_then(|days| now.checked_sub_signed(days)).unwrap_or(DateTime::UNIX_EPOCH);
        let transaction = self.connection.transaction()?;
        let mut gone = drop_alerts(&transaction, cutoff.timestamp_micros(), u64::MAX)?;
        transaction.execute(
            "DELETE FROM facts WHERE alert_id IS NOT NULL AND at_us < ?1 \
             AND alert_id NOT IN (SELECT alert_id FROM alerts)",
            [cutoff.timestamp_micros()],
        )?;
        let over: Vec<FactId> =
            self.silences.values().filter(|silence| silence.until < cutoff).map(|silence| silence.silence_id).collect();
        for silence_id in &over {
            transaction.execute("DELETE FROM facts WHERE silence_id = ?1", [silence_id.uuid().into_bytes()])?;
        }
        let minute = cutoff.timestamp().div_euclid(60);
        transaction.execute("DELETE FROM minutes WHERE minute < ?1", [minute])?;
        transaction.execute("DELETE FROM cameras WHERE last_minute < ?1", [minute])?;
        let given_up = transaction
            .execute("DELETE FROM outbox WHERE id <= (SELECT max(id) FROM outbox) - ?1", [OUTBOX_MAX])?
            as u64;
        transaction.commit()?;
        if !over.is_empty() {
            self.load_silences()?;
        }
        while self.bytes_used()? > self.config.bytes_max {
            let transaction = self.connection.transaction()?;
            let alerts = drop_alerts(&transaction, i64::MAX, TRIM)?;
            // A day's minutes with them, so that neither starves the other.
            let minutes = transaction.execute(
                "DELETE FROM minutes WHERE minute < (SELECT min(minute) FROM minutes) + 24 * 60 \
                 AND minute < ?1",
                [now.timestamp().div_euclid(60) - 24 * 60],
            )?;
            transaction.commit()?;
            gone += alerts;
            if alerts == 0 && minutes == 0 {
                break;
            }
        }
        Ok((gone, given_up))
    }

    /// Bytes in use in the file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn bytes_used(&self) -> rusqlite::Result<u64> {
        Ok(sqlite::bytes_used(&self.connection)?.0)
    }

    /// Makes the disk as good as full at so many pages.
    #[cfg(test)]
    pub fn limit_pages(&mut self, pages: u64) -> rusqlite::Result<()> {
        self.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
    }

    fn load_silences(&mut self) -> rusqlite::Result<()> {
        let mut select = self.connection.prepare_cached("SELECT body FROM facts WHERE silence_id IS NOT NULL")?;
        let bodies: Vec<Vec<u8>> = select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let facts: Vec<Fact> = bodies.iter().filter_map(|body| read_fact(body)).collect();
        self.silences = Arc::new(alert::merge(&facts).silences);
        Ok(())
    }
}

/// Where an alert is in the list.
fn place_of(kept: &Kept) -> Place {
    (kept.event.raised_at.timestamp_micros(), kept.event.alert_id)
}

fn put_alert(transaction: &Transaction<'_>, kept: &Kept, tell: bool) -> rusqlite::Result<()> {
    let event = &kept.event;
    transaction
        .prepare_cached(
            "INSERT INTO alerts \
             (alert_id, raised_us, seen_us, cleared_us, subject, severity, rule, zone, camera, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
             ON CONFLICT (alert_id) DO UPDATE SET raised_us = ?2, seen_us = ?3, cleared_us = ?4, severity = ?6, \
             zone = ?8, camera = ?9, body = ?10",
        )?
        .execute(params![
            event.alert_id.uuid().into_bytes(),
            event.raised_at.timestamp_micros(),
            kept.seen_at.timestamp_micros(),
            kept.cleared_at.map(|at| at.timestamp_micros()),
            subject_name(event.subject),
            event.severity.as_str(),
            event.rule,
            event.zone_id.map(|zone| zone.uuid().into_bytes()),
            event.camera_id,
            alert::payload(kept),
        ])?;
    if tell {
        // One revision of one alert is one record, however often it is handed to the buffer.
        let identity = Uuid::new_v5(&event.alert_id.uuid(), &event.revision.to_le_bytes());
        put_outbox(transaction, Kind::Alert, identity, &alert::payload(&kept.told()))?;
    }
    Ok(())
}

fn put_outbox(transaction: &Transaction<'_>, kind: Kind, identity: Uuid, payload: &[u8]) -> rusqlite::Result<()> {
    transaction
        .prepare_cached("INSERT OR IGNORE INTO outbox (kind, identity, payload) VALUES (?1, ?2, ?3)")?
        .execute(params![kind as u8, identity.into_bytes(), payload])
        .map(drop)
}

fn put_minute(transaction: &Transaction<'_>, minute: &Minute) -> rusqlite::Result<()> {
    let camera: i64 = transaction
        .prepare_cached(
            "INSERT INTO cameras (zone, camera, first_minute, last_minute) VALUES (?1, ?2, ?3, ?3) \
             ON CONFLICT (zone, camera) DO UPDATE SET first_minute = min(first_minute, ?3), \
             last_minute = max(last_minute, ?3) RETURNING id",
        )?
        .query_row(params![minute.zone_id.uuid().into_bytes(), &*minute.camera_id, minute.minute], |row| row.get(0))?;
    transaction
        .prepare_cached(
            "INSERT INTO minutes (minute, camera_id, events, observed, at_risk, peak) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (minute, camera_id) DO UPDATE SET events = events + ?3, observed = observed | ?4, \
             at_risk = at_risk | ?5, peak = max(peak, ?6)",
        )?
        .execute(params![minute.minute, camera, minute.events, minute.observed, minute.at_risk, minute.peak.raw()])
        .map(drop)
}

fn put_fact(transaction: &Transaction<'_>, fact: &Fact) -> rusqlite::Result<Said> {
    let id = fact.fact_id.uuid().into_bytes();
    let (alert_id, silence_id) = match &fact.statement {
        Statement::Acknowledge { alert_id, .. } => (Some(*alert_id), None),
        Statement::Silence { .. } => (None, Some(fact.fact_id)),
        Statement::EndSilence { silence_id } => (None, Some(*silence_id)),
    };
    let before: Option<Vec<u8>> = transaction
        .prepare_cached("SELECT body FROM facts WHERE fact_id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    let find = |transaction| match alert_id {
        Some(alert_id) => find(transaction, alert_id).map(|found| found.map(Box::new)),
        None => Ok(None),
    };
    if let Some(before) = before.as_deref().and_then(read_fact) {
        return Ok(Said::Before(Box::new(before), find(transaction)?));
    }
    // Headquarters may know of alerts that were deleted here, and may be heard of an end before its beginning.
    if fact.origin == Origin::Edge && !is_about_something(transaction, fact)? {
        return Ok(Said::Unknown);
    }
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO facts (fact_id, at_us, alert_id, silence_id, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            id,
            fact.at.timestamp_micros(),
            alert_id.map(|id| id.uuid().into_bytes()),
            silence_id.map(|id| id.uuid().into_bytes()),
            alert::payload(fact),
        ])?;
    // What headquarters said need not be told to it.
    if fact.origin == Origin::Edge {
        put_outbox(transaction, Kind::Fact, fact.fact_id.uuid(), &alert::payload(fact))?;
    }
    Ok(Said::New(find(transaction)?))
}

fn is_about_something(transaction: &Transaction<'_>, fact: &Fact) -> rusqlite::Result<bool> {
    let (sql, id) = match &fact.statement {
        Statement::Acknowledge { alert_id, .. } => ("SELECT 1 FROM alerts WHERE alert_id = ?1", alert_id.uuid()),
        Statement::EndSilence { silence_id } => ("SELECT 1 FROM facts WHERE fact_id = ?1", silence_id.uuid()),
        Statement::Silence { .. } => return Ok(true),
    };
    Ok(transaction.query_row(sql, [id.into_bytes()], |_| Ok(())).optional()?.is_some())
}

fn drop_alerts(transaction: &Transaction<'_>, before_us: i64, limit: u64) -> rusqlite::Result<u64> {
    let mut select = transaction.prepare_cached(
        "SELECT alert_id FROM alerts WHERE cleared_us IS NOT NULL AND raised_us < ?1 ORDER BY raised_us LIMIT ?2",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let ids: Vec<[u8; 16]> = select.query_map([before_us, limit], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for id in &ids {
        transaction.prepare_cached("DELETE FROM facts WHERE alert_id = ?1")?.execute([id])?;
        transaction.prepare_cached("DELETE FROM alerts WHERE alert_id = ?1")?.execute([id])?;
    }
    Ok(ids.len() as u64)
}

fn find(connection: &Connection, alert_id: AlertId) -> rusqlite::Result<Option<Found>> {
    let body: Option<Vec<u8>> = connection
        .prepare_cached("SELECT body FROM alerts WHERE alert_id = ?1")?
        .query_row([alert_id.uuid().into_bytes()], |row| row.get(0))
        .optional()?;
    body.map_or(Ok(None), |body| found(connection, &body))
}

/// `None` if the body is not what we wrote: the row is damaged, whatever SQLite thinks of the file. The others are not.
fn found(connection: &Connection, body: &[u8]) -> rusqlite::Result<Option<Found>> {
    let kept: Kept = match rmp_serde::from_slice(body) {
        Ok(kept) => kept,
        Err(error) => {
            warn!("An alert in the history cannot be read: {error}");
            return Ok(None);
        }
    };
    let mut select = connection.prepare_cached("SELECT body FROM facts WHERE alert_id = ?1 ORDER BY at_us, fact_id")?;
    let bodies: Vec<Vec<u8>> =
        select.query_map([kept.event.alert_id.uuid().into_bytes()], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let facts = bodies.iter().filter_map(|body| read_fact(body)).collect();
    Ok(Some(Found { kept, facts }))
}

fn read_fact(body: &[u8]) -> Option<Fact> {
    alert::read_fact(body).inspect_err(|error| warn!("A fact in the history cannot be read: {error}")).ok()
}

const fn subject_name(subject: Subject) -> &'static str {
    match subject {
        Subject::Risk => "risk",
        Subject::System => "system",
    }
}

fn blob(uuid: Uuid) -> Value {
    Value::Blob(uuid.as_bytes().to_vec())
}

fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    let bytes: [u8; 16] = row.get(column)?;
    Uuid::from_slice(&bytes).map_err(|_| FromSqlError::InvalidType.into())
}
