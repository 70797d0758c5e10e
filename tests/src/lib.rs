//! What the black-box tests share: the program under test, a client of its API, and receivers.
//!
//! Words: the *program* is the built `postrider` binary; a *life* is one process of it; a *receiver* is where its deliveries arrive,
//! scripted in Rust ([`receiver`]) or written as a customer would in another language ([`foreign`]); a *world* is one life with one
//! scripted receiver, which is what most tests need.
//!
//! Nothing here waits for a time to pass: it waits for something to happen, and [`wait::BOUND`] only says when to give up.

pub mod api;
pub mod browser;
pub mod cluster;
pub mod examples;
pub mod files;
pub mod foreign;
pub mod load;
pub mod mail;
pub mod names;
pub mod postgres;
pub mod program;
pub mod proxy;
pub mod random;
pub mod receiver;
pub mod routes;
pub mod sign;
pub mod snippet;
pub mod tls;
pub mod tokens;
pub mod wait;
pub mod world;
