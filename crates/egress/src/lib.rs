//! The one way out: one guarded HTTP attempt, returned as a value.
//!
//! - The [`guard`] judges URLs and addresses.
//! - A [`Client`] makes *attempts*: it resolves, judges every address, dials exactly those, sends prepared bytes within limits
//!   and says what happened, as an [`Attempt`].
//! - An *origin* is scheme, host and port; connections are kept and paced by origin.
//!
//! This crate knows no events, endpoints or contracts. It follows no redirects, reads no environment, decodes nothing, keeps no
//! cookies and has no wall clock.

mod case;
mod client;
mod connect;
mod error;
mod examine;
mod exchange;
pub mod guard;
mod limits;
mod pace;
mod pool;
mod proxy;
mod request;
pub mod resolve;
mod response;
pub mod retry_after;
mod stream;
mod tls;

pub use client::{Attempt, Client, ClientSettings, ClientStats};
pub use error::{AttemptError, AttemptErrorKind, SetupError, Way};
pub use examine::{AddressFound, CertificateFound, ConnectionFound, Examination, TlsFound};
pub use guard::{UrlRefusal, UrlRefusalCode, UrlRules, VettedUrl, judge_ip, judge_url};
pub use limits::Limits;
pub use proxy::{EgressProxy, ProxyAuth};
pub use request::{Request, is_reserved_header};
pub use response::{HttpVersion, Response};
