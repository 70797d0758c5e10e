//! Work that must not be left half-way when its caller goes away, e.g. a client that closes its connection.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;

/// Runs in its caller's task as long as it is waited for; what is dropped half-way goes on in a task of its own.
pub(crate) struct ToItsEnd<T>(Option<Pin<Box<dyn Future<Output = T> + Send>>>)
where
    T: Send + 'static;

pub(crate) fn to_its_end<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> ToItsEnd<T> {
    ToItsEnd(Some(Box::pin(work)))
}

impl<T: Send + 'static> Future for ToItsEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Nobody asks again after the end.
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let done = ready!(work.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(done)
    }
}

impl<T: Send + 'static> Drop for ToItsEnd<T> {
    fn drop(&mut self) {
        let Some(work) = self.0.take() else { return };
        // A panic has ended it already; without a runtime the whole process ends.
        if !std::thread::panicking()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[tokio::test]
    async fn what_is_dropped_half_way_is_done_all_the_same() {
        let (ask, mut asked) = mpsc::channel(1);
        let (done, was_done) = oneshot::channel();
        let mut work = to_its_end(async move {
            let answer: Option<u8> = asked.recv().await;
            done.send(answer).unwrap();
        });
        tokio::select! {
            biased;
            () = &mut work => panic!("nobody has answered"),
            () = std::future::ready(()) => {}
        }
        drop(work);
        ask.send(7).await.unwrap();
        assert_eq!(was_done.await.unwrap(), Some(7));
    }

    #[tokio::test]
    async fn what_is_waited_for_answers() {
        assert_eq!(to_its_end(async { 7 }).await, 7);
    }
}
