//! The accept loop of both binaries' HTTP servers, with or without TLS. axum's own has no header-read timeout and no cap
//! on connections (0.8.9), so a client that sends nothing could hold a socket for ever, and one that opens thousands
//! could hold all.

mod body;

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::extract::Request;
use axum::http::HeaderValue;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::{debug, warn};

use crate::tls::ClientCertificate;
use crate::tls::server::ServerTls;
use crate::web::request::BY_TLS;
use body::Timed;

/// How long running requests get to finish once we stop.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(4);

/// What one client can take from the others. The defaults are for both binaries; tests take smaller ones.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections in all; each costs a few tens of KiB.
    pub connections_max: usize,
    /// Connections per address, so that one client that leaks them does not shut the others out.
    pub connections_per_ip_max: usize,
    /// TLS must stand within this.
    pub handshake: Duration,
    /// A request's head must arrive within this. Also how long an idle kept-alive connection may wait for its next one.
    pub head: Duration,
    /// And its whole body within this, however slowly it trickles in; some routes want theirs sooner.
    pub body: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 2_048,
            connections_per_ip_max: 1_024,
            // A few round trips, also on a bad link.
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(60),
            body: Duration::from_secs(60),
        }
    }
}

/// Where to serve, and how.
pub struct Listener {
    pub tcp: TcpListener,
    /// `None`: plain HTTP.
    pub tls: Option<Arc<ServerTls>>,
    pub limits: Limits,
}

impl Listener {
    /// Plain HTTP within the usual limits.
    pub fn plain(tcp: TcpListener) -> Self {
        Self { tcp, tls: None, limits: Limits::default() }
    }
}

/// Serves `router` until `stop`, then lets running requests finish.
///
/// # Errors
/// None today; the type fits a lifecycle stage.
pub async fn serve(listener: Listener, router: Router, stop: CancellationToken) -> anyhow::Result<()> {
    let Listener { tcp, tls, limits } = listener;
    let all = Arc::new(Semaphore::new(limits.connections_max));
    let per_ip = PerIp::default();
    let connections = TaskTracker::new();
    // hyper-util's builder, which looks for HTTP/2 first, would wait for a silent client for ever.
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head);
    loop {
        // Waiting for a place before accepting leaves the surplus in the kernel's backlog.
        let accepted = async {
            let place = Arc::clone(&all).acquire_owned().await.expect("the semaphore is never closed");
            (place, tcp.accept().await)
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
        let Some(per_ip_place) = per_ip.take(peer.ip(), limits.connections_per_ip_max) else {
            debug!("Refused a connection: too many from one address");
            continue;
        };
        // Answers are small and wanted at once.
        drop(stream.set_nodelay(true));
        let client = Client { peer, encrypted: tls.is_some(), certificate: None, body_timeout: limits.body };
        let connection = Connection { http: http.clone(), router: router.clone(), stop: stop.clone() };
        let tls = tls.clone();
        connections.spawn(async move {
            match tls {
                None => connection.run(stream, client).await,
                Some(tls) => {
                    if let Some((stream, client)) = shake_hands(&tls, stream, client, limits.handshake).await {
                        connection.run(stream, client).await;
                    }
                }
            }
            drop((place, per_ip_place));
        });
    }
    // Ends on its own when the last request is answered; idle connections are closed at once.
    connections.close();
    if tokio::time::timeout(DRAIN_TIMEOUT, connections.wait()).await.is_err() {
        warn!("Some requests were still running when the server stopped");
    }
    Ok(())
}

/// Who is at the other end of a connection.
#[derive(Clone)]
struct Client {
    peer: SocketAddr,
    encrypted: bool,
    certificate: Option<ClientCertificate>,
    body_timeout: Duration,
}

/// `None` if it comes to nothing: scanners, plain HTTP, certificates that are not taken.
async fn shake_hands(
    tls: &ServerTls,
    stream: TcpStream,
    client: Client,
    timeout: Duration,
) -> Option<(tokio_rustls::server::TlsStream<TcpStream>, Client)> {
    let stream = match tokio::time::timeout(timeout, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            debug!("TLS came to nothing: {error}");
            return None;
        }
        Err(_) => {
            debug!("TLS came to nothing within {timeout:?}");
            return None;
        }
    };
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certificate = shown.map(|certificate| ClientCertificate(certificate.clone().into_owned()));
    Some((stream, Client { certificate, ..client }))
}

/// What serves a connection.
struct Connection {
    http: http1::Builder,
    router: Router,
    stop: CancellationToken,
}

impl Connection {
    async fn run(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, client: Client) {
        let serving = self.http.serve_connection(TokioIo::new(stream), service(client, self.router)).with_upgrades();
        let mut serving = std::pin::pin!(serving);
        let ended = tokio::select! {
            // The client is gone, or what it sends is no HTTP, or it is late.
            ended = serving.as_mut() => ended,
            // The request that runs is the last one.
            () = self.stop.cancelled() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = ended {
            debug!("Connection ended: {error}");
        }
    }
}

fn service(
    client: Client,
    router: Router,
) -> impl hyper::service::Service<
    hyper::Request<Incoming>,
    Response = axum::response::Response,
    Error = Infallible,
    Future: Send + 'static,
> + Send
+ 'static {
    hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(client.peer));
        if let Some(certificate) = &client.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        if client.encrypted {
            request.headers_mut().insert(BY_TLS, HeaderValue::from_static("1"));
        } else {
            request.headers_mut().remove(BY_TLS);
        }
        let timeout = client.body_timeout;
        let request: Request = request.map(|body| axum::body::Body::new(Timed::new(body, timeout)));
        router.clone().oneshot(request)
    })
}

#[derive(Clone, Default)]
struct PerIp(Arc<Mutex<HashMap<IpAddr, usize>>>);

struct PerIpPlace(PerIp, IpAddr);

impl PerIp {
    fn take(&self, ip: IpAddr, most: usize) -> Option<PerIpPlace> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(ip).or_insert(0);
        if *count >= most {
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

#[cfg(test)]
mod tests;
