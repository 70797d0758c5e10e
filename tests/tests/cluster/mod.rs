//! Many nodes on one Postgres, and everything that can befall them: whatever was answered 202 arrives and is recorded exactly once, and
//! what is sent twice was on its way when a process died or a lease ran out.

mod clocks;
mod configuration;
mod connections;
mod database_restarts;
mod failing;
mod hand_over;
mod keys;
mod kills;
mod operational;
mod operations;
mod ordering;
mod out_of_reach;
mod outage;
mod refusals;
mod rotations;
mod spread;
mod streams;
