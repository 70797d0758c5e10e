//! What every screen has.

use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;

use crate::{DashboardParts, Frames, ServerTime};

/// What every handler has.
pub(crate) type App = Arc<Running>;

/// A running dashboard.
pub(crate) struct Running {
    pub(crate) api: Router,
    pub(crate) frames: Arc<dyn Frames>,
    clock: Arc<dyn ServerTime>,
    public_origin: Option<String>,
}

impl Running {
    pub(crate) fn new(parts: DashboardParts) -> Self {
        let origin_of = |url: &str| {
            let (scheme, rest) = url.split_once("://")?;
            Some(format!("{scheme}://{}", rest.split('/').next().unwrap_or_default()))
        };
        let DashboardParts { api, frames, clock, public_url } = parts;
        Running { api, frames, clock, public_origin: origin_of(&public_url) }
    }

    /// The server's time.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.clock.now_ms()).unwrap_or_default()
    }

    /// Scheme, host and port that people reach it by, when the operator has told.
    pub(crate) fn public_origin(&self) -> Option<&str> {
        self.public_origin.as_deref()
    }

    /// Whether browsers reach it over `https`.
    pub(crate) fn is_secure(&self) -> bool {
        self.public_origin().is_some_and(|origin| origin.starts_with("https://"))
    }
}
