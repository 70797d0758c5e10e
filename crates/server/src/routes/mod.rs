//! The routes. Each handler: who may, what is asked, do it, show it.

pub(crate) mod audit;
pub(crate) mod compat;
pub(crate) mod contracts;
pub(crate) mod deliveries;
pub(crate) mod diagnose;
pub(crate) mod egress_addresses;
pub(crate) mod endpoint_check;
pub(crate) mod endpoints;
pub(crate) mod events;
pub(crate) mod filters;
pub(crate) mod keys;
pub(crate) mod notifications;
pub(crate) mod operations;
pub(crate) mod organizations;
pub(crate) mod portal_links;
pub(crate) mod recoveries;
pub(crate) mod secrets;
pub(crate) mod sessions;
pub(crate) mod statistics;
pub(crate) mod status;
pub(crate) mod stream;
#[cfg(feature = "test-clock")]
pub(crate) mod test_clock;
