//! How many observations a second the alert rules take, on one core: what is left of it is the intake's.

use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, TimeDelta};
use common::event::{Hundredths, Source};
use common::ids::{WorkerId, ZoneId};
use edge::alerts::Observation;
use edge::alerts::engine::Engine;
use edge::alerts::rules::{self, RuleConfig};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use uuid::Uuid;

use crate::report::Report;

/// A large site.
const WORKERS: usize = 200;
/// Scores stay where they are for about this many events, so that alerts come about.
const STRETCH: u32 = 40;

pub fn measure(report: &mut Report, events: usize) -> anyhow::Result<()> {
    let observations = observations(events);
    for count in [1, 5] {
        let configs: Vec<RuleConfig> = (0..count)
            .map(|n| RuleConfig {
                name: format!("rule-{n}"),
                threshold: 70.0 + f64::from(n),
                ..RuleConfig { clear_below: None, ..RuleConfig::sustained_risk() }
            })
            .collect();
        let mut engine = Engine::new(&rules::check(&configs)?);
        let (mut changes, mut said, mut tick) = (Vec::new(), 0, observations[0].arrived_at);
        let started = Instant::now();
        for seen in &observations {
            while tick < seen.arrived_at {
                tick += TimeDelta::milliseconds(250);
                engine.tick(tick, &mut changes);
            }
            engine.observe(seen, &mut changes);
            said += changes.len();
            changes.clear();
        }
        let rate = events as f64 / started.elapsed().as_secs_f64();
        let note = format!("{WORKERS} workers, {said} changes");
        report.add_noted("rules", format!("observations, {count} rule(s)"), rate, "/s", note);
    }
    Ok(())
}

/// Ten a second of each worker, in the order in which they arrive.
fn observations(events: usize) -> Vec<Observation> {
    let mut random = StdRng::seed_from_u64(3);
    let mut levels = [3_000_u16; WORKERS];
    let cameras: Vec<Arc<str>> = (0..WORKERS).map(|n| format!("cam-{:02}", n / 4).into()).collect();
    (0..events)
        .map(|n| {
            let worker = n % WORKERS;
            if random.random_ratio(1, STRETCH) {
                levels[worker] = random.random_range(0..9_500);
            }
            let seen_at = DateTime::UNIX_EPOCH + TimeDelta::microseconds((n * 100_000 / WORKERS) as i64);
            Observation {
                event_time: seen_at,
                arrived_at: seen_at + TimeDelta::milliseconds(200),
                zone_id: ZoneId::from_uuid(Uuid::from_u128(worker as u128 / 20)),
                camera_id: Arc::clone(&cameras[worker]),
                worker_id: Some(WorkerId::from_uuid(Uuid::from_u128(worker as u128))),
                risk_score: Hundredths::from_raw(levels[worker] + random.random_range(0..200)),
                confidence: Hundredths::from_raw(90),
                source: Source::Camera,
                keypoints: None,
            }
        })
        .collect()
}
