//! Alert rules on recordings: the engine against an independent count on the shared data (or, where that is not
//! there, on a made-up stream), and `smartpick-edge rules` as a user runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use edge::alerts::replay::{Outcome, Replay};
use edge::alerts::rules::{self, Rule, RuleConfig};
use serde_json::Value;
use tempfile::TempDir;

use crate::alerts::{Floor, LIFT, ZONE, eventually};

const AGE_MAX: Duration = Duration::from_secs(35 * 86_400);

/// The shared recording, if it is there: in `$SMARTPICK_DATA`, or in `shared/data` beside the repository.
fn recording() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let dir = std::env::var_os("SMARTPICK_DATA").map_or(beside, PathBuf::from);
    let path = dir.join("events-real.jsonl.zst");
    if path.is_file() {
        return Some(path);
    }
    let text = format!("note: {} is not there; a made-up stream is used instead\n", path.display());
    std::io::stderr().write_all(text.as_bytes()).expect("standard error");
    None
}

fn lines(path: &Path) -> Vec<String> {
    edge::simulate::open(path).expect("opens").lines().collect::<Result<_, _>>().expect("text")
}

/// Events of five workers for ten minutes: scores that now and then are high for some seconds, each event 50 to 440 ms late, in
/// the order of arrival. The same each time.
fn made_up() -> Vec<String> {
    let mut state = 0x9e37_79b9_u64;
    let mut random = move |n: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    let start: DateTime<Utc> = "2026-11-02T06:00:00Z".parse().expect("a time");
    let mut all = Vec::new();
    for worker in 0..5_u64 {
        let (mut ms, mut level) = (0, 60);
        while ms < 600_000 {
            if random(40) == 0 {
                level = if random(10) == 0 { 70 + random(20) } else { 30 + random(35) };
            }
            ms += if random(60) == 0 { 400 + random(3_000) } else { 100 + random(60) };
            let event_time = start + TimeDelta::milliseconds(ms as i64);
            let ingest_time = event_time + TimeDelta::milliseconds(50 + random(390) as i64);
            let mut worker_id = Some(format!("00000000-0000-4000-8000-00000000001{worker}"));
            let mut source = "camera";
            match random(50) {
                0 => worker_id = None,
                1 => source = "manual",
                _ => {}
            }
            let line = serde_json::json!({
                "event_id": format!("00000000-0000-4000-8000-{:012x}", (worker << 32) | ms),
                "event_time": event_time,
                "ingest_time": ingest_time,
                "warehouse_id": "00000000-0000-4000-8000-000000000001",
                "zone_id": format!("00000000-0000-4000-8000-00000000002{}", worker % 2),
                "camera_id": format!("cam-0{worker}"),
                "worker_id": worker_id,
                "model_version": "v1",
                "risk_score": (level + random(5)) as f64 + 0.5,
                "confidence": 0.9,
                "source": source,
                "posture_keypoints": {},
            });
            all.push((ingest_time, line.to_string()));
        }
    }
    all.sort();
    all.into_iter().map(|(_, line)| line).collect()
}

/// Zone, start, end in milliseconds, peak in hundredths.
type Found = (String, i64, i64, i64);

/// What the data's README counts, found with the whole recording at hand: camera or wearable events of one worker in
/// one zone, in the order of `event_time`, all at 70 or more, no gap over 0.5 s, first to last at least 3 s.
fn offline(lines: &[String]) -> Vec<Found> {
    let mut people: BTreeMap<(String, String), Vec<(i64, i64)>> = BTreeMap::new();
    for line in lines {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let (Some(worker), Some(zone)) = (event["worker_id"].as_str(), event["zone_id"].as_str()) else { continue };
        if event["source"] == "manual" {
            continue;
        }
        let time: DateTime<Utc> = event["event_time"].as_str().and_then(|text| text.parse().ok()).expect("a time");
        let score = (event["risk_score"].as_f64().expect("a score") * 100.0).round() as i64;
        people.entry((zone.to_owned(), worker.to_owned())).or_default().push((time.timestamp_millis(), score));
    }
    let mut found = Vec::new();
    for ((zone, _), mut events) in people {
        events.sort_unstable();
        let mut stretches: Vec<Vec<(i64, i64)>> = vec![Vec::new()];
        for event in events {
            let current = stretches.last_mut().expect("never empty");
            if event.1 < 7_000 || current.last().is_some_and(|last| event.0 - last.0 > 500) {
                stretches.push(Vec::new());
            }
            if event.1 >= 7_000 {
                stretches.last_mut().expect("never empty").push(event);
            }
        }
        for stretch in stretches {
            if let (Some(first), Some(last)) = (stretch.first(), stretch.last())
                && last.0 - first.0 >= 3_000
            {
                let peak = stretch.iter().map(|event| event.1).max().expect("not empty");
                found.push((zone.clone(), first.0, last.0, peak));
            }
        }
    }
    found.sort_unstable();
    found
}

fn default_rules() -> Vec<Rule> {
    rules::check(&[RuleConfig::sustained_risk()]).expect("valid")
}

fn replayed(lines: &[String], times: usize) -> Outcome {
    let mut replay = Replay::new(&default_rules(), AGE_MAX);
    for _ in 0..times {
        lines.iter().for_each(|line| replay.line(line));
    }
    replay.finish()
}

fn found(outcome: &Outcome) -> Vec<Found> {
    let mut found: Vec<Found> = outcome
        .alerts
        .iter()
        .map(|alert| {
            let (zone, end, peak) =
                (alert.zone_id.expect("zone"), alert.ended_at.expect("end"), alert.peak.expect("peak"));
            (zone.to_string(), alert.started_at.timestamp_millis(), end.timestamp_millis(), i64::from(peak.raw()))
        })
        .collect();
    found.sort_unstable();
    found
}

#[test]
fn the_recording_raises_what_its_readme_counts() {
    let shared = recording();
    let lines = shared.as_deref().map_or_else(made_up, lines);
    let expected = offline(&lines);
    let outcome = replayed(&lines, 1);
    assert_eq!(outcome.refused, 0, "{:?}", outcome.told);
    assert_eq!(found(&outcome), expected);
    assert!(expected.len() > 5, "{} episodes prove nothing", expected.len());
    if shared.is_some() {
        assert_eq!((lines.len(), outcome.alerts.len()), (25_929, 29));
        let in_zone = |zone: &str| expected.iter().filter(|episode| episode.0 == zone).count();
        for (zone, episodes) in [
            ("12a04985-3ede-5b97-a75d-e0adc7a2b86e", 4),
            ("fa152f1c-00b2-5a34-862c-0705db495df2", 10),
            ("3a464c88-8146-5fa1-a1fb-0928aefdb6a3", 5),
            ("4b3c6719-ee74-570a-9e1a-0cebc5fda783", 10),
            ("9c737f1c-5d4e-5f4f-9bae-a0751804ec9d", 0),
            ("d5c27ef6-872d-5567-868f-9532bfe14426", 0),
        ] {
            assert_eq!(in_zone(zone), episodes, "{zone}");
        }
    }
}

#[test]
fn the_recording_twice_raises_no_second_alert() {
    let lines = recording().as_deref().map_or_else(made_up, lines);
    let ids = |outcome: &Outcome| outcome.alerts.iter().map(|alert| alert.alert_id).collect::<BTreeSet<_>>();
    let once = ids(&replayed(&lines, 1));
    assert!(once.len() > 5);
    // By a fresh engine, as after a restart; and by the same one.
    assert_eq!(ids(&replayed(&lines, 1)), once);
    assert_eq!(ids(&replayed(&lines, 2)), once);
}

/// A directory with a recording and two configurations.
struct Files {
    dir: TempDir,
}

impl Files {
    fn new() -> Self {
        let dir = TempDir::new().expect("a directory");
        let files = Self { dir };
        files.write("events.jsonl", &(made_up().join("\n") + "\n"));
        files.write("old.toml", "");
        files.write(
            "new.toml",
            "[site]\ntime_zone = 'Europe/Berlin'\n\
             [[site.zones]]\nzone_id = '00000000-0000-4000-8000-000000000020'\nname = 'Picking'\n\
             [[alerts.rules]]\nname = 'sustained-risk'\nthreshold = 75\nfor = '2s'\n\
             [[alerts.rules]]\nname = 'anyone'\nthreshold = 85\nscope = 'person'\nseverity = 'critical'\n",
        );
        files
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join(name), text).expect("written");
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(&[&["rules"][..], args].concat())
    }

    fn command(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_smartpick-edge"))
            .args(args)
            .current_dir(&self.dir)
            .env_remove("SMARTPICK_EDGE_CONFIG")
            .output()
            .expect("runs")
    }

    fn text(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}{err}");
        assert_eq!(err, "", "no progress bar where there is no terminal");
        out.into_owned()
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.text(&[args, &["--json"]].concat())).expect("JSON")
    }
}

#[test]
fn rules_test_says_what_would_have_been_raised() {
    let files = Files::new();
    let expected = offline(&made_up());
    let args = ["test", "--replay", "events.jsonl", "--config", "old.toml"];
    let json = files.json(&args);
    let alerts = json["alerts"].as_array().expect("a list");
    assert_eq!(alerts.len(), expected.len());
    for (alert, expected) in alerts.iter().zip({
        let mut by_start = expected.clone();
        by_start.sort_by_key(|episode| episode.1);
        by_start
    }) {
        assert_eq!(alert["zone_id"], expected.0);
        assert_eq!(alert["seconds"].as_f64(), Some((expected.2 - expected.1) as f64 / 1_000.0));
        assert_eq!(alert["peak"].as_f64(), Some(expected.3 as f64 / 100.0));
    }
    let rule = &json["rules"][0];
    assert_eq!(rule["alerts"], expected.len());
    let all = ["counted", "not_in_scope", "filtered", "too_late"].map(|what| rule[what].as_u64().expect("a number"));
    assert!(all[1] > 0 && all[2] > 0, "{rule}");
    assert_eq!(all.iter().sum::<u64>(), json["events"].as_u64().expect("a number"));
    let zones = json["totals"].as_array().expect("a list");
    assert_eq!(zones.iter().filter_map(|zone| zone["alerts"].as_u64()).sum::<u64>(), expected.len() as u64);

    let text = files.text(&args);
    assert!(text.contains(&format!("{} alerts from {} events", expected.len(), json["events"])), "{text}");
    assert!(text.contains("cam-0") && text.contains("Start (UTC)") && text.contains("2026-11-02 06:0"), "{text}");
    for output in [&text, &json.to_string()] {
        assert!(!output.contains("00000000-0000-4000-8000-00000000001"), "a worker's id: {output}");
    }
}

#[test]
fn names_time_zone_and_packed_files_are_understood() {
    let files = Files::new();
    let packed = zstd::encode_all(made_up().join("\n").as_bytes(), 3).expect("packs");
    std::fs::write(files.dir.path().join("events.jsonl.zst"), packed).expect("written");
    let text = files.text(&["test", "--replay", "events.jsonl.zst", "--config", "new.toml"]);
    for part in ["Picking", "Start (Europe/Berlin)", "2026-11-02 07:0", "anyone: ", " without worker_id, "] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    assert!(!text.contains("00000000-0000-4000-8000-000000000020"), "{text}");
}

#[test]
fn bad_lines_are_told_with_their_number_and_stop_nothing() {
    let files = Files::new();
    let good = made_up();
    let broken = good[0].replace("\"confidence\":0.9", "\"confidence\":90");
    let mut bytes = format!("{}\n\n{broken}\nnot json\n", good[0]).into_bytes();
    bytes.extend(b"\xff\xfe\n");
    bytes.extend(good.join("\n").as_bytes());
    std::fs::write(files.dir.path().join("some.jsonl"), bytes).expect("written");
    let args = ["test", "--replay", "some.jsonl", "--config", "old.toml"];
    let json = files.json(&args);
    assert_eq!((json["refused"].as_u64(), json["events"].as_u64()), (Some(3), Some(good.len() as u64 + 1)));
    let told: Vec<(u64, &str)> = json["refused_lines"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|told| (told["line"].as_u64().expect("a number"), told["field"].as_str().expect("a name")))
        .collect();
    assert_eq!(told, [(3, "confidence"), (4, "event"), (5, "event")]);
    assert_eq!(json["rules"][0]["alerts"], offline(&good).len());
    assert!(files.text(&args).contains("line 3: confidence: 90 is outside 0 to 1"));
}

#[test]
fn what_cannot_be_done_is_said_with_the_fix() {
    let files = Files::new();
    files.write("bad.toml", "[[alerts.rules]]\nname = 'heavy'\nthreshold = 70\nclear_below = 80\n");
    files.write("none.jsonl", "nothing\n");
    for (args, code, words) in [
        (&["test", "--replay", "events.jsonl", "--config", "bad.toml"][..], 78, "rule 1 \"heavy\": clear_below"),
        (&["diff", "old.toml", "bad.toml"], 78, "rule 1 \"heavy\": clear_below"),
        (&["diff", "old.toml", "gone.toml"], 78, "gone.toml: no such file"),
        (&["test", "--replay", "gone.jsonl", "--config", "old.toml"], 66, "cannot open gone.jsonl"),
        (&["test", "--replay", "none.jsonl", "--config", "old.toml"], 1, "line 1: event: "),
    ] {
        let output = files.run(args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(code) && text.contains(words), "{args:?}: {text}");
    }
}

#[test]
fn rules_diff_says_what_changes_and_what_that_does() {
    let files = Files::new();
    let text = files.text(&["diff", "old.toml", "new.toml"]);
    for part in ["+ anyone: added", "~ sustained-risk: changed", "threshold: 70.0 → 75.0", "for: \"3s\" → \"2s\""] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
    assert!(files.text(&["diff", "new.toml", "old.toml"]).contains("- anyone: removed"));
    assert_eq!(files.text(&["diff", "old.toml", "old.toml"]), "The rules are the same.\n");

    let json = files.json(&["diff", "old.toml", "new.toml", "--replay", "events.jsonl"]);
    assert_eq!(json["added"], serde_json::json!(["anyone"]));
    let count = |what: &str| json["alerts"][what].as_array().expect("a list").len();
    let under = |config: &str| {
        files.json(&["test", "--replay", "events.jsonl", "--config", config])["alerts"]
            .as_array()
            .expect("a list")
            .len()
    };
    let same = json["alerts"]["same"].as_u64().expect("a number") as usize;
    assert_eq!(same + count("changed") + count("disappear"), under("old.toml"));
    assert_eq!(same + count("changed") + count("appear"), under("new.toml"));
    let of_anyone =
        json["alerts"]["appear"].as_array().expect("a list").iter().filter(|a| a["rule"] == "anyone").count();
    assert!(of_anyone > 0 && count("disappear") > 0, "{json:#}");

    let same = files.json(&["diff", "old.toml", "old.toml", "--replay", "events.jsonl"]);
    assert_eq!(same["alerts"]["same"], offline(&made_up()).len());
    let text = files.text(&["diff", "old.toml", "new.toml", "--replay", "events.jsonl"]);
    assert!(text.contains("Appear:\n") && text.contains(" disappear, "), "{text}");
}

/// What a command says of zones that it does not know.
fn complaints(files: &Files, args: &[&str]) -> Vec<String> {
    let output = files.command(args);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.lines().filter(|line| line.starts_with("# warning: ")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_for_a_zone_that_nobody_knows_is_warned_of_until_somebody_does() {
    let files = Files::new();
    files.write("rule.toml", &format!("[[alerts.rules]]\nname = 'dock'\nthreshold = 70\nzones = ['{ZONE}']\n"));
    files.write(
        "named.toml",
        &format!(
            "[[alerts.rules]]\nname = 'dock'\nthreshold = 70\nzones = ['{ZONE}']\n\
             [[site.zones]]\nzone_id = '{ZONE}'\nname = 'Dock'\n"
        ),
    );
    // Nobody listens on port 9.
    let (data, nowhere) = (format!("data_dir={}/data", files.dir.path().display()), "listen=127.0.0.1:9");
    let commands = [&["check-config"][..], &["rules", "show"]];
    let said = |config: &str, listen: &str| {
        let more = ["--config", config, "--set", &data, "--set", listen];
        commands.map(|command| complaints(&files, &[command, &more].concat()))
    };
    for lines in said("rule.toml", nowhere) {
        assert!(lines.len() == 1 && lines[0].contains("\"dock\"") && lines[0].contains(&ZONE.to_string()), "{lines:?}");
    }
    assert_eq!(said("named.toml", nowhere), [Vec::<String>::new(), Vec::new()]);
    // An event from there, and the running edge is asked; then what it left on the disk.
    let floor = Floor::start(files.dir.path(), |_| {}).await;
    floor.api().send(&LIFT.events(common::clock::now(), 0.0, 20.0)).await;
    eventually(&floor.api(), "/streams/stats", |stats| stats["cameras"][0]["zone_id"] == ZONE.to_string()).await;
    let listen = format!("listen={}", floor.edge.addr);
    assert_eq!(said("rule.toml", &listen), [Vec::<String>::new(), Vec::new()]);
    floor.stop().await;
    assert_eq!(said("rule.toml", nowhere), [Vec::<String>::new(), Vec::new()]);
}

#[test]
fn that_there_are_no_rules_is_said_plainly() {
    let files = Files::new();
    files.write("none.toml", "[alerts]\nrules = []\n");
    for command in [&["check-config"][..], &["rules", "show"]] {
        let output = files.command(&[command, &["--config", "none.toml"]].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("# There are none: alerts about people are off"), "{text}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure_and_a_full_disk_is_one() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let files = Files::new();
    for args in [&["check-config"][..], &["rules", "show"]] {
        let run = |to: Stdio| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_smartpick-edge"));
            command.args(args).args(["--config", "old.toml"]).current_dir(&files.dir).stdout(to).stderr(Stdio::piped());
            let output = command.spawn().expect("runs").wait_with_output().expect("ends");
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        assert_eq!(run(writer.try_clone().expect("a copy").into()), (Some(0), String::new()), "{args:?}");
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux");
        let (code, error) = run(full.into());
        assert!(code == Some(74) && error.contains("No space left"), "{args:?}: {code:?} {error}");
    }
}
