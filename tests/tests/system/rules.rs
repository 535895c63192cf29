//! Rules made at headquarters: what raises an alert on the floor changes, for each edge of the site, and stays so when the
//! edge dies with the link cut.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tests::edge::Edge;
use tests::lift::Lift;
use tests::link::Wire;
use tests::stack::{Options, Stack};
use tests::wait;

use crate::options;

/// What the lift of these tests (88 points) raises: nothing under the first, an alert under the second.
fn rule(name: &str, threshold: f64) -> Value {
    json!({"name": name, "threshold": threshold, "for": "1s"})
}

async fn make(stack: &Stack, rules: &Value, base: Option<u64>) -> anyhow::Result<u64> {
    let path = format!("/api/v1/sites/{}/rules", stack.edges[0].warehouse_id);
    let body = json!({"rules": rules, "note": "a test", "base_version": base});
    let made = stack.centrals[0].post(&path, &body).await?;
    made["version"].as_u64().with_context(|| made.to_string())
}

/// Waits until headquarters knows that all edges of the site go by a version.
async fn applied(stack: &Stack, version: u64) -> anyhow::Result<()> {
    let path = format!("/api/v1/sites/{}/rules", stack.edges[0].warehouse_id);
    wait::until(&format!("version {version} to be applied"), wait::DRAIN, || async {
        let rules: Value = stack.centrals[0].get(&path).await?;
        let edges = rules["edges"].as_array().with_context(|| rules.to_string())?;
        ensure!(edges.len() == stack.edges.len(), "{rules:#}");
        let all = edges.iter().all(|edge| edge["state"] == "applied" && edge["applied_version"] == version);
        ensure!(all, "{edges:#?}");
        Ok(Some(()))
    })
    .await
}

async fn raised(edge: &Edge, lift: &Lift, rule: &str) -> anyhow::Result<()> {
    let path = format!("/api/v1/alerts?subject=risk&zone={}", lift.zone_id);
    wait::until(&format!("an alert of {rule}"), wait::SOON, || async {
        let page: Value = edge.get(&path).await?;
        let alerts = page["alerts"].as_array().with_context(|| page.to_string())?;
        ensure!(alerts.len() == 1 && alerts[0]["rule"] == rule, "{alerts:#?}");
        Ok(Some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_of_headquarters_reach_both_edges_and_outlive_a_kill_with_the_link_cut() -> anyhow::Result<()> {
    let stack = Stack::start(Options { edges: 2, one_site: true, linked: true, ..options() }).await?;
    stack
        .explain(async {
            // Nothing is as bad as 95: the lift raises nothing.
            let first = make(&stack, &json!([rule("extreme", 95.0)]), None).await?;
            applied(&stack, first).await?;
            let lift = Lift::begin(&stack.camera(0)?, stack.edges[0].warehouse_id);
            let second = make(&stack, &json!([rule("extreme", 95.0), rule("heavy", 80.0)]), Some(first)).await?;
            applied(&stack, second).await?;
            // One alert, and none from before: the default rule would have made one of its own.
            raised(&stack.edges[0], &lift, "heavy").await?;
            lift.stop().await?;

            stack.links.iter().for_each(|link| link.set(Wire::Cut));
            for (index, edge) in stack.edges.iter().enumerate() {
                edge.kill9().await?;
                edge.start_again().await?;
                let health = edge.health().await?;
                ensure!(health["rules"]["version"] == second, "{health:#}");
                let lift = Lift::begin(&stack.camera(index)?, edge.warehouse_id);
                raised(edge, &lift, "heavy").await?;
                lift.stop().await?;
            }
            // Made while nobody listened.
            let third = make(&stack, &json!([rule("extreme", 95.0)]), Some(second)).await?;
            stack.links.iter().for_each(tests::link::Link::heal);
            applied(&stack, third).await
        })
        .await
}
