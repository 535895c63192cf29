//! The accept loop of both binaries' HTTP servers. axum's own has no header-read timeout and no cap on connections
//! (0.8.9), so a client that sends nothing could hold a socket for ever, and one that opens thousands could hold all.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{debug, warn};

/// A request's head must arrive within this. Also how long an idle kept-alive connection may wait for its next one.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Connections in all; each costs a few tens of KiB.
const CONNECTIONS_MAX: usize = 2_048;
/// Connections per address, so that one client that leaks them does not shut the others out.
const CONNECTIONS_PER_IP_MAX: usize = 1_024;
/// How long running requests get to finish once we stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(4);

/// Serves `router` until `stop`, then lets running requests finish.
///
/// # Errors
/// None today; the type fits a lifecycle stage.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> anyhow::Result<()> {
    let all = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let per_ip = PerIp::default();
    let graceful = GracefulShutdown::new();
    let mut http = auto::Builder::new(TokioExecutor::new()).http1_only();
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT);
    loop {
        // Waiting for a place before accepting leaves the surplus in the kernel's backlog.
        let accepted = async {
            let place = Arc::clone(&all).acquire_owned().await.expect("the semaphore is never closed");
            (place, listener.accept().await)
        };
        let (place, stream, peer) = tokio::select! {
            // No more connections.
            () = stop.cancelled() => break,
            // A client, or an error of the listener.
            (place, accepted) = accepted => match accepted {
                Ok((stream, peer)) => (place, stream, peer),
                Err(error) => {
                    warn!("Failed to accept a connection: {error}");
                    // Out of file descriptors, most likely: give the others time to finish.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let Some(per_ip_place) = per_ip.take(peer.ip()) else {
            debug!("Refused a connection: too many from one address");
            continue;
        };
        // Answers are small and wanted at once.
        drop(stream.set_nodelay(true));
        let connection =
            http.serve_connection_with_upgrades(TokioIo::new(stream), service(peer, router.clone())).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!("Connection ended: {error}");
            }
            drop((place, per_ip_place));
        });
    }
    // Ends on its own when the last request is answered; idle connections are closed at once.
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        warn!("Some requests were still running when the server stopped");
    }
    Ok(())
}

fn service(
    peer: SocketAddr,
    router: Router,
) -> impl hyper::service::Service<
    hyper::Request<Incoming>,
    Response = axum::response::Response,
    Error = Infallible,
    Future: Send + 'static,
> + Send
+ 'static {
    hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let request: Request = request.map(axum::body::Body::new);
        router.clone().oneshot(request)
    })
}

#[derive(Clone, Default)]
struct PerIp(Arc<Mutex<HashMap<IpAddr, usize>>>);

struct PerIpPlace(PerIp, IpAddr);

impl PerIp {
    fn take(&self, ip: IpAddr) -> Option<PerIpPlace> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(ip).or_insert(0);
        if *count >= CONNECTIONS_PER_IP_MAX {
            return None;
        }
        *count += 1;
        Some(PerIpPlace(self.clone(), ip))
    }
}

impl Drop for PerIpPlace {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}
