//! (e) The floor: from the POST that makes a rule's condition true to the moment the last of many screens has the alert,
//! with headquarters out of reach. And what so many screens cost in memory.
//!
//! The default rule is in force, so each alert takes its worker more than three seconds of bad posture. Many workers are
//! needed for many alerts, each in a zone of its own, or they would be grouped into floods. The rule's reorder window
//! (half a second) is part of the time measured; how long the fan-out alone takes is told beside it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt as _;
use serde_json::Value;
use tests::dir::Dir;
use tests::edge::{Edge, Entry, Options};
use tests::events::{NORTH, Scene, Snapshot};
use tests::redis::{Durability, Redis};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::client::{Connection, raise_file_limit};
use crate::report::{Report, percentile};
use crate::usage::Meter;

const PART: &str = "(e) alerts, POST to the last screen";
const SCREENS: usize = 500;
/// Alert changes a second; each episode makes two, raised and cleared.
const CHANGES_PER_SEC: usize = 100;
/// A worker bends for the first part of this, in events a gap apart, and then is not seen for the rest.
const CYCLE: Duration = Duration::from_secs(8);
const EVENT_EVERY: Duration = Duration::from_millis(400);
/// The ninth comes 3.2 s after the first: that is when the rule's three seconds are over.
const RISKY_EVENTS: u32 = 10;
const WORKERS: usize = CHANGES_PER_SEC / 2 * CYCLE.as_secs() as usize;
const CAMERAS: usize = 20;
/// Events that are due within it go in one POST, as a gateway of several cameras sends them.
const POST_EVERY: Duration = Duration::from_millis(20);
const CONNECTIONS: usize = 8;
/// The engine gives up waiting for a worker after three seconds.
const SETTLES_WITHIN: Duration = Duration::from_secs(8);

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// When a zone's events were sent, by their time.
type Posted = HashMap<Uuid, Vec<(DateTime<Utc>, Instant)>>;

/// A raised alert as the first screen saw it.
struct Raised {
    seq: u64,
    zone_id: Uuid,
    raised_at: DateTime<Utc>,
}

/// What one screen got.
#[derive(Default)]
struct Got {
    changes: Vec<(u64, Instant)>,
    missed: u64,
}

pub async fn measure(report: &mut Report, scale: f64) -> anyhow::Result<()> {
    raise_file_limit()?;
    let dir = Dir::new()?;
    let redis = Redis::start(&dir, "edge-redis", Durability::Always).await?;
    let edge = Edge::start(
        &dir,
        Options {
            name: "edge".to_owned(),
            warehouse_id: NORTH,
            edge_id: Uuid::new_v4(),
            // Nobody is there: the WAN is down.
            central_url: format!("http://127.0.0.1:{}", tests::ports::free()?),
            entry: Entry::Token("spe_none".to_owned()),
            redis_url: Some(redis.url.clone()),
            stream_max_length: None,
            data_dir: None,
            spill: None,
            alerts: None,
        },
    )
    .await?;
    let meter = Meter::start("edge", edge.service().pid())?;
    let time = Duration::from_secs_f64((60.0 * scale).max(15.0));

    let alone = meter.resident_mib()?;
    let sockets = open_screens(&edge).await?;
    let idle = meter.resident_mib()?;
    let stop = CancellationToken::new();
    let (raised_sender, mut raised_receiver) = tokio::sync::mpsc::channel(100_000);
    let mut screens = JoinSet::new();
    for (index, socket) in sockets.into_iter().enumerate() {
        let details = (index == 0).then(|| raised_sender.clone());
        screens.spawn(watch(socket, details, stop.clone()));
    }
    drop(raised_sender);
    let cpu_before = meter.spent()?;
    let posted = load(&edge, time).await?;
    let (busy, cpu) = (meter.resident_mib()?, meter.spent()? - cpu_before);
    // Until nothing changes any more: alerts of workers who are not seen again are cleared in a few seconds.
    tokio::time::sleep(SETTLES_WITHIN).await;
    stop.cancel();
    let mut got = Vec::new();
    while let Some(done) = screens.join_next().await {
        got.push(done.context("a screen panicked")??);
    }
    let mut raised = Vec::new();
    while let Some(one) = raised_receiver.recv().await {
        raised.push(one);
    }
    add_latencies(report, &got, &raised, &posted, time)?;
    let per_screen = (idle - alone) * 1_024.0 / SCREENS as f64;
    report.add_noted(
        PART,
        format!("edge memory with {SCREENS} screens"),
        busy,
        "MiB",
        format!(
            "{alone:.0} MiB before they came, {idle:.0} with them idle ({per_screen:.0} KiB each), peak {:.0}",
            meter.peak_mib()?
        ),
    );
    report.add(PART, "edge processor time", cpu.as_secs_f64() / time.as_secs_f64() * 100.0, "% of a core");
    Ok(())
}

async fn open_screens(edge: &Edge) -> anyhow::Result<Vec<Socket>> {
    let url = format!("{}/ws/live?topics=alerts", edge.url.replacen("http", "ws", 1));
    let mut sockets = Vec::with_capacity(SCREENS);
    for _ in 0..SCREENS {
        let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.context("open a screen")?;
        let first = socket.next().await.context("closed at once")?.context("the snapshot")?;
        anyhow::ensure!(first.to_text()?.contains(r#""type":"snapshot""#), "no snapshot first");
        sockets.push(socket);
    }
    Ok(sockets)
}

/// Notes when each change came. Only the first screen looks into them: all share the machine with the edge.
async fn watch(
    mut socket: Socket,
    details: Option<tokio::sync::mpsc::Sender<Raised>>,
    stop: CancellationToken,
) -> anyhow::Result<Got> {
    let (mut got, mut known) = (Got::default(), HashSet::new());
    loop {
        let said = tokio::select! {
            said = socket.next() => said.context("a screen was closed")??,
            () = stop.cancelled() => return Ok(got),
        };
        let Message::Text(text) = said else { continue };
        if let Some(rest) = text.strip_prefix(r#"{"type":"change","seq":"#) {
            let seq = rest.split(',').next().and_then(|seq| seq.parse().ok()).context("a seq")?;
            got.changes.push((seq, Instant::now()));
        } else if text.starts_with(r#"{"type":"missed""#) {
            got.missed += 1;
        }
        let Some(details) = &details else { continue };
        let message: Value = serde_json::from_str(&text).context("a message")?;
        let alert = &message["alert"];
        // The first change of an alert, and of a person's: the edge also has alerts about itself.
        if alert["state"] == "raised"
            && alert["subject"] == "risk"
            && known.insert(alert["alert_id"].as_str().map(str::to_owned))
        {
            let raised = Raised {
                seq: message["seq"].as_u64().context("a seq")?,
                zone_id: serde_json::from_value(alert["zone_id"].clone()).context("a zone")?,
                raised_at: serde_json::from_value(alert["raised_at"].clone()).context("a time")?,
            };
            details.send(raised).await.context("the bench has given up")?;
        }
    }
}

/// Has all workers bend and straighten for so long.
async fn load(edge: &Edge, time: Duration) -> anyhow::Result<Posted> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Arc::new(Mutex::new(Connection::open(&edge.url, &edge.camera_token).await?)));
    }
    let mut scene = Scene::new(NORTH, CAMERAS, rand::random());
    let zones: Vec<Uuid> = (0..WORKERS).map(|_| Uuid::new_v4()).collect();
    // When each has its next event, and the how manieth of its cycle that is. Spread evenly over a cycle.
    let began = Instant::now();
    let mut due: Vec<(Instant, u32)> =
        (0..WORKERS).map(|worker| (began + CYCLE.mul_f64(worker as f64 / WORKERS as f64), 0)).collect();
    let mut posted = Posted::new();
    let mut posts = JoinSet::new();
    let mut clock = tokio::time::interval(POST_EVERY);
    let mut turn = 0;
    while began.elapsed() < time {
        clock.tick().await;
        let (now, wall) = (Instant::now(), common::clock::now());
        let mut events = Vec::new();
        for (worker, (at, number)) in due.iter_mut().enumerate().filter(|(_, (at, _))| *at <= now) {
            // No two at one time in a zone, so that the alert tells which it was.
            let event_time = wall - TimeDelta::microseconds(events.len() as i64);
            events.push(event(&mut scene, worker, zones[worker], *number < RISKY_EVENTS, event_time));
            posted.entry(zones[worker]).or_default().push((event_time, now));
            if *number < RISKY_EVENTS {
                (*at, *number) = (*at + EVENT_EVERY, *number + 1);
            } else {
                (*at, *number) = (*at + CYCLE - EVENT_EVERY * RISKY_EVENTS, 0);
            }
        }
        if events.is_empty() {
            continue;
        }
        let body = format!("[{}]", events.iter().map(Snapshot::to_json).collect::<Vec<_>>().join(","));
        let connection = Arc::clone(&connections[turn % CONNECTIONS]);
        turn += 1;
        posts.spawn(async move { connection.lock().await.post(Bytes::from(body)).await });
    }
    while let Some(status) = posts.join_next().await {
        let status = status.context("a POST panicked")??;
        anyhow::ensure!(status.is_success(), "the edge answered {status}");
    }
    Ok(posted)
}

fn event(scene: &mut Scene, worker: usize, zone_id: Uuid, risky: bool, at: DateTime<Utc>) -> Snapshot {
    let mut event = scene.snapshot(at);
    event.zone_id = zone_id;
    event.worker_id = Some(Uuid::from_u128(worker as u128 + 1));
    event.camera_id = format!("cam-{:02}", worker % CAMERAS + 1);
    "camera".clone_into(&mut event.source);
    event.risk_score = if risky { 75.0 } else { 20.0 };
    event
}

fn add_latencies(
    report: &mut Report,
    got: &[Got],
    raised: &[Raised],
    posted: &Posted,
    time: Duration,
) -> anyhow::Result<()> {
    // First and last receipt of each change, over all screens.
    let mut receipts: HashMap<u64, (Instant, Instant, usize)> = HashMap::new();
    for (seq, at) in got.iter().flat_map(|got| &got.changes) {
        let (first, last, count) = receipts.entry(*seq).or_insert((*at, *at, 0));
        (*first, *last, *count) = ((*first).min(*at), (*last).max(*at), *count + 1);
    }
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    let (mut totals, mut spreads) = (Vec::new(), Vec::new());
    for (first, last, _) in receipts.values() {
        spreads.push(ms(*last - *first));
    }
    for one in raised {
        let sent = posted.get(&one.zone_id).and_then(|sent| sent.iter().find(|(at, _)| *at >= one.raised_at));
        let (Some((_, sent)), Some((_, last, _))) = (sent, receipts.get(&one.seq)) else { continue };
        totals.push(ms(*last - *sent));
    }
    if totals.is_empty() {
        bail!("no alert was raised: {} changes came", receipts.len());
    }
    totals.sort_by(f64::total_cmp);
    spreads.sort_by(f64::total_cmp);
    let rate = receipts.len() as f64 / time.as_secs_f64();
    let (missed, whole) =
        (got.iter().map(|got| got.missed).sum::<u64>(), receipts.values().all(|(_, _, n)| *n == got.len()));
    let of = |sorted: &[f64]| format!("p99 {:.0} ms, max {:.0} ms", percentile(sorted, 0.99), percentile(sorted, 1.0));
    report.add_noted(PART, "POST to the last of the screens", percentile(&totals, 0.5), "ms p50", of(&totals));
    report.add_noted(PART, "  of it, first to last screen", percentile(&spreads, 0.5), "ms p50", of(&spreads));
    let complete = if whole { "every screen got every change" } else { "NOT every screen got every change" };
    let note = format!("{} alerts measured, {complete}, {missed} times a screen was too slow", totals.len());
    report.add_noted(PART, format!("changes to each of {} screens", got.len()), rate, "/s", note);
    Ok(())
}
