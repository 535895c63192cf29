//! One screen: a task that writes what the hub has for it, and watches whether anybody is still there.
//!
//! Writing is batched by nature: what is ready is put into the socket's buffer and flushed once; what is published
//! meanwhile goes with the next flush. A long message goes out in fragments, so that a connection buffers only a little
//! of it and a slow reader is seen to make progress.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::door::Wish;
use super::hub::{Cursor, Hub, Present};
use super::upgrade::Socket;
use crate::clock;

/// How much of a message is written at once.
const FRAGMENT_BYTES: usize = 16 * 1024;
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_millis(500);

/// How often a client hears from us, and how often we must from it.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// A beat and a ping are due. Three missing beats are how a page knows that its link is dead.
    pub beat: Duration,
    /// A client that reads nothing, or answers no ping, for so long is gone: switched off, or out of the radio's reach.
    pub silence_max: Duration,
}

pub const PACE: Pace = Pace { beat: Duration::from_secs(5), silence_max: Duration::from_secs(30) };

/// Why a conversation is over.
enum End {
    /// The client said goodbye, or its connection broke.
    Left,
    /// Nothing was heard of it, or it read nothing.
    Silent,
    /// It said what it should not.
    Refused(CloseCode, &'static str),
    /// Our side ends it.
    Over,
}

/// See the module.
pub struct Client<P: Present> {
    socket: Socket,
    hub: Arc<Hub<P>>,
    /// We stop, or it may not look any more.
    over: CancellationToken,
    pace: Pace,
    /// What waits to be written.
    out: Vec<Bytes>,
    /// When the oldest ping was sent that nothing was heard after.
    unanswered_since: Option<Instant>,
}

impl<P: Present> Client<P> {
    pub fn new(socket: Socket, hub: Arc<Hub<P>>, over: CancellationToken, pace: Pace) -> Self {
        Self { socket, hub, over, pace, out: Vec::new(), unanswered_since: None }
    }

    /// Tells the client what it wished for until one side ends it.
    pub async fn talk(mut self, wish: Wish<P::Topic>) {
        let end = match self.converse(wish).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        let goodbye = match end {
            End::Left => return,
            End::Silent => {
                debug!("Closed a live client that had fallen silent");
                return;
            }
            End::Refused(code, reason) => CloseFrame { code, reason: reason.into() },
            End::Over if self.hub.closing().is_cancelled() => {
                CloseFrame { code: CloseCode::Away, reason: self.hub.words().goodbye.into() }
            }
            End::Over => CloseFrame { code: CloseCode::Policy, reason: "no longer let in; sign in again".into() },
        };
        let farewell = async {
            if self.socket.close(Some(goodbye)).await.is_ok() {
                // To close a connection with something unread in it would take back the goodbye.
                while let Some(Ok(_)) = self.socket.next().await {}
            }
        };
        drop(tokio::time::timeout(GOODBYE, farewell).await);
    }

    async fn converse(&mut self, wish: Wish<P::Topic>) -> Result<std::convert::Infallible, End> {
        let (hub, over) = (Arc::clone(&self.hub), self.over.clone());
        let mut news = hub.news();
        let mut cursor = hub.join(wish.topics, wish.resume, clock::now(), &mut self.out);
        let mut beats = tokio::time::interval_at(Instant::now() + self.pace.beat, self.pace.beat);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.write().await?;
        // A client that resumes may have something waiting.
        self.bring(&mut cursor).await?;
        loop {
            tokio::select! {
                biased;
                // Our side ends it.
                () = over.cancelled() => return Err(End::Over),
                // The client says something: a pong, if all is well.
                said = self.socket.next() => self.hear(said)?,
                // Somebody published.
                changed = news.changed() => {
                    changed.expect("we hold the hub");
                    self.bring(&mut cursor).await?;
                }
                // Time for a sign of life, and to look for the client's.
                _ = beats.tick() => {
                    if self.unanswered_since.is_some_and(|since| since.elapsed() > self.pace.silence_max) {
                        return Err(End::Silent);
                    }
                    self.bring(&mut cursor).await?;
                    self.out.push(Hub::<P>::beat(&cursor, clock::now()));
                    self.feed(Message::Ping(Bytes::new())).await?;
                    self.write().await?;
                    self.unanswered_since.get_or_insert_with(Instant::now);
                }
            }
        }
    }

    /// Hands over everything up to now.
    async fn bring(&mut self, cursor: &mut Cursor<P::Topic>) -> Result<(), End> {
        loop {
            self.hub.next(cursor, clock::now(), &mut self.out);
            if self.out.is_empty() {
                return Ok(());
            }
            self.write().await?;
        }
    }

    async fn write(&mut self) -> Result<(), End> {
        for text in std::mem::take(&mut self.out) {
            let mut rest = text;
            let mut kind = Data::Text;
            while rest.len() > FRAGMENT_BYTES {
                let fragment = rest.split_to(FRAGMENT_BYTES);
                self.feed(Message::Frame(Frame::message(fragment, OpCode::Data(kind), false))).await?;
                kind = Data::Continue;
            }
            self.feed(Message::Frame(Frame::message(rest, OpCode::Data(kind), true))).await?;
        }
        let (over, silence_max) = (&self.over, self.pace.silence_max);
        within(over, silence_max, self.socket.flush()).await
    }

    async fn feed(&mut self, message: Message) -> Result<(), End> {
        let (over, silence_max) = (&self.over, self.pace.silence_max);
        within(over, silence_max, self.socket.feed(message)).await
    }

    fn hear(&mut self, said: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>) -> Result<(), End> {
        use tokio_tungstenite::tungstenite::Error;
        self.unanswered_since = None;
        match said {
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(()),
            Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                Err(End::Refused(CloseCode::Policy, "nothing is to be said here; POST to /api/v1"))
            }
            Some(Err(Error::Capacity(_))) => Err(End::Refused(CloseCode::Size, "that was too long")),
            Some(Err(_) | Ok(Message::Close(_))) | None => Err(End::Left),
        }
    }
}

/// A write that ends when our side ends all or when nothing of it gets through: a reader that takes anything makes room in time.
async fn within<T, E>(
    over: &CancellationToken,
    silence_max: Duration,
    write: impl Future<Output = Result<T, E>>,
) -> Result<(), End> {
    tokio::select! {
        biased;
        written = write => written.map(drop).map_err(|_| End::Left),
        () = over.cancelled() => Err(End::Over),
        () = tokio::time::sleep(silence_max) => Err(End::Silent),
    }
}

#[cfg(test)]
mod tests;
