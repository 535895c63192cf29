use std::net::SocketAddr;

use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tokio_tungstenite::connect_async;
use tokio_util::sync::CancellationToken;

use super::super::hub::tests::{Last, Subject, hub, say};
use super::super::topics::Topics;
use super::super::upgrade::Upgrade;
use super::*;
use crate::serve;

/// A beat and a silence that a test can wait for, in the same proportion.
const QUICK: Pace = Pace { beat: Duration::from_millis(50), silence_max: Duration::from_millis(300) };
const SOON: Duration = Duration::from_secs(20);

async fn handler(Extension(hub): Extension<Arc<Hub<Last>>>, request: Request) -> Response {
    let place = hub.place().expect("the tests have few clients");
    let (mut parts, _) = request.into_parts();
    let upgrade = match Upgrade::of(&mut parts, hub.words().try_instead) {
        Ok(upgrade) => upgrade,
        Err(problem) => return problem.into_response(),
    };
    let answer = upgrade.answer();
    tokio::spawn(async move {
        let socket = upgrade.socket().await.expect("upgrades");
        Client::new(socket, hub, CancellationToken::new(), QUICK)
            .talk(Wish { topics: Topics::ALL, resume: None })
            .await;
        drop(place);
    });
    answer
}

async fn start(hub: &Arc<Hub<Last>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let addr = listener.local_addr().expect("bound");
    let router = Router::new().route("/", get(handler)).layer(Extension(Arc::clone(hub)));
    tokio::spawn(serve::serve(serve::Listener::plain(listener), router, CancellationToken::new()));
    addr
}

async fn all_places_free(hub: &Hub<Last>) {
    let freed = async {
        while hub.place().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, freed).await.expect("the client's place is given back");
}

#[tokio::test]
async fn one_that_answers_stays_however_long_nothing_happens() {
    let hub = Arc::new(hub(1));
    let addr = start(&hub).await;
    let (mut socket, _) = connect_async(format!("ws://{addr}/")).await.expect("connects");
    let (mut beats, began) = (0, Instant::now());
    while beats < 5 || began.elapsed() < QUICK.silence_max * 3 {
        let said = tokio::time::timeout(SOON, socket.next()).await.expect("in time").expect("open").expect("well");
        beats += usize::from(said.to_text().is_ok_and(|text| text.contains(r#""type":"beat","seq":0"#)));
    }
    assert!(hub.place().is_none(), "its place is still taken");
}

#[tokio::test]
async fn one_that_answers_no_ping_is_closed() {
    let hub = Arc::new(hub(1));
    let addr = start(&hub).await;
    // Not read, so that nothing answers the pings.
    let (_socket, _) = connect_async(format!("ws://{addr}/")).await.expect("connects");
    all_places_free(&hub).await;
}

#[tokio::test]
async fn one_that_reads_nothing_while_much_is_said_is_closed() {
    let hub = Arc::new(hub(1));
    let addr = start(&hub).await;
    let (_socket, _) = connect_async(format!("ws://{addr}/")).await.expect("connects");
    let flood = tokio::spawn({
        let hub = Arc::clone(&hub);
        async move {
            let much = "x".repeat(100_000);
            loop {
                say(&hub, Subject::Two, &much);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    all_places_free(&hub).await;
    flood.abort();
}
