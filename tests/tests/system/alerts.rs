//! An alert's life across both sides: raised and acknowledged on the floor with the WAN cut, told to headquarters exactly
//! once, and what headquarters says of it told to the floor.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tests::edge::Edge;
use tests::lift::Lift;
use tests::link::Wire;
use tests::stack::{Options, Stack};
use tests::{checker, wait};
use uuid::Uuid;

use crate::options;

/// The risk alerts of a zone as a side sees them, newest first.
async fn on_floor(edge: &Edge, zone: Uuid) -> anyhow::Result<Vec<Value>> {
    let page: Value = edge.get(&format!("/api/v1/alerts?subject=risk&zone={zone}")).await?;
    page["alerts"].as_array().cloned().with_context(|| page.to_string())
}

async fn at_headquarters(stack: &Stack, zone: Uuid) -> anyhow::Result<Vec<Value>> {
    let page: Value = stack.centrals[0].get(&format!("/api/v1/alerts?zone_id={zone}")).await?;
    page["alerts"].as_array().cloned().with_context(|| page.to_string())
}

fn id(alert: &Value) -> anyhow::Result<Uuid> {
    Ok(alert["alert_id"].as_str().with_context(|| alert.to_string())?.parse()?)
}

/// Waits for the only alert of a zone to be as wanted.
async fn alert_on_floor(edge: &Edge, zone: Uuid, what: &str, wanted: fn(&Value) -> bool) -> anyhow::Result<Value> {
    wait::until(&format!("the floor's alert to be {what}"), wait::SOON, || async {
        let alerts = on_floor(edge, zone).await?;
        ensure!(alerts.len() <= 1, "one lift, {} alerts: {alerts:#?}", alerts.len());
        ensure!(alerts.iter().all(wanted), "{alerts:#?}");
        Ok(alerts.into_iter().next())
    })
    .await
}

async fn alert_at_headquarters(
    stack: &Stack,
    zone: Uuid,
    what: &str,
    wanted: impl Fn(&Value) -> bool,
) -> anyhow::Result<Value> {
    wait::until(&format!("headquarters' alert to be {what}"), wait::DRAIN, || async {
        let alerts = at_headquarters(stack, zone).await?;
        ensure!(alerts.len() <= 1, "one lift, {} alerts: {alerts:#?}", alerts.len());
        ensure!(alerts.iter().all(&wanted), "{alerts:#?}");
        Ok(alerts.into_iter().next())
    })
    .await
}

async fn count(stack: &Stack, sql: &'static str) -> anyhow::Result<i64> {
    let mut connection = PgConnection::connect(&stack.database_url).await?;
    let count = sqlx::query_scalar(sql).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_lives_on_the_floor_with_the_wan_cut_and_comes_home_exactly_once() -> anyhow::Result<()> {
    let stack = Stack::start(Options { linked: true, ..options() }).await?;
    stack
        .explain(async {
            let edge = &stack.edges[0];
            stack.links[0].set(Wire::Cut);
            let lift = Lift::begin(&stack.camera(0)?, edge.warehouse_id);
            let zone = lift.zone_id;
            let raised = alert_on_floor(edge, zone, "raised", |alert| alert["state"] == "raised").await?;
            let path = format!("/api/v1/alerts/{}/acknowledge", id(&raised)?);
            let body = json!({ "fact_id": Uuid::new_v4(), "note": "I see to it" });
            // An impatient thumb.
            for _ in 0..3 {
                let answer = edge.post(&path, &body).await?;
                ensure!(answer["state"] == "acknowledged", "{answer}");
            }
            lift.stop().await?;
            let cleared = alert_on_floor(edge, zone, "cleared", |alert| alert["state"] == "cleared").await?;
            ensure!(at_headquarters(&stack, zone).await?.is_empty(), "the wire is cut");

            stack.links[0].heal();
            let home = alert_at_headquarters(&stack, zone, "cleared and acknowledged", |alert| {
                alert["state"] == "cleared" && !alert["acknowledged"].is_null()
            })
            .await?;
            for field in ["alert_id", "rule", "severity", "started_at", "raised_at", "ended_at", "peak", "events"] {
                ensure!(home[field] == cleared[field], "{field}: {home} is not {cleared}");
            }
            ensure!(home["acknowledged"]["note"] == "I see to it", "{home}");
            ensure!(home["acknowledged"]["at"] == cleared["acknowledged"]["at"], "{home} is not {cleared}");
            let report = checker::check(&stack).await?;
            ensure!(report.missing == 0, "{report:?}");
            let facts = count(&stack, "SELECT count(*) FROM alert_facts").await?;
            ensure!(facts == 1, "{facts} facts");
            // The cut wire may be an alert of its own; the lift is one.
            let risks = count(&stack, "SELECT count(*) FROM alerts WHERE subject = 'risk'").await?;
            ensure!(risks == 1, "{risks} alerts");
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_edge_in_the_middle_of_an_alert_neither_doubles_nor_loses_it() -> anyhow::Result<()> {
    let stack = Stack::start(options()).await?;
    stack
        .explain(async {
            let edge = &stack.edges[0];
            let lift = Lift::begin(&stack.camera(0)?, edge.warehouse_id);
            let zone = lift.zone_id;
            let raised = alert_on_floor(edge, zone, "raised", |alert| alert["state"] == "raised").await?;
            let path = format!("/api/v1/alerts/{}/acknowledge", id(&raised)?);
            edge.post(&path, &json!({ "fact_id": Uuid::new_v4() })).await?;
            for _ in 0..2 {
                edge.kill9().await?;
                edge.start_again().await?;
                // It is known at once, and goes on with what the camera held.
                let known = alert_on_floor(edge, zone, "known", |_| true).await?;
                ensure!(id(&known)? == id(&raised)?, "{known}");
                ensure!(!known["acknowledged"].is_null(), "what was said is forgotten: {known}");
                let events = known["events"].as_u64().context("events")?;
                wait::until("the alert to go on", wait::SOON, || async {
                    let alerts = on_floor(edge, zone).await?;
                    ensure!(alerts.len() == 1, "one lift, {} alerts: {alerts:#?}", alerts.len());
                    let goes_on = alerts[0]["state"] == "acknowledged" && alerts[0]["events"].as_u64() > Some(events);
                    Ok(goes_on.then_some(()))
                })
                .await?;
            }
            let last = lift.stop().await?;
            let cleared = alert_on_floor(edge, zone, "cleared", |alert| alert["state"] == "cleared").await?;
            ensure!(id(&cleared)? == id(&raised)?, "{cleared}");
            let ended: chrono::DateTime<chrono::Utc> = serde_json::from_value(cleared["ended_at"].clone())?;
            ensure!(ended == last, "it ended at {ended}, the lift at {last}");
            let home = alert_at_headquarters(&stack, zone, "cleared", |alert| alert["state"] == "cleared").await?;
            ensure!(home["ended_at"] == cleared["ended_at"] && !home["acknowledged"].is_null(), "{home}");
            checker::check(&stack).await.map(drop)
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_say_the_same_of_an_alert_whichever_spoke_first() -> anyhow::Result<()> {
    let stack = Stack::start(Options { linked: true, ..options() }).await?;
    stack
        .explain(async {
            let edge = &stack.edges[0];
            let lift = Lift::begin(&stack.camera(0)?, edge.warehouse_id);
            let zone = lift.zone_id;
            let known = alert_at_headquarters(&stack, zone, "raised", |alert| alert["state"] == "raised").await?;
            let path = format!("/api/v1/alerts/{}/acknowledge", id(&known)?);
            // The floor speaks first, but its word arrives last.
            stack.links[0].set(Wire::Cut);
            edge.post(&path, &json!({ "fact_id": Uuid::new_v4(), "note": "floor" })).await?;
            stack.centrals[0].post(&path, &json!({ "fact_id": Uuid::new_v4(), "note": "headquarters" })).await?;
            let before = at_headquarters(&stack, zone).await?;
            ensure!(before[0]["acknowledged"]["note"] == "headquarters", "{before:?}");
            stack.links[0].heal();
            agree(&stack, zone, "floor", 2).await?;
            lift.stop().await?;

            // Headquarters speaks first, and is heard last.
            let lift = Lift::begin(&stack.camera(0)?, edge.warehouse_id);
            let zone = lift.zone_id;
            let known = alert_at_headquarters(&stack, zone, "raised", |alert| alert["state"] == "raised").await?;
            let path = format!("/api/v1/alerts/{}/acknowledge", id(&known)?);
            stack.links[0].set(Wire::Cut);
            stack.centrals[0].post(&path, &json!({ "fact_id": Uuid::new_v4(), "note": "headquarters" })).await?;
            edge.post(&path, &json!({ "fact_id": Uuid::new_v4(), "note": "floor" })).await?;
            let before = on_floor(edge, zone).await?;
            ensure!(before[0]["acknowledged"]["note"] == "floor", "{before:?}");
            stack.links[0].heal();
            agree(&stack, zone, "headquarters", 2).await?;
            lift.stop().await?;

            // A silence made at headquarters holds on the floor, and its end there holds at headquarters.
            let silence_id = Uuid::new_v4();
            let silence = json!({ "silence_id": silence_id, "warehouse_id": edge.warehouse_id, "reason": "stocktaking",
                                  "scope": { "zone_id": zone }, "minutes": 30 });
            stack.centrals[0].post("/api/v1/silences", &silence).await?;
            silence_is(&stack, silence_id, true).await?;
            edge.post(&format!("/api/v1/silences/{silence_id}/end"), &json!({ "fact_id": Uuid::new_v4() })).await?;
            silence_is(&stack, silence_id, false).await?;
            checker::check(&stack).await.map(drop)
        })
        .await
}

/// Waits until both sides have `facts` acknowledgements of the zone's alert and show the same one.
async fn agree(stack: &Stack, zone: Uuid, winner: &str, facts: usize) -> anyhow::Result<()> {
    let edge = &stack.edges[0];
    let alert_id = id(&on_floor(edge, zone).await?[0])?;
    let path = format!("/api/v1/alerts/{alert_id}");
    wait::until("both sides to agree", wait::DRAIN, || async {
        let (floor, home): (Value, Value) = (edge.get(&path).await?, stack.centrals[0].get(&path).await?);
        for (side, answer) in [("floor", &floor), ("headquarters", &home)] {
            let known = answer["facts"].as_array().map(Vec::len);
            ensure!(known == Some(facts), "{side} knows {known:?} facts: {answer}");
            ensure!(answer["alert"]["acknowledged"]["note"] == winner, "{side}: {answer}");
        }
        for field in ["by", "at", "origin"] {
            let of = |answer: &Value| answer["alert"]["acknowledged"][field].clone();
            ensure!(of(&floor) == of(&home), "{field}: {floor} and {home}");
        }
        Ok(Some(()))
    })
    .await
}

/// Waits until both sides say that a silence holds, or that it does not.
async fn silence_is(stack: &Stack, silence_id: Uuid, active: bool) -> anyhow::Result<()> {
    wait::until("both sides to know the silence", wait::DRAIN, || async {
        let (floor, home): (Value, Value) =
            (stack.edges[0].get("/api/v1/silences").await?, stack.centrals[0].get("/api/v1/silences").await?);
        for answer in [&floor, &home] {
            let silences = answer["silences"].as_array().into_iter().flatten();
            let known = silences.clone().find(|silence| silence["silence_id"] == silence_id.to_string());
            ensure!(known.is_some_and(|silence| silence["active"] == active), "{answer}");
        }
        Ok(Some(()))
    })
    .await
}
