//! The API as its callers see it: real store, real engine, real client; only the sockets of the API itself are left out.

mod access;
mod audit;
mod bad_input;
mod codes;
mod contract_rules;
mod document;
mod endpoint_check;
mod idempotent;
mod lists;
mod looking;
mod overload;
mod passes;
mod receiver;
mod status;
mod stream;
mod tokens;
mod way;
mod world;
