//! A receiver on the loopback that answers as it is told.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

use crate::{ServerLimits, serve};

/// What it does with requests, and what came.
pub(super) struct Receiver {
    pub(super) url: String,
    /// Each request's headers and body.
    pub(super) came: mpsc::UnboundedReceiver<(HeaderMap, Bytes)>,
    /// One answer is given for each permit.
    pub(super) answers: Arc<Semaphore>,
}

struct Inner {
    answer: Mutex<Box<dyn Fn() -> Response + Send>>,
    came: mpsc::UnboundedSender<(HeaderMap, Bytes)>,
    answers: Arc<Semaphore>,
}

impl Receiver {
    /// Answers at once.
    pub(super) async fn new(answer: impl Fn() -> Response + Send + 'static) -> Self {
        Self::with_permits(answer, Semaphore::MAX_PERMITS).await
    }

    /// Answers as often as it is permitted to.
    pub(super) async fn with_permits(answer: impl Fn() -> Response + Send + 'static, permits: usize) -> Self {
        let (sender, came) = mpsc::unbounded_channel();
        let answers = Arc::new(Semaphore::new(permits));
        let inner = Inner { answer: Mutex::new(Box::new(answer)), came: sender, answers: Arc::clone(&answers) };
        let router = Router::new().fallback(take).with_state(Arc::new(inner));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/in", listener.local_addr().unwrap());
        tokio::spawn(async move { serve(listener, router, &ServerLimits::default(), std::future::pending()).await });
        Receiver { url, came, answers }
    }
}

async fn take(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response {
    let _ = inner.came.send((headers, body));
    inner.answers.acquire().await.unwrap().forget();
    (inner.answer.lock())()
}
