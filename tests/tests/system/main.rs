//! The promise, tried on the real thing: both binaries, real Redis and Postgres, real faults, under load. After each,
//! every event that was acknowledged to a camera must be in Postgres exactly once with the same fields, and central's
//! ledger must miss nothing.
//!
//! The heavier runs are behind `SMARTPICK_LONG=1` (`make faults`).

mod alerts;
mod batches;
mod central_faults;
mod disk_full;
mod edge_faults;
mod enrolment;
mod events;
mod ledger_hours;
mod link_faults;
mod long;
mod replay;
mod restore;
mod rules;
mod tools;

use std::io::Write as _;

use tests::camera::Load;
use tests::checker::{self, Report};
use tests::stack::{Options, Stack};
use tests::wait;

/// Events a second of the load during a fault, and events per request.
const RATE: u32 = 400;
const BATCH: usize = 20;
/// What must be acknowledged before a fault is begun, and again after it, so that it was really under load.
const FLOW: usize = 300;

/// Most tests leave Postgres alone, so they share one.
fn options() -> Options {
    Options { shared_postgres: true, ..Options::default() }
}

/// Runs `fault` while cameras send to every edge, and proves that nothing was lost.
async fn under_load(options: Options, fault: impl AsyncFnOnce(&Stack) -> anyhow::Result<()>) -> anyhow::Result<Report> {
    let stack = Stack::start(options).await?;
    stack
        .explain(async {
            let mut loads: Vec<Load> = Vec::new();
            for edge in 0..stack.edges.len() {
                loads.push(stack.camera(edge)?.load(RATE, BATCH));
            }
            flow(&stack).await?;
            // Boxed: what a fault waits for can be large, and this future is copied by value.
            Box::pin(fault(&stack)).await?;
            flow(&stack).await?;
            for load in loads {
                load.stop().await?;
            }
            checker::check(&stack).await
        })
        .await
}

/// Waits until some more events are acknowledged.
async fn flow(stack: &Stack) -> anyhow::Result<()> {
    let before = stack.ledger.acknowledged();
    wait::until("events to flow", wait::DRAIN, || async {
        let now = stack.ledger.acknowledged();
        anyhow::ensure!(now >= before + FLOW, "{} since", now - before);
        Ok(Some(()))
    })
    .await
}

fn is_long() -> bool {
    std::env::var_os("SMARTPICK_LONG").is_some_and(|value| value == "1")
}

/// Says why a test did not do its work.
fn skip(why: &str) -> anyhow::Result<()> {
    writeln!(std::io::stderr(), "skipped: {why}")?;
    Ok(())
}
