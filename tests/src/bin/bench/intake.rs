//! (a) Intake: how many events a second the edge accepts, all of them on disk when it answers. Central is not reached
//! meanwhile, and the stream is allowed to grow, so that nothing else is measured.

use tests::dir::Dir;
use tests::edge::{Edge, Entry, Options};
use tests::process::{Service, Spec};
use tests::redis::{Durability, Redis};
use tests::{ports, wait};
use uuid::Uuid;

use crate::client::{Connection, bodies, fresh, post_all};
use crate::limits::raw_xadd;
use crate::report::Report;
use crate::usage::Meter;

const PART: &str = "(a) intake, durable, Redis";
/// Connections of cameras that send batches; single posts come over more.
const BATCH_CONNECTIONS: usize = 8;
const SINGLE_CONNECTIONS: usize = 64;

pub async fn measure(report: &mut Report, events: usize) -> anyhow::Result<()> {
    let dir = Dir::new()?;
    let redis = Redis::start(&dir, "bench-redis", Durability::Always).await?;
    let edge = Edge::start(&dir, options(redis.url.clone())).await?;
    let parser = parser(&dir).await?;
    let singles = events / 4;

    let raw_one = raw_xadd(&redis, &fresh(events), 1).await?;
    let raw_four = raw_xadd(&redis, &fresh(events), 4).await?;
    report.add(PART, "raw XADD, 1 connection, pipelines of 256", raw_one, "events/s");
    report.add(PART, "raw XADD, 4 connections", raw_four, "events/s");

    let parse_batch = rate(&parser.url, "", events, 100, BATCH_CONNECTIONS).await?;
    report.add(PART, "parse-only handler, batches of 100", parse_batch, "events/s");
    let meters = [Meter::start("edge", edge.service().pid())?, Meter::start("Redis", redis.service().pid())?];
    let batch = rate(&edge.url, &edge.camera_token, events, 100, BATCH_CONNECTIONS).await?;
    let share = |part: f64, of: f64| part / of * 100.0;
    report.add_noted(
        PART,
        "edge, batches of 100, 8 connections",
        batch,
        "events/s",
        format!("{:.0} % of raw XADD over 1, {:.0} % over 4 (aim 60 %)", share(batch, raw_one), share(batch, raw_four)),
    );
    for meter in meters {
        let spent = meter.spent()?.as_secs_f64() * 1e6 / events as f64;
        report.add(PART, format!("processor time of {}", meter.name), spent, "µs/event");
    }

    let parse_single = rate(&parser.url, "", singles, 1, SINGLE_CONNECTIONS).await?;
    report.add(PART, "parse-only handler, single posts, 64 connections", parse_single, "events/s");
    let single = rate(&edge.url, &edge.camera_token, singles, 1, SINGLE_CONNECTIONS).await?;
    report.add_noted(
        PART,
        "edge, single posts, 64 connections",
        single,
        "events/s",
        format!("{:.0} % of the parse-only handler (aim 40 %)", share(single, parse_single)),
    );
    Ok(())
}

fn options(redis_url: String) -> Options {
    let warehouse_id = tests::events::NORTH;
    Options {
        name: "bench-edge".to_owned(),
        warehouse_id,
        edge_id: Uuid::new_v5(&warehouse_id, b"bench"),
        // Nobody listens there.
        central_url: "http://127.0.0.1:9".to_owned(),
        entry: Entry::Token("none".to_owned()),
        redis_url: Some(redis_url),
        stream_max_length: Some(100_000_000),
        data_dir: None,
        spill: None,
        alerts: None,
    }
}

async fn rate(url: &str, token: &str, events: usize, batch: usize, connections: usize) -> anyhow::Result<f64> {
    let bodies = bodies(&fresh(events), batch);
    let took = post_all(url, token, bodies, connections).await?;
    Ok(events as f64 / took.as_secs_f64())
}

struct Parser {
    url: String,
    _service: Service,
}

async fn parser(dir: &Dir) -> anyhow::Result<Parser> {
    let port = ports::free()?;
    let service = Service::start(Spec {
        name: "parse-only".to_owned(),
        program: std::env::current_exe()?,
        args: vec!["parse-only".to_owned(), port.to_string()],
        user: None,
        log: dir.path().join("parse-only.log"),
        last_signal: rustix::process::Signal::KILL,
    })
    .await?;
    let url = format!("http://127.0.0.1:{port}");
    wait::until("the parse-only handler", wait::SOON, || async { Ok(Connection::open(&url, "").await.ok().map(drop)) })
        .await?;
    Ok(Parser { url, _service: service })
}
