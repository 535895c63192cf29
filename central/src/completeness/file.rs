//! The completeness of a site as a file that an auditor can put away: CSV, one line a period, each line with all that it
//! needs to be understood alone, and a last line by which a copy can be checked.
//!
//! The last line's first cell is `end`, its second the number of periods, its third the SHA-256 of every byte above it:
//! `head -n -1 FILE | sha256sum`.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use common::credentials::hex;
use sha2::{Digest as _, Sha256};

use super::periods::Figure;
use super::report::Report;
use crate::api::csv::harmless;

const COLUMNS: [&str; 30] = [
    "kind",
    "name",
    "text",
    "site",
    "warehouse_id",
    "time_zone",
    "from",
    "to",
    "from_local",
    "to_local",
    "counted_from",
    "counted_to",
    "accepted",
    "received",
    "stored",
    "alerts",
    "duplicates",
    "dead",
    "buffered",
    "missing",
    "completeness",
    "state",
    "approximate",
    "ran",
    "epochs_missing",
    "range_from",
    "range_to",
    "by",
    "generated_at",
    "smartpick_version",
];

/// The file's bytes.
pub fn csv(report: &Report) -> Vec<u8> {
    const MEMORY: &str = "memory takes every line, and each has as many cells";
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(COLUMNS).expect(MEMORY);
    for figure in &report.periods {
        writer.write_record(line(report, figure).map(|cell| harmless(&cell))).expect(MEMORY);
    }
    let mut bytes = writer.into_inner().expect(MEMORY);
    let digest = hex(&Sha256::digest(&bytes));
    // As many cells as the others have, for readers that insist on it.
    let empty = ",".repeat(COLUMNS.len() - 3);
    bytes.extend_from_slice(format!("end,{},sha256:{digest}{empty}\r\n", report.periods.len()).as_bytes());
    bytes
}

fn line(report: &Report, figure: &Figure) -> [String; COLUMNS.len()] {
    let tz: Tz = report.time_zone.parse().unwrap_or(Tz::UTC);
    let local = |time: DateTime<Utc>| time.with_timezone(&tz).to_rfc3339_opts(SecondsFormat::Secs, false);
    let share = |share: Option<f64>| share.map(|s| s.to_string()).unwrap_or_default();
    let epochs: Vec<String> = figure
        .epochs
        .iter()
        .map(|e| {
            let edge = e.edge.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
            format!("{} of epoch {} of edge {}{edge}", e.missing, e.epoch, e.edge_id)
        })
        .collect();
    [
        figure.kind.to_owned(),
        figure.name.clone(),
        figure.text.clone(),
        report.site.clone().unwrap_or_default(),
        report.warehouse_id.to_string(),
        report.time_zone.clone(),
        utc(figure.from),
        utc(figure.to),
        local(figure.from),
        local(figure.to),
        utc(figure.counted_from),
        utc(figure.counted_to),
        figure.accepted.to_string(),
        figure.received.to_string(),
        figure.stored.to_string(),
        figure.alerts.to_string(),
        figure.duplicates.to_string(),
        figure.dead.to_string(),
        figure.buffered.to_string(),
        figure.missing.to_string(),
        share(figure.completeness),
        figure.state.as_str().to_owned(),
        figure.approximate.to_string(),
        share(figure.ran),
        epochs.join("; "),
        utc(report.from),
        utc(report.to),
        report.by.as_str().to_owned(),
        utc(report.generated_at),
        env!("CARGO_PKG_VERSION").to_owned(),
    ]
}

fn utc(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::periods::{By, EpochFigure};
    use super::*;
    use crate::completeness::State;

    fn report() -> Report {
        let time = |text: &str| text.parse().expect("a time");
        let figure = Figure {
            kind: "shift",
            name: "-Early, \"A\"".to_owned(),
            from: time("2026-03-29T04:00:00Z"),
            to: time("2026-03-29T12:00:00Z"),
            counted_from: time("2026-03-29T04:00:00Z"),
            counted_to: time("2026-03-29T12:00:00Z"),
            accepted: 100,
            received: 83,
            stored: 80,
            alerts: 2,
            duplicates: 1,
            dead: 0,
            buffered: 0,
            missing: 17,
            completeness: Some(0.83),
            state: State::Missing,
            text: "17 missing".to_owned(),
            approximate: false,
            ran: Some(1.0),
            epochs: vec![EpochFigure {
                edge_id: Uuid::from_u128(1),
                edge: Some("dock".to_owned()),
                epoch: Uuid::from_u128(2),
                missing: 17,
                approximate: false,
            }],
        };
        Report {
            generated_at: time("2026-04-01T08:00:00Z"),
            warehouse_id: Uuid::from_u128(3),
            site: Some("=HYPERLINK(\"x\")".to_owned()),
            time_zone: "Europe/Berlin".to_owned(),
            from: time("2026-03-29T00:00:00Z"),
            to: time("2026-03-30T00:00:00Z"),
            by: By::Shift,
            periods: vec![figure],
        }
    }

    #[test]
    fn a_line_says_all_and_no_name_becomes_a_formula() {
        let bytes = csv(&report());
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        let headers = reader.headers().expect("headers").clone();
        let rows: Vec<_> = reader.records().map(|row| row.expect("as many cells as columns")).collect();
        let cell = |name: &str| rows[0].get(headers.iter().position(|h| h == name).expect("a column")).expect("a cell");
        assert_eq!(rows.len(), 2);
        assert_eq!((cell("name"), cell("site")), ("'-Early, \"A\"", "'=HYPERLINK(\"x\")"));
        assert_eq!((cell("from"), cell("from_local")), ("2026-03-29T04:00:00Z", "2026-03-29T06:00:00+02:00"));
        assert_eq!((cell("accepted"), cell("missing"), cell("completeness")), ("100", "17", "0.83"));
        assert!(
            cell("epochs_missing").starts_with("17 of epoch 00000000-") && cell("epochs_missing").ends_with("(dock)")
        );
        assert_eq!(cell("smartpick_version"), env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn the_last_line_vouches_for_the_others() {
        let bytes = csv(&report());
        let text = std::str::from_utf8(&bytes).expect("text");
        let end = text.find("end,1,sha256:").expect("a last line");
        let said = text[end..].split(',').nth(2).expect("a digest");
        assert_eq!(said, format!("sha256:{}", hex(&Sha256::digest(&bytes[..end]))));
    }
}
