//! Receipts and answers to heartbeats say which database they are about, and what it lacks.

use common::protocol::{DatabaseMark, HeartbeatAnswer, SeqRange};
use reqwest::StatusCode;

use crate::client::{Batch, EdgeClient, System};
use crate::servers;

async fn beat(edge: &EdgeClient, head: u64, buffered: &[(u64, u64)]) -> HeartbeatAnswer {
    let (status, answer) = edge.beat(&edge.heartbeat(head, buffered)).await;
    assert_eq!(status, StatusCode::OK);
    serde_json::from_value(answer).expect("an answer")
}

async fn deliver(edge: &EdgeClient, seq: u64) -> DatabaseMark {
    let receipt = edge.deliver(&Batch::of(&[edge.record(seq, &edge.event())])).await;
    receipt.database.expect("a mark")
}

#[tokio::test]
async fn a_receipt_names_the_database_and_its_position_rises() {
    let system = System::start().await;
    let edge = system.edge().await;
    let idle = beat(&edge, 0, &[]).await.database.expect("a mark");
    let first = deliver(&edge, 1).await;
    let second = deliver(&edge, 2).await;
    assert_eq!((&idle.identity, &first.identity), (&first.identity, &second.identity));
    let parts: Vec<&str> = first.identity.split('/').collect();
    assert_eq!(parts.len(), 4, "{}", first.identity);
    assert!(parts[0].parse::<u64>().is_ok_and(|system| system > 0), "a role without privileges may see it: {parts:?}");
    assert_eq!(parts[2], "1", "the timeline of a fresh cluster");
    assert!(idle.position <= first.position && first.position < second.position, "{idle:?} {first:?} {second:?}");
}

#[tokio::test]
async fn another_database_of_the_same_cluster_is_another_one() {
    let (one, other) = (System::start().await, System::start().await);
    let mark = deliver(&one.edge().await, 1).await;
    let another = deliver(&other.edge().await, 1).await;
    assert_ne!(mark.identity, another.identity);
    let parts = |mark: &DatabaseMark| mark.identity.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (mark, another) = (parts(&mark), parts(&another));
    assert_eq!((&mark[0], &mark[2]), (&another[0], &another[2]), "tests share one server");
    assert_ne!(mark[1], another[1], "copies of one template");
}

#[tokio::test]
async fn where_the_system_identifier_is_hidden_the_rest_must_do() {
    let system = System::start().await;
    let edge = system.edge().await;
    let sql = "CREATE ROLE plain_mark; REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC; \
               GRANT SELECT ON database_identity TO plain_mark";
    servers::execute(&system.pool, sql).await;
    let mut connection = system.pool.acquire().await.expect("a connection");
    let ask = "SET ROLE plain_mark";
    sqlx::raw_sql(ask).execute(&mut *connection).await.expect("the role");
    let (identity, position): (String, i64) = sqlx::query_as("SELECT identity, \"position\" FROM database_mark()")
        .fetch_one(&mut *connection)
        .await
        .expect("a mark");
    sqlx::raw_sql("RESET ROLE").execute(&mut *connection).await.expect("the role");
    servers::execute(&system.pool, "GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC").await;
    assert!(identity.starts_with("0/") && position > 0, "{identity} {position}");
    let full = beat(&edge, 0, &[]).await.database.expect("a mark").identity;
    assert_eq!(full.rsplit('/').next(), identity.rsplit('/').next());
}

#[tokio::test]
async fn an_edge_is_told_what_is_neither_here_nor_in_its_buffer() {
    let system = System::start().await;
    let edge = system.edge().await;
    for seq in [1, 2, 5, 9] {
        deliver(&edge, seq).await;
    }
    let answer = beat(&edge, 10, &[(4, 4), (10, 10)]).await;
    let range = |first, last| SeqRange { epoch: edge.epoch, first, last };
    assert_eq!(answer.lacking, [range(3, 3), range(6, 8)]);
    for seq in [3, 6, 7, 8] {
        deliver(&edge, seq).await;
    }
    assert_eq!(beat(&edge, 10, &[(4, 4), (10, 10)]).await.lacking, []);
}
