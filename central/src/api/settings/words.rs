//! For the audit: what a change of a site's settings changes, in words, each as it was and as it is. Pure.

use std::fmt::Display;

use common::site::ShiftConfig;

use crate::store::sites::{Change, Settings};

/// Zones and cameras, each, that are told one by one: what somebody types in a day.
const NAMES_TOLD_MAX: usize = 100;

/// Nothing if nothing changes.
pub fn words(before: &Settings, change: &Change) -> String {
    let mut told = Vec::new();
    let mut tell = |what: &str, old: Option<String>, new: Option<String>| {
        if old != new {
            told.push(format!("{what} {} → {}", or_reported(old), or_reported(new)));
        }
    };
    let site = &before.site;
    if let Some(new) = &change.name {
        tell("name", quoted(site.name_set.as_ref()), quoted(new.as_ref()));
    }
    if let Some(new) = &change.time_zone {
        tell("time zone", quoted(site.time_zone_set.as_ref()), quoted(new.as_ref()));
    }
    if let Some(new) = &change.shifts {
        tell("shifts", site.shifts_set.as_deref().map(shifts), new.as_deref().map(shifts));
    }
    let zones = change.zones.iter().map(|(id, new)| {
        let old = before.zones.iter().find(|zone| zone.zone_id == *id).and_then(|zone| zone.name_set.as_ref());
        (id.to_string(), old, new.as_ref())
    });
    told.extend(names("zone", zones));
    let cameras = change.cameras.iter().map(|(id, new)| {
        let old = before.cameras.iter().find(|one| one.camera_id == *id).and_then(|one| one.name_set.as_ref());
        (id.clone(), old, new.as_ref())
    });
    told.extend(names("camera", cameras));
    told.join("; ")
}

/// Those that change, and of many how many more.
fn names<'a>(
    what: &str,
    all: impl Iterator<Item = (String, Option<&'a String>, Option<&'a String>)>,
) -> impl Iterator<Item = String> {
    let changed = all.filter(|(_, old, new)| old != new);
    let mut told: Vec<String> = changed
        .map(|(id, old, new)| format!("{what} {id} {} → {}", or_reported(quoted(old)), or_reported(quoted(new))))
        .collect();
    if let Some(more) = told.len().checked_sub(NAMES_TOLD_MAX).filter(|more| *more > 0) {
        told.truncate(NAMES_TOLD_MAX);
        told.push(format!("and {more} {what}s more"));
    }
    told.into_iter()
}

fn or_reported(value: Option<String>) -> String {
    value.unwrap_or_else(|| "as reported".to_owned())
}

fn quoted(value: Option<&String>) -> Option<String> {
    value.map(|value| format!("{value:?}"))
}

fn shifts(shifts: &[ShiftConfig]) -> String {
    let one = |shift: &ShiftConfig| {
        let days: Vec<String> = shift.days.iter().map(|day| day.weekday().to_string()).collect();
        format!("{:?} {} {}–{}", shift.name, days.join(" "), shift.start, shift.end)
    };
    if shifts.is_empty() { "none".to_owned() } else { listed(shifts.iter().map(one)) }
}

fn listed(parts: impl Iterator<Item = impl Display>) -> String {
    parts.map(|part| part.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use common::site::Day;
    use uuid::Uuid;

    use super::*;
    use crate::store::sites::{CameraName, Site, ZoneName};

    fn text(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    fn shift(days: &[Day], end: &str) -> ShiftConfig {
        ShiftConfig { name: "early".to_owned(), days: days.to_vec(), start: "06:00".to_owned(), end: end.to_owned() }
    }

    fn before() -> Settings {
        let camera = |id: &str, set: Option<String>| CameraName {
            camera_id: id.to_owned(),
            zone_id: None,
            name: set.clone(),
            name_reported: None,
            name_set: set,
        };
        Settings {
            site: Site {
                name_set: text("Hall 1"),
                time_zone_reported: text("UTC"),
                shifts_set: Some(vec![shift(&[Day::Mon, Day::Tue], "14:00")]),
                ..Site::default()
            },
            zones: vec![ZoneName {
                zone_id: Uuid::nil(),
                name: text("Dock"),
                name_reported: text("Dock"),
                name_set: None,
            }],
            cameras: vec![camera("c-1", text("Aisle")), camera("c-2", None)],
        }
    }

    #[test]
    fn each_value_is_told_as_it_was_and_as_it_is() {
        let change = Change {
            name: Some(text("Hall 2")),
            time_zone: Some(text("Europe/Berlin")),
            shifts: Some(Some(vec![shift(&[Day::Mon], "13:00")])),
            zones: vec![(Uuid::nil(), text("Dock 4"))],
            cameras: vec![("c-1".to_owned(), None), ("c-2".to_owned(), None)],
            revision: None,
        };
        assert_eq!(
            words(&before(), &change),
            "name \"Hall 1\" → \"Hall 2\"; time zone as reported → \"Europe/Berlin\"; \
             shifts \"early\" Mon Tue 06:00–14:00 → \"early\" Mon 06:00–13:00; \
             zone 00000000-0000-0000-0000-000000000000 as reported → \"Dock 4\"; camera c-1 \"Aisle\" → as reported"
        );
    }

    #[test]
    fn what_stays_is_not_told() {
        let change = Change {
            name: Some(text("Hall 1")),
            shifts: Some(Some(vec![shift(&[Day::Mon, Day::Tue], "14:00")])),
            cameras: vec![("c-1".to_owned(), text("Aisle"))],
            ..Change::default()
        };
        assert_eq!(words(&before(), &change), "");
        let none = Change { shifts: Some(Some(Vec::new())), ..Change::default() };
        assert_eq!(words(&before(), &none), "shifts \"early\" Mon Tue 06:00–14:00 → none");
    }

    #[test]
    fn of_very_many_it_is_said_how_many_more() {
        let cameras: Vec<_> = (0..NAMES_TOLD_MAX + 5).map(|n| (format!("cam-{n}"), text("Aisle"))).collect();
        let told = words(&Settings::default(), &Change { cameras, ..Change::default() });
        assert!(told.ends_with("camera cam-99 as reported → \"Aisle\"; and 5 cameras more"), "{told}");
    }
}
