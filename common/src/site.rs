//! How people describe a site: names of its zones and cameras, its time zone, its shifts, as they write them and checked.
//! At the edge it is `[site]` of the configuration, at headquarters a form; what one takes, the other takes too.

use std::collections::HashSet;

use chrono::{NaiveTime, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::event::CAMERA_ID_CHARS_MAX;
use crate::ids::ZoneId;
use crate::shift::{Shift, overlapping};
use crate::text::{has_hidden, hidden};

/// Zones and cameras, each: a hundred times what a site has, and small enough to look through.
pub const NAMED_MAX: usize = 2_000;
/// Three a day and others on each day of the week, several times over.
pub const SHIFTS_MAX: usize = 100;
/// Characters of a name: what fits on a wall screen.
pub const NAME_CHARS_MAX: usize = 60;

/// A report in JSON, at most: half of what central takes as a heartbeat. A thousand cameras with long names are 200 KiB.
pub const REPORT_BYTES_MAX: usize = 512 * 1024;

/// What of a description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct SiteError {
    /// Of the site: `time_zone`, `shifts`, `zones`, `cameras`, `name`.
    pub field: &'static str,
    /// With the fix.
    pub problem: String,
}

impl SiteError {
    pub fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

/// A shift as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShiftConfig {
    pub name: String,
    /// Days on which it begins.
    pub days: Vec<Day>,
    /// Local time, `HH:MM`.
    #[schema(example = "06:00")]
    pub start: String,
    /// Local time, `HH:MM`; not after `start` means on the next day.
    #[schema(example = "14:00")]
    pub end: String,
}

/// A day of the week as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    pub const fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Mon,
            Self::Tue => Weekday::Tue,
            Self::Wed => Weekday::Wed,
            Self::Thu => Weekday::Thu,
            Self::Fri => Weekday::Fri,
            Self::Sat => Weekday::Sat,
            Self::Sun => Weekday::Sun,
        }
    }
}

impl ShiftConfig {
    fn check(&self) -> Result<Shift, SiteError> {
        name("shifts", &self.name)?;
        let time = |key: &str, text: &str| {
            // chrono would take "6:00" too, and "06:00 " not: one way to write it is enough.
            NaiveTime::parse_from_str(text, "%H:%M").ok().filter(|_| text.len() == 5).ok_or_else(|| {
                let problem = format!("{key} of {:?} is {text:?}; write a local time such as \"06:00\"", self.name);
                SiteError::new("shifts", problem)
            })
        };
        if self.days.is_empty() {
            let problem =
                format!("days of {:?} is empty, so it would never begin; for example [\"mon\", \"tue\"]", self.name);
            return Err(SiteError::new("shifts", problem));
        }
        Ok(Shift {
            name: self.name.clone(),
            days: self.days.iter().map(|day| day.weekday()).collect(),
            start: time("start", &self.start)?,
            end: time("end", &self.end)?,
        })
    }
}

/// A time zone by its IANA name.
///
/// # Errors
/// If no such zone is known.
pub fn time_zone(text: &str) -> Result<Tz, SiteError> {
    text.parse().map_err(|_| {
        let problem = format!("{text:?} is no time zone that is known here; use an IANA name such as Europe/Berlin");
        SiteError::new("time_zone", problem)
    })
}

/// Whether something can be called this.
///
/// # Errors
/// If it is empty, too long for a screen, or has characters that nobody would see.
pub fn name(field: &'static str, name: &str) -> Result<(), SiteError> {
    if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX {
        let problem = format!("name {name:?} must have 1 to {NAME_CHARS_MAX} printable characters");
        return Err(SiteError::new(field, problem));
    }
    if let Some(c) = hidden(name) {
        let problem = format!("name {name:?} {}", has_hidden(c));
        return Err(SiteError::new(field, problem));
    }
    Ok(())
}

/// All shifts of a site.
///
/// # Errors
/// The first that cannot be used.
pub fn shifts(written: &[ShiftConfig]) -> Result<Vec<Shift>, SiteError> {
    if written.len() > SHIFTS_MAX {
        let problem = format!("{} are listed, at most {SHIFTS_MAX} can be", written.len());
        return Err(SiteError::new("shifts", problem));
    }
    let shifts = written.iter().map(ShiftConfig::check).collect::<Result<Vec<_>, _>>()?;
    let mut seen = HashSet::new();
    if let Some(twice) = shifts.iter().find(|shift| !seen.insert(shift.name.as_str())) {
        let problem = format!("{:?} is listed twice; give each shift a name of its own", twice.name);
        return Err(SiteError::new("shifts", problem));
    }
    Ok(shifts)
}

/// Names two shifts that are on at once, in words with the fix: of those only the one listed first would count.
pub fn overlap(shifts: &[Shift]) -> Option<SiteError> {
    let (a, b, day, time) = overlapping(shifts)?;
    let problem = format!(
        "{:?} and {:?} are on at once, for instance on {day} at {}; let one end where the other begins",
        a.name,
        b.name,
        time.format("%H:%M")
    );
    Some(SiteError::new("shifts", problem))
}

/// What an edge's configuration says of its site, for headquarters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SiteReport {
    /// Empty: it has none.
    pub name: String,
    /// An IANA name.
    pub time_zone: String,
    pub shifts: Vec<ShiftConfig>,
    pub zones: Vec<NamedZone>,
    pub cameras: Vec<NamedCamera>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NamedZone {
    pub zone_id: ZoneId,
    pub name: String,
}

/// A camera that the configuration lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct NamedCamera {
    pub camera_id: String,
    pub name: Option<String>,
    /// Where it hangs.
    pub zone_id: Option<ZoneId>,
}

impl SiteReport {
    /// Tells two reports apart.
    pub fn digest(&self) -> String {
        let hash = Sha256::digest(self.json());
        crate::credentials::hex(&hash[..16])
    }

    /// Leaves out cameras, then zones, from the end, until it fits into [`REPORT_BYTES_MAX`]; says how many.
    pub fn shorten(&mut self) -> usize {
        let mut left_out = 0;
        while self.json().len() > REPORT_BYTES_MAX {
            let cut = |len: usize| len - (len / 8).max(1);
            if !self.cameras.is_empty() {
                let keep = cut(self.cameras.len());
                left_out += self.cameras.len() - keep;
                self.cameras.truncate(keep);
            } else if !self.zones.is_empty() {
                let keep = cut(self.zones.len());
                left_out += self.zones.len() - keep;
                self.zones.truncate(keep);
            } else {
                // Shifts are a hundred at most.
                break;
            }
        }
        left_out
    }

    /// Takes out what headquarters could not keep: names and ids beyond what a configuration may hold.
    pub fn clean(&mut self) {
        if name("name", &self.name).is_err() {
            self.name.clear();
        }
        self.zones.retain(|zone| name("zones", &zone.name).is_ok());
        self.zones.truncate(NAMED_MAX);
        self.cameras.retain(|camera| camera_id(&camera.camera_id).is_ok());
        self.cameras.truncate(NAMED_MAX);
        for camera in &mut self.cameras {
            camera.name.take_if(|text| name("cameras", text).is_err());
        }
    }

    fn json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain values can be written")
    }
}

/// Whether a camera's events could bring this id.
///
/// # Errors
/// If it is empty, too long, or not printable.
pub fn camera_id(id: &str) -> Result<(), SiteError> {
    if id.is_empty() || id.chars().count() > CAMERA_ID_CHARS_MAX || id.chars().any(char::is_control) {
        let problem = format!("camera_id {id:?} must have 1 to {CAMERA_ID_CHARS_MAX} printable characters");
        return Err(SiteError::new("cameras", problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_fits_into_a_heartbeat_whatever_it_names() {
        let zone_id = ZoneId::from_uuid(uuid::Uuid::from_u128(1));
        let camera = |n: usize, id: usize, name: usize| NamedCamera {
            camera_id: format!("{n:0>id$}"),
            name: Some("\u{20ac}".repeat(name)),
            zone_id: Some(zone_id),
        };
        let mut usual = SiteReport {
            cameras: (0..1_000).map(|n| camera(n, 30, 40)).collect(),
            zones: (0..100).map(|_| NamedZone { zone_id, name: "n".repeat(NAME_CHARS_MAX) }).collect(),
            ..SiteReport::default()
        };
        assert_eq!(usual.shorten(), 0, "a thousand cameras with names are told in full");
        let mut huge = SiteReport {
            cameras: (0..NAMED_MAX).map(|n| camera(n, CAMERA_ID_CHARS_MAX, NAME_CHARS_MAX)).collect(),
            ..usual.clone()
        };
        let left_out = huge.shorten();
        assert!(left_out > 0 && huge.json().len() <= REPORT_BYTES_MAX, "{left_out}");
        assert_eq!(huge.cameras.len() + left_out, NAMED_MAX);
        assert_eq!(huge.zones.len(), 100);
    }

    #[test]
    fn the_digest_tells_reports_apart() {
        let report = SiteReport { name: "Hall 1".to_owned(), ..SiteReport::default() };
        assert_eq!(report.digest(), report.clone().digest());
        assert_ne!(report.digest(), SiteReport { name: "Hall 2".to_owned(), ..report.clone() }.digest());
        let named = NamedCamera { camera_id: "c".to_owned(), name: None, zone_id: None };
        assert_ne!(report.digest(), SiteReport { cameras: vec![named], ..report }.digest());
    }

    #[test]
    fn what_no_configuration_can_hold_is_taken_out() {
        let camera =
            |id: &str, name: &str| NamedCamera { camera_id: id.to_owned(), name: Some(name.to_owned()), zone_id: None };
        let mut report = SiteReport {
            name: "x".repeat(61),
            cameras: vec![camera("a", "Aisle"), camera("b", " "), camera("c\0", "Dock"), camera("", "Dock")],
            ..SiteReport::default()
        };
        report.clean();
        assert_eq!(report.name, "");
        assert_eq!(report.cameras, [camera("a", "Aisle"), NamedCamera { name: None, ..camera("b", "") }]);
    }

    #[test]
    fn what_cannot_be_used_names_its_field_and_the_fix() {
        assert!(time_zone("Mars/Olympus").expect_err("no zone").to_string().starts_with("time_zone: \"Mars/Olympus\""));
        let early = ShiftConfig {
            name: "early".to_owned(),
            days: vec![Day::Mon],
            start: "06:00".to_owned(),
            end: "14:00".to_owned(),
        };
        for (shift, fix) in [
            (ShiftConfig { days: Vec::new(), ..early.clone() }, "[\"mon\", \"tue\"]"),
            (ShiftConfig { start: "6:00".to_owned(), ..early.clone() }, "\"06:00\""),
            (ShiftConfig { end: "24:00".to_owned(), ..early.clone() }, "\"06:00\""),
            (ShiftConfig { name: String::new(), ..early.clone() }, "1 to 60"),
        ] {
            let error = shifts(&[shift]).expect_err(fix).to_string();
            assert!(error.starts_with("shifts: ") && error.contains(fix), "{error}");
        }
        for hidden in ["Dock\u{202e}4", "Dock\u{200b}", "Do\tck"] {
            let error = name("zones", hidden).expect_err("hidden").to_string();
            assert!(error.starts_with("zones: name ") && error.contains("nobody would see"), "{error}");
        }
        assert!(shifts(&[early.clone(), early.clone()]).expect_err("twice").to_string().contains("of its own"));
        let office = ShiftConfig { name: "office".to_owned(), start: "09:00".to_owned(), ..early.clone() };
        let both = shifts(&[early.clone(), office]).expect("each can be used");
        let error = overlap(&both).expect("at once").to_string();
        assert!(
            error.starts_with("shifts: \"early\" and \"office\" are on at once, for instance on Mon at 09:00"),
            "{error}"
        );
        assert_eq!(overlap(&both[..1]), None);
        let many: Vec<ShiftConfig> =
            (0..=SHIFTS_MAX).map(|n| ShiftConfig { name: n.to_string(), ..early.clone() }).collect();
        assert!(shifts(&many).expect_err("many").to_string().contains("at most 100"));
        assert_eq!(shifts(&many[1..]).map(|shifts| shifts.len()), Ok(SHIFTS_MAX));
    }
}
