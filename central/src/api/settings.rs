//! `/api/v1/sites/{id}/settings`: what the things of a site are called, and by which clock its people count. Each as
//! reported by the site's edges, unless it is set here. What is set here counts at headquarters; it does not travel to
//! the edges, whose screens go by their own configuration.

mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use common::problem::Problem;
use common::site::{self, NAMED_MAX, ShiftConfig, SiteError};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;
use words::words;

use super::{Object, not_found, path};
use crate::access::Caller;
use crate::http::{ApiError, App};
use crate::store::sites::{self, CameraName, Change, Changed, Site, ZoneName};

const WHAT: &str = "site";

/// What is set and reported of a site. Of each thing `…_set` counts where it is not null, else `…_reported`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SiteSettings)]
pub struct Settings {
    pub name: Option<String>,
    pub name_reported: Option<String>,
    pub name_set: Option<String>,
    /// An IANA name.
    pub time_zone: String,
    pub time_zone_reported: Option<String>,
    pub time_zone_set: Option<String>,
    /// Empty: local days take their place.
    pub shifts: Vec<ShiftConfig>,
    pub shifts_reported: Option<Vec<ShiftConfig>>,
    pub shifts_set: Option<Vec<ShiftConfig>>,
    /// Those that have sent data or been named.
    pub zones: Vec<ZoneName>,
    pub cameras: Vec<CameraName>,
    /// Another one whenever something else is set; for PUT.
    pub revision: String,
}

impl Settings {
    fn of(settings: sites::Settings) -> Self {
        let revision = settings.revision();
        let sites::Settings { site, zones, cameras } = settings;
        let Site { name, name_set, name_reported, time_zone_set, time_zone_reported, shifts_set, shifts_reported } =
            site;
        Self {
            name,
            name_reported,
            name_set,
            time_zone: time_zone_set.clone().or(time_zone_reported.clone()).unwrap_or_else(|| "UTC".to_owned()),
            time_zone_reported,
            time_zone_set,
            shifts: shifts_set.clone().or(shifts_reported.clone()).unwrap_or_default(),
            shifts_reported,
            shifts_set,
            zones,
            cameras,
            revision,
        }
    }
}

/// `GET /api/v1/sites/{id}/settings`: what a site's things are called, and its clock; as reported and as set here.
///
/// # Errors
/// 401, 404, 503.
#[utoipa::path(get, path = "/api/v1/sites/{id}/settings", params(("id" = Uuid, Path, description = "The site.")), responses(
    (status = 200, description = "What is set and reported.", body = Settings),
    (status = 404, description = "`not_found`: there is no such site."),
))]
pub async fn show(
    State(app): State<Arc<App>>,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<Settings>, ApiError> {
    shown(&app, path(id, WHAT)?).await
}

async fn shown(app: &App, id: Uuid) -> Result<Json<Settings>, ApiError> {
    let settings = sites::settings(&app.db, id).await?.ok_or_else(|| not_found(WHAT))?;
    Ok(Json(Settings::of(settings)))
}

/// What is to be set. What is left out stays as it is; null makes it as reported.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = SiteSet)]
pub struct Set {
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    /// An IANA name.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "Europe/Berlin")]
    time_zone: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<Vec<ShiftConfig>>)]
    shifts: Option<Option<Vec<ShiftConfig>>>,
    /// Names by zone.
    zones: BTreeMap<Uuid, Option<String>>,
    /// Names by camera.
    cameras: BTreeMap<String, Option<String>>,
    /// As GET answered it: then nothing is set if somebody else has set something since.
    revision: Option<String>,
}

/// Tells null from left out.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Set {
    fn check(&self) -> Result<(), SiteError> {
        if let Some(Some(name)) = &self.name {
            site::name("name", name)?;
        }
        if let Some(Some(time_zone)) = &self.time_zone {
            site::time_zone(time_zone)?;
        }
        if let Some(Some(shifts)) = &self.shifts {
            let shifts = site::shifts(shifts)?;
            site::overlap(&shifts).map_or(Ok(()), Err)?;
        }
        for (list, count) in [("zones", self.zones.len()), ("cameras", self.cameras.len())] {
            if count > NAMED_MAX {
                return Err(SiteError::new(list, format!("{count} are named, at most {NAMED_MAX} can be at a time")));
            }
        }
        for name in self.zones.values().flatten() {
            site::name("zones", name)?;
        }
        for (id, name) in &self.cameras {
            site::camera_id(id)?;
            name.iter().try_for_each(|name| site::name("cameras", name))?;
        }
        Ok(())
    }
}

/// `PUT /api/v1/sites/{id}/settings`: sets names, time zone and shifts over what the site reports, or takes that back.
///
/// # Errors
/// 400 for a body that cannot be read, 401, 404, 409 `version_conflict`, 422 `settings_invalid` with the field, 503.
#[utoipa::path(put, path = "/api/v1/sites/{id}/settings", params(("id" = Uuid, Path, description = "The site.")), request_body = Set, responses(
    (status = 200, description = "What is set and reported now.", body = Settings),
    (status = 400, description = "`body_invalid`: the body cannot be read; the message says where."),
    (status = 404, description = "`not_found`: there is no such site."),
    (status = 409, description = "`version_conflict`: somebody else has set something since that revision; look at it and \
        set it again."),
    (status = 422, description = "`settings_invalid`: something cannot be used; the message names the field and the fix."),
))]
pub async fn set(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<Uuid>, PathRejection>,
    asked: Result<Object<Set>, Problem>,
) -> Result<Json<Settings>, ApiError> {
    let (id, asked) = (path(id, WHAT)?, asked?.0);
    asked.check().map_err(|error| invalid(&error))?;
    let Set { name, time_zone, shifts, zones, cameras, revision } = asked;
    let (zones, cameras) = (zones.into_iter().collect(), cameras.into_iter().collect());
    let change = Change { name, time_zone, shifts, zones, cameras, revision };
    match sites::set(&app.db, id, &change, &caller.name, |before| words(before, &change)).await? {
        Changed::Done => shown(&app, id).await,
        Changed::NoSite => Err(not_found(WHAT).into()),
        Changed::Outdated => {
            let message =
                "somebody else has set something since that revision; look at what is set now and set it again";
            Err(Problem::new(StatusCode::CONFLICT, "version_conflict", message).into())
        }
        Changed::NoZone(zone) => {
            let problem = format!("the site has no zone {zone}; it has those that GET lists");
            Err(invalid(&SiteError::new("zones", problem)).into())
        }
        Changed::NoCamera(camera) => {
            let problem = format!("the site has no camera {camera:?}; it has those that GET lists");
            Err(invalid(&SiteError::new("cameras", problem)).into())
        }
    }
}

fn invalid(error: &SiteError) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "settings_invalid", error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_not_the_same_as_left_out() {
        let set: Set = serde_json::from_str(r#"{"name": null, "shifts": []}"#).expect("valid");
        assert_eq!((set.name, set.time_zone, set.shifts), (Some(None), None, Some(Some(Vec::new()))));
    }
}
