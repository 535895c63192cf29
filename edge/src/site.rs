//! What people call the things of this warehouse: its zones and cameras by name, its clock, its shifts. All from the
//! configuration, so that a screen says "Picking" where an event says a UUID.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use chrono_tz::Tz;
use common::alert::Severity;
use common::config::ConfigError;
use common::ids::{EdgeId, WarehouseId, ZoneId};
use common::site::{self, NAMED_MAX, NamedCamera, NamedZone, ShiftConfig, SiteError, SiteReport};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::alerts::rules::Rule;
use crate::http::State;
use crate::shift::Shift;

/// A camera that has sent nothing for this long shows no data. Cameras send 7 to 10 events a second while somebody is
/// in view; screens that go grey at each pause would be ignored.
pub const NO_DATA_AFTER_SECS: u64 = 60;

/// `[site]`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SiteConfig {
    /// What the screens are headed with.
    pub name: String,
    /// An IANA name, such as `Europe/Berlin`. Shifts and all times on screens go by it.
    pub time_zone: String,
    pub zones: Vec<ZoneConfig>,
    pub cameras: Vec<CameraConfig>,
    pub shifts: Vec<ShiftConfig>,
}

/// `[[site.zones]]`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ZoneConfig {
    pub zone_id: ZoneId,
    pub name: String,
}

/// `[[site.cameras]]`: a camera that is listed here is expected to send, also before it ever has.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CameraConfig {
    pub camera_id: String,
    pub name: Option<String>,
    /// Where it hangs, until its events say so.
    pub zone_id: Option<ZoneId>,
}

impl Default for SiteConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            time_zone: "UTC".to_owned(),
            zones: Vec::new(),
            cameras: Vec::new(),
            shifts: Vec::new(),
        }
    }
}

impl SiteConfig {
    /// What headquarters is told of it.
    pub fn report(&self) -> SiteReport {
        let zone = |zone: &ZoneConfig| NamedZone { zone_id: zone.zone_id, name: zone.name.clone() };
        let camera = |camera: &CameraConfig| NamedCamera {
            camera_id: camera.camera_id.clone(),
            name: camera.name.clone(),
            zone_id: camera.zone_id,
        };
        SiteReport {
            name: self.name.clone(),
            time_zone: self.time_zone.clone(),
            shifts: self.shifts.clone(),
            zones: self.zones.iter().map(zone).collect(),
            cameras: self.cameras.iter().map(camera).collect(),
        }
    }
}

/// The site, its configuration understood.
#[derive(Debug, Clone)]
pub struct Site {
    pub config: SiteConfig,
    pub time_zone: Tz,
    pub shifts: Vec<Shift>,
    zones: HashMap<ZoneId, String>,
    cameras: HashMap<String, CameraConfig>,
}

impl Site {
    /// # Errors
    /// What of `[site]` cannot be used, and the fix.
    pub fn new(config: &SiteConfig) -> Result<Self, ConfigError> {
        Self::checked(config).map_err(|error| ConfigError::of(format!("site.{}", error.field), error.problem))
    }

    fn checked(config: &SiteConfig) -> Result<Self, SiteError> {
        if !config.name.is_empty() {
            site::name("name", &config.name)?;
        }
        let time_zone = site::time_zone(&config.time_zone)?;
        for (list, count) in [("zones", config.zones.len()), ("cameras", config.cameras.len())] {
            if count > NAMED_MAX {
                return Err(SiteError::new(list, format!("{count} are listed, at most {NAMED_MAX} can be")));
            }
        }
        let (mut zones, mut cameras) = (HashMap::new(), HashMap::new());
        for zone in &config.zones {
            site::name("zones", &zone.name)?;
            if zones.insert(zone.zone_id, zone.name.clone()).is_some() {
                return Err(SiteError::new("zones", format!("{} is listed twice; leave one", zone.zone_id)));
            }
        }
        for camera in &config.cameras {
            site::camera_id(&camera.camera_id)?;
            if let Some(name) = &camera.name {
                site::name("cameras", name)?;
            }
            if cameras.insert(camera.camera_id.clone(), camera.clone()).is_some() {
                return Err(SiteError::new("cameras", format!("{:?} is listed twice; leave one", camera.camera_id)));
            }
        }
        let shifts = site::shifts(&config.shifts)?;
        Ok(Self { config: config.clone(), time_zone, shifts, zones, cameras })
    }

    /// A zone's name, if it has one.
    pub fn zone(&self, zone_id: ZoneId) -> Option<&str> {
        self.zones.get(&zone_id).map(String::as_str)
    }

    /// A camera's name, if it has one.
    pub fn camera(&self, camera_id: &str) -> Option<&str> {
        self.cameras.get(camera_id)?.name.as_deref()
    }
}

/// What a screen needs to know before anything happens.
#[derive(Serialize, ToSchema)]
#[schema(as = Site)]
pub struct View {
    name: String,
    /// An IANA name.
    #[schema(example = "Europe/Berlin")]
    time_zone: &'static str,
    warehouse_id: Option<WarehouseId>,
    edge_id: Option<EdgeId>,
    version: &'static str,
    zones: Vec<ZoneConfig>,
    cameras: Vec<CameraConfig>,
    shifts: Vec<ShiftConfig>,
    rules: Vec<RuleView>,
    /// Of headquarters' set; null if the rules are this edge's own.
    rules_version: Option<u64>,
    /// A camera that has sent nothing for this long shows no data.
    no_data_after_seconds: u64,
}

/// An alert rule, as much as a screen shows of it.
#[derive(Serialize, ToSchema)]
#[schema(as = SiteRule)]
struct RuleView {
    #[schema(value_type = String)]
    name: Arc<str>,
    /// `risk_score` from which it counts.
    threshold: f64,
    clear_below: f64,
    for_seconds: f64,
    severity: Severity,
}

/// `GET /api/v1/site`: names, clock, shifts and rules; what a screen needs to know before anything happens.
#[utoipa::path(get, path = "/api/v1/site", responses((status = 200, description = "The site.", body = View)))]
pub async fn show(Shared(state): Shared<Arc<State>>) -> Json<View> {
    let (site, rules) = (state.site(), state.rules.get());
    Json(View {
        name: site.config.name.clone(),
        time_zone: site.time_zone.name(),
        warehouse_id: state.warehouse_id,
        edge_id: state.edge_id,
        version: env!("CARGO_PKG_VERSION"),
        zones: site.config.zones.clone(),
        cameras: site.config.cameras.clone(),
        shifts: site.config.shifts.clone(),
        rules: rules.rules.iter().map(rule).collect(),
        rules_version: rules.version(),
        no_data_after_seconds: NO_DATA_AFTER_SECS,
    })
}

fn rule(rule: &Rule) -> RuleView {
    RuleView {
        name: Arc::clone(&rule.name),
        threshold: rule.threshold.as_f64(),
        clear_below: rule.clear_below.as_f64(),
        for_seconds: rule.hold.as_seconds_f64(),
        severity: rule.severity,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(text: &str) -> Result<Site, String> {
        let config: SiteConfig = toml::from_str(text).map_err(|error| error.to_string())?;
        Site::new(&config).map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_the_fix() {
        let zone = "zone_id = \"00000000-0000-4000-8000-000000000003\"";
        let shift = |days: &str, start: &str| {
            format!("[[shifts]]\nname = \"early\"\ndays = {days}\nstart = {start:?}\nend = \"14:00\"\n")
        };
        for (text, fix) in [
            ("time_zone = \"Europe/Berln\"".to_owned(), "Europe/Berlin"),
            (format!("[[zones]]\n{zone}\nname = \"a\"\n[[zones]]\n{zone}\nname = \"b\""), "twice"),
            (format!("[[zones]]\n{zone}\nname = \" \""), "1 to 60"),
            ("[[cameras]]\ncamera_id = \"c\"\n[[cameras]]\ncamera_id = \"c\"".to_owned(), "twice"),
            (shift("[]", "06:00"), "\"mon\""),
            (shift("[\"mon\"]", "6:00"), "\"06:00\""),
            (shift("[\"mon\"]", "25:00"), "\"06:00\""),
            (shift("[\"monday\"]", "06:00"), "mon"),
            (shift("[\"mon\"]", "06:00").repeat(2), "of its own"),
        ] {
            let error = site(&text).expect_err(fix);
            assert!(error.contains(fix), "{error}");
        }
    }

    #[test]
    fn names_are_found() {
        let site = site(
            "[[zones]]\nzone_id = \"00000000-0000-4000-8000-000000000003\"\nname = \"Picking\"\n\
             [[cameras]]\ncamera_id = \"cam-1\"\nname = \"Aisle 1\"\n[[cameras]]\ncamera_id = \"cam-2\"",
        )
        .expect("valid");
        assert_eq!(site.zone(site.config.zones[0].zone_id), Some("Picking"));
        assert_eq!((site.camera("cam-1"), site.camera("cam-2")), (Some("Aisle 1"), None));
    }
}
