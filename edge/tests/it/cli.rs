//! The program from outside: the real binary, what it prints and how it ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

/// Generous, because machines that run tests are busy.
const SOON: Duration = Duration::from_secs(30);

/// A box: its directory, its configuration file, and its edge while one runs.
struct Site {
    dir: tempfile::TempDir,
    port: u16,
    running: Option<Child>,
}

impl Site {
    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().expect("a temp dir");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let site = Self { dir, port, running: None };
        site.configure(config);
        site
    }

    fn file(&self) -> std::path::PathBuf {
        self.dir.path().join("edge.toml")
    }

    /// What is said goes behind the address and the directory.
    fn configure(&self, config: &str) {
        let data = self.dir.path().join("data");
        let text = format!("listen = \"127.0.0.1:{}\"\ndata_dir = \"{}\"\n{config}", self.port, data.display());
        std::fs::write(self.file(), text).expect("write");
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smartpick-edge"));
        command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("SMARTPICK_EDGE_CONFIG", self.file()).env("LC_ALL", "C.UTF-8").current_dir(self.dir.path());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("it runs")
    }

    /// With this line on its standard input.
    fn run_with(&self, line: &str, args: &[&str]) -> Output {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        std::io::Write::write_all(&mut child.stdin.take().expect("piped"), format!("{line}\n").as_bytes()).ok();
        child.wait_with_output().expect("it ends")
    }

    /// What it prints, if it ends well.
    fn said(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{args:?}: {}", text(&output.stderr)))
    }

    fn start(&mut self) {
        let child = self.command(&["run"]).stderr(Stdio::piped()).spawn().expect("it runs");
        self.running = Some(child);
        self.until("it answers", || std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    fn signal(&self, signal: &str) {
        let pid = self.running.as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill").success());
    }

    /// Ends it and returns its log.
    fn stop(&mut self) -> String {
        self.signal("-TERM");
        let mut child = self.running.take().expect("it runs");
        let mut log = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut log).expect("text");
        assert!(child.wait().expect("it ends").success(), "{log}");
        log
    }

    fn until(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + SOON;
        while !condition() {
            assert!(Instant::now() < deadline, "in vain: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn post(&self, body: &Value, token: Option<&str>) -> Value {
        block_on(async {
            let request = reqwest::Client::new().post(self.url("/ingestion/ergonomics")).json(body);
            let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
            request.send().await.expect("an answer").json().await.expect("JSON")
        })
    }

    fn get(&self, path: &str) -> Value {
        block_on(async { reqwest::get(self.url(path)).await.expect("an answer").json().await.expect("JSON") })
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    rustls::crypto::ring::default_provider().install_default().ok();
    tokio::runtime::Runtime::new().expect("a runtime").block_on(work)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn event(worker: Uuid) -> Value {
    json!({
        "event_id": Uuid::new_v4(), "event_time": common::clock::now(), "warehouse_id": Uuid::from_u128(1),
        "zone_id": Uuid::from_u128(2), "camera_id": "cam-01", "worker_id": worker, "model_version": "v1",
        "risk_score": 95.0, "confidence": 0.9, "source": "camera",
        "posture_keypoints": {"left_wrist": {"x": 0.512_345, "y": 0.25, "confidence": 0.9}},
    })
}

fn check<'r>(report: &'r Value, name: &str) -> &'r Value {
    let mut checks = report["checks"].as_array().expect("checks").iter();
    checks.find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

#[test]
fn each_kind_of_failure_has_its_exit_code() {
    let site = Site::new("");
    let code = |args: &[&str]| site.run(args).status.code();
    assert_eq!(code(&["sing"]), Some(64), "EX_USAGE");
    assert_eq!(code(&["users", "add"]), Some(64), "EX_USAGE");
    assert_eq!(code(&["check-config", "--set", "nonsense"]), Some(64), "EX_USAGE");
    assert_eq!(code(&["check-config", "--set", "spill.bytes_max=many"]), Some(78), "EX_CONFIG");
    assert_eq!(code(&["run", "--config", "/does/not/exist.toml"]), Some(78), "EX_CONFIG");
    assert_eq!(code(&["run", "--set", "redis.timeout=0s"]), Some(78), "EX_CONFIG");
    assert_eq!(code(&["status"]), Some(69), "EX_UNAVAILABLE");
    assert_eq!(code(&["alerts", "list"]), Some(69), "EX_UNAVAILABLE");
    assert_eq!(code(&["rules", "test", "--replay", "/does/not/exist"]), Some(66), "EX_NOINPUT");
    assert_eq!(code(&["check-config"]), Some(0));
    assert_eq!(code(&["--version"]), Some(0));
    for named in [
        &["users", "remove", "nobody"][..],
        &["users", "role", "nobody", "admin"],
        &["users", "password", "nobody", "--password-stdin"],
        &["cameras", "remove", "nobody"],
        &["kiosk", "remove", "nobody"],
        &["dead-letters", "show", "7"],
        &["replay"],
    ] {
        assert_eq!(code(named), Some(66), "EX_NOINPUT: {named:?}");
    }
    assert_eq!(code(&["users", "add", "An na", "--password-stdin"]), Some(64), "EX_USAGE");
    assert_eq!(code(&["kiosk", "add", "\u{202e}dock"]), Some(64), "EX_USAGE");
    std::fs::write(site.dir.path().join("file"), "").expect("write");
    for place in ["file/below", "/proc/no/such"] {
        assert_eq!(code(&["man", place]), Some(73), "EX_CANTCREAT: {place}");
        assert_eq!(code(&["support-bundle", "--output", place]), Some(73), "EX_CANTCREAT: {place}");
    }
}

#[test]
fn a_port_in_use_is_told_from_other_failures() {
    let site = Site::new("");
    let _taken = TcpListener::bind(("127.0.0.1", site.port)).expect("free");
    let output = site.run(&["run"]);
    assert_eq!(output.status.code(), Some(69), "EX_UNAVAILABLE: {output:?}");
    assert!(text(&output.stderr).contains("is another edge running?"), "{output:?}");
}

#[test]
fn a_simulator_whose_edge_is_away_says_so_and_what_it_leaves_behind() {
    let site = Site::new("");
    let mut child = site.command(&["simulate", "--url", &site.url(""), "--warehouse", &Uuid::from_u128(1).to_string()]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut words = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut next = || words.next().expect("a line").expect("text");
    let said = next();
    assert!(said.starts_with(&format!("nothing arrives at {}: cannot connect; ", site.url(""))), "{said}");
    assert!(said.ends_with(" events wait"), "{said}");
    assert!(Command::new("kill").arg(child.id().to_string()).status().expect("kill").success());
    let said = next();
    assert!(said.contains("events not acknowledged by http") && said.ends_with("cannot connect"), "{said}");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(75), "EX_TEMPFAIL: {output:?}");
    assert!(text(&output.stdout).contains("not acknowledged when stopped"), "the summary comes first: {output:?}");
}

#[test]
fn an_enrolment_that_fails_says_what_kind_of_failure_it_was() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let token = |url: &str| common::join::JoinToken::new(url, None).to_string();
    let (away, plain) = (token(&format!("https://{closed}")), token("http://hq.example.com"));
    let site = Site::new("");
    let file = site.dir.path().join("file");
    std::fs::write(&file, "").expect("write");
    let below = format!("data_dir={}", file.join("data").display());
    for (args, code) in [
        (&["enroll", "hello"][..], 64),
        (&["enroll", &away[..20]], 64),
        (&["enroll", &plain], 64),
        (&["enroll", &away], 69),
        (&["enroll", &away, "--set", &below], 73),
        (&["enroll", &away, "--set", "data_dir=/proc/no/such"], 73),
    ] {
        let output = site.run(args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
        assert_eq!(text(&output.stderr).lines().count(), 1, "{output:?}");
    }
}

#[test]
fn completions_and_manual_pages_are_made_without_a_configuration() {
    let site = Site::new("listen = 1");
    for shell in ["bash", "zsh", "fish"] {
        assert!(site.said(&["completions", shell]).contains("support-bundle"), "{shell}");
    }
    site.said(&["man", "man1"]);
    for page in ["smartpick-edge.1", "smartpick-edge-users-add.1", "smartpick-edge-doctor.1"] {
        let page = std::fs::read_to_string(site.dir.path().join("man1").join(page)).expect("a page");
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
}

#[test]
fn a_bad_configuration_is_shown_at_its_place_with_the_fix() {
    let site = Site::new("\n[spill]\nbytes_max = \"10 GiB\"\n");
    let file = site.file();
    let says = |args: &[&str]| text(&site.run(args).stderr).replace(&file.display().to_string(), "edge.toml");
    let expected = "smartpick-edge: edge.toml:5:13: spill.bytes_max: must be a whole number, not below 0, not the text \"10 \
                    GiB\"\n  |\n5 | bytes_max = \"10 GiB\"\n  |             ^^^^^^^^\n  = for example: bytes_max = \
                    10737418240\n";
    assert_eq!(says(&["check-config"]), expected);
    assert_eq!(says(&["run"]), expected);
    site.configure("[central]\nurl = \"https://hq\"\n");
    assert!(
        says(&["check-config"])
            .starts_with("smartpick-edge: central.url is set, and this box has not joined: run `smartpick-edge enroll")
    );
    site.configure("[[site.zones]]\nzone_id = \"here\"\nname = \"A\"\n");
    assert!(
        says(&["check-config"]).contains("4 | zone_id = \"here\"\n  |           ^^^^^^\n  = for example: zone_id = ")
    );
    site.configure("[[alerts.rules]]\nname = \"x\"\nthreshold = 170\n");
    assert!(
        says(&["check-config"]).starts_with("smartpick-edge: edge.toml:3:10: alerts.rules: "),
        "{}",
        says(&["check-config"])
    );
}

#[test]
fn a_configuration_that_run_refuses_is_refused_before_and_nothing_is_changed() {
    let site = Site::new("");
    let place = |name: &str| site.dir.path().join(name).display().to_string();
    for name in ["a", "b"] {
        common::tls::authority::Authority::make(&site.dir.path().join(name), name, common::clock::now()).expect("made");
    }
    std::fs::write(place("file"), "").expect("write");
    let files = |certificate: &str, key: &str| {
        format!("[tls]\nmode = \"files\"\ncertificate = \"{}\"\nkey = \"{}\"\n", place(certificate), place(key))
    };
    let port = site.port;
    for (config, set, key) in [
        (files("none.crt", "a/ca.key"), "log=info".to_owned(), "edge.toml:5:15: tls.certificate: "),
        (files("a/ca.crt", "none.key"), "log=info".to_owned(), "edge.toml:6:7: tls.key: "),
        (files("a/ca.crt", "b/ca.key"), "log=info".to_owned(), "edge.toml:5:15: tls.certificate: "),
        ("[tls]\nmode = \"own\"\nnames = [\"not a name\"]\n".to_owned(), "log=info".to_owned(), ": tls.names: "),
        (String::new(), format!("listen=0.0.0.0:{port}"), "--set listen: is 0.0.0.0:"),
        (String::new(), format!("data_dir={}", place("file/below")), "--set data_dir: "),
    ] {
        site.configure(&config);
        for command in ["check-config", "run"] {
            let output = site.run(&[command, "--set", &set]);
            assert_eq!(output.status.code(), Some(78), "EX_CONFIG: {command} {config}{set}: {output:?}");
            assert!(text(&output.stderr).contains(key), "{key:?}: {output:?}");
        }
    }
    site.configure("");
    let output = site.run(&["run", "--set", "data_dir=/proc/no/such"]);
    assert_eq!(output.status.code(), Some(78), "only making it shows it: {output:?}");
    assert!(!site.dir.path().join("data").exists(), "nothing is made");

    site.said(&["cameras", "add", "cam-01"]);
    let before = access(&site);
    let open = format!("listen=0.0.0.0:{port}");
    site.said(&["check-config", "--set", &open]);
    site.said(&["cameras", "remove", "cam-01"]);
    assert_eq!(site.run(&["check-config", "--set", &open]).status.code(), Some(78));
    assert_eq!(before, access(&site), "looking makes no file");
}

/// What there is of the accounts.
fn access(site: &Site) -> Vec<String> {
    let files = std::fs::read_dir(site.dir.path().join("data")).expect("the data directory");
    let mut names: Vec<String> =
        files.map(|file| file.expect("a file").file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

#[test]
fn status_finds_an_edge_whose_file_is_no_good_any_more() {
    let mut site = Site::new("");
    site.start();
    site.configure("nonsense = 1\n");
    let output = site.run(&["status"]);
    assert_eq!(output.status.code(), Some(1), "no headquarters is configured: {output:?}");
    assert!(text(&output.stdout).contains("no central is configured"), "{output:?}");
    assert!(text(&output.stderr).contains("edge.toml:3:1: there is no key or section `nonsense`"), "{output:?}");
    site.configure("");
    site.stop();
}

#[test]
fn the_configuration_in_force_is_shown_with_its_origins_and_without_its_secrets() {
    let site =
        Site::new("camera_token = \"hunter2-camera\"\n\n[redis]\nurl = \"redis://u:hunter2-redis@127.0.0.1:1\"\n");
    let output =
        site.command(&["config", "show", "--origin", "--set", "log=debug"]).env("STREAM_MAX_LENGTH", "77").output();
    let shown = text(&output.expect("it runs").stdout);
    let line = |starts: &str| {
        let line = shown.lines().find(|line| line.starts_with(starts));
        line.unwrap_or_else(|| panic!("{starts}: {shown}")).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let file = site.file().display().to_string();
    assert_eq!(line("camera_token"), format!("camera_token = \"(set)\" # {file}:3"));
    assert_eq!(line("url = \"redis"), format!("url = \"redis://(set)@127.0.0.1:1\" # {file}:6"));
    assert_eq!(line("max_length"), "max_length = 77 # environment variable STREAM_MAX_LENGTH");
    assert_eq!(line("log"), "log = \"debug\" # command line");
    assert_eq!(line("keep_days"), "keep_days = 90 # default");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_doctor_looks_whether_or_not_the_edge_runs() {
    let mut site = Site::new("");
    let report = site.json(&["doctor", "--json"]);
    assert_eq!(report["worst"], "failure", "{report:#}");
    assert_eq!(check(&report, "config")["mark"], "ok");
    assert_eq!(check(&report, "service")["mark"], "failure");
    assert_eq!(check(&report, "listen")["mark"], "ok", "the port is free");
    assert_eq!(check(&report, "redis")["mark"], "skipped");
    assert_eq!(site.run(&["doctor"]).status.code(), Some(2));
    site.start();
    site.post(&event(Uuid::from_u128(3)), None);
    let report = site.json(&["doctor", "--json"]);
    // No headquarters is configured, and that is all there is to say.
    assert_eq!(check(&report, "service")["mark"], "warning", "{report:#}");
    for name in ["data_dir", "sqlite", "spill", "cameras", "listen"] {
        assert_eq!(check(&report, name)["mark"], "ok", "{name}: {report:#}");
    }
    assert_ne!(check(&report, "fsync")["mark"], "skipped", "it was measured");
    site.stop();
    assert!(
        check(&site.json(&["doctor", "--json"]), "spill")["says"].as_str().expect("text").contains("1 events wait")
    );
    std::fs::write(site.dir.path().join("data/spill.db"), vec![7; 8192]).expect("write");
    assert_eq!(check(&site.json(&["doctor", "--json"]), "spill")["mark"], "failure");
    site.configure("nonsense = 1");
    let report = site.json(&["doctor", "--json"]);
    assert!(check(&report, "config")["says"].as_str().expect("text").contains("edge.toml:3:1"), "{report:#}");
    let plain = site.command(&["doctor"]).env("LC_ALL", "C").output().expect("it runs");
    assert!(plain.stdout.is_ascii() && text(&plain.stdout).starts_with("x  config"), "{}", text(&plain.stdout));
}

/// Nothing waits there, but only because it is gone.
#[test]
fn an_emptied_spill_is_not_an_empty_one() {
    let mut site = Site::new("");
    site.start();
    site.post(&event(Uuid::from_u128(4)), None);
    let codes = |site: &Site| site.get("/streams/health")["codes"].as_array().expect("a list").clone();
    assert!(!codes(&site).contains(&json!("spill_salvaged")), "it is new here");
    site.stop();
    for file in ["spill.db", "spill.db-wal"] {
        std::fs::write(site.dir.path().join("data").join(file), "").expect("write");
    }
    site.start();
    assert!(codes(&site).contains(&json!("spill_salvaged")), "{:?}", codes(&site));
    site.stop();
}

#[test]
fn a_redis_that_forgets_is_found_by_the_doctor() {
    let dir = tempfile::tempdir().expect("a temp dir");
    let redis = crate::redis_server::RedisServer::start(dir.path());
    let site = Site::new(&format!("[redis]\nurl = \"{}\"\n", redis.url()));
    let report = site.json(&["doctor", "--json"]);
    for name in ["redis", "redis appendonly", "redis fsync", "redis rewrite", "redis memory"] {
        assert_eq!(check(&report, name)["mark"], "ok", "{name}: {report:#}");
    }
    block_on(async {
        let client = redis::Client::open(redis.url()).expect("a URL");
        let mut connection = client.get_multiplexed_async_connection().await.expect("connects");
        let set = redis::cmd("CONFIG").arg("SET").arg("appendfsync").arg("everysec").to_owned();
        set.query_async::<()>(&mut connection).await.expect("set");
    });
    let report = site.json(&["doctor", "--json"]);
    assert_eq!(check(&report, "redis fsync")["mark"], "failure");
    assert!(check(&report, "redis fsync")["mend"].as_str().expect("text").contains("appendfsync always"));
}

#[test]
fn what_waits_is_told_by_the_running_edge_and_found_in_its_files_afterwards() {
    let mut site = Site::new("");
    for command in [&["backlog"][..], &["dead-letters", "list"]] {
        let output = site.run(command);
        assert_eq!(output.status.code(), Some(66), "EX_NOINPUT: {output:?}");
        let (said, dir) = (text(&output.stderr), site.dir.path().join("data"));
        assert!(said.contains("no edge runs") && said.contains(&dir.display().to_string()), "{said}");
        assert!(said.contains("`data_dir`") && !dir.exists(), "{said}");
    }
    std::fs::create_dir(site.dir.path().join("data")).expect("made");
    assert!(site.said(&["backlog"]).contains("no edge runs"), "there is a box, and nothing on it");
    site.start();
    for _ in 0..3 {
        site.post(&event(Uuid::from_u128(3)), None);
    }
    let said = site.json(&["backlog", "--json"]);
    assert_eq!((&said["from"], &said["backlog"]["records"]), (&json!("the running edge"), &json!(3)), "{said:#}");
    assert_eq!(said["epochs"][0]["waiting"], 3);
    assert!(site.said(&["backlog"]).contains("backlog (SQLite)"));
    assert!(site.said(&["dead-letters", "list"]).contains("None, as the running edge says."));
    assert_eq!(site.json(&["status", "--json"])["stats"]["accepted"], 3);
    site.stop();
    let found = site.json(&["backlog", "--json"]);
    assert_eq!(found["backlog"]["records"], 3, "{found:#}");
    assert!(found["from"].as_str().expect("text").starts_with("no edge runs"));
    assert!(site.said(&["dead-letters", "list"]).contains("no edge runs"));
}

#[test]
fn commands_ask_an_edge_that_speaks_https_without_being_told_whom_to_trust() {
    let mut site = Site::new("[tls]\nmode = \"own\"\n");
    site.start();
    let page = site.json(&["status", "--json"]);
    assert_eq!(page["stats"]["accepted"], 0, "{page:#}");
    assert_eq!(site.json(&["backlog", "--json"])["from"], "the running edge");
    assert!(site.said(&["alerts", "list", "--state", "all"]).contains("None."));
    // An address that somebody gives is believed as any other: here, not at all.
    let url = format!("https://127.0.0.1:{}", site.port);
    let output = site.run(&["status", "--url", &url]);
    assert!(!output.status.success() && text(&output.stdout).is_empty(), "{}", text(&output.stdout));

    let mut tail = site.command(&["tail", "--json", "--topics", "health"]);
    let mut tail = tail.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let mut line = String::new();
    BufReader::new(tail.stdout.take().expect("piped")).read_line(&mut line).expect("text");
    tail.kill().expect("killed");
    tail.wait().expect("it ends");
    assert!(serde_json::from_str::<Value>(&line).is_ok_and(|message| message.is_object()), "{line}");
    site.stop();
}

#[test]
fn alerts_are_listed_and_acknowledged() {
    let mut site = Site::new(
        "[[alerts.rules]]\nname = \"quick\"\nthreshold = 70\nfor = \"100ms\"\ngap = \"10s\"\nscope = \"person\"\n",
    );
    assert_eq!(site.run(&["alerts", "list"]).status.code(), Some(69));
    site.start();
    let mut listed = Value::Null;
    site.until("an alert is raised", || {
        site.post(&event(Uuid::from_u128(3)), None);
        listed = site.json(&["alerts", "list", "--json"]);
        listed["alerts"].as_array().is_some_and(|alerts| !alerts.is_empty())
    });
    let id = listed["alerts"][0]["alert_id"].as_str().expect("an id").to_owned();
    assert!(site.said(&["alerts", "list"]).contains(&id));
    assert!(site.said(&["alerts", "list", "--state", "cleared"]).contains("None."));
    assert!(site.said(&["alerts", "ack", &id, "--reason", "on my way"]).starts_with("Acknowledged by "));
    // It may be over by now, on a busy machine.
    let all = site.json(&["alerts", "list", "--state", "all", "--json"]);
    let found = all["alerts"].as_array().expect("alerts").iter().find(|alert| alert["alert_id"] == *id);
    assert_eq!(found.expect("the alert")["acknowledged"]["note"], "on my way");
    let again = site.said(&["alerts", "ack", &id, "--reason", "another"]);
    assert!(again.starts_with("It was acknowledged already, by "), "{again}");
    let detail = site.get(&format!("/api/v1/alerts/{id}"));
    assert_eq!(detail["facts"].as_array().map(Vec::len), Some(1), "it was said once: {detail:#}");
    assert_eq!(detail["alert"]["acknowledged"]["note"], "on my way");
    let unknown = site.run(&["alerts", "ack", &Uuid::new_v4().to_string()]);
    assert_eq!(unknown.status.code(), Some(66), "EX_NOINPUT");
    assert!(text(&unknown.stderr).contains("no"), "{}", text(&unknown.stderr));
    // Killed, it leaves a log beside its history; ended well, it leaves none. Either is read, and stays as it is.
    let mut kill = site.running.take().expect("it runs");
    kill.kill().expect("killed");
    kill.wait().expect("it ends");
    found_afterwards(&site, &id);
    site.start();
    site.stop();
    found_afterwards(&site, &id);
    assert_eq!(site.run(&["alerts", "ack", &id]).status.code(), Some(69), "nobody is there to take it");
    let elsewhere = site.run(&["alerts", "list", "--url", "http://127.0.0.1:9"]);
    assert_eq!(elsewhere.status.code(), Some(69), "another edge's alerts are not here");
}

#[test]
fn what_run_refuses_of_the_disk_and_its_files_check_config_refuses_too() {
    let site = Site::new("");
    let refused = |args: &[&str], words: &str| {
        for command in ["check-config", "run"] {
            let output = site.run(&[&[command], args].concat());
            assert_eq!(output.status.code(), Some(78), "{command}: {output:?}");
            assert!(text(&output.stderr).contains(words), "{command}: {}", text(&output.stderr));
        }
    };
    refused(
        &["--set", "spill.disk_free_min=9000000000000000000"],
        "spill.disk_free_min: is 9000000000000000000, and the whole",
    );
    refused(&["--set", "spill.ballast_bytes=9000000000000000000"], "spill.ballast_bytes: is");
    let data = site.dir.path().join("data");
    assert_eq!(site.run(&["fsck"]).status.code(), Some(66), "there is no data directory");
    std::fs::create_dir(&data).expect("made");
    std::fs::write(data.join("identity.json"), "garbage").expect("written");
    refused(&[], "identity.json; it is damaged: move it aside");
    let nothing = site.run(&["fsck", "--from", "/etc/passwd"]);
    assert_eq!(nothing.status.code(), Some(1), "{nothing:?}");
    assert!(text(&nothing.stderr).contains("there is nothing of a spill in /etc/passwd"), "{nothing:?}");
}

/// Where no unit sets a `UMask`.
#[test]
fn nobody_else_can_read_what_is_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut site = Site::new("");
    site.start();
    site.post(&event(Uuid::from_u128(3)), None);
    let mut found = Vec::new();
    for entry in
        std::fs::read_dir(site.dir.path().join("data")).expect("is there").map(|entry| entry.expect("an entry"))
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let mode = entry.metadata().expect("is there").permissions().mode();
        if name.contains(".db") {
            assert_eq!(mode & 0o077, 0, "{name} is {mode:o}");
            found.push(name);
        }
    }
    for name in ["access.db", "history.db", "spill.db", "spill.db-wal"] {
        assert!(found.iter().any(|found| found == name), "{name} was looked at: {found:?}");
    }
    site.stop();
}

#[test]
fn where_there_are_accounts_alerts_are_acknowledged_as_somebody() {
    let (right, wrong) = ("a long password", "a wrong password");
    let mut site = Site::new(
        "[[alerts.rules]]\nname = \"quick\"\nthreshold = 70\nfor = \"100ms\"\ngap = \"10s\"\nscope = \"person\"\n",
    );
    for (name, role) in [("anna", "supervisor"), ("ben", "viewer")] {
        let add = site.run_with(right, &["users", "add", name, "--role", role, "--password-stdin"]);
        assert!(add.status.success(), "{add:?}");
    }
    site.start();
    let list = ["alerts", "list", "--json", "--user", "ben", "--password-stdin"];
    let mut id = String::new();
    site.until("an alert is raised", || {
        site.post(&event(Uuid::from_u128(3)), None);
        let listed: Value = serde_json::from_slice(&site.run_with(right, &list).stdout).expect("JSON");
        id = listed["alerts"][0]["alert_id"].as_str().unwrap_or_default().to_owned();
        !id.is_empty()
    });
    let refused = |output: &Output, words: &str| {
        assert_eq!(output.status.code(), Some(77), "EX_NOPERM: {output:?}");
        assert!(text(&output.stderr).contains(words), "{words}: {}", text(&output.stderr));
    };
    refused(&site.run(&["alerts", "list"]), "with this command: --user NAME, or --token TOKEN");
    refused(&site.run(&["alerts", "ack", &id]), "with this command: --user NAME\n");
    let ack = |line: &str, name: &str| site.run_with(line, &["alerts", "ack", &id, "--user", name, "--password-stdin"]);
    refused(&ack(wrong, "anna"), "the name or the password is not right");
    refused(&ack(right, "nobody"), "the name or the password is not right");
    refused(&ack(right, "ben"), "ben is viewer");
    let done = ack(right, "anna");
    assert!(text(&done.stdout).starts_with("Acknowledged by anna at "), "{done:?}");
    let users = site.json(&["users", "list", "--json"]);
    let sessions: Vec<u64> = users.as_array().expect("users").iter().filter_map(|u| u["sessions"].as_u64()).collect();
    assert_eq!(sessions, [0, 0], "everybody is signed out again: {users}");
}

fn found_afterwards(site: &Site, id: &str) {
    let before = history(site);
    let found = site.json(&["alerts", "list", "--state", "all", "--camera", "cam-01", "--json"]);
    assert!(found["from"].as_str().expect("text").starts_with("no edge runs"), "{found:#}");
    let alert = found["alerts"].as_array().expect("alerts").iter().find(|alert| alert["alert_id"] == *id);
    assert_eq!(alert.expect("the alert")["acknowledged"]["note"], "on my way");
    let said = site.said(&["alerts", "list", "--state", "all"]);
    assert!(said.starts_with("no edge runs; this is the history in ") && said.contains(id), "{said}");
    assert!(site.said(&["alerts", "list", "--state", "all", "--camera", "cam-09"]).ends_with("None.\n"));
    assert_eq!(history(site), before, "looking changes nothing");
}

/// The history's files, with what is in them.
fn history(site: &Site) -> Vec<(String, Vec<u8>)> {
    let files = std::fs::read_dir(site.dir.path().join("data")).expect("the data directory");
    let named = files.map(|file| file.expect("a file").file_name().into_string().expect("a name"));
    let mut names: Vec<String> = named.filter(|name| name.starts_with("history")).collect();
    names.sort();
    names
        .iter()
        .map(|name| (name.clone(), std::fs::read(site.dir.path().join("data").join(name)).expect("read")))
        .collect()
}

#[test]
fn status_is_one_screen_and_follows_changes() {
    let mut site = Site::new("[site]\nname = \"Rotterdam 1\"\n");
    site.start();
    site.post(&event(Uuid::from_u128(3)), None);
    let output = site.run(&["status"]);
    assert_eq!(output.status.code(), Some(1), "no headquarters is configured");
    let screen = text(&output.stdout);
    for part in [
        "status    degraded  Rotterdam 1",
        "no central is configured",
        "accepted",
        "spill     1 events",
        "1 heard, none silent",
    ] {
        assert!(screen.contains(part), "{part:?} is missing in:\n{screen}");
    }
    assert!(!screen.contains('\u{1b}'), "no colour where there is no terminal");
    let mut watch = site.command(&["status", "--watch"]).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
    assert!(lines.next().expect("a line").expect("text").contains("degraded: no central"));
    site.stop();
    assert!(lines.next().expect("a line").expect("text").contains("no edge answers"));
    watch.kill().expect("it follows");
    watch.wait().expect("killed");
}

#[test]
fn a_hangup_takes_what_is_good_and_keeps_what_was_if_it_is_not() {
    let mut site = Site::new("[site]\nname = \"before\"\n");
    site.start();
    assert_eq!(site.get("/api/v1/site")["name"], "before");
    site.configure("[site]\nname = \"after\"\n[alerts]\ncamera_silent_after = \"1m\"\n[history]\nkeep_days = 7\n");
    site.signal("-HUP");
    site.until("the new name is in force", || site.get("/api/v1/site")["name"] == "after");
    site.until("the restart is asked for", || {
        site.get("/streams/health")["config"]["restartNeeded"] == json!(["history.keep_days"])
    });
    assert!(
        text(&site.run(&["status"]).stdout)
            .contains("needed for what is different in the configuration: history.keep_days")
    );
    site.configure("[site]\nname = \"never\"\ntime_zone = \"Europe/Berln\"\n");
    site.signal("-HUP");
    site.until("the refusal shows", || {
        let health = site.get("/streams/health");
        health["codes"].as_array().is_some_and(|codes| codes.contains(&json!("config_refused")))
    });
    let error = site.get("/streams/health")["config"]["error"].as_str().expect("an error").to_owned();
    assert!(error.contains("edge.toml:5:13: site.time_zone:") && error.contains("Europe/Berlin"), "{error}");
    assert_eq!(site.get("/api/v1/site")["name"], "after");
    site.configure("[site]\nnam = \"hunter2\"\n");
    site.signal("-HUP");
    let error = || site.get("/streams/health")["config"]["error"].as_str().unwrap_or_default().to_owned();
    site.until("the other refusal shows", || error().contains("there is no key `nam` in [site]"));
    assert!(error().ends_with("; did you mean `name`?") && !error().contains("hunter2"), "{}", error());
    site.configure("[tls]\nmode = \"own\"\nnames = [\"not a name\"]\n");
    site.signal("-HUP");
    site.until("what a start would refuse is refused", || error().contains("tls.names: "));
    site.configure("[site]\nname = \"at last\"\n");
    site.signal("-HUP");
    site.until("it is in force", || site.get("/api/v1/site")["name"] == "at last");
    assert_eq!(site.get("/streams/health")["config"]["error"], Value::Null);
    let log = site.stop();
    for part in
        ["in force now: alerts.camera_silent_after, site.name", "need a restart: history.keep_days", "^^^^^^^^^^^^^^"]
    {
        assert!(log.contains(part), "{part:?} is missing in:\n{log}");
    }
}

#[test]
fn a_support_bundle_holds_no_secret_and_nobody() {
    let (camera, central, password) = ("hunter2-camera-token", "spe_hunter2central", "hunter2-password");
    let mut site = Site::new(&format!(
        "camera_token = \"{camera}\"\nedge_id = \"{}\"\nwarehouse_id = \"{}\"\n[central]\nurl = \"http://127.0.0.1:1\"\ntoken = \
         \"{central}\"\n[redis]\nurl = \"redis://u:{password}@127.0.0.1:1\"\n[[alerts.rules]]\nname = \"quick\"\nthreshold = \
         70\nfor = \"100ms\"\ngap = \"10s\"\n",
        Uuid::from_u128(7),
        Uuid::from_u128(1)
    ));
    let add = ["users", "add", "anna.schmidt", "--role", "admin", "--password-stdin"];
    assert!(site.run_with("a long password", &add).status.success());
    site.start();
    let worker = Uuid::new_v4();
    for _ in 0..5 {
        let answer = site.post(&event(worker), Some(camera));
        assert_eq!(answer["accepted"], 1, "{answer}");
    }
    let said = site.said(&["support-bundle", "--output", "bundle.tar.gz"]);
    for name in [
        "version.txt",
        "config.toml",
        "health.json",
        "stats.json",
        "metrics.txt",
        "doctor.json",
        "system/disk.txt",
        "journal.txt",
    ] {
        assert!(said.contains(name), "{name}: {said}");
    }
    site.stop();
    let unpacked = unpacked(&site.dir.path().join("bundle.tar.gz"));
    // It is really the system's.
    for part in ["\"received\": 5", "http://127.0.0.1:1", "smartpick_edge", "cam-01"] {
        assert!(unpacked.contains(part), "{part:?} is missing");
    }
    let worker = worker.to_string();
    for secret in [
        camera,
        central,
        password,
        "hunter2",
        &worker,
        &worker.replace('-', ""),
        "anna.schmidt",
        "0.512345",
        "left_wrist",
    ] {
        assert!(!unpacked.contains(secret), "{secret:?} is in it");
    }
    let again = site.run(&["support-bundle", "--output", "bundle.tar.gz"]);
    assert_eq!(again.status.code(), Some(73), "EX_CANTCREAT: nothing is overwritten");
}

/// All files of an archive, one behind the other.
fn unpacked(archive: &Path) -> String {
    let output = Command::new("tar").args(["-xzO", "-f"]).arg(archive).output().expect("tar runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}
