//! What an operator has at headquarters: `doctor`, `status`, `backlog`, `alerts`, `dead-letters`, `config show`, `support-bundle`, and reading the
//! configuration again; all as the real binary.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use common::alert::{AlertEvent, Severity};
use common::protocol::{Heartbeat, LaneReport};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::alerts::{alert, revised};
use crate::client::{Batch, System};
use crate::servers::{self, Redis};

/// Headquarters: its file, and its central while one runs.
struct Place {
    dir: tempfile::TempDir,
    base: String,
    running: Option<Child>,
}

impl Place {
    fn new(database: &str, redis: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one").port();
        let base = format!("listen = \"127.0.0.1:{port}\"\ndatabase.url = \"{database}\"\nredis.url = \"{redis}\"\n");
        let place = Self { dir, base, running: None };
        place.configure("");
        place
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("central.toml")
    }

    fn configure(&self, more: &str) {
        std::fs::write(self.file(), format!("{}{more}", self.base)).expect("write");
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smartpick-central"));
        command.args(args).env_clear();
        if !args.contains(&"--config") {
            command.arg("--config").arg(self.file());
        }
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C.UTF-8");
        command.current_dir(self.dir.path());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("it runs")
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{args:?}: {}", text(&output.stderr)))
    }

    async fn start(&mut self) {
        self.running = Some(self.command(&["run"]).stderr(Stdio::null()).spawn().expect("it runs"));
        servers::eventually("it is healthy", async || self.run(&["status"]).status.success().then_some(())).await;
    }

    fn signal(&self, signal: &str) {
        let pid = self.running.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill").success());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn check<'r>(report: &'r Value, name: &str) -> &'r Value {
    let mut checks = report["checks"].as_array().expect("checks").iter();
    checks.find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

#[tokio::test]
async fn a_doctor_finds_what_is_wrong_with_or_without_a_central_that_runs() {
    let url = servers::empty_database().await;
    let redis = Redis::start().await;
    let mut place = Place::new(&url, &redis.url);
    let report = place.json(&["doctor", "--json"]);
    assert_eq!(check(&report, "service")["mark"], "failure");
    assert_eq!(check(&report, "migrations")["mark"], "warning", "{report:#}");
    assert_eq!(check(&report, "redis")["mark"], "ok");
    assert_eq!(place.run(&["doctor"]).status.code(), Some(2));
    place.start().await;
    let report = place.json(&["doctor", "--json"]);
    for name in [
        "service",
        "listen",
        "postgres",
        "postgres pages",
        "connections",
        "migrations",
        "rights",
        "partitions",
        "sites",
    ] {
        assert_eq!(check(&report, name)["mark"], "ok", "{name}: {report:#}");
    }
    let site = "00000000-0000-0000-0000-00000000000a";
    let edge: Value =
        serde_json::from_slice(&place.run(&["edges", "add", "--warehouse", site, "--json"]).stdout).expect("JSON");
    assert!(place.run(&["edges", "revoke", edge["edge_id"].as_str().expect("an id")]).status.success());
    let report = place.json(&["doctor", "--json"]);
    assert!(check(&report, "sites")["says"].as_str().expect("text").contains(site), "{report:#}");
    let away: String = redis.command(&["CONFIG", "SET", "maxmemory", "100mb"]).await;
    let policy: String = redis.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await;
    assert_eq!((away.as_str(), policy.as_str()), ("OK", "OK"));
    assert_eq!(check(&place.json(&["doctor", "--json"]), "redis memory")["mark"], "failure");
    place.configure("[database]\nurl = 7\n");
    let report = place.json(&["doctor", "--json"]);
    assert!(check(&report, "config")["says"].as_str().expect("text").contains("central.toml:4:"), "{report:#}");
}

#[tokio::test]
async fn status_shows_central_and_its_sites_on_one_screen() {
    let (url, _) = servers::database().await;
    let redis = Redis::start().await;
    let mut place = Place::new(&url, &redis.url);
    let alone = place.run(&["status"]);
    assert_eq!(alone.status.code(), Some(69));
    assert!(text(&alone.stdout).contains("sites     none yet"), "{}", text(&alone.stdout));
    place.start().await;
    assert!(place.run(&["edges", "add", "--warehouse", "00000000-0000-0000-0000-00000000000a"]).status.success());
    let screen = servers::eventually("the site is judged", async || {
        let screen = text(&place.run(&["status"]).stdout);
        screen.contains("never_heard").then_some(screen)
    })
    .await;
    for part in
        ["status    healthy", "waiting   0 frames", "postgres  answered", "redis     answered", "sites     1 unknown"]
    {
        assert!(screen.contains(part), "{part:?} is missing in:\n{screen}");
    }
    let page = place.json(&["status", "--json"]);
    assert_eq!((&page["status"], &page["sites"][0]["state"]), (&json!("healthy"), &json!("unknown")));
}

#[tokio::test]
async fn what_waits_at_the_sites_and_their_alerts_are_shown_without_a_central_that_runs() {
    let mut system = System::start().await;
    let (leipzig, new) = (system.edge().await, system.edge().await);
    let place = Place::new(&system.config.database.url, "redis://127.0.0.1:1");
    assert_eq!(text(&place.run(&["alerts", "list"]).stdout), "None.\n");
    let backlog = LaneReport { records: 12_400, bytes: 9_000_000, oldest_age_ms: Some(120_000) };
    let said = Heartbeat { backlog, drain_seconds: Some(190.0), ..leipzig.heartbeat(12_400, &[(1, 12_400)]) };
    assert_eq!(leipzig.beat(&said).await.0, StatusCode::OK);
    let id = leipzig.warehouse_id.to_string();
    system.execute(&format!("UPDATE warehouses SET name_set = 'Leipzig' WHERE warehouse_id = '{id}'")).await;
    let (open, over) = (alert(&leipzig), revised(&alert(&leipzig), 2));
    let elsewhere = AlertEvent { severity: Severity::Critical, camera_id: None, ..alert(&new) };
    leipzig.deliver(&Batch::of(&[leipzig.alert_record(1, &open), leipzig.alert_record(2, &over)])).await;
    new.deliver(&Batch::of(&[new.alert_record(1, &elsewhere)])).await;
    system.central.take().expect("started").stop().await.expect("stopped");

    let screen = text(&place.run(&["backlog"]).stdout);
    let lines: Vec<&str> = screen.lines().collect();
    assert!(lines[2].starts_with("Leipzig ") && lines[2].contains("12,400") && lines[2].contains("3 min"), "{screen}");
    assert!(lines[3].starts_with(&new.warehouse_id.to_string()) && lines[3].ends_with("never"), "{screen}");
    assert!(screen.ends_with("12,400 events wait, at 1 of 2 edges, of 1 sites.\n"), "{screen}");
    let page = place.json(&["backlog", "--site", "Leipzig", "--json"]);
    let edges = page["edges"].as_array().expect("edges");
    assert_eq!(
        (edges.len(), &edges[0]["backlog"]["records"], &edges[0]["drainSeconds"]),
        (1, &json!(12_400), &json!(190.0))
    );
    assert!(edges[0]["backlog"]["oldestAgeMs"].as_u64().expect("a number") >= 120_000, "it ages: {page:#}");
    system.execute("UPDATE edges SET heartbeat_at = heartbeat_at - interval '1 hour'").await;
    let screen = text(&place.run(&["backlog"]).stdout);
    assert!(screen.contains("not known, it is silent") && screen.contains("60 min ago"), "{screen}");

    let listed = |args: &[&str]| {
        let page = place.json(&[&["alerts", "list", "--json"], args].concat());
        let ids = page["alerts"].as_array().expect("alerts").iter().map(|alert| alert["alert_id"].clone());
        let mut ids: Vec<String> = ids.map(|id| id.as_str().expect("an id").to_owned()).collect();
        ids.sort();
        ids
    };
    let these = |alerts: &[&AlertEvent]| {
        let mut ids: Vec<String> = alerts.iter().map(|alert| alert.alert_id.to_string()).collect();
        ids.sort();
        ids
    };
    assert_eq!(listed(&[]), these(&[&open, &elsewhere]), "what is going on");
    assert_eq!(listed(&["--state", "all"]), these(&[&open, &over, &elsewhere]));
    assert_eq!(listed(&["--state", "cleared", "--site", "Leipzig"]), these(&[&over]));
    assert_eq!(listed(&["--severity", "critical"]), these(&[&elsewhere]));
    assert_eq!(listed(&["--camera", "cam-07", "--site", &id]), these(&[&open]));
    assert_eq!(listed(&["--from", "2999-01-01T00:00:00Z"]), these(&[]));
    let screen = text(&place.run(&["alerts", "list", "--limit", "1"]).stdout);
    assert!(screen.contains("There are more") && screen.lines().count() == 3, "{screen}");
    let screen = text(&place.run(&["alerts", "list", "--state", "all"]).stdout);
    assert!(screen.contains("Leipzig, cam-07"), "{screen}");
    let worker = open.worker_id.expect("somebody").to_string();
    assert!(!screen.contains(&worker) && !place.json(&["alerts", "list", "--json"]).to_string().contains(&worker));
    let unknown = place.run(&["backlog", "--site", "Nowhere"]);
    assert!(text(&unknown.stderr).contains("there is no site Nowhere"), "{}", text(&unknown.stderr));
}

#[tokio::test]
async fn an_alert_is_acknowledged_where_the_database_is_and_its_site_hears_of_it() {
    let system = System::start().await;
    let edge = system.edge().await;
    let place = Place::new(&system.config.database.url, "redis://127.0.0.1:1");
    let raised = alert(&edge);
    edge.deliver(&Batch::of(&[edge.alert_record(1, &raised)])).await;
    let id = raised.alert_id.to_string();
    let ended = |args: &[&str], code: i32, says: &str| {
        let output = place.run(&[&["alerts", "ack"], args].concat());
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(said.contains(says), "{says}: {said}");
        said
    };
    let unknown = uuid::Uuid::new_v4().to_string();
    ended(&[&unknown], 66, &format!("there is no alert {unknown}; `smartpick-central alerts list --state all`"));
    ended(&[&id, "--site", "Nowhere"], 66, "there is no site Nowhere");
    ended(&[&id, "--note", "on\u{202e} it"], 64, "note has '\\u{202e}' in it");
    ended(&[&id, "--note", &"n".repeat(501)], 64, "at most 500");
    assert_eq!(system.count("SELECT count(*) FROM alert_facts").await, 0);
    let said = ended(&[&id, "--note", "on it"], 0, "Acknowledged by ");
    assert_eq!(ended(&[&id, "--note", "on it"], 0, "Acknowledged by "), said, "said again it changes nothing");
    assert_eq!(system.count("SELECT count(*) FROM alert_facts").await, 1);

    let (_, shown) = system.get(&format!("/api/v1/alerts/{id}")).await;
    let acknowledged = &shown["alert"]["acknowledged"];
    assert_eq!((&acknowledged["note"], &acknowledged["origin"]), (&json!("on it"), &json!("headquarters")));
    let by = acknowledged["by"].as_str().expect("somebody");
    assert!(by.contains(" on ") && said.contains(by), "{by}: {said}");
    let (facts, _) = edge.facts_after(0).await;
    assert_eq!((facts.len(), facts[0].by.as_str()), (1, by));
    let audit = text(&place.run(&["audit", "--action", "acknowledge"]).stdout);
    assert!(audit.contains(by) && audit.contains("on it") && audit.lines().count() <= 2, "{audit}");
    for nothing in [&[&*id, "--note", " "][..], &[&id]] {
        ended(nothing, 0, "Acknowledged by ");
        assert_eq!(system.count("SELECT count(*) FROM alert_facts").await, 2, "a blank note is none: {nothing:?}");
    }
}

#[tokio::test]
async fn dead_letters_are_listed_shown_and_discarded_with_a_reason() {
    let (url, pool) = servers::database().await;
    let place = Place::new(&url, "redis://127.0.0.1:1");
    assert_eq!(text(&place.run(&["dead-letters", "list"]).stdout), "None.\n");
    servers::execute(
        &pool,
        "INSERT INTO dead_letters (edge_id, warehouse_id, batch_id, kind, reason, raw, raw_sha256)
         VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'record', 'no such version', 'x', sha256('x'))",
    )
    .await;
    let listed = place.json(&["dead-letters", "list", "--json"]);
    assert_eq!((&listed["reason"], &listed["bytes"]), (&json!("no such version"), &json!(1)));
    let id = listed["id"].to_string();
    assert!(text(&place.run(&["dead-letters", "list"]).stdout).contains("no such version"));
    assert_eq!(place.json(&["dead-letters", "show", &id])["state"], "open");
    let replayed = place.run(&["dead-letters", "replay", &id]);
    assert!(text(&replayed.stderr).contains("still cannot be stored"), "{}", text(&replayed.stderr));
    let all = place.run(&["replay", "dead-letters"]);
    assert_eq!(all.status.code(), Some(1), "not done: {all:?}");
    assert!(text(&all.stderr).contains("1 of 1 could not be stored"), "{}", text(&all.stderr));
    assert_eq!(place.run(&["dead-letters", "show", "9999"]).status.code(), Some(66));
    assert_eq!(place.run(&["dead-letters", "discard", "9999", "--reason", "none"]).status.code(), Some(66));
    assert_eq!(place.run(&["dead-letters", "list", "--site", "Nowhere"]).status.code(), Some(66));
    assert_eq!(place.run(&["dead-letters", "discard", &id]).status.code(), Some(64), "a reason is needed");
    for reason in [" ", "a test\u{200b} camera"] {
        assert_eq!(
            place.run(&["dead-letters", "discard", &id, "--reason", reason]).status.code(),
            Some(64),
            "{reason:?}"
        );
    }
    assert!(place.run(&["dead-letters", "discard", &id, "--reason", "a test camera"]).status.success());
    assert!(text(&place.run(&["dead-letters", "discard", &id, "--reason", "again"]).stderr).contains("already"));
    assert_eq!(text(&place.run(&["dead-letters", "list"]).stdout), "None.\n");
    assert!(text(&place.run(&["audit"]).stdout).contains("a test camera"));
}

#[tokio::test]
async fn dead_letters_are_discarded_by_site_and_by_what_their_reason_says() {
    let (url, pool) = servers::database().await;
    let place = Place::new(&url, "redis://127.0.0.1:1");
    servers::execute(
        &pool,
        "INSERT INTO warehouses (warehouse_id, name_set) VALUES (gen_random_uuid(), 'Rotterdam 1')",
    )
    .await;
    servers::execute(
        &pool,
        "INSERT INTO dead_letters (edge_id, warehouse_id, batch_id, kind, reason, raw, raw_sha256)
         SELECT gen_random_uuid(), warehouse_id, gen_random_uuid(), 'record', reason, 'x', sha256('x')
         FROM (VALUES ('of warehouse 1'), ('of warehouse 2'), ('no such version')) AS reasons (reason),
              (SELECT warehouse_id FROM warehouses UNION SELECT gen_random_uuid()) AS sites",
    )
    .await;
    let discard =
        |args: &[&str]| place.run(&[&["dead-letters", "discard", "--reason", "tried before it joined"], args].concat());
    let open = || text(&place.run(&["dead-letters", "list", "--json"]).stdout).lines().count();
    for args in [
        &[][..],
        &["--dry-run"],
        &["1", "--site", "Rotterdam 1"],
        &["1", "--reason-contains", "of warehouse"],
        &["--reason-contains", ""],
        &["--site", "Rotterdam 1", "--reason-contains", " "],
    ] {
        assert_eq!(discard(args).status.code(), Some(64), "{args:?}");
    }
    assert_eq!(discard(&["--site", "Nowhere"]).status.code(), Some(66));
    let both = ["--site", "Rotterdam 1", "--reason-contains", "of warehouse"];
    let dry = place.run(&[&["dead-letters", "discard", "--dry-run"], &both[..]].concat());
    assert_eq!((&*text(&dry.stdout), open()), ("2 open dead letters would be discarded.\n", 6));
    let said = discard(&both);
    assert!(text(&said.stdout).starts_with("Discarded 2;"), "{said:?}");
    assert!(text(&discard(&both).stdout).starts_with("Discarded 0;"));
    let replay = place.run(&["replay", "dead-letters", "--reason-contains", ""]);
    assert_eq!(replay.status.code(), Some(64), "{replay:?}");
    assert!(text(&discard(&["--reason-contains", "of warehouse"]).stdout).starts_with("Discarded 2;"));
    assert_eq!(open(), 2, "those of no such version");
    let ids: Vec<String> = text(&place.run(&["dead-letters", "list", "--json"]).stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["id"].to_string())
        .collect();
    let mixed = discard(&[&ids[0], &ids[0], "99999", &ids[1]]);
    assert_eq!((mixed.status.code(), open()), (Some(66), 0), "the others are decided all the same: {mixed:?}");
    assert!(text(&mixed.stderr).contains("no dead letter 99999"), "{mixed:?}");
    assert_eq!(text(&place.run(&["audit"]).stdout).matches("tried before it joined").count(), 6);
}

#[tokio::test]
async fn a_hangup_takes_what_is_good_and_keeps_what_was_if_it_is_not() {
    let (url, _) = servers::database().await;
    let redis = Redis::start().await;
    let mut place = Place::new(&url, &redis.url);
    place.start().await;
    let state = async |place: &Place, what: &str, holds: &dyn Fn(&Value) -> bool| {
        servers::eventually(what, async || {
            // By another file, because ours may be broken.
            let good = place.dir.path().join("good.toml");
            std::fs::write(&good, &place.base).expect("write");
            let page = place.json(&["status", "--json", "--config", good.to_str().expect("UTF-8")]);
            holds(&page).then_some(page)
        })
        .await
    };
    place.configure("[live]\nclients_max = 5\n[retention]\nalerts_days = 30\n");
    place.signal("-HUP");
    state(&place, "a restart is asked for", &|page| page["config"]["restartNeeded"] == json!(["live.clients_max"]))
        .await;
    place.configure("[workers]\nconcurency = 5\n");
    place.signal("-HUP");
    let page = state(&place, "it is refused", &|page| page["codes"] == json!(["config_refused"])).await;
    let error = page["config"]["error"].as_str().expect("an error");
    // Without the line: health is for everybody, and nobody knows what is in it.
    let said = "central.toml:5:1: there is no key `concurency` in [workers]; did you mean `concurrency`?";
    assert!(error.ends_with(said) && !error.contains("= 5"), "{error}");
    assert_eq!(page["status"], "degraded");
    // What `run` would refuse is refused here too.
    place.configure("[tls]\nmode = \"own\"\nca_dir = \"none\"\nnames = [\"no name\"]\n");
    place.signal("-HUP");
    let about_names = |page: &Value| page["config"]["error"].as_str().is_some_and(|error| error.contains("tls.names"));
    state(&place, "it is refused", &about_names).await;
    place.configure("");
    place.signal("-HUP");
    state(&place, "it is taken", &|page| page["status"] == "healthy").await;
}

#[tokio::test]
async fn a_support_bundle_holds_no_secret_and_nobody() {
    let (url, pool) = servers::database().await;
    let redis = Redis::start().await;
    let mut place = Place::new(&url, &redis.url);
    place.start().await;
    let made: Value = serde_json::from_slice(&place.run(&["tokens", "add", "grafana", "--json"]).stdout).expect("JSON");
    let token = made["token"].as_str().expect("a token");
    servers::execute(
        &pool,
        "INSERT INTO users (name, name_key, role, password) VALUES ('anna.schmidt', 'anna.schmidt', 'viewer', 'x')",
    )
    .await;
    let worker = "6f8d1b52-1111-4222-8333-0123456789ab";
    servers::execute(
        &pool,
        &format!(
            "INSERT INTO dead_letters (edge_id, warehouse_id, batch_id, kind, reason, raw, raw_sha256)
             VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'record', 'worker_id={worker}', 'x', sha256('x'))"
        ),
    )
    .await;
    let output = place
        .command(&[
            "support-bundle",
            "--output",
            "bundle.tar.gz",
            "--set",
            "redis.url=redis://u:hunter2-redis@127.0.0.1:1",
        ])
        .output()
        .expect("it runs");
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for name in ["version.txt", "config.toml", "health.json", "stats.json", "metrics.txt", "doctor.json", "journal.txt"]
    {
        assert!(said.contains(name), "{name}: {said}");
    }
    let bundle = place.dir.path().join("bundle.tar.gz");
    let unpacked = Command::new("tar").args(["-xzO", "-f"]).arg(bundle).output().expect("tar runs");
    let unpacked = text(&unpacked.stdout);
    for part in ["\"recordsStored\"", "smartpick_central", "postgres fsync", "redis://(left out)@127.0.0.1:1"] {
        assert!(unpacked.contains(part), "{part:?} is missing");
    }
    for secret in ["hunter2", token, worker, "anna.schmidt"] {
        assert!(!unpacked.contains(secret), "{secret:?} is in it");
    }
}

#[test]
fn the_configuration_in_force_is_shown_with_its_origins_and_without_its_secrets() {
    let place = Place::new("postgres://u:hunter2@127.0.0.1:1/db?password=hunter2", "redis://127.0.0.1:1");
    let mut command = place.command(&["config", "show", "--origin"]);
    let shown = text(&command.env("WORKER_CONCURRENCY", "7").output().expect("it runs").stdout);
    assert!(shown.contains("url = \"postgres://(set)@127.0.0.1:1/db?password=(set)\""), "{shown}");
    assert!(
        shown.contains("central.toml:2\n") && shown.contains("# environment variable WORKER_CONCURRENCY\n"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"), "{shown}");
}
