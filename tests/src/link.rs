//! The wire between an edge and central: a TCP proxy that can be cut, left half-open, or made to lose the answers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::ports;

const CHUNK_BYTES: usize = 64 * 1024;

/// What the wire does with bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    Open,
    /// Connections are closed, new ones are closed at once.
    Cut,
    /// Bytes vanish without a word, as behind a router that forgot the connection. A connection that lost bytes stays
    /// lost after healing; new ones work.
    HalfOpen,
    /// Requests arrive, and when the answer comes the connection is closed instead: the sender cannot know.
    LoseAnswers,
}

#[derive(Debug, Default)]
struct Counts {
    connections: AtomicU64,
    up_bytes: AtomicU64,
    down_bytes: AtomicU64,
    lost_answers: AtomicU64,
}

pub struct Link {
    pub url: String,
    wire: watch::Sender<Wire>,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

impl Link {
    /// Listens on a port of its own and forwards to `target` (`127.0.0.1:port`).
    ///
    /// # Errors
    /// If it cannot listen.
    pub async fn start(target: SocketAddr) -> anyhow::Result<Self> {
        let port = ports::free()?;
        let listener = TcpListener::bind(("127.0.0.1", port)).await.context("cannot listen for the link")?;
        let (wire, state) = watch::channel(Wire::Open);
        let counts = Arc::new(Counts::default());
        let task = tokio::spawn(accept(listener, target, state, Arc::clone(&counts)));
        Ok(Self { url: format!("http://127.0.0.1:{port}"), wire, counts, task })
    }

    pub fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }

    pub fn heal(&self) {
        self.set(Wire::Open);
    }

    /// Connections made so far.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// Bytes forwarded towards central.
    pub fn up_bytes(&self) -> u64 {
        self.counts.up_bytes.load(Ordering::Relaxed)
    }

    /// Bytes forwarded back to the edge.
    pub fn down_bytes(&self) -> u64 {
        self.counts.down_bytes.load(Ordering::Relaxed)
    }

    /// Answers that central gave and the edge never saw.
    pub fn lost_answers(&self) -> u64 {
        self.counts.lost_answers.load(Ordering::Relaxed)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, wire: watch::Receiver<Wire>, counts: Arc<Counts>) {
    // Dropped with this task, which ends every connection.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            // Out of file descriptors is the only error; the next turn tries again.
            accepted = listener.accept() => if let Ok((near, _)) = accepted {
                counts.connections.fetch_add(1, Ordering::Relaxed);
                connections.spawn(carry(near, target, wire.clone(), Arc::clone(&counts)));
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// Carries one connection until it or the wire ends. Its errors are the other side's business.
async fn carry(mut near: TcpStream, target: SocketAddr, mut wire: watch::Receiver<Wire>, counts: Arc<Counts>) {
    let state = *wire.borrow_and_update();
    match state {
        Wire::Cut => return,
        Wire::HalfOpen => return swallow(near).await,
        Wire::Open | Wire::LoseAnswers => {}
    }
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    drop((near.set_nodelay(true), far.set_nodelay(true)));
    let (mut up, mut down) = (vec![0; CHUNK_BYTES], vec![0; CHUNK_BYTES]);
    loop {
        tokio::select! {
            changed = wire.changed() => {
                let state = *wire.borrow_and_update();
                match state {
                    _ if changed.is_err() => return,
                    Wire::Cut => return,
                    // The far side must not hear of it either.
                    Wire::HalfOpen => {
                        tokio::join!(swallow(near), swallow(far));
                        return;
                    }
                    Wire::Open | Wire::LoseAnswers => {}
                }
            }
            read = near.read(&mut up) => match read {
                Ok(bytes @ 1..) => {
                    counts.up_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                    if far.write_all(&up[..bytes]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
            read = far.read(&mut down) => match read {
                Ok(1..) if *wire.borrow() == Wire::LoseAnswers => {
                    counts.lost_answers.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Ok(bytes @ 1..) => {
                    counts.down_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                    if near.write_all(&down[..bytes]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}

async fn swallow(mut stream: TcpStream) {
    let mut bytes = vec![0; CHUNK_BYTES];
    while matches!(stream.read(&mut bytes).await, Ok(1..)) {}
    // Even a close goes unanswered.
    std::future::pending::<()>().await;
}
