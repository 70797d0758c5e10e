//! The whole program, tested from outside: one module a concern, against the built binary.

mod main_way;
