//! Makes batches at the pace that was asked for. Pacing is by schedule: an edge that was away gets afterwards what
//! the cameras saw meanwhile, with the times at which they saw it.

use std::io::BufRead as _;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use common::clock;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::client::{Client, Item};
use super::replay::{self, Plan};
use super::scene::Scene;
use super::{Args, NO_WAREHOUSE};

/// How finely events are spread over time.
const TICK: Duration = Duration::from_millis(5);
/// A batch that is not full goes out after this: a camera does not hold its picture back for long.
const FLUSH_AFTER: Duration = Duration::from_millis(100);
/// The latest of the late events.
const LATE_SECONDS_MAX: f64 = 60.0;
/// Events made in one go when unpaced, before the clock is looked at again.
const UNPACED_ROUND: u64 = 500;

/// Fills `queue` until there is nothing more to make, or nobody wants it.
///
/// # Errors
/// If the file to replay cannot be read.
pub async fn make(
    args: Args,
    client: Client,
    queue: mpsc::Sender<Vec<Item>>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut batches = Batches { size: usize::from(args.batch), open: Vec::new(), since: Instant::now(), queue };
    let making = async {
        let ended = match &args.replay {
            Some(_) => recorded(&args, &mut batches).await,
            None => simulated(&args, &client, &mut batches).await,
        };
        match ended {
            Ok(()) | Err(End::Unwanted) => batches.flush().await.or(Ok(())),
            Err(End::Failed(error)) => Err(error),
        }
    };
    tokio::select! {
        made = making => made,
        // Batches in the making were never sent; they do not count as unacknowledged.
        () = stop.cancelled() => Ok(()),
    }
}

/// Why making ended early.
enum End {
    /// The queue is closed.
    Unwanted,
    Failed(anyhow::Error),
}

struct Batches {
    size: usize,
    open: Vec<Item>,
    since: Instant,
    queue: mpsc::Sender<Vec<Item>>,
}

impl Batches {
    async fn add(&mut self, item: Item) -> Result<(), End> {
        if self.open.is_empty() {
            self.since = Instant::now();
        }
        self.open.push(item);
        if self.open.len() >= self.size { self.flush().await } else { Ok(()) }
    }

    async fn flush_if_old(&mut self) -> Result<(), End> {
        if self.since.elapsed() >= FLUSH_AFTER { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.open.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.open);
        self.queue.send(batch).await.map_err(|_| End::Unwanted)
    }
}

async fn simulated(args: &Args, client: &Client, batches: &mut Batches) -> Result<(), End> {
    let seed = args.seed.unwrap_or_else(rand::random);
    let warehouse = match args.warehouse {
        Some(warehouse) => warehouse,
        None => client.warehouse().await.unwrap_or(NO_WAREHOUSE),
    };
    let mut scene = Scene::new(warehouse, usize::from(args.cameras), seed);
    let mut mischief = StdRng::seed_from_u64(seed);
    let (started, first) = (Instant::now(), clock::now());
    let mut made = 0;
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let passed = started.elapsed();
        let over = args.duration.is_some_and(|duration| passed >= duration);
        let scheduled = args.duration.map_or(passed, |duration| passed.min(duration)).as_secs_f64() * args.rate;
        // Whole events only, so the cast cuts; an unpaced run is always behind.
        let due = if args.rate > 0.0 { scheduled as u64 } else { made + UNPACED_ROUND };
        let due = due.min(args.count.unwrap_or(u64::MAX));
        let unpaced_over = over && args.rate == 0.0;
        while made < due && !unpaced_over {
            let at = if args.rate > 0.0 { first + seconds(made as f64 / args.rate) } else { clock::now() };
            let item = next(&mut scene, at, args, &mut mischief);
            let again = (args.duplicates > 0.0 && mischief.random_bool(args.duplicates)).then(|| item.clone());
            batches.add(item).await?;
            if let Some(again) = again {
                batches.add(again).await?;
            }
            made += 1;
        }
        if over || args.count.is_some_and(|count| made >= count) {
            return Ok(());
        }
        if args.rate > 0.0 {
            batches.flush_if_old().await?;
            tick.tick().await;
        }
    }
}

fn next(scene: &mut Scene, at: DateTime<Utc>, args: &Args, mischief: &mut StdRng) -> Item {
    let mut snapshot = scene.snapshot(at);
    if args.late > 0.0 && mischief.random_bool(args.late) {
        snapshot.event_time -= seconds(mischief.random_range(1.0..LATE_SECONDS_MAX));
    }
    Item { id: Some(snapshot.event_id), json: snapshot.to_json() }
}

/// To the microsecond, which is what Postgres can hold.
fn seconds(seconds: f64) -> TimeDelta {
    TimeDelta::microseconds((seconds * 1_000_000.0) as i64)
}

async fn recorded(args: &Args, batches: &mut Batches) -> Result<(), End> {
    let path = args.replay.as_deref().expect("only called when there is a file");
    let (plan, file) = tokio::task::block_in_place(|| {
        let plan = Plan::read(path, args.times, args.speed, clock::now())?;
        anyhow::Ok((plan, replay::open(path)?))
    })
    .map_err(End::Failed)?;
    let started = Instant::now();
    let mut made = 0;
    for line in file.lines() {
        let line = line.with_context(|| format!("cannot read {}", path.display())).map_err(End::Failed)?;
        let Some((after, item)) = plan.place(&line, args.warehouse) else { continue };
        let due = started + after;
        while Instant::now() < due {
            let pause = due.min(Instant::now() + FLUSH_AFTER);
            tokio::time::sleep_until(pause).await;
            batches.flush_if_old().await?;
        }
        if args.duration.is_some_and(|duration| started.elapsed() >= duration) {
            break;
        }
        batches.add(item).await?;
        made += 1;
        if args.count.is_some_and(|count| made >= count) {
            break;
        }
    }
    Ok(())
}
