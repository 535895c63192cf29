//! Edges that come in by certificates, from the join token on: both binaries, over TLS, through a wire that can be cut.

use anyhow::ensure;
use sqlx::postgres::PgPool;
use tests::link::Wire;
use tests::stack::{Options, Stack};
use tests::{checker, wait};

use crate::{flow, options, under_load};

/// Certificates hold for so long here: renewed after two thirds, and soon over.
const SECONDS: u64 = 9;

fn enrolled() -> Options {
    Options { linked: true, certificate_seconds: Some(SECONDS), ..options() }
}

async fn count(stack: &Stack, sql: &'static str) -> anyhow::Result<i64> {
    let pool = PgPool::connect(&stack.database_url).await?;
    let count = sqlx::query_scalar(sql).fetch_one(&pool).await?;
    pool.close().await;
    Ok(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolled_edge_delivers_and_renews_its_certificate_meanwhile() -> anyhow::Result<()> {
    const USED: &str =
        "SELECT count(*) FROM edge_certificates WHERE issued_for = 'renewal' AND first_used_at IS NOT NULL";
    under_load(enrolled(), async |stack| {
        wait::until("two renewals that were put into use", wait::DRAIN, || async {
            ensure!(count(stack, USED).await? >= 2);
            Ok(Some(()))
        })
        .await?;
        let copies = count(stack, "SELECT count(*) FROM edges WHERE copy_seen_at IS NOT NULL").await?;
        ensure!(copies == 0, "it was taken for a copy of itself");
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_was_away_for_longer_than_its_certificate_comes_back_by_itself() -> anyhow::Result<()> {
    under_load(enrolled(), async |stack| {
        stack.links[0].set(Wire::Cut);
        flow(stack).await?;
        wait::until("the certificate to end", wait::DRAIN, || async {
            ensure!(count(stack, "SELECT count(*) FROM edge_certificates WHERE not_after > now()").await? == 0);
            Ok(Some(()))
        })
        .await?;
        flow(stack).await?;
        stack.links[0].heal();
        const BACK: &str =
            "SELECT count(*) FROM edge_certificates WHERE issued_for = 'return' AND first_used_at IS NOT NULL";
        wait::until("the edge to be back", wait::DRAIN, || async {
            ensure!(count(stack, BACK).await? >= 1);
            Ok(Some(()))
        })
        .await?;
        ensure!(count(stack, "SELECT count(*) FROM audit_log WHERE action = 'edge_returned'").await? >= 1);
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_is_shut_out_keeps_its_events_says_why_and_delivers_once_it_is_let_in_again() -> anyhow::Result<()>
{
    let stack = Stack::start(Options { certificate_seconds: Some(3_600), ..enrolled() }).await?;
    stack
        .explain(async {
            let edge = &stack.edges[0];
            let load = stack.camera(0)?.load(200, 20);
            flow(&stack).await?;
            stack.setup.command(&["edges", "revoke", &edge.edge_id.to_string()]).await?;
            wait::until("the edge to say that it is shut out", wait::DRAIN, || async {
                let health = edge.health().await?;
                ensure!(health["reasons"].to_string().contains("headquarters has shut this edge out"), "{health}");
                Ok(Some(()))
            })
            .await?;
            flow(&stack).await?;
            load.stop().await?;
            let stats = edge.stats().await?;
            ensure!(stats.buffered.live + stats.buffered.backlog >= 300, "{stats:?}");
            let url = stack.links[0].url.replace("http://", "https://");
            let token = stack.setup.join_token(edge.warehouse_id, &url, Some(edge.edge_id)).await?;
            edge.enroll_again(&stack.dir, &token).await?;
            // It takes that up while it runs.
            checker::check(&stack).await
        })
        .await?;
    Ok(())
}
