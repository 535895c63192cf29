//! What cameras may send: the same thing many times, and things that nobody should.

use anyhow::{Context as _, ensure};
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tests::checker;
use tests::events::simulated;
use tests::stack::{Options, Stack};
use uuid::Uuid;

use crate::options;

const JSON: &str = "application/json";

#[tokio::test(flavor = "multi_thread")]
async fn of_64_posts_with_one_key_one_is_accepted() -> anyhow::Result<()> {
    for edge_redis in [true, false] {
        let stack = Stack::start(Options { edge_redis, ..options() }).await?;
        stack.explain(one_key(&stack)).await?;
    }
    Ok(())
}

async fn one_key(stack: &Stack) -> anyhow::Result<()> {
    let camera = stack.camera(0)?;
    let events = simulated(stack.edges[0].warehouse_id, 2, 1);
    let body = events[0].to_json();
    let posts = (0..64).map(|_| camera.post(JSON, Some("shift-7"), body.clone()));
    let (mut accepted, mut duplicates, mut first) = (0, 0, None);
    for answer in join_all(posts).await {
        let answer = answer?;
        ensure!(answer.status == 202, "{answer:?}");
        let verdicts = answer.verdicts()?;
        accepted += verdicts.accepted;
        duplicates += verdicts.duplicates;
        first.get_or_insert(verdicts);
    }
    ensure!((accepted, duplicates) == (1, 63), "{accepted} accepted, {duplicates} duplicates");

    let other = camera.post(JSON, Some("shift-7"), events[1].to_json()).await?;
    ensure!(other.status == 422, "another body under the same key: {other:?}");
    let verdict = other.verdicts()?.results.remove(0);
    ensure!(verdict.code.as_deref() == Some("idempotency_conflict"), "{verdict:?}");

    camera.note(&events[..1], &first.context("64 answers")?);
    checker::check(stack).await?;
    Ok(())
}

/// A poison event made from a healthy one: the field it must be refused for, and how.
struct Poison {
    field: &'static str,
    code: Option<&'static str>,
    json: String,
}

fn poisons(healthy: &Value) -> Vec<Poison> {
    let with = |field: &str, value: Value| {
        let mut event = healthy.clone();
        event["event_id"] = json!(Uuid::new_v4());
        event[field] = value;
        event.to_string()
    };
    // Numbers that serde_json itself would not write.
    let raw = |field: &str, text: &str| with(field, json!("@")).replace("\"@\"", text);
    let mut missing = healthy.clone();
    missing.as_object_mut().expect("an object").remove("zone_id");
    let deep = format!("{}1{}", "{\"a\":".repeat(9), "}".repeat(9));
    let large = json!({"a": "x".repeat(33 * 1024)});
    let poison = |field, code, json| Poison { field, code: Some(code), json };
    let any = |field, json| Poison { field, code: None, json };
    vec![
        poison("camera_id", "nul", with("camera_id", json!("cam\0era"))),
        any("posture_keypoints", with("posture_keypoints", json!({"joint": "\0"}))),
        any("posture_keypoints", raw("posture_keypoints", r#"{"joint": "\ud800"}"#)),
        any("posture_keypoints", raw("posture_keypoints", r#"{"x": 1e400000}"#)),
        poison("posture_keypoints", "too_large", with("posture_keypoints", large)),
        poison("posture_keypoints", "too_deep", raw("posture_keypoints", &deep)),
        poison("posture_keypoints", "invalid_type", with("posture_keypoints", json!([1, 2]))),
        poison("risk_score", "out_of_range", raw("risk_score", "1e400")),
        poison("risk_score", "out_of_range", with("risk_score", json!(100.01))),
        poison("risk_score", "invalid_type", with("risk_score", json!("45.0"))),
        poison("confidence", "out_of_range", with("confidence", json!(-0.5))),
        poison("event_time", "invalid_time", with("event_time", json!("294277-01-01T00:00:00Z"))),
        poison("event_time", "invalid_time", with("event_time", json!("+294277-01-01T00:00:00Z"))),
        poison("event_time", "invalid_time", with("event_time", json!("yesterday"))),
        poison("event_id", "invalid_type", with("event_id", json!(7))),
        poison("event_id", "invalid_uuid", with("event_id", json!("seven"))),
        poison("zone_id", "missing", missing.to_string()),
        poison("source", "invalid_value", with("source", json!("satellite"))),
        poison("model_version", "too_long", with("model_version", json!("v".repeat(51)))),
        any("event", "42".to_owned()),
        any("event", "\"an event\"".to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_named_and_its_neighbours_are_taken() -> anyhow::Result<()> {
    let stack = Stack::start(options()).await?;
    stack.explain(poison_among_healthy(&stack)).await
}

async fn poison_among_healthy(stack: &Stack) -> anyhow::Result<()> {
    let camera = stack.camera(0)?;
    let template: Value = serde_json::to_value(&simulated(stack.edges[0].warehouse_id, 1, 3)[0])?;
    let poisons = poisons(&template);
    let healthy = simulated(stack.edges[0].warehouse_id, poisons.len() + 1, 4);
    let mut items = vec![healthy[0].to_json()];
    for (poison, healthy) in poisons.iter().zip(&healthy[1..]) {
        items.extend([poison.json.clone(), healthy.to_json()]);
    }
    let forms = [(JSON, format!("[{}]", items.join(","))), ("application/x-ndjson", items.join("\n"))];
    for (content_type, body) in forms {
        let answer = camera.post(content_type, None, body).await?;
        ensure!(answer.status == 202, "{content_type}: {answer:?}");
        let verdicts = answer.verdicts()?;
        ensure!(verdicts.results.len() == items.len(), "{content_type}: {} verdicts", verdicts.results.len());
        for verdict in &verdicts.results {
            if verdict.index % 2 == 0 {
                ensure!(verdict.status != "rejected", "{content_type}: a healthy neighbour: {verdict:?}");
                continue;
            }
            let poison = &poisons[verdict.index / 2];
            let said = format!("{content_type}: {:.200} got {verdict:?}", poison.json);
            ensure!(verdict.status == "rejected" && verdict.message.is_some(), "{said}");
            ensure!(verdict.field.as_deref() == Some(poison.field), "{said}");
            ensure!(poison.code.is_none() || verdict.code.as_deref() == poison.code, "{said}");
        }
    }
    // They are duplicates by now; this notes them as acknowledged.
    ensure!(camera.try_send(&healthy).await?.duplicates == healthy.len() as u64);
    let report = checker::check(stack).await?;
    ensure!(report.rows == healthy.len() && report.dead == 0, "{report:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn mangled_bodies_are_refused_and_harm_nothing() -> anyhow::Result<()> {
    let stack = Stack::start(options()).await?;
    stack
        .explain(async {
            let camera = stack.camera(0)?;
            let pid = stack.edges[0].service().pid();
            let events = simulated(stack.edges[0].warehouse_id, 5, 5);
            let body = serde_json::to_vec(&events)?;
            let packed = rmp_serde::to_vec_named(&serde_json::from_slice::<Value>(&body)?)?;
            let mut rng = StdRng::seed_from_u64(11);
            for (content_type, body) in [(JSON, &body), ("application/msgpack", &packed)] {
                for _ in 0..100 {
                    let cut = rng.random_range(0..body.len());
                    let answer = camera.post(content_type, None, body[..cut].to_vec()).await?;
                    ensure!(answer.status == 400, "{content_type} cut at {cut}: {answer:?}");
                }
            }
            // Flips may leave it readable, so what they change is not known; only that nothing breaks.
            for _ in 0..200 {
                let mut flipped = body.clone();
                let at = rng.random_range(0..flipped.len());
                // Only in a place that spoils the JSON: nothing may be stored that the check below does not know.
                flipped[at] = 0xff;
                let answer = camera.post(JSON, None, flipped).await?;
                ensure!(answer.status == 400, "byte {at} flipped: {answer:?}");
            }
            ensure!(stack.edges[0].service().pid() == pid, "the edge was restarted");
            let answer = camera.post("application/msgpack", None, packed).await?;
            ensure!(answer.verdicts()?.accepted == 5, "the whole body is healthy: {answer:?}");
            camera.note(&events, &answer.verdicts()?);
            checker::check(&stack).await.context("after the mangled bodies").map(drop)
        })
        .await
}
