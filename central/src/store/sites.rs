//! What people call the things of a site, and its clock: set at headquarters, or reported from an edge's configuration.
//! What is set wins; null is as reported. How reports come in is `site_reports.rs`.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use common::credentials::hex;
use common::ids::WarehouseId;
use common::shift::Shift;
use common::site::{self, ShiftConfig};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;
use sqlx::types::Json;
use tracing::warn;
use uuid::Uuid;

use super::batch::{BEGIN, COMMIT};
use super::{Db, StoreError, audit, transaction, within};

const CLOCK: &str = "\
SELECT coalesce(time_zone_set, time_zone_reported) AS time_zone, coalesce(shifts_set, shifts_reported) AS shifts
FROM warehouses WHERE warehouse_id = $1";

const EXISTS: &str = "SELECT warehouse_id FROM warehouses WHERE warehouse_id = $1";

const SITE: &str = "\
SELECT name, name_set, name_reported, time_zone_set, time_zone_reported, shifts_set, shifts_reported
FROM warehouses WHERE warehouse_id = $1";

const ZONES: &str = "\
SELECT zone_id, name, name_set, name_reported FROM zones WHERE warehouse_id = $1 ORDER BY name, zone_id";

const CAMERAS: &str = "\
SELECT camera_id, zone_id, name, name_set, name_reported FROM cameras WHERE warehouse_id = $1 ORDER BY camera_id";

/// Held until COMMIT by whoever changes what is set or reported of a site, or makes rules for it: one after the other.
pub(super) const LOCK_WAREHOUSE: &str = "SELECT warehouse_id FROM warehouses WHERE warehouse_id = $1 FOR NO KEY UPDATE";

/// Of each pair, whether it is to be set, and to what.
const SET: &str = "\
UPDATE warehouses SET
    name_set = CASE WHEN $2 THEN $3 ELSE name_set END,
    time_zone_set = CASE WHEN $4 THEN $5 ELSE time_zone_set END,
    shifts_set = CASE WHEN $6 THEN $7::jsonb ELSE shifts_set END
WHERE warehouse_id = $1";

const NAME_ZONES: &str = "\
UPDATE zones z SET name_set = t.name FROM unnest($2::uuid[], $3::text[]) AS t (zone_id, name)
WHERE z.warehouse_id = $1 AND z.zone_id = t.zone_id RETURNING z.zone_id";

const NAME_CAMERAS: &str = "\
UPDATE cameras c SET name_set = t.name FROM unnest($2::text[], $3::text[]) AS t (camera_id, name)
WHERE c.warehouse_id = $1 AND c.camera_id = t.camera_id RETURNING c.camera_id";

/// Nothing that names the site can come in beside it.
const LOCK_TO_REMOVE: &str = "SELECT warehouse_id FROM warehouses WHERE warehouse_id = $1 FOR UPDATE";

const IN_USE: &str = "\
SELECT (SELECT count(*) FROM edges WHERE warehouse_id = $1 AND revoked_at IS NULL),
       EXISTS (SELECT FROM edge_epochs WHERE warehouse_id = $1 AND (head > 0 OR NOT isempty(received)))
       OR EXISTS (SELECT FROM ergonomic_snapshots WHERE warehouse_id = $1)
       OR EXISTS (SELECT FROM alerts WHERE warehouse_id = $1) OR EXISTS (SELECT FROM dead_letters WHERE warehouse_id = $1)";

/// What points to what is looked at only when all of it is gone.
const REMOVE: &str = "\
WITH boxes AS MATERIALIZED (SELECT edge_id FROM edges WHERE warehouse_id = $1),
tokens AS (DELETE FROM join_tokens WHERE warehouse_id = $1 OR edge_id IN (SELECT edge_id FROM boxes)),
certificates AS (DELETE FROM edge_certificates WHERE edge_id IN (SELECT edge_id FROM boxes)),
reports AS (DELETE FROM edge_sites WHERE warehouse_id = $1 OR edge_id IN (SELECT edge_id FROM boxes)),
heartbeats AS (DELETE FROM edge_heartbeats WHERE warehouse_id = $1),
quarters AS (DELETE FROM epoch_quarters WHERE warehouse_id = $1),
epochs AS (DELETE FROM edge_epochs WHERE warehouse_id = $1),
states AS (DELETE FROM fleet_states WHERE warehouse_id = $1),
history AS (DELETE FROM site_states WHERE warehouse_id = $1),
facts AS (DELETE FROM alert_facts WHERE warehouse_id = $1),
rules AS (DELETE FROM rule_sets WHERE warehouse_id = $1),
cameras_gone AS (DELETE FROM cameras WHERE warehouse_id = $1),
zones_gone AS (DELETE FROM zones WHERE warehouse_id = $1),
edges_gone AS (DELETE FROM edges WHERE warehouse_id = $1)
DELETE FROM warehouses WHERE warehouse_id = $1";

pub const STATEMENTS: &[&str] = &[
    CLOCK,
    EXISTS,
    SITE,
    ZONES,
    CAMERAS,
    LOCK_WAREHOUSE,
    SET,
    NAME_ZONES,
    NAME_CAMERAS,
    LOCK_TO_REMOVE,
    IN_USE,
    REMOVE,
];

/// Of a hash: enough to tell one revision from another.
const REVISION_BYTES: usize = 8;

/// By what a site's people count their time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteClock {
    pub time_zone: Tz,
    /// Empty: local days take their place.
    pub shifts: Vec<Shift>,
}

impl Default for SiteClock {
    fn default() -> Self {
        Self { time_zone: Tz::UTC, shifts: Vec::new() }
    }
}

impl SiteClock {
    /// What cannot be used, for instance a zone that a newer version of central knew, is left out and said in the log:
    /// figures by UTC are better than none.
    fn of(warehouse: Uuid, time_zone: Option<&str>, shifts: Option<Value>) -> Self {
        let mut clock = Self::default();
        match time_zone.map(site::time_zone).transpose() {
            Ok(time_zone) => clock.time_zone = time_zone.unwrap_or(Tz::UTC),
            Err(error) => warn!("Site {warehouse} goes by UTC: {error}"),
        }
        let written = shifts.map(serde_json::from_value::<Vec<ShiftConfig>>).transpose();
        match written.map(|written| site::shifts(&written.unwrap_or_default())) {
            Ok(Ok(shifts)) => clock.shifts = shifts,
            Ok(Err(error)) => warn!("Site {warehouse} goes by days: {error}"),
            Err(error) => warn!("Site {warehouse} goes by days: shifts: {error}"),
        }
        clock
    }
}

/// The clock of a site: as set at headquarters, else as its edges report it, else UTC and no shifts; that also for a site
/// that is not known.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn clock(db: &Db, warehouse: Uuid) -> Result<SiteClock, StoreError> {
    let mut lease = db.lease().await?;
    let found: Option<(Option<String>, Option<Value>)> =
        within(sqlx::query_as(CLOCK).bind(warehouse).fetch_optional(&mut *lease)).await?;
    lease.done();
    let (time_zone, shifts) = found.unwrap_or_default();
    Ok(SiteClock::of(warehouse, time_zone.as_deref(), shifts))
}

/// Whether we know of a site.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn exists(db: &Db, warehouse: Uuid) -> Result<bool, StoreError> {
    let mut lease = db.lease().await?;
    let found: Option<Uuid> = within(sqlx::query_scalar(EXISTS).bind(warehouse).fetch_optional(&mut *lease)).await?;
    lease.done();
    Ok(found.is_some())
}

/// What is set and reported of a site.
#[derive(Debug, Clone, Default, PartialEq, sqlx::FromRow)]
pub struct Site {
    pub name: Option<String>,
    pub name_set: Option<String>,
    pub name_reported: Option<String>,
    pub time_zone_set: Option<String>,
    pub time_zone_reported: Option<String>,
    #[sqlx(json(nullable))]
    pub shifts_set: Option<Vec<ShiftConfig>>,
    #[sqlx(json(nullable))]
    pub shifts_reported: Option<Vec<ShiftConfig>>,
}

/// A zone's name, as set at headquarters or reported by the site.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, serde::Serialize, utoipa::ToSchema)]
#[schema(as = SiteZoneName)]
pub struct ZoneName {
    pub zone_id: Uuid,
    /// The one that counts.
    pub name: Option<String>,
    pub name_reported: Option<String>,
    pub name_set: Option<String>,
}

/// A camera's name, as set at headquarters or reported by the site.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow, serde::Serialize, utoipa::ToSchema)]
pub struct CameraName {
    pub camera_id: String,
    /// Where it was last seen, or is said to hang.
    pub zone_id: Option<Uuid>,
    /// The one that counts.
    pub name: Option<String>,
    pub name_reported: Option<String>,
    pub name_set: Option<String>,
}

/// A site with all that is in it.
#[derive(Debug, Default)]
pub struct Settings {
    pub site: Site,
    pub zones: Vec<ZoneName>,
    pub cameras: Vec<CameraName>,
}

impl Settings {
    async fn read(connection: &mut PgConnection, warehouse: Uuid) -> Result<Option<Self>, sqlx::Error> {
        let site = sqlx::query_as(SITE).bind(warehouse).fetch_optional(&mut *connection).await?;
        let Some(site) = site else { return Ok(None) };
        let zones = sqlx::query_as(ZONES).bind(warehouse).fetch_all(&mut *connection).await?;
        let cameras = sqlx::query_as(CAMERAS).bind(warehouse).fetch_all(connection).await?;
        Ok(Some(Self { site, zones, cameras }))
    }

    /// Another one whenever something else is set. What is only reported is not in it: it changes by itself.
    pub fn revision(&self) -> String {
        let zones: Vec<_> = self.zones.iter().map(|zone| (zone.zone_id, &zone.name_set)).collect();
        let cameras: Vec<_> = self.cameras.iter().map(|camera| (&camera.camera_id, &camera.name_set)).collect();
        let Site { name_set, time_zone_set, shifts_set, .. } = &self.site;
        // In the order of their ids: a name that is reported moves nothing.
        let set = (name_set, time_zone_set, shifts_set, BTreeMap::from_iter(zones), BTreeMap::from_iter(cameras));
        let text = serde_json::to_vec(&set).expect("plain fields in memory");
        hex(&Sha256::digest(text)[..REVISION_BYTES])
    }
}

/// All of it, `None` for a site that is not known.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn settings(db: &Db, warehouse: Uuid) -> Result<Option<Settings>, StoreError> {
    let mut lease = db.lease().await?;
    let settings = within(Settings::read(&mut lease, warehouse)).await?;
    lease.done();
    Ok(settings)
}

/// The zones of a site that have sent data or been named, by name; none of a site that is not known.
///
/// # Errors
/// If Postgres cannot answer.
pub async fn zones(db: &Db, warehouse: Uuid) -> Result<Vec<ZoneName>, StoreError> {
    let mut lease = db.lease().await?;
    let zones = within(sqlx::query_as(ZONES).bind(warehouse).fetch_all(&mut *lease)).await?;
    lease.done();
    Ok(zones)
}

/// What came of removing a site.
#[derive(Debug, PartialEq, Eq)]
pub enum Removed {
    Done,
    NoSite,
    /// So many edges may still come in for it.
    HasEdges(i64),
    /// Something of it was stored, reported or refused. Then it stays, or the ledger would not be whole.
    HasData,
}

/// Removes a site that nothing ever came from, with a line in the audit log: one that was made by mistake.
///
/// # Errors
/// If Postgres cannot do it now; nothing was changed.
pub async fn remove(db: &Db, actor: &str, warehouse: WarehouseId) -> Result<Removed, StoreError> {
    let id = warehouse.uuid();
    transaction(db, async |connection| {
        let locked: Option<Uuid> = sqlx::query_scalar(LOCK_TO_REMOVE).bind(id).fetch_optional(&mut *connection).await?;
        if locked.is_none() {
            return Ok(Removed::NoSite);
        }
        let (edges, data): (i64, bool) = sqlx::query_as(IN_USE).bind(id).fetch_one(&mut *connection).await?;
        if edges > 0 {
            return Ok(Removed::HasEdges(edges));
        }
        if data {
            return Ok(Removed::HasData);
        }
        sqlx::query(REMOVE).bind(id).execute(&mut *connection).await?;
        audit::note(connection, actor, "site_removed", &format!("site {warehouse}"), None).await?;
        Ok(Removed::Done)
    })
    .await
}

/// What is to be set: the outer `None` leaves it, the inner one makes it as reported. Checked by whoever asks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    pub name: Option<Option<String>>,
    pub time_zone: Option<Option<String>>,
    pub shifts: Option<Option<Vec<ShiftConfig>>>,
    pub zones: Vec<(Uuid, Option<String>)>,
    pub cameras: Vec<(String, Option<String>)>,
    /// What it is a change of, as [`Settings::revision`] says; `None`: of whatever is set now.
    pub revision: Option<String>,
}

/// What came of a change.
#[derive(Debug, PartialEq, Eq)]
pub enum Changed {
    Done,
    NoSite,
    /// Somebody else has set something since that revision; nothing was changed.
    Outdated,
    /// The site has no such zone; nothing was changed.
    NoZone(Uuid),
    /// The site has no such camera; nothing was changed.
    NoCamera(String),
}

/// Sets what is to be set, with a line in the audit log, all or nothing. `words` says what changes, nothing if nothing
/// does.
///
/// # Errors
/// If Postgres cannot do it now; nothing was changed.
pub async fn set(
    db: &Db,
    warehouse: Uuid,
    change: &Change,
    actor: &str,
    words: impl FnOnce(&Settings) -> String,
) -> Result<Changed, StoreError> {
    let mut lease = db.lease().await?;
    let connection = &mut *lease;
    let changed = within(async {
        sqlx::raw_sql(BEGIN).execute(&mut *connection).await?;
        let locked: Option<Uuid> =
            sqlx::query_scalar(LOCK_WAREHOUSE).bind(warehouse).fetch_optional(&mut *connection).await?;
        if locked.is_none() {
            return Ok(Changed::NoSite);
        }
        let Some(before) = Settings::read(&mut *connection, warehouse).await? else { return Ok(Changed::NoSite) };
        if change.revision.as_ref().is_some_and(|revision| *revision != before.revision()) {
            return Ok(Changed::Outdated);
        }
        sqlx::query(SET)
            .bind(warehouse)
            .bind(change.name.is_some())
            .bind(change.name.clone().flatten())
            .bind(change.time_zone.is_some())
            .bind(change.time_zone.clone().flatten())
            .bind(change.shifts.is_some())
            .bind(change.shifts.clone().flatten().map(Json))
            .execute(&mut *connection)
            .await?;
        let found: Vec<Uuid> = sqlx::query_scalar(NAME_ZONES)
            .bind(warehouse)
            .bind(change.zones.iter().map(|(id, _)| *id).collect::<Vec<_>>())
            .bind(change.zones.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
        if let Some((id, _)) = change.zones.iter().find(|(id, _)| !found.contains(id)) {
            return Ok(Changed::NoZone(*id));
        }
        let found: Vec<String> = sqlx::query_scalar(NAME_CAMERAS)
            .bind(warehouse)
            .bind(change.cameras.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>())
            .bind(change.cameras.iter().map(|(_, name)| name.clone()).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
        if let Some((id, _)) = change.cameras.iter().find(|(id, _)| !found.contains(id)) {
            return Ok(Changed::NoCamera(id.clone()));
        }
        let detail = words(&before);
        if !detail.is_empty() {
            audit::note(&mut *connection, actor, "set_site", &format!("site {warehouse}"), Some(&detail)).await?;
        }
        sqlx::raw_sql(COMMIT).execute(connection).await?;
        Ok(Changed::Done)
    })
    .await?;
    if changed == Changed::Done {
        // Otherwise its transaction ends with the connection.
        lease.done();
    }
    Ok(changed)
}
