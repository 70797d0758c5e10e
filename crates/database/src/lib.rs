//! How a Postgres is reached: where it is, over TLS or not, and in which words it is told that it cannot be used.
//!
//! What a session is set to (its *options*: role, search path, time-outs) is the caller's choice and goes with the connection's start, so that
//! no session is ever without it.

mod address;
mod error;
pub mod limits;
mod place;

pub use address::{Address, Connected};
pub use error::{BUSY, DatabaseError, at_connecting, in_words, is_passing};
pub use place::Place;
