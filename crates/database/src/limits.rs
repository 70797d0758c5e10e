//! Every limit of a connection, in one place.

/// How long a connection may take to be made, in milliseconds.
pub const CONNECT_MS_MAX: u64 = 3_000;
/// How long sent bytes may stay unacknowledged before a connection is given up, in milliseconds.
pub const UNACKNOWLEDGED_MS_MAX: u64 = 10_000;
/// A silent connection is probed after this time, in seconds.
pub const KEEPALIVE_AFTER_S: u64 = 10;
/// And again after each of these, in seconds.
pub const KEEPALIVE_EVERY_S: u64 = 3;
/// Until so many probes were not answered.
pub const KEEPALIVES_LOST_MAX: u32 = 3;
