//! `smartpick-central replay`, from outside.

use std::process::{Command, Output};

use crate::client::{Batch, System};
use crate::dead_letters::curable;
use crate::rollups::added_up;
use crate::servers;

fn replay(system: &System, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_smartpick-central"));
    command.arg("replay").args(args).env_clear();
    command.args(["--set", &format!("database.url={}", system.config.database.url)]);
    command.args(["--set", &format!("redis.url={}", system.config.redis.url)]);
    command.args(["--set", &format!("stream.partitions={}", system.config.stream.partitions)]);
    command.output().expect("it runs")
}

fn said(system: &System, args: &[&str]) -> String {
    let output = replay(system, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn open_dead_letters_are_tried_again_by_reason_and_site() {
    let system = System::start().await;
    let (edge, other) = (system.edge().await, system.edge().await);
    curable(&system, &edge, 1).await;
    curable(&system, &other, 1).await;
    // One that nothing can be done about.
    edge.deliver(&Batch::of(&[vec![9; 40]])).await;
    assert_eq!(said(&system, &["dead-letters", "--dry-run"]), "3 open dead letters would be tried again.\n");
    assert!(said(&system, &["dead-letters", "--dry-run", "--reason-contains", "23514"]).starts_with("2 open"));
    let site = other.warehouse_id.to_string();
    assert!(said(&system, &["dead-letters", "--site", &site]).starts_with("1 were stored: 1 records are new"));
    assert_eq!(system.rows().await, 1);
    let unfinished = || {
        let output = replay(&system, &["dead-letters"]);
        assert_eq!(output.status.code(), Some(1), "one stays open: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let rest = unfinished();
    assert!(rest.starts_with("1 were stored") && rest.contains("1 still cannot be stored"), "{rest}");
    assert_eq!(system.rows().await, 2);
    system.assert_consistent().await;
    let audited = "SELECT count(*) FROM audit_log WHERE action = 'replayed' AND subject LIKE 'dead_letter %' AND actor LIKE '% on %'";
    assert_eq!(system.count(audited).await, 2);
    assert!(unfinished().starts_with("0 were stored"), "once");
    assert_eq!(system.rows().await, 2);
}

#[tokio::test]
async fn what_is_still_in_the_stream_is_stored_once_more_and_counted_once() {
    let system = System::start().await;
    let edge = system.edge().await;
    let records: Vec<_> = (1..=5).map(|seq| edge.record(seq, &edge.event())).collect();
    edge.deliver(&Batch::of(&records)).await;
    assert!(said(&system, &["stream", "--dry-run"]).starts_with("1 batches of 5 records"));
    let known = said(&system, &["stream"]);
    assert!(known.starts_with("1 batches of 5 records: 0 new, 5 there already, 0 dead letters"), "{known}");
    system.assert_consistent().await;
    added_up(&system.config.database.url, &system.pool).await;
    // As after a backup was restored that is a moment old.
    for table in [
        "ergonomic_snapshots",
        "edge_epochs",
        "epoch_quarters",
        "zone_minutes",
        "zone_quarters",
        "zone_hours",
        "site_quarters",
        "site_hours",
        "site_days",
    ] {
        servers::execute(&system.pool, &format!("DELETE FROM {table}")).await;
    }
    assert!(said(&system, &["stream", "--to", "2020-01-01T00:00:00Z"]).starts_with("0 batches"));
    let new = said(&system, &["stream", "--site", &edge.warehouse_id.to_string()]);
    assert!(new.starts_with("1 batches of 5 records: 5 new"), "{new}");
    assert_eq!(system.rows().await, 5);
    system.assert_consistent().await;
    let audited =
        "SELECT count(*) FROM audit_log WHERE action IN ('replay_begun', 'replayed') AND subject LIKE 'stream %'";
    assert_eq!(system.count(audited).await, 6);
    let wrong = replay(&system, &["stream", "--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"]);
    assert!(!wrong.status.success());
}
