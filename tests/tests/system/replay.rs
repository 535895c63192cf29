//! The recorded set, or as many simulated events, through everything.

use anyhow::ensure;
use tests::checker;
use tests::events::{self, NORTH, SOUTH};
use tests::stack::{Options, Stack};

use crate::{is_long, options};

/// Of the recorded set; all of it with `SMARTPICK_LONG`.
const EVENTS: usize = 8_000;

#[tokio::test(flavor = "multi_thread")]
async fn recorded_events_of_two_sites_arrive_once_and_unchanged() -> anyhow::Result<()> {
    let mut all = match events::recorded_file() {
        Some(file) => events::recorded(&file)?,
        None => [(NORTH, 1), (SOUTH, 2)]
            .iter()
            .flat_map(|(site, seed)| events::simulated(*site, EVENTS / 2, *seed))
            .collect(),
    };
    if !is_long() {
        all.truncate(EVENTS);
    }
    let stack = Stack::start(Options { edges: 2, ..options() }).await?;
    stack
        .explain(async {
            let total = all.len();
            let (north, south): (Vec<_>, Vec<_>) = all.into_iter().partition(|event| event.warehouse_id == NORTH);
            ensure!(!north.is_empty() && !south.is_empty(), "both sites have events");
            let (north_camera, south_camera) = (stack.camera(0)?, stack.camera(1)?);
            let (a, b) = tokio::join!(north_camera.deliver_all(&north, 100), south_camera.deliver_all(&south, 37));
            a.and(b)?;
            let report = checker::check(&stack).await?;
            ensure!(report.acknowledged == total && report.rows == total, "{report:?} of {total}");
            let book = stack.ledger.book();
            ensure!(book.rejected.is_empty(), "rejected: {:?}", book.rejected);
            Ok(())
        })
        .await
}
