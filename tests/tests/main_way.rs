//! The main way.
