//! What edges' configurations say of their sites. Reports come rarely, after an edge's restart with another configuration;
//! what follows from all edges of a site is then worked out and written where it differs, so that nothing is rewritten
//! that stays as it is.

use std::collections::BTreeMap;

use common::event::CAMERA_ID_CHARS_MAX;
use common::ids::{EdgeId, WarehouseId};
use common::protocol::{CameraReport, Heartbeat, RulesReport};
use common::rules::RuleSet;
use common::site::{NamedCamera, ShiftConfig, SiteReport};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::batch::{BEGIN, COMMIT};
use super::sites::LOCK_WAREHOUSE;
use super::{Db, StoreError, within};

/// Cameras that are remembered of a site, at most: made-up ones must not fill the database.
const CAMERAS_MAX: i64 = 10_000;

/// What an edge may have to be told: one statement, as it is asked with every heartbeat.
const DUE: &str = "\
SELECT s.digest, r.version, r.set_id, CASE WHEN r.set_id IS DISTINCT FROM $3 THEN r.rules END AS rules
FROM (SELECT 1) always
LEFT JOIN edge_sites s ON s.edge_id = $1 AND s.warehouse_id = $2
LEFT JOIN LATERAL (
    SELECT version, set_id, rules FROM rule_sets WHERE warehouse_id = $2 ORDER BY version DESC LIMIT 1
) r ON true";

const KEEP: &str = "\
INSERT INTO edge_sites (edge_id, warehouse_id, digest, report) VALUES ($1, $2, $3, $4)
ON CONFLICT (edge_id) DO UPDATE SET
    warehouse_id = excluded.warehouse_id, digest = excluded.digest, report = excluded.report, reported_at = now()";

/// Of the site's edges that are still in use, the longest there first.
const REPORTS: &str = "\
SELECT s.report FROM edge_sites s JOIN edges e USING (edge_id)
WHERE s.warehouse_id = $1 AND e.revoked_at IS NULL ORDER BY e.created_at, e.edge_id";

const SITE: &str = "\
UPDATE warehouses SET name_reported = $2, time_zone_reported = $3, shifts_reported = $4
WHERE warehouse_id = $1 AND (name_reported, time_zone_reported, shifts_reported) IS DISTINCT FROM ($2, $3, $4::jsonb)";

const ZONES: &str = "\
INSERT INTO zones AS z (warehouse_id, zone_id, name_reported)
SELECT $1, zone_id, name FROM unnest($2::uuid[], $3::text[]) AS t (zone_id, name)
ON CONFLICT (warehouse_id, zone_id) DO UPDATE SET name_reported = excluded.name_reported
WHERE z.name_reported IS DISTINCT FROM excluded.name_reported";

const ZONES_UNNAMED: &str = "\
UPDATE zones SET name_reported = NULL
WHERE warehouse_id = $1 AND name_reported IS NOT NULL AND NOT zone_id = ANY ($2::uuid[])";

/// Where a camera was seen counts more than where it is said to hang.
const CAMERAS: &str = "\
INSERT INTO cameras AS c (warehouse_id, camera_id, zone_id, name_reported)
SELECT $1, camera_id, zone_id, name FROM unnest($2::text[], $3::uuid[], $4::text[]) AS t (camera_id, zone_id, name)
ON CONFLICT (warehouse_id, camera_id) DO UPDATE SET
    name_reported = excluded.name_reported, zone_id = coalesce(c.zone_id, excluded.zone_id)
WHERE (c.name_reported, c.zone_id)
    IS DISTINCT FROM (excluded.name_reported, coalesce(c.zone_id, excluded.zone_id))";

const CAMERAS_UNNAMED: &str = "\
UPDATE cameras SET name_reported = NULL
WHERE warehouse_id = $1 AND name_reported IS NOT NULL AND NOT camera_id = ANY ($2::text[])";

const SEEN: &str = "\
INSERT INTO cameras AS c (warehouse_id, camera_id, zone_id)
SELECT $1, camera_id, zone_id FROM unnest($2::text[], $3::uuid[]) AS t (camera_id, zone_id)
WHERE (SELECT count(*) FROM cameras WHERE warehouse_id = $1) < $4
ON CONFLICT (warehouse_id, camera_id) DO UPDATE SET zone_id = excluded.zone_id
WHERE c.zone_id IS DISTINCT FROM excluded.zone_id";

pub const STATEMENTS: &[&str] = &[DUE, KEEP, REPORTS, SITE, ZONES, ZONES_UNNAMED, CAMERAS, CAMERAS_UNNAMED, SEEN];

/// What the answer to a heartbeat has to bring.
#[derive(Debug, Default, PartialEq)]
pub struct Due {
    /// We do not have what the edge's configuration says.
    pub site_wanted: bool,
    pub rules: Option<RuleSet>,
}

#[derive(sqlx::FromRow)]
struct Newest {
    digest: Option<String>,
    version: Option<i64>,
    set_id: Option<Uuid>,
    rules: Option<Json<Vec<Value>>>,
}

/// # Errors
/// If Postgres cannot answer.
pub async fn due(db: &Db, heartbeat: &Heartbeat) -> Result<Due, StoreError> {
    let settled = heartbeat.rules.as_ref().and_then(settled);
    let mut lease = db.lease().await?;
    let query = sqlx::query_as(DUE).bind(heartbeat.edge_id.uuid()).bind(heartbeat.warehouse_id.uuid()).bind(settled);
    let newest: Newest = within(query.fetch_one(&mut *lease)).await?;
    lease.done();
    let site_wanted = heartbeat.site_digest.is_some() && heartbeat.site_digest != newest.digest;
    // An edge of a version that knows only its own rules reports none.
    let rules = heartbeat.rules.as_ref().and_then(|report| match newest.set_id.zip(newest.version) {
        Some((set_id, _)) if Some(set_id) == settled => None,
        Some((set_id, version)) => {
            let version = version.unsigned_abs();
            Some(RuleSet { version, set_id, rules: newest.rules.map(|Json(rules)| rules) })
        }
        // Whatever it goes by, we do not know of it: our database is older than that.
        None => (report.set_id.is_some() || report.error.is_some()).then(RuleSet::none),
    });
    Ok(Due { site_wanted, rules })
}

/// The set that need not be sent: it is in force, or cannot be used there.
const fn settled(report: &RulesReport) -> Option<Uuid> {
    match (report.refused, &report.error) {
        (Some(refused), _) => Some(refused),
        (None, None) => report.set_id,
        // What was to be in force could not be kept.
        (None, Some(_)) => None,
    }
}

/// Keeps a report and writes what now follows for its site.
///
/// # Errors
/// If Postgres cannot do it now; nothing was changed.
pub async fn take(
    db: &Db,
    edge: EdgeId,
    warehouse: WarehouseId,
    digest: &str,
    report: &SiteReport,
) -> Result<(), StoreError> {
    let mut lease = db.lease().await?;
    let connection = &mut *lease;
    let site = warehouse.uuid();
    within(async {
        sqlx::raw_sql(BEGIN).execute(&mut *connection).await?;
        sqlx::query(LOCK_WAREHOUSE).bind(site).execute(&mut *connection).await?;
        sqlx::query(KEEP)
            .bind(edge.uuid())
            .bind(site)
            .bind(digest)
            .bind(Json(report))
            .execute(&mut *connection)
            .await?;
        let reports: Vec<Value> = sqlx::query_scalar(REPORTS).bind(site).fetch_all(&mut *connection).await?;
        // One of a version that this one cannot read says nothing.
        let reports = reports.into_iter().filter_map(|report| serde_json::from_value(report).ok());
        Together::of(reports).write(&mut *connection, site).await?;
        sqlx::raw_sql(COMMIT).execute(connection).await
    })
    .await?;
    lease.done();
    Ok(())
}

/// What a site's edges say together. Where two say different things, the one counts that has been there longest, whatever
/// the order in which they report; so two edges of one site that are configured differently do not take turns.
#[derive(Debug, Default, PartialEq)]
struct Together {
    name: Option<String>,
    /// From one edge: shifts mean nothing in another time zone.
    clock: Option<(String, Vec<ShiftConfig>)>,
    zones: BTreeMap<Uuid, String>,
    cameras: BTreeMap<String, NamedCamera>,
}

impl Together {
    /// In the order in which they count. An edge whose `[site]` says nothing of a thing leaves it to the others; UTC
    /// without shifts is what an edge says that nobody told where it is.
    fn of(reports: impl Iterator<Item = SiteReport>) -> Self {
        let mut together = Self::default();
        for report in reports {
            together.name = together.name.or(Some(report.name).filter(|name| !name.is_empty()));
            let says = report.time_zone != "UTC" || !report.shifts.is_empty();
            together.clock = together.clock.or(says.then_some((report.time_zone, report.shifts)));
            for zone in report.zones {
                together.zones.entry(zone.zone_id.uuid()).or_insert(zone.name);
            }
            for camera in report.cameras {
                let known = together.cameras.entry(camera.camera_id.clone()).or_insert_with(|| camera.clone());
                known.name = known.name.take().or(camera.name);
                known.zone_id = known.zone_id.or(camera.zone_id);
            }
        }
        together
    }

    async fn write(self, connection: &mut PgConnection, site: Uuid) -> Result<(), sqlx::Error> {
        let (time_zone, shifts) = self.clock.unzip();
        sqlx::query(SITE)
            .bind(site)
            .bind(self.name)
            .bind(time_zone)
            .bind(shifts.map(Json))
            .execute(&mut *connection)
            .await?;
        let (zones, names): (Vec<Uuid>, Vec<String>) = self.zones.into_iter().unzip();
        sqlx::query(ZONES).bind(site).bind(&zones).bind(names).execute(&mut *connection).await?;
        sqlx::query(ZONES_UNNAMED).bind(site).bind(zones).execute(&mut *connection).await?;
        let cameras: Vec<NamedCamera> = self.cameras.into_values().collect();
        let ids: Vec<&str> = cameras.iter().map(|camera| camera.camera_id.as_str()).collect();
        sqlx::query(CAMERAS)
            .bind(site)
            .bind(&ids)
            .bind(cameras.iter().map(|camera| camera.zone_id.map(|zone| zone.uuid())).collect::<Vec<_>>())
            .bind(cameras.iter().map(|camera| camera.name.as_deref()).collect::<Vec<_>>())
            .execute(&mut *connection)
            .await?;
        sqlx::query(CAMERAS_UNNAMED).bind(site).bind(ids).execute(connection).await?;
        Ok(())
    }
}

/// Remembers which cameras there are and where they were last seen.
///
/// # Errors
/// If Postgres cannot do it now.
pub async fn seen(db: &Db, warehouse: WarehouseId, cameras: &[CameraReport]) -> Result<(), StoreError> {
    // Each once, where it was last: one that was carried to another zone is reported in both.
    let mut last: BTreeMap<&str, &CameraReport> = BTreeMap::new();
    for camera in cameras.iter().filter(|camera| storable(&camera.camera_id)) {
        let known = last.entry(&camera.camera_id).or_insert(camera);
        if camera.last_seen > known.last_seen {
            *known = camera;
        }
    }
    let mut lease = db.lease().await?;
    let query = sqlx::query(SEEN)
        .bind(warehouse.uuid())
        .bind(last.keys().copied().collect::<Vec<_>>())
        .bind(last.values().map(|camera| camera.zone_id.uuid()).collect::<Vec<_>>())
        .bind(CAMERAS_MAX);
    within(query.execute(&mut *lease)).await?;
    lease.done();
    Ok(())
}

/// Whether an event could bring this id.
fn storable(camera_id: &str) -> bool {
    !camera_id.is_empty() && !camera_id.contains('\0') && camera_id.chars().count() <= CAMERA_ID_CHARS_MAX
}

#[cfg(test)]
mod tests {
    use common::ids::ZoneId;
    use common::site::{Day, NamedZone};

    use super::*;

    fn zone(n: u128, name: &str) -> NamedZone {
        NamedZone { zone_id: ZoneId::from_uuid(Uuid::from_u128(n)), name: name.to_owned() }
    }

    fn camera(id: &str, name: Option<&str>) -> NamedCamera {
        NamedCamera { camera_id: id.to_owned(), name: name.map(str::to_owned), zone_id: None }
    }

    fn early() -> ShiftConfig {
        ShiftConfig {
            name: "early".to_owned(),
            days: vec![Day::Mon],
            start: "06:00".to_owned(),
            end: "14:00".to_owned(),
        }
    }

    #[test]
    fn the_edge_that_was_there_first_counts_where_two_disagree() {
        let first = SiteReport {
            time_zone: "UTC".to_owned(),
            zones: vec![zone(1, "Picking")],
            cameras: vec![camera("a", None), camera("b", Some("Dock"))],
            ..SiteReport::default()
        };
        let second = SiteReport {
            name: "Hall 1".to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            shifts: vec![early()],
            zones: vec![zone(1, "Kommissionierung"), zone(2, "Packing")],
            cameras: vec![camera("a", Some("Aisle")), camera("b", Some("Ramp"))],
        };
        let third =
            SiteReport { name: "Hall 2".to_owned(), time_zone: "Asia/Tokyo".to_owned(), ..SiteReport::default() };
        let together = Together::of([first, second, third].into_iter());
        assert_eq!(together.name.as_deref(), Some("Hall 1"), "the first that has a name");
        assert_eq!(together.clock, Some(("Europe/Berlin".to_owned(), vec![early()])), "time zone and shifts of one");
        let zones: Vec<&str> = together.zones.values().map(String::as_str).collect();
        assert_eq!(zones, ["Picking", "Packing"]);
        let cameras: Vec<_> = together.cameras.values().map(|camera| camera.name.as_deref()).collect();
        assert_eq!(cameras, [Some("Aisle"), Some("Dock")]);
        assert_eq!(Together::of([SiteReport::default()].into_iter()).name, None);
    }

    #[test]
    fn what_is_settled_is_not_sent_again() {
        let (held, bad) = (Some(Uuid::from_u128(1)), Some(Uuid::from_u128(2)));
        let report = |refused, error: Option<&str>| RulesReport {
            version: Some(3),
            set_id: held,
            refused,
            error: error.map(str::to_owned),
        };
        assert_eq!(settled(&report(None, None)), held);
        assert_eq!(
            settled(&report(bad, Some("unknown field"))),
            bad,
            "and the one in force is sent, to end the complaint"
        );
        assert_eq!(settled(&report(None, Some("disk full"))), None, "tried again");
    }
}
