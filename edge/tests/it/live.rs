//! `/ws/live` and `smartpick-edge tail` against the real server.

use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::alert::{Severity, ShiftSnapshotEvent, Subject};
use common::event::Source;
use common::ids::{AlertId, ZoneId};
use edge::alerts::{AlertView, State};
use edge::config::Config;
use edge::edge::Edge;
use edge::live::{Hub, Publish as _};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, http};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use uuid::Uuid;

/// Generous, because machines that run tests are busy.
const SOON: Duration = Duration::from_secs(30);

struct Site {
    edge: Edge,
    _dir: tempfile::TempDir,
}

async fn site(change: impl FnOnce(&mut Config)) -> Site {
    rustls::crypto::ring::default_provider().install_default().ok();
    let dir = tempfile::tempdir().expect("a temp dir");
    let mut config = Config { listen: ([127, 0, 0, 1], 0).into(), ..Config::default() };
    config.data_dir = dir.path().join("data").display().to_string();
    change(&mut config);
    Site { edge: Box::pin(edge::edge::start(config)).await.expect("starts"), _dir: dir }
}

impl Site {
    fn hub(&self) -> &Hub {
        &self.edge.hub
    }

    async fn screen(&self, query: &str) -> Screen {
        Screen::open(self.edge.addr, query).await
    }

    async fn stop(self) {
        self.edge.life.stop().await.expect("stops in time");
    }
}

fn alert(number: u128, revision: u32, state: State) -> AlertView {
    let now = common::clock::now();
    AlertView {
        alert_id: AlertId::from_uuid(Uuid::from_u128(number)),
        revision,
        state,
        subject: Subject::Risk,
        rule: "sustained-risk".to_owned(),
        severity: Severity::Warning,
        zone_id: None,
        zone: Some("Picking".to_owned()),
        camera_id: Some("cam-01".to_owned()),
        camera: None,
        started_at: now,
        raised_at: now,
        ended_at: (state == State::Cleared).then_some(now),
        latest: Some(71.0),
        peak: Some(80.5),
        peak_at: None,
        events: revision,
        episodes: 1,
        summary: format!("alert {number}"),
        late: false,
        acknowledged: None,
        silenced: None,
    }
}

fn snapshot(camera: u64, millis: i64) -> ShiftSnapshotEvent {
    ShiftSnapshotEvent {
        event_time: chrono::DateTime::from_timestamp_millis(millis).expect("in range"),
        zone_id: ZoneId::from_uuid(Uuid::from_u128(u128::from(camera % 3))),
        camera_id: format!("cam-{camera}"),
        source: Source::Camera,
        risk_score: 50.0,
        confidence: 0.5,
    }
}

/// A client that keeps what a page would keep.
struct Screen {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    seen: Seen,
}

#[derive(Debug, Default, Clone, PartialEq)]
struct Seen {
    run: String,
    seq: u64,
    alerts: BTreeMap<String, Value>,
    cameras: BTreeMap<(String, String), Value>,
    health: Value,
}

impl Seen {
    fn apply(&mut self, message: &Value) {
        let seq = message["seq"].as_u64();
        match message["type"].as_str().expect("a type") {
            "snapshot" => {
                *self = Self { run: text(&message["run"]), ..Self::default() };
                for alert in message["alerts"].as_array().into_iter().flatten() {
                    self.alerts.insert(text(&alert["alert_id"]), alert.clone());
                }
                self.see_cameras(&message["snapshots"]);
                self.health = message["health"].clone();
            }
            "change" => {
                assert!(seq > Some(self.seq), "seqs only grow: {message} after {}", self.seq);
                match message["topic"].as_str().expect("a topic") {
                    "alerts" => {
                        let alert = &message["alert"];
                        self.alerts.insert(text(&alert["alert_id"]), alert.clone());
                    }
                    "snapshots" => self.see_cameras(&message["snapshots"]),
                    "health" => self.health = message["health"].clone(),
                    topic => panic!("unknown topic {topic}"),
                }
            }
            "resumed" => assert_eq!((text(&message["run"]), seq), (self.run.clone(), Some(self.seq))),
            "beat" => assert!(seq >= Some(self.seq)),
            "missed" => return,
            kind => panic!("unknown type {kind}"),
        }
        self.seq = seq.expect("a seq");
    }

    fn see_cameras(&mut self, snapshots: &Value) {
        for one in snapshots.as_array().into_iter().flatten() {
            self.cameras.insert((text(&one["zone_id"]), text(&one["camera_id"])), one.clone());
        }
    }

    fn resume(&self) -> String {
        format!("run={}&after={}", self.run, self.seq)
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}

impl Screen {
    async fn open(addr: SocketAddr, query: &str) -> Self {
        Self::try_open(addr, query, &[]).await.expect("lets us in")
    }

    async fn try_open(addr: SocketAddr, query: &str, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        let mut request = format!("ws://{addr}/ws/live?{query}").into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a value"));
        }
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        Ok(Self { socket, seen: Seen::default() })
    }

    /// The next text, applied to what is seen.
    async fn next(&mut self) -> Value {
        let message = self.try_next().await.expect("still open");
        self.seen.apply(&message);
        message
    }

    async fn try_next(&mut self) -> Result<Value, Option<CloseCode>> {
        loop {
            let said = tokio::time::timeout(SOON, self.socket.next()).await.expect("hears something");
            match said {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Reads until a change or a snapshot with this seq or a later one was applied.
    async fn until(&mut self, seq: u64) -> Vec<Value> {
        let mut messages = Vec::new();
        while self.seen.seq < seq {
            let message = self.next().await;
            if message["type"] != "beat" {
                messages.push(message);
            }
        }
        messages
    }

    async fn closed(&mut self) -> Option<CloseCode> {
        let closed = async {
            loop {
                if let Err(code) = self.try_next().await {
                    return code;
                }
            }
        };
        tokio::time::timeout(SOON, closed).await.expect("is closed")
    }
}

async fn until(what: &str, mut probe: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !probe().await {
        assert!(Instant::now() < deadline, "waited {SOON:?} for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn last_seq(hub: &Hub) -> u64 {
    *hub.news().borrow()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_then_changes_in_order_and_without_a_gap_while_others_publish() {
    let site = site(|_| {}).await;
    let stop = Arc::new(AtomicBool::new(false));
    let publishers: Vec<_> = (0..3u128)
        .map(|own| {
            let (hub, stop) = (Arc::clone(&site.edge.hub), Arc::clone(&stop));
            std::thread::spawn(move || {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    hub.alert(alert(own * 1_000 + number % 50, 1 + number as u32, State::Raised));
                    std::thread::sleep(Duration::from_micros(500));
                }
            })
        })
        .collect();
    for _ in 0..20 {
        let mut screen = site.screen("").await;
        assert_eq!(screen.next().await["type"], "snapshot");
        for _ in 0..50 {
            let before = screen.seen.seq;
            let message = screen.next().await;
            assert_eq!((&message["type"], screen.seen.seq), (&json!("change"), before + 1), "{message}");
        }
    }
    let mut screen = site.screen("").await;
    stop.store(true, Ordering::Relaxed);
    publishers.into_iter().for_each(|publisher| publisher.join().expect("publishes"));
    screen.until(last_seq(site.hub())).await;
    let mut fresh = site.screen("").await;
    fresh.until(screen.seen.seq).await;
    assert_eq!(screen.seen.alerts, fresh.seen.alerts);
    assert_eq!(screen.seen.alerts.len(), 150);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_come_at_once_and_not_with_the_next_beat() {
    const BEAT: Duration = Duration::from_secs(5);
    let site = site(|_| {}).await;
    let mut screen = site.screen("topics=alerts").await;
    screen.next().await;
    let began = Instant::now();
    for number in 1..=20 {
        site.hub().alert(alert(number, 1, State::Raised));
        screen.until(last_seq(site.hub())).await;
    }
    assert!(began.elapsed() < BEAT * 4, "{:?}", began.elapsed());
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_comes_back_gets_exactly_what_it_missed() {
    let site = site(|_| {}).await;
    let mut screen = site.screen("topics=alerts").await;
    screen.next().await;
    site.hub().alert(alert(1, 1, State::Raised));
    screen.until(last_seq(site.hub())).await;
    let seen = screen.seen.clone();
    drop(screen);
    for number in 2..=40 {
        site.hub().alert(alert(number, 1, State::Raised));
        site.hub().snapshots(vec![snapshot(1, number as i64)]);
    }
    let mut screen = site.screen(&format!("topics=alerts&{}", seen.resume())).await;
    screen.seen = seen.clone();
    assert_eq!(screen.next().await["type"], "resumed");
    let mut got = Vec::new();
    for _ in 2..=40 {
        got.push(text(&screen.next().await["alert"]["summary"]));
    }
    assert_eq!(got, (2..=40).map(|number| format!("alert {number}")).collect::<Vec<_>>());

    // Of another run, of the future, or too long ago: a snapshot.
    for query in [
        format!("run={}&after={}", Uuid::new_v4(), seen.seq),
        format!("run={}&after={}", seen.run, last_seq(site.hub()) + 1_000),
    ] {
        let message = site.screen(&query).await.next().await;
        assert_eq!((&message["type"], message["alerts"].as_array().map(Vec::len)), (&json!("snapshot"), Some(40)));
    }
    for millis in 0..5_000 {
        site.hub().snapshots(vec![snapshot(7, millis)]);
    }
    assert_eq!(site.screen(&seen.resume()).await.next().await["type"], "snapshot");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_topics_asked_for_and_errors_that_say_what_is_wrong() {
    let site = site(|_| {}).await;
    let mut screen = site.screen("topics=snapshots").await;
    let first = screen.next().await;
    assert!(first["snapshots"].is_array() && first.get("alerts").is_none() && first.get("health").is_none(), "{first}");
    site.hub().alert(alert(1, 1, State::Raised));
    site.hub().health(&json!({"status": "healthy"}));
    site.hub().snapshots(vec![snapshot(1, 5)]);
    let messages = screen.until(last_seq(site.hub())).await;
    assert_eq!((messages.len(), &messages[0]["topic"]), (1, &json!("snapshots")));

    let addr = site.edge.addr;
    let refused = async |query: &str, headers: &[(&'static str, &str)]| match Screen::try_open(addr, query, headers)
        .await
    {
        Err(Error::Http(answer)) => {
            let problem: Value = serde_json::from_slice(answer.body().as_deref().unwrap_or_default()).expect("JSON");
            (answer.status().as_u16(), text(&problem["code"]), text(&problem["message"]))
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("{query} was let in"),
    };
    for (query, said) in
        [("topics=alarms", "`alarms`"), ("topics=", "at least one"), ("after=1", "give both"), ("seq=1", "seq")]
    {
        let (status, code, message) = refused(query, &[]).await;
        assert_eq!((status, code.as_str()), (400, "query_invalid"), "{query}");
        assert!(message.contains(said), "{message}");
    }
    for origin in ["http://evil.example", &format!("http://127.0.0.1:{}", addr.port() ^ 1), "null"] {
        let (status, code, _) = refused("", &[("origin", origin)]).await;
        assert_eq!((status, code.as_str()), (403, "foreign_origin"), "{origin}");
    }
    let ours = format!("http://{addr}");
    assert!(Screen::try_open(addr, "", &[("origin", &ours)]).await.is_ok(), "the edge's own page");
    let plain = reqwest::get(format!("http://{addr}/ws/live")).await.expect("answers");
    assert_eq!(plain.status().as_u16(), http::StatusCode::UPGRADE_REQUIRED.as_u16());
    site.stop().await;
}

/// The kernel holds some MiB for each connection, so it takes many changes before a stalled client misses one.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_stops_reading_is_told_exactly_how_many_it_missed_and_slows_nobody() {
    const ROUND: u32 = 500;
    const ROUNDS: u32 = 100;
    let site = site(|_| {}).await;
    let (mut stalled, mut quick) = (site.screen("topics=alerts").await, site.screen("topics=alerts").await);
    stalled.next().await;
    quick.next().await;
    let mut long = alert(1, 0, State::Raised);
    long.summary = "x".repeat(1_000);
    for round in 0..ROUNDS {
        for number in 1..=ROUND {
            site.hub().alert(AlertView {
                revision: round * ROUND + number,
                events: round * ROUND + number,
                ..long.clone()
            });
        }
        let began = Instant::now();
        let messages = quick.until(last_seq(site.hub())).await;
        assert_eq!(messages.len(), ROUND as usize, "everything, and one by one");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    let (mut before, mut missed) = (0, None);
    while missed.is_none() {
        let message = stalled.next().await;
        match message["type"].as_str() {
            Some("change") => {
                before += 1;
                assert_eq!(message["alert"]["revision"], before, "no gap that was not said");
            }
            Some("missed") => missed = message["count"].as_u64(),
            _ => {}
        }
    }
    let all = u64::from(ROUNDS * ROUND);
    assert_eq!(missed.map(|missed| missed + before), Some(all), "what came before and what is said to be missed");
    let message = stalled.next().await;
    assert_eq!((&message["type"], &message["alerts"][0]["revision"]), (&json!("snapshot"), &json!(all)));
    site.hub().alert(AlertView { revision: u32::MAX, ..long });
    // Beats come in between where the machine is slow.
    let next = loop {
        let message = stalled.next().await;
        if message["type"] != "beat" {
            break message;
        }
    };
    assert_eq!(next["alert"]["revision"], u32::MAX, "and it goes on");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_snapshot_arrives_whole() {
    let site = site(|_| {}).await;
    for number in 0..900 {
        let mut long = alert(number, 1, State::Raised);
        long.summary = "ä€ ".repeat(200);
        site.hub().alert(long);
    }
    let message = site.screen("topics=alerts").await.next().await;
    assert!(message.to_string().len() > 500_000);
    assert_eq!(message["alerts"].as_array().map(Vec::len), Some(900));
    assert_eq!(message["alerts"][899]["summary"], "ä€ ".repeat(200));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_so_many_places_and_they_are_given_back() {
    let site = site(|config| config.live.clients_max = 2).await;
    let addr = site.edge.addr;
    let (first, mut second) = (site.screen("").await, site.screen("").await);
    let Err(Error::Http(answer)) = Screen::try_open(addr, "", &[]).await else { panic!("there were two places") };
    assert_eq!(answer.status().as_u16(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    second.next().await;
    drop(first);
    until("a place to be given back", async || Screen::try_open(addr, "", &[]).await.is_ok()).await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_must_not_say_ends_its_connection() {
    let site = site(|_| {}).await;
    for (said, code) in [("hello", CloseCode::Policy), (&"x".repeat(5_000), CloseCode::Size)] {
        let mut screen = site.screen("").await;
        screen.next().await;
        screen.socket.send(Message::text(said)).await.expect("sends");
        assert_eq!(screen.closed().await, Some(code));
    }
    let mut screen = site.screen("").await;
    screen.socket.send(Message::Ping(b"hi".to_vec().into())).await.expect("sends");
    let pong = async {
        loop {
            if let Some(Ok(Message::Pong(said))) = screen.socket.next().await {
                return said;
            }
        }
    };
    assert_eq!(&tokio::time::timeout(SOON, pong).await.expect("answers")[..], b"hi");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_says_goodbye_and_waits_for_nobody() {
    let site = site(|_| {}).await;
    let (mut screen, mut stalled) = (site.screen("").await, site.screen("").await);
    screen.next().await;
    stalled.next().await;
    let hub = Arc::clone(&site.edge.hub);
    // Fill the way to the stalled one.
    let mut long = alert(1, 0, State::Raised);
    long.summary = "x".repeat(100_000);
    for revision in 0..200 {
        hub.alert(AlertView { revision, ..long.clone() });
        screen.until(last_seq(&hub)).await;
    }
    let reader = tokio::spawn(async move { screen.closed().await });
    let began = Instant::now();
    site.stop().await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(reader.await.expect("reads"), Some(CloseCode::Away));
    drop(stalled);
}

/// Many clients that come, go, dawdle and resume at random, while all topics change. In the end each has the present.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_clients_do_each_ends_up_with_the_present() {
    const CLIENTS: u64 = 24;
    const TOPICS: [&str; 4] = ["", "topics=alerts", "topics=alerts,snapshots", "topics=alerts,snapshots,health"];
    let seed: u64 = rand::random();
    // A failure can then be looked into; the interleaving itself is the scheduler's.
    let context = format!("seed {seed}");
    let site = site(|_| {}).await;
    let addr = site.edge.addr;
    let quiet = Arc::new(AtomicBool::new(false));
    let resumed = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|own| {
            let mut rng = StdRng::seed_from_u64(seed ^ (own + 1));
            let (quiet, resumed) = (Arc::clone(&quiet), Arc::clone(&resumed));
            let topics = TOPICS[own as usize % TOPICS.len()];
            tokio::spawn(async move {
                let mut seen = Seen::default();
                while !quiet.load(Ordering::Relaxed) {
                    let resume = if seen.run.is_empty() { String::new() } else { seen.resume() };
                    let mut screen = Screen::open(addr, &format!("{topics}&{resume}")).await;
                    screen.seen = seen;
                    for _ in 0..rng.random_range(1..200) {
                        // Nothing may come any more.
                        let Ok(message) = tokio::time::timeout(Duration::from_millis(50), screen.next()).await else {
                            break;
                        };
                        if message["type"] == "resumed" {
                            resumed.fetch_add(1, Ordering::Relaxed);
                        }
                        if rng.random_ratio(1, 50) {
                            tokio::time::sleep(Duration::from_millis(rng.random_range(0..20))).await;
                        }
                    }
                    seen = screen.seen.clone();
                }
                (topics, seen)
            })
        })
        .collect();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut revisions = [0u32; 100];
    for step in 0..20_000i64 {
        match rng.random_range(0..10) {
            0 => site.hub().health(&json!({"status": "healthy", "step": step})),
            1..4 => site
                .hub()
                .snapshots((0..rng.random_range(1..4)).map(|_| snapshot(rng.random_range(0..20), step)).collect()),
            _ => {
                let number = rng.random_range(0..revisions.len());
                revisions[number] += 1;
                let state = [State::Raised, State::Acknowledged, State::Cleared][rng.random_range(0..3)];
                site.hub().alert(alert(number as u128, revisions[number], state));
            }
        }
        if rng.random_ratio(1, 20) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    quiet.store(true, Ordering::Relaxed);
    for client in clients {
        let (topics, seen) = client.await.expect("runs to its end");
        let mut screen = Screen::open(addr, &format!("{topics}&{}", seen.resume())).await;
        screen.seen = seen;
        // The floor's own health may still change: both must agree at some moment.
        until(&format!("a client of {topics:?} to have the present ({context})"), async || {
            while let Some(said) = screen.socket.next().now_or_never() {
                let Some(Ok(Message::Text(text))) = said else { continue };
                screen.seen.apply(&serde_json::from_str(&text).expect("JSON"));
            }
            let mut fresh = Screen::open(addr, topics).await;
            fresh.next().await;
            (&screen.seen.alerts, &screen.seen.cameras, &screen.seen.health)
                == (&fresh.seen.alerts, &fresh.seen.cameras, &fresh.seen.health)
        })
        .await;
    }
    assert!(resumed.load(Ordering::Relaxed) > 50, "{context}: it was about resuming");
    site.stop().await;
}

/// A `smartpick-edge tail` and what it has printed so far.
struct Tail {
    child: Child,
    out: std::sync::mpsc::Receiver<String>,
    err: std::sync::mpsc::Receiver<String>,
}

impl Tail {
    fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_smartpick-edge"))
            .arg("tail")
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let out = lines(child.stdout.take().expect("a pipe"));
        let err = lines(child.stderr.take().expect("a pipe"));
        Self { child, out, err }
    }

    fn line(&self) -> String {
        self.out.recv_timeout(SOON).expect("prints a line")
    }

    fn remark(&self) -> String {
        self.err.recv_timeout(SOON).expect("says something")
    }

    async fn ended(&mut self) -> std::process::ExitStatus {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(status) = self.child.try_wait().expect("ours") {
                return status;
            }
            assert!(Instant::now() < deadline, "tail still runs");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn lines(pipe: impl std::io::Read + Send + 'static) -> std::sync::mpsc::Receiver<String> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1_000);
    std::thread::spawn(move || {
        for line in std::io::BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_follows_through_a_restart() {
    let site = site(|_| {}).await;
    let addr = site.edge.addr;
    let url = format!("http://{addr}");
    site.hub().alert(alert(1, 1, State::Raised));
    let (people, programs) = (Tail::start(&["--url", &url]), Tail::start(&["--url", &url, "--json"]));
    assert_eq!(people.line(), "Times are those of the site (UTC).");
    let line = people.line();
    assert!(line.contains("▲ WARNING") && line.contains("Picking · cam-01") && line.ends_with("alert 1"), "{line}");
    assert!(!line.contains('\u{1b}'), "no colour where there is no terminal");
    let json = |line: String| serde_json::from_str::<Value>(&line).expect("a line is an object");
    assert_eq!(json(programs.line())["type"], "snapshot");
    site.hub().alert(alert(1, 2, State::Cleared));
    let message = json(programs.line());
    assert_eq!((&message["type"], &message["alert"]["state"]), (&json!("change"), &json!("cleared")));
    assert!(people.line().contains("○ cleared"));

    let Site { edge, _dir } = site;
    edge.life.stop().await.expect("stops");
    for tail in [&people, &programs] {
        let remark = tail.remark();
        assert!(remark.contains("lost the connection") && remark.contains("trying again"), "{remark}");
    }
    let mut config = Config { listen: addr, ..Config::default() };
    config.data_dir = _dir.path().join("data").display().to_string();
    let edge = Box::pin(edge::edge::start(config)).await.expect("starts again");
    edge.hub.alert(alert(2, 1, State::Raised));
    for tail in [&people, &programs] {
        assert!(tail.remark().contains("connected again"), "says that it healed");
    }
    assert!(people.line().ends_with("alert 2"));
    assert_eq!(json(programs.line())["type"], "snapshot");

    // Nobody reads any more: it ends by itself, and well.
    let mut unread = Tail::start(&["--url", &url]);
    unread.line();
    drop(std::mem::replace(&mut unread.out, std::sync::mpsc::sync_channel(1).1));
    let mut number = 2;
    until("tail to notice that nobody reads", async || {
        number += 1;
        edge.hub.alert(alert(number, 1, State::Raised));
        unread.child.try_wait().expect("ours").is_some()
    })
    .await;
    assert!(unread.ended().await.success());
    edge.life.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_resumes_after_a_cut_and_ends_on_ctrl_c() {
    let site = site(|_| {}).await;
    // A link that can be cut, so that the edge lives on.
    let link = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = link.local_addr().expect("bound").port();
    let (addr, cut) = (site.edge.addr, Arc::new(tokio::sync::Notify::new()));
    let cutter = Arc::clone(&cut);
    let relay = tokio::spawn(async move {
        loop {
            let (mut near, _) = link.accept().await.expect("accepts");
            let cutter = Arc::clone(&cutter);
            tokio::spawn(async move {
                let mut far = TcpStream::connect(addr).await.expect("connects");
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    () = cutter.notified() => {}
                }
            });
        }
    });
    let mut tail = Tail::start(&["--url", &format!("http://127.0.0.1:{port}"), "--json", "--topics", "alerts"]);
    let json = |line: String| serde_json::from_str::<Value>(&line).expect("a line is an object");
    assert_eq!(json(tail.line())["type"], "snapshot");
    cut.notify_waiters();
    // Only then is nothing told over the old connection any more.
    assert!(tail.remark().contains("lost the connection"));
    for number in 1..=3 {
        site.hub().alert(alert(number, 1, State::Raised));
    }
    assert_eq!(tail.remark(), "smartpick-edge: connected again; nothing was missed");
    assert_eq!(json(tail.line())["type"], "resumed");
    for number in 1..=3 {
        assert_eq!(json(tail.line())["alert"]["summary"], format!("alert {number}"));
    }
    let interrupted = Command::new("kill").args(["-INT", &tail.child.id().to_string()]).status().expect("runs");
    assert!(interrupted.success() && tail.ended().await.success());
    relay.abort();
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_ends_with_a_reason_where_trying_again_cannot_help() {
    let site = site(|_| {}).await;
    let mut tail = Tail::start(&["--url", &format!("http://{}", site.edge.addr), "--topics", "alarms"]);
    assert!(tail.remark().contains("alarms"));
    assert!(!tail.ended().await.success());
    let mut tail = Tail::start(&["--url", "edge:8080"]);
    assert!(tail.remark().contains("http://"));
    assert_eq!(tail.ended().await.code(), Some(64));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_token_is_taken_back_sees_no_more() {
    let site = site(|_| {}).await;
    let data_dir = format!("data_dir={}", site._dir.path().join("data").display());
    let kiosk = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smartpick-edge"));
        let output = command.arg("kiosk").args(args).args(["--set", &data_dir]).output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    let made: Value = serde_json::from_slice(&kiosk(&["add", "wall", "--json"])).expect("JSON");
    let token = text(&made["token"]);
    let authorization = format!("Bearer {token}");
    let addr = site.edge.addr;
    let mut screen = None;
    until("the edge to know the token", async || {
        screen = Screen::try_open(addr, "", &[("authorization", &authorization)]).await.ok();
        screen.is_some()
    })
    .await;
    let mut screen = screen.expect("open");
    screen.next().await;
    let mut tail = Tail::start(&["--url", &format!("http://{addr}"), "--token", &token]);
    assert!(tail.line().starts_with("Times are"));
    kiosk(&["remove", "wall"]);
    assert_eq!(screen.closed().await, Some(CloseCode::Policy));
    assert!(tail.remark().contains("no longer let in"));
    assert!(tail.remark().contains("no valid token"));
    assert!(!tail.ended().await.success());
    site.stop().await;
}
