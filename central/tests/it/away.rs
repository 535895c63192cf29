//! With Postgres and Redis away at once, what monitors look at stays honest: each is told by itself, nothing is counted that
//! did not happen, and what needs neither still answers.

use reqwest::{Response, StatusCode};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::client::{Batch, System};
use crate::servers::eventually;

/// Shuts central out of its database, or lets it in again.
async fn database(system: &System, open: bool) {
    let options = (*system.pool.connect_options()).clone();
    let name = options.get_database().expect("a database").to_owned();
    let mut outside = options.database("postgres").connect().await.expect("a connection");
    let change = format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS {open}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(change)).execute(&mut outside).await.expect("changed");
    if !open {
        let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
        sqlx::query(cut).bind(name).execute(&mut outside).await.expect("cut");
    }
    outside.close().await.expect("closed");
}

async fn ask(system: &System, path: &str) -> Response {
    system.http.get(format!("{}{path}", system.url)).send().await.expect("an answer")
}

async fn up(system: &System) -> (f64, f64) {
    (system.metric("smartpick_central_database_up").await, system.metric("smartpick_central_redis_up").await)
}

#[tokio::test]
async fn monitors_are_told_what_is_away_and_nothing_that_is_not_so() {
    let mut system = System::start().await;
    let edge = system.edge().await;
    edge.deliver(&Batch::of(&edge.records(1..=10))).await;
    eventually("both are up", async || (up(&system).await == (1.0, 1.0)).then_some(())).await;

    database(&system, false).await;
    eventually("only Postgres is down", async || (up(&system).await == (0.0, 1.0)).then_some(())).await;
    assert_eq!(ask(&system, "/readyz").await.text().await.expect("text"), "Postgres does not answer\n");
    system.redis.kill();
    eventually("both are down", async || (up(&system).await == (0.0, 0.0)).then_some(())).await;

    assert_eq!(
        ask(&system, "/livez").await.status(),
        StatusCode::OK,
        "the process turns; a restart would mend nothing"
    );
    let ready = ask(&system, "/readyz").await;
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.text().await.expect("text"), "Redis does not answer\nPostgres does not answer\n");
    let (status, health) = system.get("/streams/health").await;
    assert_eq!((status, &health["status"]), (StatusCode::OK, &"unhealthy".into()));
    for name in ["Redis", "Postgres"] {
        assert!(health["reasons"].to_string().contains(&format!("{name} does not answer")), "{health}");
    }

    let refused = edge.send(&Batch::of(&edge.records(11..=20))).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(["database_unavailable", "stream_unavailable"].contains(&refused.code()), "{}", refused.code());
    for counted in ["records_received", "records_stored"] {
        assert_eq!(system.metric(&format!("smartpick_central_{counted}_total")).await, 10.0, "{counted}");
    }
    let (status, problem) = system.get("/api/v1/events").await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &"database_unavailable".into()));
    for path in ["/openapi.json", "/docs"] {
        assert_eq!(ask(&system, path).await.status(), StatusCode::OK, "{path} needs neither");
    }

    database(&system, true).await;
    system.redis.start_again().await;
    eventually("both are up again", async || (up(&system).await == (1.0, 1.0)).then_some(())).await;
    assert_eq!(ask(&system, "/readyz").await.status(), StatusCode::OK);
    assert_eq!(edge.deliver(&Batch::of(&edge.records(11..=20))).await.committed, 10);
    assert_eq!(system.metric("smartpick_central_records_stored_total").await, 20.0);
}
