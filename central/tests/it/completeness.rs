//! How complete a site's data is by its own clock, on the page, in the file, and on the command line.

use std::process::Command;

use base64::Engine as _;
use chrono::{DateTime, Datelike as _, TimeDelta, Utc};
use chrono_tz::Europe::Berlin;
use common::clock;
use common::protocol::{EpochReport, Heartbeat, QuarterMark};
use common::quarter::Quarter;
use reqwest::StatusCode;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::client::{Batch, EdgeClient, System};
use crate::servers;

const SHIFTS: &str = r#"[{"name":"Early","start":"06:00","end":"14:00","days":["mon","tue","wed","thu","fri","sat","sun"]},
    {"name":"=Late","start":"14:00","end":"22:00","days":["mon","tue","wed","thu","fri","sat","sun"]}]"#;

/// A moment of the day before yesterday, by the clocks of the site.
fn local(hour: u32, minute: u32) -> DateTime<Utc> {
    let day = clock::now().with_timezone(&Berlin).date_naive() - TimeDelta::days(2);
    let local = day.and_hms_opt(hour, minute, 0).expect("a time");
    common::shift::instant(local, Berlin)
}

/// Every quarter of the day before yesterday in which an edge ran; it gave out seqs 1 to 100 at 06:15 and 101 to 150 at 14:00.
fn marks() -> Vec<QuarterMark> {
    let midnight = local(0, 0);
    (0..24 * 4 + 8)
        .map(|n| {
            let quarter = Quarter::of(midnight + Quarter::LENGTH * n);
            let (morning, noon) = (Quarter::of(local(6, 15)), Quarter::of(local(14, 0)));
            let (first, last) = match quarter {
                q if q < morning => (1, 0),
                q if q == morning => (1, 100),
                q if q < noon => (101, 100),
                q if q == noon => (101, 150),
                _ => (151, 150),
            };
            QuarterMark { quarter, first, last }
        })
        .collect()
}

async fn site(system: &System) -> EdgeClient {
    let edge = system.edge().await;
    let warehouse = edge.warehouse_id;
    servers::execute(
        &system.pool,
        &format!(
            "UPDATE warehouses SET time_zone_set = 'Europe/Berlin', shifts_set = '{SHIFTS}', name_set = '+Hall 1'
             WHERE warehouse_id = '{warehouse}'"
        ),
    )
    .await;
    let records: Vec<Vec<u8>> =
        (1..=100).map(|seq| edge.record_of(Quarter::of(local(6, 15)), seq, &edge.event())).collect();
    edge.deliver(&Batch::of(&records)).await;
    // Ten of the late shift are here, three wait, 37 are gone.
    let records: Vec<Vec<u8>> =
        (101..=110).map(|seq| edge.record_of(Quarter::of(local(14, 0)), seq, &edge.event())).collect();
    edge.deliver(&Batch::of(&records)).await;
    edge
}

fn heartbeat(edge: &EdgeClient) -> Heartbeat {
    let mut heartbeat = edge.heartbeat(150, &[(111, 113)]);
    heartbeat.epochs[0] = EpochReport { quarters: marks(), ..heartbeat.epochs[0].clone() };
    heartbeat
}

fn ask(edge: &EdgeClient, rest: &str) -> String {
    let time = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let (from, to) = (time(local(6, 0)), time(local(22, 0)));
    format!("warehouse_id={}&from={from}&to={to}{rest}", edge.warehouse_id)
}

async fn periods(system: &System, edge: &EdgeClient, rest: &str) -> Vec<Value> {
    let (status, answer) = system.get(&format!("/api/v1/completeness?{}", ask(edge, rest))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["time_zone"], "Europe/Berlin");
    answer["periods"].as_array().expect("periods").clone()
}

fn counts(period: &Value) -> [i64; 5] {
    ["accepted", "received", "stored", "buffered", "missing"].map(|name| period[name].as_i64().expect("a number"))
}

#[tokio::test]
async fn shifts_and_days_of_a_site_are_told_by_its_own_clock() {
    let system = System::start().await;
    let edge = site(&system).await;
    let shifts = periods(&system, &edge, "").await;
    // Nothing was told of the time before: nobody knows what there was.
    assert_eq!((shifts.len(), &shifts[0]["state"]), (2, &"unknown".into()), "{shifts:?}");
    assert_eq!(edge.beat(&heartbeat(&edge)).await.0, StatusCode::OK);

    let shifts = periods(&system, &edge, "&by=shift").await;
    assert_eq!((&shifts[0]["kind"], &shifts[0]["name"]), (&"shift".into(), &"Early".into()));
    assert_eq!((counts(&shifts[0]), &shifts[0]["text"]), ([100, 100, 100, 0, 0], &"complete".into()));
    assert_eq!(shifts[0]["completeness"], 1.0);
    assert_eq!((counts(&shifts[1]), &shifts[1]["text"]), ([50, 10, 10, 3, 37], &"37 missing".into()));
    let epochs = shifts[1]["epochs"].as_array().expect("epochs");
    assert_eq!(epochs.len(), 1);
    assert_eq!((&epochs[0]["epoch"], &epochs[0]["missing"]), (&edge.epoch.to_string().into(), &37.into()));
    assert_eq!(shifts[0]["epochs"], Value::Array(Vec::new()));

    let days = periods(&system, &edge, "&by=day").await;
    assert_eq!((days.len(), counts(&days[0])), (1, [150, 110, 110, 3, 37]));
    let hours = periods(&system, &edge, "&by=hour").await;
    assert_eq!((hours.len(), counts(&hours[0]), counts(&hours[8])), (16, [100, 100, 100, 0, 0], [50, 10, 10, 3, 37]));
    assert!(hours[0]["name"].as_str().expect("a name").ends_with(" 06:00"));
    assert_eq!(hours[1]["text"], "complete", "it ran and nothing came in");

    // What comes late lands where it belongs.
    let records: Vec<Vec<u8>> =
        (111..=150).map(|seq| edge.record_of(Quarter::of(local(14, 0)), seq, &edge.event())).collect();
    edge.deliver(&Batch::of(&records)).await;
    let shifts = periods(&system, &edge, "").await;
    assert_eq!((counts(&shifts[1]), &shifts[1]["text"]), ([50, 50, 50, 0, 0], &"complete".into()));
}

#[tokio::test]
async fn a_shift_is_not_complete_before_its_edges_have_spoken_after_it() {
    let system = System::start().await;
    let edge = site(&system).await;
    let mut spoken = heartbeat(&edge);
    spoken.epochs[0].buffered = vec![(111, 150)];
    spoken.sent_at = local(10, 0);
    edge.beat(&spoken).await;
    let shifts = periods(&system, &edge, "").await;
    assert_eq!(shifts[0]["state"], "unknown", "{:?}", shifts[0]);
    assert_eq!((&shifts[1]["state"], shifts[0]["completeness"].is_null()), (&"filling".into(), true));
    // One more edge, of which we have heard but not lately.
    let other = system.edge_of(edge.warehouse_id).await;
    edge.beat(&Heartbeat { sent_at: clock::now(), ..spoken }).await;
    assert_eq!(periods(&system, &edge, "").await[0]["state"], "complete", "the other has never run");
    let record = other.record_of(Quarter::of(local(7, 0)), 1, &other.event());
    other.deliver(&Batch::of(&[record])).await;
    let text = periods(&system, &edge, "").await[0]["text"].clone();
    assert_eq!(text, format!("unknown (edge {} never heard)", other.edge_id));
}

#[tokio::test]
async fn the_file_can_be_put_away_and_checked() {
    let system = System::start().await;
    let edge = site(&system).await;
    edge.beat(&heartbeat(&edge)).await;
    let url = format!("{}/api/v1/completeness.csv?{}", system.url, ask(&edge, ""));
    let answer = system.http.get(url).bearer_auth(&system.token).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
    let digest = header("repr-digest");
    assert!(header("content-type").starts_with("text/csv"), "{}", header("content-type"));
    assert!(header("content-disposition").contains(&edge.warehouse_id.to_string()));
    let bytes = answer.bytes().await.expect("a body");
    let expected = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(&bytes));
    assert_eq!(digest, format!("sha-256=:{expected}:"));

    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let columns = reader.headers().expect("headers").clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.expect("as wide as the head")).collect();
    let cell = |row: usize, name: &str| {
        let at = columns.iter().position(|column| column == name).expect("a column");
        rows[row].get(at).expect("a cell").to_owned()
    };
    assert_eq!(rows.len(), 3);
    assert_eq!((cell(1, "name"), cell(1, "site")), ("'=Late".to_owned(), "'+Hall 1".to_owned()), "no formulas");
    assert_eq!((cell(1, "missing"), cell(1, "state")), ("37".to_owned(), "missing".to_owned()));
    assert!(cell(1, "epochs_missing").contains(&edge.epoch.to_string()));
    assert!(cell(0, "from_local").contains("T06:00:00+0"));
    assert_eq!((cell(2, "kind"), cell(2, "name")), ("end".to_owned(), "2".to_owned()));

    // The command line says the same.
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smartpick-central"));
        command.arg("ledger").args(args).env_clear().env("DATABASE_URL", &system.config.database.url);
        let output = command.output().expect("it runs");
        (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let (from, to) = (local(6, 0).to_rfc3339(), local(22, 0).to_rfc3339());
    let site = edge.warehouse_id.to_string();
    let (ok, table) = run(&["--from", &from, "--to", &to]);
    assert!(ok && table.contains("37 missing") && table.contains(&edge.epoch.to_string()), "{table}");
    assert!(table.contains("+Hall 1") && table.contains("Europe/Berlin"), "{table}");
    let (ok, json) = run(&["--from", &from, "--to", &to, "--by", "day", "--json"]);
    let json: Value = serde_json::from_str(&json).expect("a line of JSON");
    assert_eq!((ok, &json["periods"][0]["missing"]), (true, &37.into()));
    let (ok, file) = run(&["--site", &site, "--from", &from, "--to", &to, "--csv"]);
    assert!(ok && file.lines().count() == 4 && file.contains("end,2,sha256:"), "{file}");
    let (ok, error) = run(&["--site", "00000000-0000-0000-0000-000000000001"]);
    assert!(!ok && error.contains("`smartpick-central sites list` lists them"), "{error}");
}

#[tokio::test]
async fn a_question_that_asks_too_much_is_told_the_limit() {
    let system = System::start().await;
    let edge = site(&system).await;
    let year = local(0, 0).year() - 1;
    let long = format!("/api/v1/completeness?warehouse_id={}&from={year}-01-01T00:00:00Z", edge.warehouse_id);
    for (path, status, says) in [
        (long.clone(), StatusCode::BAD_REQUEST, "93 days"),
        (long.replace("completeness?", "completeness.csv?"), StatusCode::BAD_REQUEST, "93 days"),
        (format!("/api/v1/completeness?{}", ask(&edge, "&by=week")), StatusCode::BAD_REQUEST, "week"),
        (
            "/api/v1/completeness?warehouse_id=00000000-0000-0000-0000-000000000001".to_owned(),
            StatusCode::NOT_FOUND,
            "no such site",
        ),
    ] {
        let (was, answer) = system.get(&path).await;
        assert_eq!(was, status, "{path}: {answer}");
        assert!(answer["message"].as_str().expect("a message").contains(says), "{path}: {answer}");
    }
}
