//! A request's body that must have arrived by a time: one byte now and then would hold a connection and a handler for ever.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

/// See the module.
pub struct Timed {
    body: Incoming,
    timeout: Duration,
    begun: Instant,
    /// Made when the body is first waited for; most are there with the head.
    late: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the body did not arrive within {0:?}")]
struct Late(Duration);

impl Timed {
    pub fn new(body: Incoming, timeout: Duration) -> Self {
        Self { body, timeout, begun: Instant::now(), late: None }
    }
}

impl Body for Timed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let due = self.begun + self.timeout;
        let late = self.late.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        ready!(late.as_mut().poll(context));
        Poll::Ready(Some(Err(Late(self.timeout).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
