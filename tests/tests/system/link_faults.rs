//! What can happen on the way.

use anyhow::ensure;
use tests::link::Wire;
use tests::stack::Options;
use tests::wait;

use crate::{flow, options, under_load};

fn linked() -> Options {
    Options { linked: true, ..options() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_link_only_delays() -> anyhow::Result<()> {
    under_load(linked(), async |stack| {
        let before = stack.links[0].connections();
        stack.links[0].set(Wire::Cut);
        for _ in 0..3 {
            flow(stack).await?;
        }
        // Long enough that whoever counts tries would have given up: four batches at a time, five tries each.
        wait::until("the edge to try again and again", wait::DRAIN, || async {
            ensure!(stack.links[0].connections() >= before + 20);
            Ok(Some(()))
        })
        .await?;
        let stats = stack.edges[0].stats().await?;
        ensure!(stats.buffered.live + stats.buffered.backlog >= 900, "{stats:?}");
        stack.links[0].heal();
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_link_is_noticed_and_replaced() -> anyhow::Result<()> {
    under_load(linked(), async |stack| {
        let before = stack.links[0].connections();
        stack.links[0].set(Wire::HalfOpen);
        flow(stack).await?;
        stack.links[0].heal();
        wait::until("the edge to give up the dead connection", wait::DRAIN, || async {
            ensure!(stack.links[0].connections() > before);
            Ok(Some(()))
        })
        .await
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_lost_after_the_commit_make_no_doubles() -> anyhow::Result<()> {
    let report = under_load(linked(), async |stack| {
        stack.links[0].set(Wire::LoseAnswers);
        flow(stack).await?;
        wait::until("central to commit batches whose answers are lost", wait::SOON, || async {
            ensure!(stack.links[0].lost_answers() >= 3);
            Ok(Some(()))
        })
        .await?;
        stack.links[0].heal();
        Ok(())
    })
    .await?;
    // Proof that rows were committed and sent again, and not just delayed. The ledger cannot tell: a set does not grow
    // when something is added twice.
    ensure!(report.rows == report.acknowledged, "{report:?}");
    Ok(())
}
