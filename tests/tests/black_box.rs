//! The whole program, tested from outside: one module a concern, against the built binary.

mod access;
mod bad_input;
mod cluster;
mod command_line;
mod deploy;
mod derived;
mod disk_full;
mod filters;
mod harness;
mod hostile;
mod house;
mod idempotency;
mod kill_nine;
mod main_way;
mod neighbours;
mod previews;
mod real_input;
mod refusals;
mod schedules;
mod secrecy;
mod settings;
mod stop;
mod tour;
mod transfer;
mod upkeep;
mod wire;
